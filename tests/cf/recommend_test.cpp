// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/recommend.hpp>

#include "cf/table_scorer.hpp"

#include <funnel/cf/folded_user.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

using funnel::AcceptAll;
using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;
using Table = funnel::testing::TableScorer;

// The same, where a 0 is evidence only for the items of `known`.
struct TableWithKnownZeros : Table {
    Ids known;

    void keep_known_zeros(const Profile&, std::span<float> all) const noexcept {
        for (std::uint32_t item = 0; item < all.size(); ++item) {
            const bool is_known = std::find(known.begin(), known.end(), item) != known.end();
            all[item] = all[item] == 0.0F && is_known ? 0.0F : 1.0F;
        }
    }
};

// Sorts everything, then throws out what may not be shown.
List by_definition(const std::vector<float>& scores, const std::set<std::uint32_t>& hidden, std::size_t k) {
    List all;
    for (std::uint32_t item = 0; item < scores.size(); ++item) {
        if (!hidden.contains(item)) {
            all.push_back({item, scores[item]});
        }
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.score != b.score ? a.score > b.score : a.id < b.id; });
    all.resize(std::min(k, all.size()));
    return all;
}

}  // namespace

TEST_CASE("best_unseen: worked by hand") {
    const std::vector<float> scores{0.5F, 0.9F, 0.1F, 0.9F, 0.7F};
    std::vector<Scored<>> out(3);
    const auto best = best_unseen(scores, Ids{1}, out);
    CHECK(List(best.begin(), best.end()) == List{{3, 0.9F}, {4, 0.7F}, {0, 0.5F}});

    const auto even = best_unseen(scores, Ids{1}, out, [](std::uint32_t item) { return item % 2 == 0; });
    CHECK(List(even.begin(), even.end()) == List{{4, 0.7F}, {0, 0.5F}, {2, 0.1F}});
}

TEST_CASE("best_unseen: seen items are removed, not marked down") {
    // Fewer than k candidates are left, and their scores are negative: item 1 must not come back with score 0.
    const std::vector<float> scores{-1.0F, 5.0F, -2.0F};
    std::vector<Scored<>> out(3);
    const auto best = best_unseen(scores, Ids{1}, out);
    CHECK(List(best.begin(), best.end()) == List{{0, -1.0F}, {2, -2.0F}});
}

TEST_CASE("best_unseen: minus infinity is a score, NaN is none") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> scores{-infinity, std::numeric_limits<float>::quiet_NaN(), 0.0F, -infinity};
    List out(2);
    const auto best = best_unseen(scores, {}, out);
    CHECK(List(best.begin(), best.end()) == List{{2, 0.0F}, {0, -infinity}});
}

TEST_CASE("best_unseen: agrees with the definition on random input, with many ties") {
    funnel::Random random(7);
    for (int round = 0; round < 200; ++round) {
        const std::size_t n = random.below(40);
        const std::size_t k = random.below(12);
        std::vector<float> scores(n);
        std::set<std::uint32_t> seen;
        std::set<std::uint32_t> hidden;
        for (std::uint32_t item = 0; item < n; ++item) {
            scores[item] = static_cast<float>(random.below(6)) - 2.0F;
            if (random.below(4) == 0) {
                seen.insert(item);
            }
            if (seen.contains(item) || item % 5 == 3) {
                hidden.insert(item);
            }
        }
        List out(k);
        const auto best =
            best_unseen(scores, Ids(seen.begin(), seen.end()), out, [](std::uint32_t item) { return item % 5 != 3; });
        CAPTURE(round);
        CHECK(List(best.begin(), best.end()) == by_definition(scores, hidden, k));
    }
}

TEST_CASE("best_unseen: seen items that are not in the catalogue are passed over") {
    const std::vector<float> scores{0.5F, 0.9F};
    List out(3);
    const auto best = best_unseen(scores, Ids{1, 2, 7, 0xFFFFFFFF}, out);
    CHECK(List(best.begin(), best.end()) == List{{0, 0.5F}});
    CHECK(best_unseen({}, Ids{0, 5}, out).empty());
    CHECK(best_unseen(scores, {}, {}).empty());
}

TEST_CASE("best_unseen: asks the filter only about items that would enter") {
    std::vector<float> scores(100, 1.0F);
    List out(2);
    int calls = 0;
    (void)best_unseen(scores, {}, out, [&](std::uint32_t) { return ++calls > 0; });
    CHECK(calls == 2);
}

TEST_CASE("recommend_for: both forms give the same list") {
    const Table model{{0.3F, 0.2F, 0.9F, 0.4F}};
    const Ids history{2};
    const Profile profile{history};
    const List expected{{3, 0.4F}, {0, 0.3F}};
    CHECK(recommend_for(model, profile, {.k = 2}, AcceptAll{}) == expected);

    std::vector<float> scratch(4);
    List out(9, Scored<>{77, 7.0F});
    const auto list = recommend_for(model, profile, {.k = 2}, AcceptAll{}, scratch, out);
    CHECK(List(list.begin(), list.end()) == expected);
    CHECK(out[2] == Scored<>{77, 7.0F});  // k counts, not the room
    CHECK(recommend_for(model, profile, {.k = 5}, AcceptAll{}, scratch, std::span(out).first(1)).size() == 1);
    CHECK(recommend_for(model, {}, {.k = 2}, AcceptAll{}, scratch, out).empty());  // needs_history
    static_assert(noexcept(recommend_for(model, profile, {}, AcceptAll{}, scratch, out)));
}

// It wrote past the end of what the caller gave.
TEST_CASE("recommend_for: scratch that is too short gives an empty list") {
    const Table model{{0.3F, 0.2F, 0.9F, 0.4F}};
    const Ids history{2};
    const List untouched(2, Scored<>{77, 7.0F});
    List out = untouched;
    std::vector<float> scratch(4, 9.0F);
    for (std::size_t size = 0; size < 4; ++size) {
        CHECK(recommend_for(model, {history}, {}, AcceptAll{}, std::span(scratch).first(size), out).empty());
        CHECK(out == untouched);
        CHECK(scratch == std::vector<float>(4, 9.0F));
    }
    std::vector<float> longer(6, 9.0F);
    CHECK(recommend_for(model, {history}, {}, AcceptAll{}, longer, out).size() == 2);
    CHECK(longer[4] == 9.0F);
}

TEST_CASE("recommend_for: edges of k, history and filter") {
    const Table model{{0.3F, 0.2F, 0.9F}};
    const Ids history{2};
    const Ids everything{0, 1, 2};
    CHECK(recommend_for(model, {history}, {.k = 0}, AcceptAll{}).empty());
    CHECK(recommend_for(model, {history}, {.k = 99}, AcceptAll{}) == List{{0, 0.3F}, {1, 0.2F}});
    CHECK(recommend_for(model, {history}, {.k = 1, .keep_seen = true}, AcceptAll{}) == List{{2, 0.9F}});
    CHECK(recommend_for(model, {everything}, {}, AcceptAll{}).empty());
    CHECK(recommend_for(model, {history}, {}, [](std::uint32_t) { return false; }).empty());
    CHECK(recommend_for(model, {}, {}, AcceptAll{}).empty());  // needs_history
    CHECK(recommend_for(Table{}, {history}, {}, AcceptAll{}).empty());
}

TEST_CASE("recommend_for: zeros with evidence come between positive and negative scores, zeros without it not at all") {
    const TableWithKnownZeros model{{{-1.0F, 0.0F, 0.0F, -2.0F, 0.5F, 0.0F}}, {2, 5}};
    const Ids history{9};
    const List expected{{4, 0.5F}, {2, 0.0F}, {5, 0.0F}, {0, -1.0F}, {3, -2.0F}};
    for (std::size_t k = 1; k <= 6; ++k) {
        CAPTURE(k);
        const List best(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(std::min(k, expected.size())));
        CHECK(recommend_for(model, {history}, {.k = k}, AcceptAll{}) == best);
    }
    const auto passes = [](std::uint32_t item) { return item != 5 && item != 0; };
    CHECK(recommend_for(model, {history}, {.k = 6}, passes) == List{{4, 0.5F}, {2, 0.0F}, {3, -2.0F}});
    CHECK(recommend_for(model, {history}, {.k = 2}, passes) == List{{4, 0.5F}, {2, 0.0F}});
}

TEST_CASE("recommend_for: what a filter throws comes out") {
    const Table model{{0.3F, 0.2F}};
    const Ids history{1};
    const auto broken = [](std::uint32_t) -> bool { throw std::runtime_error("no"); };
    CHECK_THROWS_AS((void)recommend_for(model, {history}, {}, broken), std::runtime_error);
}

TEST_CASE("score_for: in the order asked for, repeats and all") {
    const Table model{{0.3F, 0.2F, 0.9F}};
    const Ids history{1};
    CHECK(score_for(model, {history}, Ids{2, 0, 2}) == std::vector<float>{0.9F, 0.3F, 0.9F});
    CHECK(score_for(model, {}, Ids{2, 0, 2}) == std::vector<float>(3));  // needs_history
    CHECK(score_for(model, {}, {}).empty());
    CHECK_THROWS_AS((void)score_for(model, {}, Ids{3}), InvalidArgument);
}

TEST_CASE("checked_history: sorts, and rejects what cannot be a history") {
    CHECK(checked_history(Ids{4, 0, 2}, 5) == Ids{0, 2, 4});
    CHECK(checked_history({}, 0).empty());
    CHECK_THROWS_AS((void)checked_history(Ids{0, 5}, 5), InvalidArgument);
    CHECK_THROWS_AS((void)checked_history(Ids{1, 0, 1}, 5), InvalidArgument);
}
