// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/data/trec.hpp>

#include <string>
#include <vector>

namespace funnel::fuzz::trec_target {
namespace {

const Registered trec({
    .name = "trec",
    .run =
        [](const Input& input) {
            attempt([&] {
                check_round_trip(data::read_trec_run(input.path), data::read_trec_run,
                                 [](const std::string& path, const auto& rows) { data::write_trec_run(path, rows); });
            });
            attempt([&] { check_round_trip(data::read_qrels(input.path), data::read_qrels, data::write_qrels); });
        },
    .seeds =
        [] {
            return std::vector<std::string>{
                "301 Q0 FR-1 1 2.5 tag\n301 Q0 FR-2 2 -1e-3 tag\n302\tQ0\tFR-1\t1\t7\ttag\n",
                "301 0 FR-1 2\n301 0 FR-2 0\r\n302 0 FR-1 -1", " \xef\xbb\xbf 0 FR-1 1\n"};
        },
    .words = {" Q0 ", " 0 ", "\t", "\r\n", "1e308", "-0", "nan", "5e-324", "\xef\xbb\xbf"},
});

}  // namespace
}  // namespace funnel::fuzz::trec_target
