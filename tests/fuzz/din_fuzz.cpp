// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/ranking/din.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel::fuzz::din_target {
namespace {

using Schema = ranking::Fields<1, 1, 3, 0, 1>;
using Ranker = ranking::DIN<Schema, 4, 4>;

// Two rows: known ids, and ids that no table knows, also in the history.
void load_and_score(const Input& input) {
    load_and_use<Ranker>(input, [](const Ranker& ranker) {
        Matrix<std::uint32_t> ids(2, 2);
        ids(1, 0) = ids(1, 1) = 0xFFFFFFFF;
        const Matrix<float> dense(2, 1);
        const std::vector<std::uint32_t> history{0, 1, 0xFFFFFFFF};
        const std::vector<std::size_t> starts{0, 1, 3};
        const Matrix<float> logits = ranker.score({.ids = ids, .dense = dense}, {.ids = history, .starts = starts});
        check_finite(logits.row(0));
        const std::vector<std::uint32_t> user{0};
        const Matrix<std::uint32_t> items(2, 1);
        check_finite(
            ranker
                .score(Ranker::Request{
                    .user_ids = user, .user_dense = {}, .history = history, .item_ids = items, .item_dense = dense})
                .row(0));
    });
}

std::vector<std::string> seeds() {
    Matrix<std::uint32_t> ids(4, 2);
    ids(1, 0) = ids(2, 1) = 1;
    const Matrix<float> dense(4, 1);
    const std::vector<float> labels{1.0F, 0.0F, 1.0F, 0.0F};
    const std::vector<std::uint32_t> history{0, 1, 1};
    const std::vector<std::size_t> starts{0, 1, 1, 3, 3};
    return {saved([&](const std::string& path) {
        Ranker::fit({.ids = ids, .dense = dense}, {.ids = history, .starts = starts}, std::span<const float>(labels))
            .save(path);
    })};
}

const Registered din({
    .name = "din",
    .run = load_and_score,
    .seeds = seeds,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::din_target
