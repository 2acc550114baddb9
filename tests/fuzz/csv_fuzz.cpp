// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/log_target.hpp"

#include <funnel/data/csv.hpp>

namespace funnel::fuzz::csv_target {
namespace {

const Registered csv({
    .name = "csv",
    .run =
        [](const Input& input) {
            attempt([&] { check_log(data::read_csv(input.path)); });
            attempt([&] { check_log(data::read_csv(input.path, {.value = "value", .time = "time"})); });
            attempt([&] {
                check_log(data::read_headerless_csv(input.path,
                                                    {.user = 1, .item = 0, .value = 2, .time = 3, .delimiter = {}}));
            });
        },
    .seeds =
        [] {
            return std::vector<std::string>{
                "user,item,value,time\nann,7,2.5,2024-02-29\n\"b,\"\"x\",8,1,2024-02-29T23:59:59.5+01:00\n",
                "item\tuser\r\na\tb\r\n", "1;2;3;4\n5;6;7;8"};
        },
    .words = {"\t", "::", "\"", "\"\"", "\r\n", "\n", ",", ";", "1e308", "-0", "nan", "user", "item", "value", "time",
              "2024-02-29T23:59:59Z"},
});

}  // namespace
}  // namespace funnel::fuzz::csv_target
