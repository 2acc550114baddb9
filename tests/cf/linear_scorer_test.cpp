// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/linear_scorer.hpp>

#include "cf/random_log.hpp"
#include "support/allocations.hpp"
#include "support/temp_dir.hpp"

#include <funnel/cf/dense_weights.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/sparse_weights.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

// Takes the weights it is given: no learning.
template <class W>
class Given : public LinearScorer<W> {
public:
    using Options = W;
    static constexpr std::string_view kind = "cf.Given";

    template <class Log, class Executor>
    static Given learn(const Log&, const CSRMatrix<float>&, const W& weights, Executor&) {
        return Given(weights);
    }
    template <class Reader>
    static Given read(const Reader& file, const Histories& histories) {
        return Given(W::read(file, histories.items()));
    }

private:
    using LinearScorer<W>::LinearScorer;
};

// weight(from, to), 4 x 4:  item 2 speaks against 3, nothing speaks for 0.
const std::vector<float> table{0.0F, 0.5F, 0.25F, 0.0F,    //
                               0.0F, 0.0F, 0.0F,  0.25F,   //
                               0.0F, 1.0F, 0.0F,  -0.75F,  //
                               0.0F, 0.0F, 0.0F,  0.0F};

SparseWeights sparse_table() {
    std::vector<funnel::Triplet<float>> entries;
    for (std::uint32_t i = 0; i < table.size(); ++i) {
        if (table[i] != 0.0F) {
            entries.push_back({i / 4, i % 4, table[i]});
        }
    }
    return SparseWeights(CSRMatrix<float>(entries, 4, 4));
}

// Weights that count how often they are looked up, and how often a row is passed.
struct Counting {
    static constexpr std::size_t lookup_cost = 10;

    [[nodiscard]] std::size_t items() const noexcept { return 100; }
    [[nodiscard]] std::size_t mean_row() const noexcept { return 50; }
    [[nodiscard]] float weight(std::uint32_t, std::uint32_t to) const noexcept {
        ++*lookups;
        return to + zeros < items() ? 1.0F : 0.0F;
    }
    void add_row(std::uint32_t, std::span<float> scores) const noexcept {
        ++*rows;
        for (float& score : scores.first(items() - zeros)) {
            score += 1.0F;
        }
    }
    void clear_row(std::uint32_t, float mark, std::span<float> scores) const noexcept {
        ++*rows;
        const auto known = scores.first(items() - zeros);
        std::replace(known.begin(), known.end(), mark, 0.0F);
    }

    std::size_t* lookups;
    std::size_t* rows;
    std::size_t zeros = 0;  // the last items, for which nothing speaks
};

const auto log_of_three = testing::log_of({{0, 2}, {}, {1, 2}}, 4);

}  // namespace

TEST_CASE_TEMPLATE("LinearScorer: worked by hand, with dense and with sparse weights", Weights, SparseWeights,
                   DenseWeights<>) {
    const auto weights = [] {
        if constexpr (std::is_same_v<Weights, SparseWeights>) {
            return sparse_table();
        } else {
            return DenseWeights<>(table, 4);
        }
    };
    const auto model = Model<Given<Weights>>::fit(log_of_three, weights());
    CHECK(model.users() == 3);
    CHECK(model.items() == 4);

    // User 0 has items 0 and 2: item 1 scores 0.5 + 1, item 3 scores 0 - 0.75.
    CHECK(model.recommend(0) == List{{1, 1.5F}, {3, -0.75F}});
    CHECK(model.recommend(0, {.k = 2, .keep_seen = true}) == List{{1, 1.5F}, {2, 0.25F}});
    CHECK(model.recommend(0, {}, [](std::uint32_t item) { return item == 3; }) == List{{3, -0.75F}});
    // User 2 has items 1 and 2; neither speaks for item 0 or against it.
    CHECK(model.recommend(2) == List{{3, -0.5F}});
    CHECK(model.score(2, Ids{3, 1, 0}) == std::vector<float>{-0.5F, 1.0F, 0.0F});
    CHECK(model.recommend(1).empty());
    CHECK(model.score(1, Ids{1}) == std::vector<float>{0.0F});

    CHECK(model.explain(0, 1, 5) == List{{2, 1.0F}, {0, 0.5F}});
    CHECK(model.explain(0, 1, 1) == List{{2, 1.0F}});
    CHECK(model.explain(0, 1, std::numeric_limits<std::size_t>::max()).size() == 2);
    CHECK(model.explain(2, 3, 5) == List{{1, 0.25F}, {2, -0.75F}});
    CHECK(model.explain(0, 0, 5).empty());
    CHECK(model.explain(0, 1, 0).empty());
    CHECK(model.explain(1, 1, 5).empty());

    const auto folded = model.fold_in(Ids{2, 0});
    CHECK(folded.recommend() == model.recommend(0));
    CHECK(folded.score(Ids{1, 3}) == model.score(0, Ids{1, 3}));
    CHECK(folded.explain(1, 5) == model.explain(0, 1, 5));
    CHECK(model.fold_in({}).recommend().empty());

    std::vector<float> scratch(4, 9.0F);  // as another call left it
    List out(2);
    const auto list = model.recommend(0, {.k = 2}, scratch, out);
    CHECK(List(list.begin(), list.end()) == model.recommend(0));

    CHECK_THROWS_AS((void)model.score(0, Ids{4}), InvalidArgument);
    CHECK_THROWS_AS((void)model.explain(0, 4, 1), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{0, 0}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{4}), InvalidArgument);
    CHECK_THROWS_AS((void)folded.explain(4, 1), InvalidArgument);
}

// Items that nobody took, and others that had nothing to do with the user's, stood before all with negative scores.
TEST_CASE_TEMPLATE("LinearScorer: of the items with score 0, those are listed for which weights cancel out", Weights,
                   SparseWeights, DenseWeights<>) {
    // What items 0, 1 and 2 say: of item 3 +1 -1, of item 4 -0.5, of item 5 nothing, of item 6 +0.25 -0.5 +0.25, of
    // item 7 a weight of 0 that is stored.
    constexpr std::uint32_t n = 8;
    std::vector<funnel::Triplet<float>> entries{{0, 3, 1.0F},  {1, 3, -1.0F}, {0, 4, -0.5F}, {0, 6, 0.25F},
                                                {1, 6, -0.5F}, {2, 6, 0.25F}, {2, 7, 0.0F},  {5, 7, 1.0F}};
    Weights weights;
    if constexpr (std::is_same_v<Weights, SparseWeights>) {
        weights = SparseWeights(CSRMatrix<float>(entries, n, n));
    } else {
        std::vector<float> dense(n * n, 0.0F);
        for (const auto& entry : entries) {
            dense[entry.row * n + entry.column] = entry.value;
        }
        weights = DenseWeights<>(dense, n);
    }
    const auto model = Model<Given<Weights>>::fit(testing::log_of({{0, 1, 2}, {5}, {0}}, n), weights);
    CHECK(model.score(0, Ids{3, 4, 5, 6, 7}) == std::vector<float>{0.0F, -0.5F, 0.0F, 0.0F, 0.0F});
    CHECK(model.recommend(0) == List{{3, 0.0F}, {6, 0.0F}, {4, -0.5F}});
    CHECK(model.recommend(0, {.k = 2}) == List{{3, 0.0F}, {6, 0.0F}});
    CHECK(model.recommend(0, {.k = 1}) == List{{3, 0.0F}});
    CHECK(model.recommend(0, {.k = 1}, [](std::uint32_t item) { return item > 3; }) == List{{6, 0.0F}});
    CHECK(model.recommend(0, {.keep_seen = true}) == List{{3, 0.0F}, {6, 0.0F}, {4, -0.5F}});
    CHECK(model.recommend(1) == List{{7, 1.0F}});
    CHECK(model.recommend(2) == List{{3, 1.0F}, {6, 0.25F}, {4, -0.5F}});
    CHECK(model.fold_in(Ids{2}).recommend() == List{{6, 0.25F}});
    CHECK(model.fold_in(Ids{3, 4}).recommend().empty());
}

TEST_CASE_TEMPLATE("LinearScorer: lists agree with the definition where many weights are 0 or cancel out", Weights,
                   SparseWeights, DenseWeights<>) {
    constexpr std::uint32_t n = 150;
    funnel::Random random(9);
    for (const bool few_zeros : {false, true}) {
        std::vector<float> dense(n * n, 0.0F);
        std::vector<funnel::Triplet<float>> entries;
        for (std::uint32_t at = 0; at < n * n; ++at) {
            const std::uint32_t to = at % n;
            if (few_zeros && to >= 6) {
                dense[at] = static_cast<float>(random.normal());
            } else if (!few_zeros || to >= 3) {  // else nothing speaks for the first three
                dense[at] = static_cast<float>(random.below(few_zeros ? 2 : 3)) - (few_zeros ? 0.5F : 1.0F);
            }
            if (dense[at] != 0.0F) {
                entries.push_back({at / n, to, dense[at]});
            }
        }
        Weights weights;
        if constexpr (std::is_same_v<Weights, SparseWeights>) {
            weights = SparseWeights(CSRMatrix<float>(entries, n, n));
        } else {
            weights = DenseWeights<>(dense, n);
        }
        const auto log = testing::random_log(40, n, 0.03, 6);
        const Histories histories(funnel::data::user_item_matrix(log));
        const auto model = Model<Given<Weights>>::fit(log, weights);
        std::size_t cancelled = 0;
        for (std::uint32_t user = 0; user < 40; ++user) {
            const std::span<const std::uint32_t> history = histories.of(user);
            List expected;
            for (std::uint32_t item = 0; item < n; ++item) {
                const bool is_known = std::any_of(history.begin(), history.end(), [&](std::uint32_t from) {
                    return dense[std::size_t{from} * n + item] != 0.0F;
                });
                if (is_known && !std::binary_search(history.begin(), history.end(), item)) {
                    expected.push_back({item, model.score(user, Ids{item})[0]});
                    cancelled += expected.back().score == 0.0F ? 1 : 0;
                }
            }
            std::sort(expected.begin(), expected.end(), funnel::ranks_before);
            CHECK(model.recommend(user, {.k = n}) == expected);
            expected.resize(std::min<std::size_t>(expected.size(), 90));
            CHECK(model.recommend(user, {.k = 90}) == expected);
        }
        CHECK(cancelled > 20);
    }
}

// Telling which zeros have evidence takes as long as all scores, so that it is left out where the list is full without
// them, and items are looked up one by one where they are few.
TEST_CASE("LinearScorer: which zeros are known is asked only if a zero can enter the list") {
    const auto log = testing::log_of({{0, 1, 2, 3}}, 100);
    for (const std::uint32_t zeros : {0U, 4U, 5U}) {  // a row is as much work as 5 look-ups
        CAPTURE(zeros);
        std::size_t lookups = 0;
        std::size_t rows = 0;
        const auto model = Model<Given<Counting>>::fit(log, Counting{&lookups, &rows, zeros});
        CHECK(model.recommend(0, {.k = 96 - zeros}).size() == 96 - zeros);
        CHECK(rows == 4);
        CHECK(lookups == 0);
        rows = 0;
        CHECK(model.recommend(0, {.k = 97}).size() == 96 - zeros);
        CHECK(rows == (zeros < 5 ? 4 : 8));
        CHECK(lookups == (zeros < 5 ? 4 * zeros : 0));
    }
}

// Candidates used to be scored one weight at a time: 190 of them took twenty times as long as a list of all items.
TEST_CASE("LinearScorer: few items are looked up, many are read off whole rows") {
    std::size_t lookups = 0;
    std::size_t rows = 0;
    const auto log = testing::log_of({{0, 1, 2, 3}}, 100);
    const auto model = Model<Given<Counting>>::fit(log, Counting{&lookups, &rows});
    // Four rows of 50 and 100 scores to clear are as much work as 4 x 7.5 look-ups.
    CHECK(model.score(0, Ids{5, 6, 7, 8, 9, 10, 11}) == std::vector<float>(7, 4.0F));
    CHECK(lookups == 28);
    CHECK(rows == 0);
    CHECK(model.score(0, Ids{5, 6, 7, 8, 9, 10, 11, 5}) == std::vector<float>(8, 4.0F));
    CHECK(lookups == 28);
    CHECK(rows == 4);
    CHECK(model.score(0, Ids{}).empty());
}

TEST_CASE("LinearScorer: weights tell how long their rows are, also if there are none") {
    CHECK(sparse_table().mean_row() == 1);  // 5 weights in 4 rows
    CHECK(DenseWeights<>(table, 4).mean_row() == 4);
    CHECK(SparseWeights().mean_row() == 0);
    const auto nothing = testing::log_of({{}, {}}, 0);
    const auto model = Model<Given<SparseWeights>>::fit(nothing, SparseWeights(CSRMatrix<float>({}, 0, 0)));
    CHECK(model.score(1, {}).empty());
}

TEST_CASE_TEMPLATE("LinearScorer: the score of an item is the same bits alone, among few and among many", Weights,
                   SparseWeights, DenseWeights<>) {
    constexpr std::uint32_t n = 150;
    funnel::Random random(3);
    std::vector<float> dense(n * n, 0.0F);
    std::vector<funnel::Triplet<float>> entries;
    for (std::uint32_t at = 0; at < n * n; ++at) {
        if (random.uniform() < 0.3) {
            dense[at] = static_cast<float>(random.normal());
            entries.push_back({at / n, at % n, dense[at]});
        }
    }
    Weights weights;
    if constexpr (std::is_same_v<Weights, SparseWeights>) {
        weights = SparseWeights(CSRMatrix<float>(entries, n, n));
    } else {
        weights = DenseWeights<>(dense, n);
    }
    const auto log = testing::random_log(8, n, 0.2, 5);
    const auto model = Model<Given<Weights>>::fit(log, weights);
    for (std::uint32_t user = 0; user < 8; ++user) {
        for (const std::size_t count : {1U, 2U, 5U, 20U, 150U}) {
            Ids items(count);
            for (std::size_t i = 0; i < count; ++i) {
                items[i] = static_cast<std::uint32_t>((i * 37 + user) % n);
            }
            const std::vector<float> scores = model.score(user, items);
            for (std::size_t i = 0; i < count; ++i) {
                CHECK(scores[i] == model.score(user, Ids{items[i]})[0]);
            }
        }
    }
}

TEST_CASE("DenseWeights: must be square") {
    CHECK_THROWS_AS(DenseWeights<>({1.0F, 2.0F}, 2), InvalidArgument);
    CHECK_THROWS_AS(DenseWeights<>({1.0F, 2.0F, 3.0F, 4.0F, 5.0F}, 2), InvalidArgument);
    CHECK_THROWS_AS(DenseWeights<>({1.0F}, 0), InvalidArgument);
    CHECK(DenseWeights<>({}, 0).items() == 0);
    const DenseWeights<> weights(table, 4);
    CHECK(weights.matrix()(2, 3) == -0.75F);
}

TEST_CASE("DenseWeights: what was moved from has no items, and can be assigned to") {
    DenseWeights<> source(table, 4);
    const DenseWeights<> target = std::move(source);
    CHECK(target.weight(0, 1) == 0.5F);
    CHECK(source.items() == 0);  // NOLINT(bugprone-use-after-move): that is what is tested
    CHECK(source.matrix().rows() == 0);
    source = target;
    CHECK(source.weight(0, 1) == 0.5F);
    CHECK(testing::check_strong_guarantee([&] { return DenseWeights<>(); },
                                          [&](DenseWeights<>& changed) { changed = target; },
                                          [](const DenseWeights<>& changed) { return changed.items(); }) > 0);
}

TEST_CASE("SparseWeights: must be square") {
    CHECK_THROWS_AS(SparseWeights(CSRMatrix<float>({}, 2, 3)), InvalidArgument);
    const SparseWeights weights = sparse_table();
    CHECK(weights.matrix().nonzeros() == 5);
    CHECK(sparse_table().weight(0, 3) == 0.0F);
    CHECK(sparse_table().weight(1, 3) == 0.25F);
}

TEST_CASE("SparseWeights: sections that do not fit together are rejected") {
    const testing::TempDir dir;
    const auto read_back = [&](const std::vector<std::uint64_t>& offsets, const Ids& columns,
                               const std::vector<float>& values, std::size_t items = 2) {
        funnel::io::ContainerWriter file("test", 1);
        file.array("weight_offsets", std::span(offsets));
        file.array("weight_columns", std::span(columns));
        file.array("weights", std::span(values));
        file.save(dir / "x.fnl");
        return SparseWeights::read(funnel::io::ContainerReader(dir / "x.fnl", "test", 1), items);
    };
    CHECK(read_back({0, 2, 2}, {0, 1}, {1.0F, 2.0F}).weight(0, 1) == 2.0F);
    CHECK_THROWS_AS((void)read_back({0, 2}, {0, 1}, {1, 2}), CorruptData);        // one row for two items
    CHECK_THROWS_AS((void)read_back({0, 1, 2, 2}, {0, 1}, {1, 2}), CorruptData);  // three rows
    CHECK_THROWS_AS((void)read_back({1, 2, 2}, {0, 1}, {1, 2}), CorruptData);     // does not start at 0
    CHECK_THROWS_AS((void)read_back({0, 1, 1}, {0, 1}, {1, 2}), CorruptData);     // does not end at the end
    CHECK_THROWS_AS((void)read_back({0, 3, 2}, {0, 1}, {1, 2}), CorruptData);     // falls
    CHECK_THROWS_AS((void)read_back({0, 2, 1, 2}, {0, 1}, {1, 2}, 3), CorruptData);
    CHECK_THROWS_AS((void)read_back({0, 2, 2}, {1, 1}, {1, 2}), CorruptData);  // twice
    CHECK_THROWS_AS((void)read_back({0, 2, 2}, {1, 0}, {1, 2}), CorruptData);  // not ascending
    CHECK_THROWS_AS((void)read_back({0, 2, 2}, {0, 2}, {1, 2}), CorruptData);  // no such item
    CHECK_THROWS_AS((void)read_back({0, 2, 2}, {0, 1}, {1}), CorruptData);     // a weight is missing
    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS((void)read_back({0, 2, 2}, {0, 1}, {1, infinity}), CorruptData);
}

TEST_CASE("DenseWeights: sections of the wrong size, with NaN or infinity are rejected") {
    const testing::TempDir dir;
    const auto read_back = [&](const std::vector<float>& values) {
        funnel::io::ContainerWriter file("test", 1);
        file.array("weights", std::span(values));
        file.save(dir / "x.fnl");
        return DenseWeights<>::read(funnel::io::ContainerReader(dir / "x.fnl", "test", 1), 2);
    };
    CHECK(read_back({0, 1, 2, 3}).weight(1, 0) == 2.0F);
    CHECK_THROWS_AS((void)read_back({0, 1, 2}), CorruptData);
    CHECK_THROWS_AS((void)read_back({0, 1, 2, std::numeric_limits<float>::quiet_NaN()}), CorruptData);
    CHECK_THROWS_AS((void)read_back({0, 1, 2, std::numeric_limits<float>::infinity()}), CorruptData);
}
