// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/log_target.hpp"

#include <funnel/data/read_user_metadata.hpp>

namespace funnel::fuzz::user_metadata_target {
namespace {

const Registered user_metadata({
    .name = "user_metadata",
    .run =
        [](const Input& input) {
            static const data::Interactions log = data::Interactions::from_ids({{0, 0}, {1, 0}, {2, 0}}, 3, 1);
            attempt([&] {
                check(data::read_user_metadata(input.path, log).size() == log.users(), "there is one entry per user");
            });
        },
    .seeds =
        [] {
            return std::vector<std::string>{"1|24|M|technician|85711\n2|53|F|other|94043\n",
                                            "1::F::1::10::48067\n2::M::56::16::70072\n",
                                            "user_id:token\tage:token\tgender:token\toccupation:token\n1\t24\tM\tx\n"};
        },
    .words = {"\t", "::", "\"", "\"\"", "\r\n", "\n", ",", ";", "1e308", "-0", "nan", "|", "user_id:token", "age:token",
              "gender:token", "occupation:token"},
});

}  // namespace
}  // namespace funnel::fuzz::user_metadata_target
