// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// Small slates by brute force, for the tests of slate rules.

#include <funnel/core/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel::testing {

using Slate = std::vector<std::size_t>;
using Names = std::vector<std::uint32_t>;

// Calls visit(slate) for every order of k of n candidates, until it returns true. Returns whether it did.
template <class Visit>
bool any_order(std::size_t n, std::size_t k, const Visit& visit, Slate slate = {}) {
    if (slate.size() == k) {
        return visit(slate);
    }
    for (std::size_t i = 0; i < n; ++i) {
        if (std::find(slate.begin(), slate.end(), i) == slate.end()) {
            slate.push_back(i);
            if (any_order(n, k, visit, slate)) {
                return true;
            }
            slate.pop_back();
        }
    }
    return false;
}

inline std::size_t count_of(const Slate& slate, const std::vector<Names>& groups, std::uint32_t group,
                            std::size_t begin, std::size_t end) {
    std::size_t count = 0;
    for (std::size_t t = begin; t < std::min(end, slate.size()); ++t) {
        const Names& mine = groups[slate[t]];
        count += std::find(mine.begin(), mine.end(), group) != mine.end() ? 1U : 0U;
    }
    return count;
}

// The largest number of items of any group below 10 in any window.
inline std::size_t most_in_a_window(const Slate& slate, const std::vector<Names>& groups, std::size_t window) {
    std::size_t most = 0;
    for (std::size_t begin = 0; begin < slate.size(); ++begin) {
        for (std::uint32_t group = 0; group < 10; ++group) {
            const std::size_t end = window < slate.size() - begin ? begin + window : slate.size();
            most = std::max(most, count_of(slate, groups, group, begin, end));
        }
    }
    return most;
}

// n candidates with at most `per_candidate` of the groups 0 .. groups - 1 each.
inline std::vector<Names> random_groups(Random& random, std::size_t n, std::size_t groups, std::size_t per_candidate) {
    std::vector<Names> all(n);
    for (Names& names : all) {
        names.resize(random.below(5) == 0 ? 0 : 1 + random.below(per_candidate));
        for (std::uint32_t& name : names) {
            name = static_cast<std::uint32_t>(random.below(groups));
        }
    }
    return all;
}

// Whole numbers: their sums are exact, and there are ties.
inline std::vector<float> random_relevance(Random& random, std::size_t n) {
    std::vector<float> relevance(n);
    for (float& value : relevance) {
        value = static_cast<float>(random.below(12));
    }
    return relevance;
}

inline double sum_over(const Slate& slate, std::span<const float> relevance) {
    double sum = 0.0;
    for (const std::size_t i : slate) {
        sum += static_cast<double>(relevance[i]);
    }
    return sum;
}

}  // namespace funnel::testing
