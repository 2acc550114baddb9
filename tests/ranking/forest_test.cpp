// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/forest.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>

#include "ranking/random_forest.hpp"
#include "support/allocations.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

using namespace funnel;
using namespace funnel::ranking;
using namespace funnel::testing;

namespace {

template <class Backend>
void check_against_specification(std::uint64_t seed, const ForestShape& shape) {
    const TreeEnsemble trees = random_forest(seed, shape);
    const BasicForest<Backend> forest(trees);
    for (const std::size_t n : {1U, 2U, 5U, 17U, 63U, 64U, 65U, 100U, 191U, 255U, 256U, 257U, 300U}) {
        CAPTURE(seed);
        CAPTURE(n);
        const Matrix<float> rows = random_rows(seed * 1000 + n, n, shape);
        CHECK(bits(forest.score(rows)) == specified(trees, rows));
    }
}

// x0 <= 0.5 ? (x1 <= 2 or missing ? 1 : 10) : 100, and 1000 for everyone.
TreeEnsemble small_forest() {
    TreeEnsemble forest;
    forest.features = 2;
    Tree tree;
    tree.splits = {{.feature = 0, .threshold = 0.5, .left = 1, .right = ~0},
                   {.feature = 1, .threshold = 2.0, .left = ~2, .right = ~1, .missing_goes_left = true}};
    tree.leaf_values = {100.0, 10.0, 1.0};
    Tree constant;
    constant.leaf_values = {1000.0};
    forest.trees = {tree, constant};
    return forest;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("Forest: worked by hand", Backend, forest_by_hand) {
    const BasicForest<Backend> forest(small_forest());
    const std::vector<float> rows{0.5F, 2.0F, 0.5F, 2.1F, 0.6F, 0.0F, -1.0F, missing_value, missing_value, 0.0F};
    const std::vector<double> expected{1001.0, 1010.0, 1100.0, 1001.0, 1100.0};
    CHECK(forest.score(MatrixView<const float>(rows, 5, 2)) == expected);
    std::vector<float> many;
    std::vector<double> scores;
    for (int i = 0; i < 60; ++i) {
        many.insert(many.end(), rows.begin(), rows.end());
        scores.insert(scores.end(), expected.begin(), expected.end());
    }
    CHECK(forest.score(MatrixView<const float>(many, 300, 2)) == scores);
    CHECK(forest.features() == 2);
    CHECK(forest.outputs() == 1);
    CHECK(forest.trees().trees.size() == 2);
}
TEST_CASE_TEMPLATE_APPLY(forest_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("Forest: the bits of the specification, for every rule of splits and leaves", Backend,
                          forest_specification) {
    std::uint64_t seed = 1;
    for (const int missing : {0, 1, 2, 3}) {
        check_against_specification<Backend>(++seed, {.missing = missing});
        check_against_specification<Backend>(++seed, {.leaves = 64, .has_zero_rules = true, .missing = missing});
    }
    check_against_specification<Backend>(++seed, {.leaves = 256, .thresholds = 30});
    check_against_specification<Backend>(++seed, {.trees = 6, .leaves = 256, .has_zero_rules = true});
    check_against_specification<Backend>(++seed, {.features = 40, .has_categories = true});
    check_against_specification<Backend>(++seed, {.leaves = 3, .has_categories = true, .has_zero_rules = true});
    check_against_specification<Backend>(++seed, {.outputs = 3});
    check_against_specification<Backend>(++seed, {.outputs = 3, .sums_in_float = true});
    check_against_specification<Backend>(++seed, {.outputs = 4, .has_vector_leaves = true});
    check_against_specification<Backend>(++seed, {.outputs = 4, .has_vector_leaves = true, .sums_in_float = true});
    check_against_specification<Backend>(++seed, {.has_linear_leaves = true});
    check_against_specification<Backend>(++seed, {.has_linear_leaves = true, .sums_in_float = true});
    check_against_specification<Backend>(++seed, {.trees = 3, .leaves = 1});
    check_against_specification<Backend>(++seed, {.trees = 0, .outputs = 2});
    check_against_specification<Backend>(++seed, {.trees = 0, .sums_in_float = true});
}
TEST_CASE_TEMPLATE_APPLY(forest_specification, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("Forest: more than 255 thresholds per feature, and trees of more than 256 leaves", Backend,
                          forest_large) {
    check_against_specification<Backend>(101, {.features = 2, .trees = 60});
    check_against_specification<Backend>(102, {.features = 2, .trees = 60, .missing = 3});
    check_against_specification<Backend>(103, {.trees = 5, .leaves = 2000, .has_zero_rules = true});
    check_against_specification<Backend>(104, {.trees = 5, .leaves = 600, .outputs = 3, .has_vector_leaves = true});
    check_against_specification<Backend>(
        105, {.trees = 5, .leaves = 600, .has_categories = true, .has_linear_leaves = true});
    check_against_specification<Backend>(106, {.trees = 5, .leaves = 600, .sums_in_float = true});
}
TEST_CASE_TEMPLATE_APPLY(forest_large, HostBackends);

TEST_CASE("Forest: the key of a threshold is that of the largest float below it") {
    Random random(3);
    const auto key = [](const float& x) { return kernels::key_of(x, {}); };
    for (int i = 0; i < 20'000; ++i) {
        const auto from_bits = std::bit_cast<double>(random.below(std::numeric_limits<std::uint64_t>::max()));
        const double t = i % 2 == 0 ? number(random, 1000) : std::isnan(from_bits) ? 1.0 : from_bits;
        const double near = i % 3 == 0 ? std::nextafter(t, 0.0) : t;
        const double scaled = i % 5 == 0 && std::isfinite(near) ? std::fmod(near, 1.0) * 1e-38 : near;
        const float x = value(random, 1000);
        for (const float y : {x, static_cast<float>(std::clamp(scaled, -1e38, 1e38)), infinity, -infinity, largest}) {
            if (!std::isnan(y)) {
                CAPTURE(scaled);
                CAPTURE(y);
                CHECK((key(y) <= ranking::detail::key_at_most(scaled)) == (static_cast<double>(y) <= scaled));
            }
        }
    }
}

TEST_CASE("Forest: one column of codes where NaN can take the place of a number, else two") {
    const auto plan = [](int missing, bool has_zero_rules) {
        const ForestShape shape{
            .features = 1, .trees = 1, .leaves = 100, .has_zero_rules = has_zero_rules, .missing = missing};
        return ranking::detail::ForestPlan(random_forest(5, shape));
    };
    for (const int missing : {0, 1, 3}) {
        CHECK(plan(missing, false).key_columns() == 1);
        CHECK(plan(missing, true).key_columns() == 2);
        CHECK(plan(missing, false).columns.size() == 1);
    }
    CHECK(plan(2, false).key_columns() == 2);
    CHECK(plan(2, true).key_columns() == 4);
}

TEST_CASE("Forest: the same bits for 1, 2 and 4 threads, and from scratch memory without allocations") {
    for (const bool sums_in_float : {false, true}) {
        const ForestShape shape{.outputs = 2, .has_categories = true, .sums_in_float = sums_in_float};
        TreeEnsemble trees = random_forest(7, shape);
        trees.link = TreeLink::Softmax;
        const Forest forest(trees);
        const Matrix<float> rows = random_rows(8, 1100, shape);
        const std::vector<std::uint64_t> expected = specified(trees, rows);
        const std::vector<double> predictions = forest.predict(rows);
        for (const std::size_t threads : {1U, 2U, 4U}) {
            Threads pool(threads);
            CHECK(bits(forest.score(rows, pool)) == expected);
            CHECK(bits(forest.predict(rows, pool)) == bits(predictions));
        }
        std::vector<double> out(2 * 1100 + 3, 77.0);
        Forest::Scratch scratch = forest.scratch();
        std::span<double> scores;
        for (const std::size_t n : {0U, 1U, 300U, 1100U}) {
            const auto some = rows.view().rows_from(0, n);
            const auto allocations = testing::allocations_of([&] { scores = forest.score(some, scratch, out); });
            CHECK((!testing::allocations_are_counted || allocations == 0));
            CHECK(bits(scores) == std::vector(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(2 * n)));
        }
        CHECK(out[2200] == 77.0);
        Forest::Scratch empty;
        for (const std::size_t n : {1U, 1100U}) {  // first it is enough for one row
            scores = forest.predict(rows.view().rows_from(0, n), empty, out);
            CHECK(bits(scores) == bits(std::span(predictions).first(2 * n)));
        }
    }
}

TEST_CASE("Forest: scratch memory of another forest grows") {
    const Forest small(small_forest());
    const ForestShape shape{.features = 30, .outputs = 3};
    const TreeEnsemble trees = random_forest(9, shape);
    const Matrix<float> rows = random_rows(10, 300, shape);
    Forest::Scratch scratch = small.scratch();
    std::vector<double> out(900);
    CHECK(bits(Forest(trees).score(rows, scratch, out)) == specified(trees, rows));
}

TEST_CASE("Forest: predictions are the transformed scores") {
    TreeEnsemble trees = small_forest();
    trees.link = TreeLink::Sigmoid;
    trees.averages_over = 1001.0;
    const std::vector<float> row{0.0F, 0.0F};  // score 1001
    CHECK(Forest(trees).predict(MatrixView<const float>(row, 1, 2))[0] ==
          doctest::Approx(1.0 / (1.0 + std::exp(-1.0))).epsilon(1e-14));
}

TEST_CASE("Forest: no rows, no trees, no features") {
    const Forest forest(small_forest());
    CHECK(forest.score(MatrixView<const float>({}, 0, 2)).empty());
    CHECK(Forest().score(MatrixView<const float>({}, 3, 0)) == std::vector<double>(3, 0.0));
    TreeEnsemble constant;
    constant.start = {2.5};
    CHECK(Forest(constant).score(MatrixView<const float>({}, 400, 0)) == std::vector<double>(400, 2.5));
}

TEST_CASE("Forest: copies are independent, and a failed assignment changes nothing") {
    static_assert(std::is_nothrow_move_constructible_v<Forest> && std::is_nothrow_move_assignable_v<Forest>);
    const ForestShape shape;
    const Forest first(random_forest(11, shape));
    const Forest second(random_forest(12, shape));
    const Matrix<float> rows = random_rows(13, 70, shape);
    const auto failures =
        testing::check_strong_guarantee([&] { return Forest(first); }, [&](Forest& forest) { forest = second; },
                                        [&](const Forest& forest) { return forest.score(rows); });
    CHECK(failures > 0);
    Forest copy(first);
    Forest moved(std::move(copy));
    CHECK(moved.score(rows) == first.score(rows));
    // NOLINTNEXTLINE(bugprone-use-after-move,clang-analyzer-cplusplus.Move): its state is promised
    CHECK(copy.features() == 0);
    CHECK(copy.score(MatrixView<const float>({}, 2, 0)) == std::vector<double>(2, 0.0));
    copy = std::move(moved);
    CHECK(copy.score(rows) == first.score(rows));
}

TEST_CASE("Forest: says which tree and which argument is wrong") {
    TreeEnsemble trees = small_forest();
    trees.trees[0].splits[1].feature = 2;
    CHECK_THROWS_WITH_AS(Forest{trees}, "Forest: tree 0: split 1 has feature 2 of 2", InvalidArgument);
    const Forest forest(small_forest());
    const std::vector<float> row{0.0F, 0.0F, 0.0F};
    const MatrixView<const float> wide(row, 1, 3);
    CHECK_THROWS_WITH_AS((void)forest.score(wide), "Forest::score: number of columns of rows must be 2, got 3",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)forest.predict(wide), "Forest::predict: number of columns of rows must be 2, got 3",
                         InvalidArgument);
    Forest::Scratch scratch = forest.scratch();
    std::vector<double> out(1);
    CHECK(forest.score(wide, scratch, out).empty());
    CHECK(forest.predict(wide, scratch, out).empty());
    const std::vector<float> rows(4, 0.0F);
    CHECK(forest.score(MatrixView<const float>(rows, 2, 2), scratch, out).empty());
    CHECK(forest.score(MatrixView<const float>(rows, 1, 2, 4), scratch, out).size() == 1);
}
