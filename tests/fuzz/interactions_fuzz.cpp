// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/log_target.hpp"

#include <funnel/data/read_interactions.hpp>

namespace funnel::fuzz::interactions_target {
namespace {

const Registered interactions({
    .name = "interactions",
    .run = [](const Input& input) { attempt([&] { check_log(data::read_interactions(input.path)); }); },
    .seeds =
        [] {
            return std::vector<std::string>{
                "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t3.5\t881250949\n2\t2\t1\t0\n",
                "1\t2\t3\t881250949\n4\t2\t1\t7\n",
                "1::1193::5::978300760\n2::7::1::1\n",
                "userId,movieId,rating,timestamp\n1,2,3.5,7\n\"1\",4,1,8\r\n",
                "User-ID;ISBN;Score\n1;x;3\n",
                "customer,sku,time\na,b,2024-01-01\n"};
        },
    .words = {"\t", "::", "\"", "\"\"", "\r\n", "\n", ",", ";", "1e308", "-0", "nan", "User-ID", "sku", "isbn",
              "rating", "unix_time", "user_id:token"},
});

}  // namespace
}  // namespace funnel::fuzz::interactions_target
