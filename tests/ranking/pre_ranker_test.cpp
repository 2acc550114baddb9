// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/pre_ranker.hpp>

#include "nn/gradient_check.hpp"
#include "support/allocations.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/ranking/deep_rankers.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using namespace funnel::ranking;
using namespace funnel::testing;
namespace networks = funnel::ranking::detail;

namespace {

using Schema = Fields<2, 1, 4, 1, 2>;
using SmallPreRanker = PreRanker<Schema, 4, 8>;

// Users and items with a known probability of a click. A deep ranker reads features of each pair, such as how often the
// user watched items of this theme; to fetch them for thousands of candidates would be too dear, so a pre-ranker has
// the ids alone.
struct World {
    static constexpr std::size_t users = 60;
    static constexpr std::size_t items = 300;
    using Rich = Fields<1, 1, 8, 0, 3>;
    using Cheap = Fields<1, 1, 8>;

    Matrix<float> taste{users, 3};
    Matrix<float> theme{items, 3};

    World() {
        Random random(11);
        for (Matrix<float>* vectors : {&taste, &theme}) {
            for (std::size_t i = 0; i < vectors->rows(); ++i) {
                for (float& x : vectors->row(i)) {
                    x = static_cast<float>(random.normal());
                }
            }
        }
    }

    // The features of a pair. The logit of a click is their sum, minus 1.
    [[nodiscard]] std::vector<float> match(std::size_t user, std::size_t item) const {
        std::vector<float> products(3);
        for (std::size_t k = 0; k < 3; ++k) {
            products[k] = taste(user, k) * theme(item, k);
        }
        return products;
    }
    [[nodiscard]] double logit(std::size_t user, std::size_t item) const {
        const std::vector<float> products = match(user, item);
        return static_cast<double>(std::accumulate(products.begin(), products.end(), -1.0F));
    }
    [[nodiscard]] Matrix<float> matches(const Matrix<std::uint32_t>& ids) const {
        Matrix<float> dense(ids.rows(), 3);
        for (std::size_t i = 0; i < ids.rows(); ++i) {
            const std::vector<float> products = match(ids(i, 0), ids(i, 1));
            std::copy(products.begin(), products.end(), dense.row(i).begin());
        }
        return dense;
    }
};

// Pair number user * items + item: all pairs.
Matrix<std::uint32_t> all_pairs() {
    Matrix<std::uint32_t> ids(World::users * World::items, 2);
    for (std::size_t i = 0; i < ids.rows(); ++i) {
        ids(i, 0) = static_cast<std::uint32_t>(i / World::items);
        ids(i, 1) = static_cast<std::uint32_t>(i % World::items);
    }
    return ids;
}

// The first `count` items of a user by the scores of all pairs.
std::vector<std::size_t> best_items(const std::vector<float>& scores, std::size_t user, std::size_t count) {
    std::vector<std::size_t> order(World::items);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::span<const float> own = std::span(scores).subspan(user * World::items, World::items);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return own[a] != own[b] ? own[a] > own[b] : a < b; });
    order.resize(count);
    return order;
}

// How many of the best 10 items by `truth` are among the first 50 by `scores`, as a share.
double recall(const std::vector<float>& scores, const std::vector<float>& truth) {
    double found = 0.0;
    for (std::size_t user = 0; user < World::users; ++user) {
        const auto kept = best_items(scores, user, 50);
        for (const std::size_t item : best_items(truth, user, 10)) {
            found += std::find(kept.begin(), kept.end(), item) != kept.end() ? 1.0 : 0.0;
        }
    }
    return found / (10.0 * static_cast<double>(World::users));
}

std::vector<float> first_column(const Matrix<float>& logits) {
    std::vector<float> numbers(logits.rows());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = logits(i, 0);
    }
    return numbers;
}

}  // namespace

TEST_CASE("PreRanker: the logit is the inner product of two towers; gradients are central differences") {
    using Network = networks::PreRankerNetwork<Schema, 4, 8>;
    CHECK(gradient_error<Network::type>(3) < 1e-6);

    LayerRun<Network::type> run(2);
    run.randomise(4);
    run.forward();
    using User = funnel::nn::MLP<Schema::user_columns, 8, 4>;
    using Item = funnel::nn::MLP<Network::item_columns, 8, 4>;
    for (std::size_t i = 0; i < 2; ++i) {
        LayerRun<User> user(1);
        LayerRun<Item> item(1);
        const double* row = run.x.data() + i * Schema::columns;
        user.x.assign(row, row + Schema::user_columns);
        item.x.assign(row + Schema::user_columns, row + Schema::columns);
        user.parameters.assign(run.parameters.data(), run.parameters.data() + User::parameters);
        item.parameters.assign(run.parameters.data() + User::parameters, run.parameters.data() + run.parameters.size());
        user.forward();
        item.forward();
        double dot = 0.0;
        for (std::size_t k = 0; k < 4; ++k) {
            dot += user.y[k] * item.y[k];
        }
        CHECK(run.y[i] == Approx(dot).epsilon(1e-12));
    }
}

TEST_CASE("PreRanker: a request gives the logits of whole rows, and allocates nothing") {
    Random random(2);
    const std::vector<std::size_t> sizes{5, 6, 40};
    const SmallPreRanker ranker(sizes, {.init_scale = 1.0F});
    for (const std::size_t n : {0U, 1U, 257U, 600U}) {
        Matrix<std::uint32_t> ids(n, 3);
        Matrix<float> dense(n, 3);
        Matrix<std::uint32_t> item_ids(n, 1);
        Matrix<float> item_dense(n, 2);
        const std::vector<std::uint32_t> user{3, 5};
        const std::vector<float> user_dense{0.5F};
        for (std::size_t i = 0; i < n; ++i) {
            std::copy(user.begin(), user.end(), ids.row(i).begin());
            ids(i, 2) = item_ids(i, 0) = static_cast<std::uint32_t>(random.below(42));
            dense(i, 0) = user_dense[0];
            dense(i, 1) = item_dense(i, 0) = static_cast<float>(random.normal());
            dense(i, 2) = item_dense(i, 1) = static_cast<float>(random.normal());
        }
        const Matrix<float> whole = ranker.score({.ids = ids, .dense = dense});
        const SmallPreRanker::Request request{
            .user_ids = user, .user_dense = user_dense, .item_ids = item_ids, .item_dense = item_dense};
        std::vector<float> memory(SmallPreRanker::scratch(n));
        Matrix<float> logits(n, 1);
        CHECK(allocations_of([&] { ranker.score(request, memory, logits.view()); }) == 0);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(logits(i, 0) == Approx(whole(i, 0)).epsilon(1e-5));
        }
    }
}

TEST_CASE("PreRanker: one that a deep ranker teaches keeps more of the best items than one that learns from clicks") {
    const World world;
    Random random(12);
    const std::size_t n = 6'000;  // impressions
    const Matrix<std::uint32_t> pairs = all_pairs();
    Matrix<std::uint32_t> shown(n, 2);
    std::vector<float> clicks(n);
    for (std::size_t i = 0; i < n; ++i) {
        shown(i, 0) = static_cast<std::uint32_t>(random.below(World::users));
        shown(i, 1) = static_cast<std::uint32_t>(random.below(World::items));
        clicks[i] = random.uniform() < 1.0 / (1.0 + std::exp(-world.logit(shown(i, 0), shown(i, 1)))) ? 1.0F : 0.0F;
    }
    std::vector<float> truth;
    for (std::size_t i = 0; i < pairs.rows(); ++i) {
        truth.push_back(static_cast<float>(world.logit(pairs(i, 0), pairs(i, 1))));
    }

    using Teacher = DeepFM<World::Rich, 16>;
    const FieldRankerOptions options{
        .epochs = 10, .batch = 256, .learning_rate = 0.003F, .l2 = 1e-4F, .init_scale = 0.1F};
    const Matrix<float> shown_matches = world.matches(shown);
    const Teacher teacher =
        Teacher::fit({.ids = shown, .dense = shown_matches}, std::span<const float>(clicks), options);
    const Matrix<float> all_matches = world.matches(pairs);
    const std::vector<float> of_teacher = first_column(teacher.score({.ids = pairs, .dense = all_matches}));

    // What was shown, with clicks and the teacher's opinion; then all pairs that retrieval may return, with that alone.
    Matrix<std::uint32_t> both(n + pairs.rows(), 2);
    for (std::size_t i = 0; i < both.rows(); ++i) {
        const auto row = i < n ? shown.row(i) : pairs.row(i - n);
        std::copy(row.begin(), row.end(), both.row(i).begin());
    }
    std::vector<float> labels =
        taught_labels(clicks, first_column(teacher.score({.ids = shown, .dense = shown_matches})), 0.5F);
    const std::vector<float> unseen = taught_labels(of_teacher);
    labels.insert(labels.end(), unseen.begin(), unseen.end());

    using Student = PreRanker<World::Cheap, 8>;
    const Student taught = Student::fit({.ids = both}, std::span<const float>(labels), options);
    const std::vector<float> scores = first_column(taught.score({.ids = pairs}));

    // Without a teacher: the best of several lengths of training and penalties.
    double alone = 0.0;
    double alone_of_teacher = 0.0;
    for (const std::size_t epochs : {5U, 10U, 20U, 40U}) {
        for (const float l2 : {0.0F, 1e-4F, 1e-3F}) {
            FieldRankerOptions tried = options;
            tried.epochs = epochs;
            tried.l2 = l2;
            const Student student = Student::fit({.ids = shown}, std::span<const float>(clicks), tried);
            const std::vector<float> of_student = first_column(student.score({.ids = pairs}));
            alone = std::max(alone, recall(of_student, truth));
            alone_of_teacher = std::max(alone_of_teacher, recall(of_student, of_teacher));
        }
    }
    // Measured: taught 0.97, alone 0.62; of the teacher's best 10, 0.99 and 0.74.
    CHECK(recall(scores, truth) > alone + 0.1);
    CHECK(recall(scores, of_teacher) >= 0.95);
    CHECK(alone_of_teacher < 0.9);
}

TEST_CASE("taught_labels: worked by hand, edges and errors") {
    const std::vector<float> labels{1.0F, 0.0F};
    const std::vector<float> logits{0.0F, 0.0F};
    CHECK(taught_labels(labels, logits, 0.0F) == labels);
    CHECK(taught_labels(labels, logits, 0.5F) == std::vector<float>{0.75F, 0.25F});
    CHECK(taught_labels(logits) == std::vector<float>{0.5F, 0.5F});
    CHECK(taught_labels(std::vector<float>{1e30F, -1e30F}) == labels);
    CHECK(taught_labels({}, {}, 0.5F).empty());
    const std::vector<float> wrong{0.5F, std::numeric_limits<float>::quiet_NaN()};
    CHECK_THROWS_AS((void)taught_labels(labels, std::vector<float>{0.0F}, 0.5F), InvalidArgument);
    CHECK_THROWS_AS((void)taught_labels(labels, logits, 1.5F), InvalidArgument);
    CHECK_THROWS_AS((void)taught_labels(wrong, logits, 0.5F), InvalidArgument);
    CHECK_THROWS_AS((void)taught_labels(labels, wrong, 0.5F), InvalidArgument);
    CHECK_THROWS_AS((void)taught_labels(wrong), InvalidArgument);
}

TEST_CASE("PreRanker: labels between 0 and 1 are taken, others are rejected") {
    const Matrix<std::uint32_t> ids(2, 3);
    const Matrix<float> dense(2, 3);
    const std::vector<float> soft{0.25F, 0.75F};
    CHECK(SmallPreRanker::fit({.ids = ids, .dense = dense}, std::span<const float>(soft))
              .score({.ids = ids, .dense = dense})
              .rows() == 2);
    for (const float wrong : {-0.1F, 1.1F, std::numeric_limits<float>::quiet_NaN()}) {
        const std::vector<float> labels{0.5F, wrong};
        CHECK_THROWS_AS(
            static_cast<void>(SmallPreRanker::fit({.ids = ids, .dense = dense}, std::span<const float>(labels))),
            InvalidArgument);
    }
}
