// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/log_target.hpp"

#include <funnel/data/movielens.hpp>

namespace funnel::fuzz::movielens_target {
namespace {

const Registered movielens({
    .name = "movielens",
    .run = [](const Input& input) { attempt([&] { check_log(data::read_movielens(input.path)); }); },
    .seeds =
        [] {
            return std::vector<std::string>{"1\t2\t3\t881250949\n4\t2\t1\t7\n", "1::1193::5::978300760\n2::7::1::1\n",
                                            "userId,movieId,rating,timestamp\n1,2,3.5,7\n\"1\",4,1,8\r\n"};
        },
    .words = {"\t", "::", "\"", "\"\"", "\r\n", "\n", ",", ";", "1e308", "-0", "nan", "userId", "movieId", "rating",
              "timestamp"},
});

}  // namespace
}  // namespace funnel::fuzz::movielens_target
