// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/embedding/two_tower_negatives.hpp>

#include <funnel/ann/flat.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/embedding/hard_pools.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Scored;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using namespace funnel::embedding;
using namespace funnel::nn;
using funnel::embedding::detail::ItemBatch;
using funnel::embedding::detail::Negatives;
using funnel::embedding::detail::TrainingPair;

namespace {

constexpr std::size_t items = 12;

Matrix<float> normals(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Matrix<float> matrix(rows, cols);
    Random random(seed);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& x : matrix.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return matrix;
}

// Six users; user u took the items u and u + 1, in this order, and user 5 nothing.
Interactions small_log() {
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 5; ++user) {
        rows.push_back({.user = user, .item = user, .time = 1.0});
        rows.push_back({.user = user, .item = user + 1, .time = 2.0});
    }
    return Interactions::from_ids(rows, 6, items);
}

// (draws - expected)^2 / expected, summed.
double chi_square(std::span<const std::size_t> counts, std::span<const double> expected) {
    double sum = 0.0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        if (expected[i] > 0.0) {
            sum += std::pow(static_cast<double>(counts[i]) - expected[i], 2.0) / expected[i];
        } else {
            CHECK(counts[i] == 0);
        }
    }
    return sum;
}

// 99.9 % of the chi-square statistics with that many degrees of freedom, 1 to 11, are below.
double limit_of(std::size_t freedom) {
    return std::vector<double>{0.0, 10.8, 13.8, 16.3, 18.5, 20.5, 22.5, 24.3, 26.1, 27.9, 29.6, 31.3}[freedom];
}

std::vector<std::uint32_t> copy_of(std::span<const std::uint32_t> numbers) {
    return {numbers.begin(), numbers.end()};
}

}  // namespace

TEST_CASE("HardPools: the best items that the user did not take, by definition; the same from an index") {
    const Matrix<float> users = normals(6, 5, 1);
    const Matrix<float> vectors = normals(items, 5, 2);
    const Sequences sequences(small_log());
    const auto index = funnel::ann::Flat<funnel::kernels::InnerProduct>::build(vectors);
    const auto search = [&](std::span<const float> vector, std::size_t k) { return index.search(vector, {.k = k}); };
    for (const HardPoolOptions options :
         {HardPoolOptions{.size = 4}, HardPoolOptions{.size = 3, .skip = 2}, HardPoolOptions{.size = 100},
          HardPoolOptions{.size = 1, .skip = 100},
          HardPoolOptions{.size = std::numeric_limits<std::size_t>::max(), .skip = 1}}) {
        const HardPools pools = HardPools::scored(users, vectors, sequences, options);
        const HardPools from_index = HardPools::search(users, items, sequences, search, options);
        const HardPools threaded = HardPools::scored(users, vectors, sequences, options, Threads(3));
        CHECK(pools.users() == 6);
        CHECK(pools.items() == items);
        for (std::size_t user = 0; user < 6; ++user) {
            std::vector<std::uint32_t> order(items);
            std::iota(order.begin(), order.end(), 0U);
            const auto score = [&](std::uint32_t item) {
                double sum = 0.0;
                for (std::size_t j = 0; j < 5; ++j) {
                    sum += static_cast<double>(users(user, j)) * static_cast<double>(vectors(item, j));
                }
                return sum;
            };
            std::erase_if(order, [&](std::uint32_t item) { return user < 5 && (item == user || item == user + 1); });
            std::sort(order.begin(), order.end(), [&](auto a, auto b) { return score(a) > score(b); });
            order.erase(order.begin(),
                        order.begin() + static_cast<std::ptrdiff_t>(std::min(options.skip, order.size())));
            order.resize(std::min(options.size, order.size()));
            CHECK(copy_of(pools.of(user)) == order);
            CHECK(copy_of(from_index.of(user)) == order);
            CHECK(copy_of(threaded.of(user)) == order);
        }
    }
}

TEST_CASE("HardPools: bad arguments are rejected") {
    const Matrix<float> users = normals(6, 5, 1);
    const Matrix<float> vectors = normals(items, 5, 2);
    const Sequences sequences(small_log());
    CHECK_THROWS_AS(static_cast<void>(HardPools::scored(users, vectors, sequences, {.size = 0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(HardPools::scored(normals(5, 5, 1), vectors, sequences)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(HardPools::scored(users, normals(items, 4, 1), sequences)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(HardPools::scored(users, normals(5, 5, 1), sequences)), InvalidArgument);
    const auto unknown = [](std::span<const float> /*vector*/, std::size_t /*k*/) {
        return std::vector<Scored<>>{{static_cast<std::uint32_t>(items), 1.0F}};
    };
    CHECK_THROWS_AS(static_cast<void>(HardPools::search(users, items, sequences, unknown)), InvalidArgument);
    CHECK(HardPools().users() == 0);
}

TEST_CASE("negatives: every kind has its probability, and so has the mixture of all (chi-square)") {
    const std::vector<std::uint64_t> counts{40, 30, 20, 10, 5, 5, 1, 0, 0, 0, 0, 0};
    const Sequences sequences(small_log());
    const HardPools pools = HardPools::scored(normals(6, 5, 1), normals(items, 5, 2), sequences, {.size = 3});
    const std::vector<TrainingPair> pairs{
        {.user = 0, .position = 1}, {.user = 2, .position = 5}, {.user = 2, .position = 5}, {.user = 4, .position = 9}};
    const NegativeOptions options{.uniform = 3, .popular = 5, .alpha = 0.5, .hard = 2};
    Negatives negatives(7);
    negatives.count(counts, pairs.size(), options);
    const PopularitySampler by_count(counts, 1.0);
    const PopularitySampler by_power(counts, 0.5);
    constexpr std::size_t steps = 20'000;
    std::vector<std::size_t> all(items);
    std::vector<std::size_t> uniform(items);
    std::vector<std::size_t> popular(items);
    std::vector<std::size_t> hard(items);
    std::vector<double> q(items);
    Random random(3);
    std::vector<std::uint32_t> taken(pairs.size());
    for (std::uint64_t step = 0; step < steps; ++step) {
        for (std::uint32_t& item : taken) {
            item = by_count.draw(random);
        }
        negatives.draw({.taken = taken, .pairs = pairs, .sequences = sequences, .hard_pools = &pools}, step);
        const auto columns = negatives.items();
        REQUIRE(columns.size() == 4 + 3 + 5 + 2);
        CHECK(std::equal(taken.begin(), taken.end(), columns.begin()));
        for (std::size_t j = 0; j < columns.size(); ++j) {
            ++all[columns[j]];
            if (j >= 4) {
                ++(j < 7 ? uniform : j < 12 ? popular : hard)[columns[j]];
            }
        }
        for (std::uint32_t item = 0; item < items && step == 0; ++item) {
            q[item] = negatives.probability(item);
        }
    }
    double sum = 0.0;
    std::vector<double> expected_uniform(items, steps * 3.0 / items);
    std::vector<double> expected_popular(items);
    std::vector<double> expected_hard(items);
    for (std::uint32_t item = 0; item < items; ++item) {
        expected_popular[item] = steps * 5.0 * by_power.probability(item);
        for (const TrainingPair& pair : pairs) {
            const auto pool = pools.of(pair.user);
            expected_hard[item] +=
                steps * 2.0 * static_cast<double>(std::count(pool.begin(), pool.end(), item)) / (4.0 * 3.0);
        }
        sum += q[item];
    }
    const auto freedom = [](const std::vector<double>& expected) {
        return static_cast<std::size_t>(
                   std::count_if(expected.begin(), expected.end(), [](double x) { return x > 0; })) -
               1;
    };
    CHECK(chi_square(uniform, expected_uniform) < limit_of(freedom(expected_uniform)));
    CHECK(chi_square(popular, expected_popular) < limit_of(freedom(expected_popular)));
    CHECK(chi_square(hard, expected_hard) < limit_of(freedom(expected_hard)));
    CHECK(sum == doctest::Approx(1.0).epsilon(1e-12));
    // The probability with which the loss is corrected is that of all columns.
    std::vector<double> expected(items);
    for (std::uint32_t item = 0; item < items; ++item) {
        expected[item] = q[item] * 14.0 * steps;
    }
    CHECK(chi_square(all, expected) < limit_of(11));
}

TEST_CASE("negatives: a hard negative is never an item that the user took; other columns only if options say so") {
    const std::vector<std::uint64_t> counts(items, 1);
    const Sequences sequences(small_log());
    const HardPools pools = HardPools::scored(normals(6, 5, 1), normals(items, 5, 2), sequences, {.size = 10});
    const std::vector<TrainingPair> pairs{
        {.user = 0, .position = 1}, {.user = 1, .position = 3}, {.user = 3, .position = 7}};
    const std::vector<std::uint32_t> taken{1, 2, 4};
    for (const bool leaves_out_taken : {false, true}) {
        for (const std::size_t hard : {0U, 20U}) {
            Negatives negatives(3);
            negatives.count(counts, 3,
                            {.uniform = 15, .popular = 4, .hard = hard, .leaves_out_taken = leaves_out_taken});
            negatives.draw({.taken = taken, .pairs = pairs, .sequences = sequences, .hard_pools = &pools}, 5);
            const auto columns = negatives.items();
            REQUIRE(columns.size() == 22 + hard);
            if (!leaves_out_taken && hard == 0) {
                CHECK(negatives.left_out_starts().empty());
                continue;
            }
            REQUIRE(negatives.left_out_starts().size() == 4);
            for (std::size_t i = 0; i < 3; ++i) {
                std::set<std::uint32_t> expected;
                for (std::uint32_t j = leaves_out_taken ? 0 : 22; j < columns.size(); ++j) {
                    if (columns[j] == pairs[i].user || columns[j] == pairs[i].user + 1) {
                        expected.insert(j);
                    }
                }
                const std::size_t begin = negatives.left_out_starts()[i];
                const auto listed = negatives.left_out().subspan(begin, negatives.left_out_starts()[i + 1] - begin);
                CHECK(std::set<std::uint32_t>(listed.begin(), listed.end()) == expected);
                CHECK(listed.size() == expected.size());
            }
        }
    }
}

TEST_CASE("negatives: items of another tower are nobody's taken items; the same step draws the same columns") {
    const std::vector<std::uint64_t> counts(5, 1);
    const Sequences sequences(small_log());
    const std::vector<TrainingPair> pairs{{.user = 4, .position = 9}};  // took the items 4 and 5
    const std::vector<std::uint32_t> taken{0};
    Negatives negatives(3);
    negatives.count(counts, 1, {.uniform = 50, .leaves_out_taken = true});
    const ItemBatch batch{.taken = taken, .pairs = pairs, .sequences = sequences, .first_item = 5};
    negatives.draw(batch, 1);
    const std::vector<std::uint32_t> first = copy_of(negatives.items());
    for (const std::uint32_t column : negatives.left_out()) {
        CHECK(first[column] == 0);  // item 5 of the sequences
    }
    CHECK(negatives.left_out().size() == static_cast<std::size_t>(std::count(first.begin(), first.end(), 0U)));
    negatives.draw(batch, 2);
    CHECK(copy_of(negatives.items()) != first);
    negatives.draw(batch, 1);
    CHECK(copy_of(negatives.items()) == first);
}

TEST_CASE("negatives: users without a pool give no hard negatives, and no probability") {
    const std::vector<std::uint64_t> counts(items, 1);
    const Sequences sequences(small_log());
    const HardPools pools =
        HardPools::scored(normals(6, 5, 1), normals(items, 5, 2), sequences, {.size = 1, .skip = items});
    const std::vector<TrainingPair> pairs{{.user = 0, .position = 1}};
    const std::vector<std::uint32_t> taken{1};
    Negatives negatives(3);
    negatives.count(counts, 1, {.uniform = 2, .hard = 5});
    negatives.draw({.taken = taken, .pairs = pairs, .sequences = sequences, .hard_pools = &pools}, 1);
    CHECK(negatives.items().size() == 3);
    CHECK(negatives.probability(4) == doctest::Approx(1.0 / 12.0));
}

// ---- training with them

namespace {

using Net = Sequential<Dense<8, 16>, ReLU, Dense<16, 8>, L2Normalize<8>>;
using Small = BasicTwoTower<Net, Net, 8>;

// Users of three tastes; those of taste t take the items 10 t to 10 t + 9 in a random order.
Interactions three_tastes() {
    std::vector<Interaction> rows;
    for (std::uint32_t user = 0; user < 90; ++user) {
        Random random(3, user);
        const auto order = random.permutation<std::uint32_t>(10);
        for (std::size_t t = 0; t < 7; ++t) {
            rows.push_back({.user = user, .item = order[t] + user % 3 * 10, .time = static_cast<double>(t)});
        }
    }
    return Interactions::from_ids(rows, 90, 30);
}

TwoTowerOptions quick(const NegativeOptions& negatives) {
    TwoTowerOptions options{.epochs = 25, .batch = 64, .history = 5, .learning_rate = 0.01F, .temperature = 0.2};
    options.negatives = negatives;
    return options;
}

std::vector<float> numbers_of(const Small& model) {
    std::vector<float> all;
    for (const auto& matrix : {model.item_factors(), model.user_factors()}) {
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            all.insert(all.end(), matrix.row(i).begin(), matrix.row(i).end());
        }
    }
    return all;
}

}  // namespace

TEST_CASE("TwoTower: learns the tastes with every kind of negatives, the same bits for any number of threads") {
    const Interactions log = three_tastes();
    for (const NegativeOptions& negatives :
         {NegativeOptions{}, NegativeOptions{.uniform = 32}, NegativeOptions{.popular = 32},
          NegativeOptions{.in_batch = false, .uniform = 32}, NegativeOptions{.in_batch = false, .popular = 32},
          NegativeOptions{.hard = 16, .hard_pool = {.size = 12, .skip = 1}}, NegativeOptions{.leaves_out_taken = true},
          NegativeOptions{.in_batch = false, .uniform = 16, .popular = 16, .hard = 16, .hard_pool = {.size = 15}}}) {
        TwoTowerOptions options = quick(negatives);
        const Small model = Small::fit(log, options);
        std::size_t right = 0;
        for (std::size_t user = 0; user < 90; ++user) {
            for (const auto& item : model.recommend(user, {.k = 3})) {
                right += item.id / 10 == user % 3 ? 1 : 0;
            }
        }
        CHECK(right > 250);  // of 270
        options.epochs = 2;
        CHECK(numbers_of(Small::fit(log, options, Threads(4))) == numbers_of(Small::fit(log, options)));
    }
}

TEST_CASE("TwoTower: hard negatives alone, without a correction, and pools of an own index") {
    const Interactions log = three_tastes();
    TwoTowerOptions options = quick({.in_batch = false, .hard = 32, .hard_pool = {.size = 23}});
    options.log_q_correction = false;
    Small::Trainer trainer(log, options);
    Small::Trainer with_index(log, options);
    for (int epoch = 0; epoch < 3; ++epoch) {
        static_cast<void>(trainer.epoch());
        const funnel::embedding::TwoTowerScorer<Net, Net, 8> now(with_index, options);
        const auto index = funnel::ann::Flat<funnel::kernels::InnerProduct>::build(now.item_factors());
        with_index.set_hard_pools(HardPools::search(
            now.user_factors(), 30, with_index.sequences(),
            [&](std::span<const float> vector, std::size_t k) { return index.search(vector, {.k = k}); },
            options.negatives.hard_pool));
        static_cast<void>(with_index.epoch());
    }
    const auto parameters = [](const Small::Trainer& of) { return of.weights().item.parameters(); };
    CHECK(std::equal(parameters(trainer).begin(), parameters(trainer).end(), parameters(with_index).begin()));
    CHECK_THROWS_AS(trainer.set_hard_pools({}), InvalidArgument);
    const Sequences of_others(Interactions::from_ids({}, 90, 30));
    CHECK_THROWS_AS(trainer.set_hard_pools(HardPools::scored(normals(90, 2, 1), normals(29, 2, 1), of_others)),
                    InvalidArgument);
    Small::Trainer plain(log, quick({}));
    CHECK_THROWS_AS(plain.set_hard_pools(HardPools::scored(normals(90, 2, 1), normals(30, 2, 1), of_others)),
                    InvalidArgument);
}

TEST_CASE("TwoTower: the corrected loss of mixed and hard negatives estimates that of the softmax over all items") {
    // Fixed scores of one user; the sum of exp(score - log(columns Q)) over the negatives of a step is, on average, the
    // sum of exp(score) over the catalogue.
    const std::vector<std::uint64_t> counts{40, 30, 20, 10, 5, 5, 1, 0, 0, 0, 0, 0};
    const Sequences nobody_took(Interactions::from_ids({}, 6, items));
    const HardPools pools = HardPools::scored(normals(6, 5, 1), normals(items, 5, 2), nobody_took, {.size = 3});
    const std::vector<TrainingPair> pairs{{.user = 0, .position = 0}, {.user = 2, .position = 0}};
    Negatives negatives(7);
    negatives.count(counts, 2, {.uniform = 3, .popular = 5, .hard = 4});
    const PopularitySampler by_count(counts, 1.0);
    const Matrix<float> scores = normals(1, items, 9);
    double whole = 0.0;
    for (const float score : scores.row(0)) {
        whole += std::exp(static_cast<double>(score));
    }
    Random random(3);
    double mean = 0.0;
    constexpr std::size_t steps = 20'000;
    std::vector<double> log_q;
    for (std::uint64_t step = 0; step < steps; ++step) {
        const std::vector<std::uint32_t> taken{by_count.draw(random), by_count.draw(random)};
        negatives.draw({.taken = taken, .pairs = pairs, .sequences = nobody_took, .hard_pools = &pools}, step);
        negatives.log_q(log_q);
        for (std::size_t j = 0; j < log_q.size(); ++j) {
            mean += std::exp(static_cast<double>(scores(0, negatives.items()[j])) - log_q[j]) /
                    static_cast<double>(log_q.size() * steps);
        }
    }
    CHECK(mean == doctest::Approx(whole).epsilon(0.01));
}

TEST_CASE("TwoTower: bad options of negatives are rejected") {
    const Interactions log = three_tastes();
    const auto fails = [&](const NegativeOptions& negatives) {
        CHECK_THROWS_AS(static_cast<void>(Small::fit(log, quick(negatives))), InvalidArgument);
    };
    fails({.in_batch = false});
    fails({.in_batch = false, .hard = 5});  // with log Q correction, the own items need a probability
    fails({.popular = 5, .alpha = -1.0});
    fails({.popular = 5, .alpha = std::numeric_limits<double>::quiet_NaN()});
    fails({.hard = 5, .hard_pool = {.size = 0}});
}
