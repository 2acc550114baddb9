// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "support/reranker_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace {

using funnel::testing::check_reranker;
using funnel::testing::check_slate;
using Slate = std::vector<std::size_t>;

enum class Defect : std::uint8_t {
    None,
    LargerPositionFirst,
    FirstIsNotBest,
    IgnoresRelevance,
    OneTooFew,
    OneTooMany,
    PicksTwice,
    CountsFromOne,
    RemembersCalls,
    AcceptsInfinity,
    Allocates,
    WritesBehind
};

// The most relevant candidates, with at most one defect.
class Toy {
public:
    explicit Toy(Defect defect) : defect_(defect) {}

    Slate pick(std::span<const float> relevance, std::size_t k) {
        for (const float r : relevance) {
            funnel::require(funnel::math::is_finite(r) || defect_ == Defect::AcceptsInfinity, "toy: finite");
        }
        Slate slate(relevance.size());
        k = std::min(k, slate.size());
        std::iota(slate.begin(), slate.end(), std::size_t{0});
        if (defect_ != Defect::IgnoresRelevance) {
            std::sort(slate.begin(), slate.end(), [&](std::size_t a, std::size_t b) {
                const bool is_before = defect_ == Defect::LargerPositionFirst ? a > b : a < b;
                return relevance[a] != relevance[b] ? relevance[a] > relevance[b] : is_before;
            });
        }
        const auto differs = [&](std::size_t a, std::size_t b) { return relevance[slate[a]] != relevance[slate[b]]; };
        if (defect_ == Defect::FirstIsNotBest && k > 1 && differs(0, 1)) {
            std::swap(slate[0], slate[1]);
        }
        if (defect_ == Defect::RemembersCalls && ++calls_ % 2 == 0 && k > 1) {
            std::swap(slate[0], slate[1]);
        }
        if (defect_ == Defect::PicksTwice && k > 1 && differs(0, k - 1)) {
            slate[k - 1] = slate[0];
        }
        if (defect_ == Defect::CountsFromOne) {
            std::for_each(slate.begin(), slate.end(), [](std::size_t& position) { ++position; });
        }
        const bool is_cut = k > 0 && k < slate.size();
        slate.resize(k + (defect_ == Defect::OneTooMany && is_cut ? 1 : 0) -
                     (defect_ == Defect::OneTooFew && is_cut ? 1 : 0));
        return slate;
    }

    // The whole relevance is sorted in scratch_, which grows once.
    std::size_t fill(std::span<const float> relevance, std::size_t k, std::span<std::size_t> out) {
        scratch_.resize(std::max(scratch_.size(), relevance.size()));
        const std::span<std::size_t> slate = std::span(scratch_).first(relevance.size());
        std::iota(slate.begin(), slate.end(), std::size_t{0});
        std::sort(slate.begin(), slate.end(), [&](std::size_t a, std::size_t b) {
            return relevance[a] != relevance[b] ? relevance[a] > relevance[b] : a < b;
        });
        const std::size_t count = std::min({k, slate.size(), out.size()});
        if (defect_ == Defect::Allocates) {
            const Slate copy(slate.begin(), slate.end());
            std::copy_n(copy.begin(), count, out.begin());
            return count;
        }
        std::copy_n(slate.begin(), defect_ == Defect::WritesBehind ? std::min(slate.size(), out.size()) : count,
                    out.begin());
        return count;
    }

private:
    Defect defect_;
    std::size_t calls_ = 0;
    Slate scratch_;
};

void check_toy(Defect defect) {
    Toy toy(defect);
    check_reranker([&](std::span<const float> relevance, std::size_t k) { return toy.pick(relevance, k); });
}

void check_both_forms(Defect defect) {
    Toy toy(defect);
    check_reranker([&](std::span<const float> relevance, std::size_t k) { return toy.pick(relevance, k); },
                   [&](std::span<const float> relevance, std::size_t k, std::span<std::size_t> out) {
                       return toy.fill(relevance, k, out);
                   });
}

}  // namespace

TEST_CASE("reranker contract: passes for a sound rule") {
    check_toy(Defect::None);
    check_both_forms(Defect::None);
}

TEST_CASE("reranker contract: fails where ties go to the larger position" * doctest::should_fail()) {
    check_toy(Defect::LargerPositionFirst);
}

TEST_CASE("reranker contract: fails where the first pick is not the most relevant" * doctest::should_fail()) {
    check_toy(Defect::FirstIsNotBest);
}

TEST_CASE("reranker contract: fails where relevance has no say" * doctest::should_fail()) {
    check_toy(Defect::IgnoresRelevance);
}

TEST_CASE("reranker contract: fails where a slate is too short" * doctest::should_fail()) {
    check_toy(Defect::OneTooFew);
}

TEST_CASE("reranker contract: fails where a slate is longer than k" * doctest::should_fail()) {
    check_toy(Defect::OneTooMany);
}

TEST_CASE("reranker contract: fails where a candidate is picked twice" * doctest::should_fail()) {
    check_toy(Defect::PicksTwice);
}

TEST_CASE("reranker contract: fails where a position is out of range" * doctest::should_fail()) {
    check_toy(Defect::CountsFromOne);
}

TEST_CASE("reranker contract: fails where the second call gives another slate" * doctest::should_fail()) {
    check_toy(Defect::RemembersCalls);
}

TEST_CASE("reranker contract: fails where a relevance that is not finite is taken" * doctest::should_fail()) {
    check_toy(Defect::AcceptsInfinity);
}

TEST_CASE("reranker contract: fails where the form in the caller's memory allocates" *
          doctest::should_fail(funnel::testing::allocations_are_counted)) {
    check_both_forms(Defect::Allocates);
}

TEST_CASE("reranker contract: fails where it writes behind the slate" * doctest::should_fail()) {
    check_both_forms(Defect::WritesBehind);
}

TEST_CASE("check_slate: passes for a slate that ends early, and for none") {
    check_slate({2, 0}, 3, 5);
    check_slate({}, 0, 0);
}

TEST_CASE("check_slate: fails where a position comes twice" * doctest::should_fail()) {
    check_slate({2, 2}, 3, 2);
}
