// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "ann/sample_vectors.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace funnel::testing {

/// Ids that pass, as each kind of filter.
struct Allowed {
    std::vector<std::uint8_t> flags;
    std::vector<std::uint64_t> words;
    std::vector<std::uint32_t> ids;

    Allowed(std::size_t n, std::vector<std::uint32_t> chosen) : flags(n), words((n + 63) / 64), ids(std::move(chosen)) {
        std::sort(ids.begin(), ids.end());
        for (const std::uint32_t id : ids) {
            flags[id] = 1;
            words[id / 64] |= std::uint64_t{1} << (id % 64);
        }
    }
    [[nodiscard]] auto callable() const {
        return [this](std::uint32_t id) { return flags[id] != 0; };
    }
};

/// Every step-th of n ids.
[[nodiscard]] inline std::vector<std::uint32_t> every(std::uint32_t step, std::size_t n) {
    std::vector<std::uint32_t> ids;
    for (std::uint32_t id = step / 2; id < n; id += step) {
        ids.push_back(id);
    }
    return ids;
}

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
