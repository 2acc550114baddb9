// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/recommend.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel::testing {

/// A scorer that gives each item the score in a table, whoever the user is.
struct TableScorer {
    static constexpr bool needs_history = true;
    std::vector<float> scores;

    [[nodiscard]] std::size_t items() const noexcept { return scores.size(); }
    void score_all(const cf::Profile&, std::span<float> out) const noexcept {
        std::copy(scores.begin(), scores.end(), out.begin());
    }
    [[nodiscard]] float score_one(const cf::Profile&, std::uint32_t item) const noexcept { return scores[item]; }
};

}  // namespace funnel::testing
