// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/category_cap.hpp>

#include <funnel/core/rng.hpp>

#include "support/reranker_contract.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::category_cap;
using funnel::rerank::CategoryCapOptions;

namespace {

using Slate = std::vector<std::size_t>;
using Names = std::vector<std::uint32_t>;

// A slate keeps the rule if no window of it holds one item too many of any category. Counts everything anew.
bool keeps_the_rule(const Slate& slate, const std::vector<Names>& categories, const CategoryCapOptions& options) {
    const std::size_t window = options.window.value_or(std::max<std::size_t>(slate.size(), 1));
    for (std::size_t begin = 0; begin < slate.size(); ++begin) {
        for (std::uint32_t category = 0; category < 10; ++category) {
            std::size_t count = 0;
            for (std::size_t t = begin; t < std::min(begin + window, slate.size()); ++t) {
                const Names& mine = categories[slate[t]];
                count += std::find(mine.begin(), mine.end(), category) != mine.end() ? 1U : 0U;
            }
            if (count > options.per_category) {
                return false;
            }
        }
    }
    return true;
}

Slate cap_by_definition(const std::vector<Names>& categories, const CategoryCapOptions& options) {
    Slate slate;
    while (slate.size() < std::min(options.k, categories.size())) {
        bool found = false;
        for (const bool breaks_the_rule : {false, true}) {
            for (std::size_t i = 0; i < categories.size() && !found && (!breaks_the_rule || options.backfill); ++i) {
                if (std::find(slate.begin(), slate.end(), i) != slate.end()) {
                    continue;
                }
                slate.push_back(i);
                // Only windows that end at the new item matter: earlier ones may hold a backfilled item.
                const std::size_t window = std::min(options.window.value_or(slate.size()), slate.size());
                const Slate tail(slate.end() - static_cast<std::ptrdiff_t>(window), slate.end());
                found = breaks_the_rule;
                if (!found) {
                    found = true;
                    for (const std::uint32_t c : categories[i]) {
                        std::size_t count = 0;
                        for (const std::size_t j : tail) {
                            count += std::find(categories[j].begin(), categories[j].end(), c) != categories[j].end();
                        }
                        found = found && count <= options.per_category;
                    }
                }
                if (!found) {
                    slate.pop_back();
                }
            }
        }
        if (!found) {
            break;
        }
    }
    return slate;
}

}  // namespace

TEST_CASE("category_cap: worked by hand") {
    // A A A A B B A C C B: the third A (position 2) is one too many, and so on.
    const Names categories{0, 0, 0, 0, 1, 1, 0, 2, 2, 1};
    CHECK(category_cap(categories, {.k = 6, .per_category = 2}) == Slate{0, 1, 4, 5, 7, 8});
    CHECK(category_cap(categories, {.k = 10, .per_category = 1}) == Slate{0, 4, 7});
}

TEST_CASE("category_cap: a window lets a category come back later") {
    const Names categories{0, 0, 0, 0, 1, 1, 0, 2, 2, 1};
    CHECK(category_cap(categories, {.k = 8, .per_category = 1, .window = 2}) == Slate{0, 4, 1, 5, 2, 7, 3, 8});
    CHECK(category_cap(categories, {.k = 8, .per_category = 1, .window = 3}) == Slate{0, 4, 7, 1, 5, 8, 2, 9});
    CHECK(category_cap(categories, {.k = 8, .per_category = 2, .window = 3}) == Slate{0, 1, 4, 2, 3, 5, 6, 7});
}

TEST_CASE("category_cap: an item takes part in the cap of each of its categories") {
    // 0 is comedy and drama, 1 is drama, 2 has none, 3 is comedy (named twice, counted once), 4 is western.
    const std::vector<Names> genres{{5, 9}, {9}, {}, {5, 5}, {1}};
    const auto genres_of = [&](std::size_t i) { return genres[i]; };
    CHECK(category_cap(genres.size(), genres_of, {.per_category = 1}) == Slate{0, 2, 4});
    CHECK(category_cap(genres.size(), genres_of, {.per_category = 2}) == Slate{0, 1, 2, 3, 4});
}

TEST_CASE("category_cap: backfill takes the best that is left when the rule leaves nothing") {
    const Names categories{0, 0, 0, 1};
    CHECK(category_cap(categories, {.k = 4, .per_category = 1}) == Slate{0, 3});
    CHECK(category_cap(categories, {.k = 4, .per_category = 1, .backfill = true}) == Slate{0, 3, 1, 2});
}

TEST_CASE("category_cap: agrees with the definition on random input, and keeps its rule") {
    Random random(5);
    for (int round = 0; round < 200; ++round) {
        std::vector<Names> categories(random.below(15));
        for (Names& names : categories) {
            names.resize(random.below(3));
            std::generate(names.begin(), names.end(), [&] { return static_cast<std::uint32_t>(random.below(4)); });
        }
        CategoryCapOptions options{.k = random.below(12), .per_category = 1 + random.below(3)};
        if (random.below(2) == 1) {
            options.window = 1 + random.below(5);
        }
        options.backfill = random.below(2) == 1;
        CAPTURE(round);
        const Slate slate = category_cap(categories.size(), [&](std::size_t i) { return categories[i]; }, options);
        funnel::testing::check_slate(slate, categories.size(), options.k);
        CHECK(slate == cap_by_definition(categories, options));
        if (!options.backfill) {
            CHECK(keeps_the_rule(slate, categories, options));
        }
    }
}

TEST_CASE("category_cap: edges of the input") {
    CHECK(category_cap({}).empty());
    CHECK(category_cap(Names{1, 2}, {.k = 0}).empty());
    CHECK(category_cap(Names{1, 2}, {.k = 99}) == Slate{0, 1});
    CHECK(category_cap(Names(5, 3), {.per_category = 99}) == Slate{0, 1, 2, 3, 4});
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    CHECK(category_cap(Names{1, 1, 2}, {.k = endless, .per_category = 1}) == Slate{0, 2});
    CHECK(category_cap(Names{1, 1, 2}, {.k = endless, .per_category = endless, .window = endless}) == Slate{0, 1, 2});
    CHECK(category_cap(Names{1, 1}, {.k = endless, .per_category = 1, .window = endless, .backfill = true}) ==
          Slate{0, 1});
    CHECK(category_cap(Names(3, 3), {.per_category = 1, .window = 1}) == Slate{0, 1, 2});
    CHECK(category_cap(Names{4294967295U, 4294967295U}, {.per_category = 1}) == Slate{0});
}

TEST_CASE("category_cap: rejects rules without a meaning") {
    CHECK_THROWS_AS((void)category_cap(Names{1}, {.per_category = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)category_cap(Names{1}, {.window = 0}), InvalidArgument);
}

TEST_CASE("category_cap: categories of 64 bits that agree in the lower 32 are two") {
    const std::vector<std::int64_t> shops{7, 7 + (std::int64_t{1} << 32), -1, 4294967295, 7};
    const auto shop_of = [&](std::size_t i) { return std::vector<std::int64_t>{shops[i]}; };
    CHECK(category_cap(shops.size(), shop_of, {.per_category = 1}) == Slate{0, 1, 2, 3});
}
