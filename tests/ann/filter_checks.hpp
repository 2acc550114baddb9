// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "ann/sample_vectors.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace funnel::testing {

/// Checks filters that one in 1, 2, ... n vectors passes: there are as many hits as an exact search has, all of them
/// pass, and `least` of those of the exact search are among them.
template <class Index>
void check_filters(const Index& index, const Matrix<float>& vectors, const Matrix<float>& queries,
                   const typename Index::SearchOptions& options, double least) {
    const auto flat = ann::Flat<typename Index::Metric>::build(vectors);
    for (const std::uint32_t divisor : {1U, 2U, 10U, 100U, 1000U, static_cast<std::uint32_t>(vectors.rows())}) {
        CAPTURE(divisor);
        const auto passes = [&](std::uint32_t id) { return id % divisor == divisor / 2; };
        std::vector<Hits> found;
        std::vector<Hits> expected;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            expected.push_back(flat.search(queries.row(i), {.k = options.k}, passes));
            found.push_back(index.search(queries.row(i), options, passes));
            CHECK(found.back().size() == expected.back().size());
            CHECK(std::all_of(found.back().begin(), found.back().end(), [&](auto hit) { return passes(hit.id); }));
        }
        CHECK(recall(found, expected) >= least);
    }
    CHECK(index.search(queries.row(0), {}, [](std::uint32_t) { return false; }).empty());
}

}  // namespace funnel::testing
