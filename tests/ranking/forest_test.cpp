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

TEST_CASE_TEMPLATE_DEFINE("Forest: one feature, many features, and many categories", Backend, forest_wide) {
    check_against_specification<Backend>(201, {.features = 1, .trees = 40, .thresholds = 3000});
    check_against_specification<Backend>(202, {.features = 9, .has_zero_rules = true, .missing = 3});

    // Of 70,000 features these are used, the last ones, too.
    TreeEnsemble trees = random_forest(203, {.features = 40});
    const auto spread = [](std::size_t feature) { return feature < 10 ? feature * 7001 : 69'960 + feature; };
    trees.features = 70'000;
    for (Tree& tree : trees.trees) {
        for (TreeSplit& split : tree.splits) {
            split.feature = static_cast<std::uint32_t>(spread(split.feature));
        }
    }
    Matrix<float> rows(70, trees.features);
    Random random(204);
    for (std::size_t r = 0; r < rows.rows(); ++r) {
        for (std::size_t feature = 0; feature < 40; ++feature) {
            rows(r, spread(feature)) = value(random, 1000);
        }
    }
    const BasicForest<Backend> forest(trees);
    CHECK(bits(forest.score(rows)) == specified(trees, rows));
    CHECK(bits(forest.score(rows.view().rows_from(3, 1))) == specified(trees, rows.view().rows_from(3, 1)));

    TreeEnsemble categorical = random_forest(205, {.features = 3, .has_categories = true});
    for (auto& set : categorical.category_sets) {
        set.resize(160);  // 5,120 categories
        for (auto& word : set) {
            word = static_cast<std::uint32_t>(random.below(std::size_t{1} << 32U));
        }
    }
    Matrix<float> categories(200, 3);
    for (std::size_t r = 0; r < categories.rows(); ++r) {
        for (float& x : categories.row(r)) {
            x = static_cast<float>(random.below(5'300)) - (r % 3 == 0 ? 100.75F : 0.0F);
        }
    }
    categories(0, 0) = 3e9F;
    categories(1, 0) = -3e9F;
    categories(2, 0) = -0.5F;
    CHECK(bits(BasicForest<Backend>(categorical).score(categories)) == specified(categorical, categories));
}
TEST_CASE_TEMPLATE_APPLY(forest_wide, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("Forest: every engine gives the same bits", Backend, forest_engines) {
    using ranking::detail::EngineCosts;
    const EngineCosts walks{.sweep_node = 1e9};
    const EngineCosts sweeps{.walk_step = 1e9, .most_swept_leaves = 256};
    const EngineCosts sweeps_small_trees{.walk_step = 1e9, .most_swept_leaves = 12};
    for (const ForestShape& shape :
         {ForestShape{}, ForestShape{.outputs = 2, .has_categories = true, .has_zero_rules = true},
          ForestShape{.leaves = 200, .has_linear_leaves = true}, ForestShape{.sums_in_float = true}}) {
        const TreeEnsemble trees = random_forest(301, shape);
        for (const EngineCosts& costs : {walks, sweeps, sweeps_small_trees}) {
            const ranking::detail::ForestPlan plan(trees, costs);
            for (const std::size_t n : {1U, 3U, 64U, 65U, 256U}) {
                CAPTURE(n);
                CHECK(plan.sweeps(n) == (costs.walk_step > 1e6));
                const Matrix<float> rows = random_rows(302 + n, n, shape);
                std::vector<double> scores(n * shape.outputs);
                ranking::detail::ForestMemory memory;
                memory.make_room(trees, plan, n);
                if (shape.sums_in_float) {
                    ranking::detail::ForestEngine<Backend, float>(trees, plan, memory).score(rows, scores);
                } else {
                    ranking::detail::ForestEngine<Backend, double>(trees, plan, memory).score(rows, scores);
                }
                CHECK(bits(scores) == specified(trees, rows));
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(forest_engines, HostBackends);

// Bytes per register.
constexpr std::size_t bytes_of(kernels::Scalar) {
    return 1;
}
#if FUNNEL_HAS_SIMD
template <class Arch>
constexpr std::size_t bytes_of(kernels::Simd<Arch>) {
    return kernels::simd::Bytes<Arch>::size;
}
#endif

// The table of EngineCosts.
TEST_CASE_TEMPLATE_DEFINE("Forest: the number of rows decides the engine", Backend, forest_choice) {
    const auto plan = [](std::size_t trees, std::size_t leaves) {
        TreeEnsemble forest;
        forest.features = 136;
        for (std::size_t t = 0; t < trees; ++t) {
            Tree tree;
            for (std::size_t i = 0; i + 1 < leaves; ++i) {
                const auto next = static_cast<std::int32_t>(i + 1);
                tree.splits.push_back({.feature = static_cast<std::uint32_t>((t + i) % 136),
                                       .threshold = static_cast<double>(t % 200),
                                       .left = ~static_cast<std::int32_t>(i),
                                       .right = i + 2 < leaves ? next : ~next});
            }
            tree.leaf_values.resize(leaves);
            forest.trees.push_back(tree);
        }
        return ranking::detail::ForestPlan(forest, ranking::detail::engine_costs(Backend{}));
    };
    const auto fewest_swept_rows = [](const auto& made) {
        std::size_t rows = 1;
        while (rows <= kernels::forest_block && !made.sweeps(rows)) {
            ++rows;
        }
        return rows;
    };
    constexpr std::size_t size = bytes_of(Backend{});
    using Expected = std::array<std::size_t, 3>;
    const Expected expected = size >= 64   ? Expected{8, 10, 32}
                              : size == 32 ? Expected{9, 11, 32}
                                           : Expected{31, 34, kernels::forest_block + 1};
    CHECK(fewest_swept_rows(plan(500, 31)) == expected[0]);
    CHECK(fewest_swept_rows(plan(500, 64)) == expected[1]);
    CHECK(fewest_swept_rows(plan(100, 255)) == expected[2]);
    CHECK(!plan(100, 1).sweeps(kernels::forest_block));
}
TEST_CASE_TEMPLATE_APPLY(forest_choice, HostBackends);

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

TEST_CASE("Forest: one column of codes where NaN can take the place of a number, else two of one search") {
    const auto plan = [](int missing, bool has_zero_rules) {
        const ForestShape shape{
            .features = 1, .trees = 1, .leaves = 100, .has_zero_rules = has_zero_rules, .missing = missing};
        return ranking::detail::ForestPlan(random_forest(5, shape));
    };
    for (const int missing : {0, 1, 3}) {
        CHECK(plan(missing, false).key_columns() == 1);
        CHECK(plan(missing, true).key_columns() == 2);
        CHECK(plan(missing, false).code_columns == 1);
    }
    for (const bool has_zero_rules : {false, true}) {
        const std::size_t rules = has_zero_rules ? 2 : 1;
        CHECK(plan(2, has_zero_rules).key_columns() == 2 * rules);
        CHECK(plan(2, has_zero_rules).swept_numeric == rules);
        CHECK(plan(2, has_zero_rules).columns.size() == rules);
        CHECK(plan(2, has_zero_rules).code_columns == 2 * rules);
    }
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
