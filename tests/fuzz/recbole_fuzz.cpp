// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/log_target.hpp"

#include <funnel/data/recbole.hpp>

namespace funnel::fuzz::recbole_target {
namespace {

const Registered recbole({
    .name = "recbole",
    .run = [](const Input& input) { attempt([&] { check_log(data::read_recbole(input.path)); }); },
    .seeds =
        [] {
            return std::vector<std::string>{
                "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t2\t3.5\t881250949\n2\t2\t1\t0\n",
                "item_id:token\tuser_id:token\nx\ty\n"};
        },
    .words = {"\t", "::", "\"", "\"\"", "\r\n", "\n", ",", ";", "1e308", "-0", "nan", "user_id:token", "item_id:token",
              ":token_seq", ":float", ":float_seq", "rating:float", "timestamp:float"},
});

}  // namespace
}  // namespace funnel::fuzz::recbole_target
