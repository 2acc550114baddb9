// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "fuzz/fuzz.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/sparse.hpp>

namespace funnel::fuzz {

/// Scores a dense and a sparse row with a loaded ranker.
template <class R>
void load_and_score(const Input& input) {
    load_and_use<R>(input, [](const R& ranker) {
        Matrix<float> rows(2, ranker.features());
        std::vector<Triplet<float>> entries;
        for (std::uint32_t j = 0; j < ranker.features(); ++j) {
            rows(0, j) = 1.0F;
            entries.push_back({0, j, -1e30F});
        }
        check_finite(ranker.score(rows));
        check_finite(ranker.predict(rows));
        check_finite(ranker.score(CSRMatrix<float>(entries, 1, ranker.features())));
    });
}

template <class R>
std::vector<std::string> ranker_seeds() {
    Matrix<float> rows(4, 3);
    rows(0, 0) = rows(1, 1) = rows(2, 2) = 1.0F;
    const std::vector<float> labels{1.0F, 0.0F, 1.0F, 0.0F};
    return {saved([&](const std::string& path) { R::fit(rows, labels).save(path); })};
}

}  // namespace funnel::fuzz
