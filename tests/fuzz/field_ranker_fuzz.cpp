// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/ranking/deep_rankers.hpp>
#include <funnel/ranking/field_ranker.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace funnel::fuzz::field_ranker_target {
namespace {

using Schema = ranking::Fields<1, 1, 3, 0, 1>;
using Ranker = ranking::DeepFM<Schema, 4>;

// Two rows: known ids, and ids that no table knows.
void load_and_score(const Input& input) {
    load_and_use<Ranker>(input, [](const Ranker& ranker) {
        Matrix<std::uint32_t> ids(2, 2);
        ids(1, 0) = ids(1, 1) = 0xFFFFFFFF;
        const Matrix<float> dense(2, 1);
        const Matrix<float> logits = ranker.score({.ids = ids, .dense = dense});
        check_finite(logits.row(0));
        check_finite(ranker.predict({.ids = ids, .dense = dense}).row(1));
        const std::vector<std::uint32_t> user{0};
        const Matrix<std::uint32_t> items(2, 1);
        check_finite(
            ranker.score(Ranker::Request{.user_ids = user, .user_dense = {}, .item_ids = items, .item_dense = dense})
                .row(0));
    });
}

std::vector<std::string> seeds() {
    Matrix<std::uint32_t> ids(4, 2);
    ids(1, 0) = ids(2, 1) = 1;
    const Matrix<float> dense(4, 1);
    const std::vector<float> labels{1.0F, 0.0F, 1.0F, 0.0F};
    return {saved([&](const std::string& path) {
        Ranker::fit({.ids = ids, .dense = dense}, std::span<const float>(labels)).save(path);
    })};
}

const Registered field_ranker({
    .name = "field_ranker",
    .run = load_and_score,
    .seeds = seeds,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::field_ranker_target
