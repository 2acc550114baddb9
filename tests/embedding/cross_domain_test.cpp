// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/embedding/cross_domain.hpp>
#include <funnel/embedding/two_tower.hpp>

#include "cf/random_log.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/io/container.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::testing::UncheckedLog;
using namespace funnel::embedding;
using namespace funnel::nn;

namespace {

template <std::size_t Features = 0>
using Net = Sequential<Dense<8 + Features, 16>, ReLU, Dense<16, 8>, L2Normalize<8>>;
using Backend = funnel::kernels::DefaultBackend;
using Pair = BasicCrossDomain<8, Backend, Net<>, Net<>, Net<>>;
using Single = BasicTwoTower<Net<>, Net<>, 8>;

constexpr std::size_t users = 240;
constexpr std::size_t tastes = 4;
constexpr std::size_t items = 40;  // of each domain, 10 per taste

// Users with a taste in each of two domains: many interactions in the first, few in the second. Two of three interactions
// follow the taste. The last one of the second domain is held out, and always follows it.
struct World {
    std::vector<std::uint32_t> held_out;
    std::array<Interactions, 2> logs;

    World(bool shares_tastes, std::size_t few, std::uint64_t seed = 1) : logs(draw(shares_tastes, few, seed)) {}

private:
    std::array<Interactions, 2> draw(bool shares_tastes, std::size_t few, std::uint64_t seed) {
        std::array<std::vector<Interaction>, 2> rows;
        for (std::uint32_t user = 0; user < users; ++user) {
            Random random(seed, user);
            const std::size_t rich = random.below(tastes);
            const std::size_t other = random.below(tastes);
            const std::size_t poor = shares_tastes ? rich : other;
            const auto item = [&](std::size_t taste, double share) {
                const bool follows = random.uniform() < share;
                return static_cast<std::uint32_t>(follows ? taste * 10 + random.below(10) : random.below(items));
            };
            for (std::size_t t = 0; t < 20; ++t) {
                rows[0].push_back(
                    {.user = user, .item = item(rich, 0.67), .value = 1.0F, .time = static_cast<double>(t)});
            }
            for (std::size_t t = 0; t < few; ++t) {
                const double time = 20.0 * static_cast<double>(t) / static_cast<double>(few) + 0.5;
                rows[1].push_back({.user = user, .item = item(poor, 0.67), .value = 1.0F, .time = time});
            }
            held_out.push_back(item(poor, 1.0));
        }
        return {Interactions::from_ids(rows[0], users, items), Interactions::from_ids(rows[1], users, items)};
    }
};

TwoTowerOptions quick() {
    return {.epochs = 20, .batch = 128, .history = 30, .learning_rate = 0.01F, .temperature = 0.2};
}

// How many of the best 10 items of the second domain share the taste of the held-out item: 1 is best, 0.25 is chance.
double precision(MatrixView<const float> user_vectors, MatrixView<const float> item_vectors, const World& world) {
    double hits = 0.0;
    for (std::size_t user = 0; user < users; ++user) {
        std::vector<std::pair<double, std::size_t>> ranked;
        for (std::size_t item = 0; item < items; ++item) {
            double score = 0.0;
            for (std::size_t j = 0; j < 8; ++j) {
                score -= static_cast<double>(user_vectors(user, j)) * static_cast<double>(item_vectors(item, j));
            }
            ranked.emplace_back(score, item);
        }
        std::sort(ranked.begin(), ranked.end());
        for (std::size_t i = 0; i < 10; ++i) {
            hits += ranked[i].second / 10 == world.held_out[user] / 10 ? 0.1 : 0.0;
        }
    }
    return hits / static_cast<double>(users);
}

struct Comparison {
    double shared;
    double single;
};

Comparison compare(const World& world) {
    const Pair both = Pair::fit(world.logs, {.training = quick()});
    const Single alone = Single::fit(world.logs[1], quick());
    return {precision(both.user_factors(), both.item_factors(1), world),
            precision(alone.user_factors(), alone.item_factors(), world)};
}

std::vector<float> numbers_of(MatrixView<const float> matrix) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        numbers.insert(numbers.end(), matrix.row(i).begin(), matrix.row(i).end());
    }
    return numbers;
}

}  // namespace

TEST_CASE("CrossDomain: a domain with few interactions gains from a rich one with the same tastes") {
    const Comparison result = compare(World(true, 3));
    CHECK(result.shared > result.single + 0.15);  // about 0.75 and 0.47
}

TEST_CASE("CrossDomain: a domain with other tastes loses, because the shared history is noise") {
    const Comparison result = compare(World(false, 6));
    CHECK(result.shared < result.single - 0.1);  // about 0.72 and 0.91
}

TEST_CASE("CrossDomain: pairs are the items of a domain, histories those of all domains before them") {
    // User 0 takes item 1 of domain 1, then item 0 of domain 0, then item 2 of domain 1. User 1 takes one item.
    const std::array<Interactions, 2> logs{
        Interactions::from_ids(std::vector<Interaction>{{.user = 0, .item = 0, .time = 2.0}}, 2, 3),
        Interactions::from_ids(std::vector<Interaction>{{.user = 0, .item = 2, .time = 3.0},
                                                        {.user = 0, .item = 1, .time = 1.0},
                                                        {.user = 1, .item = 1, .time = 1.0}},
                               2, 4)};
    const Pair::Trainer trainer(logs, {});
    CHECK(trainer.pairs(0) == 1);  // the first item of a user has no history
    CHECK(trainer.pairs(1) == 1);
    const auto history = trainer.sequences().of(0);
    CHECK(std::vector<std::uint32_t>(history.begin(), history.end()) == std::vector<std::uint32_t>{4, 0, 5});
    const Pair model = Pair::fit(logs, {.training = {.epochs = 2}});
    const std::vector<DomainItem> taken{{1, 1}, {0, 0}, {1, 2}};
    const auto vector = model.user_vector(taken);
    CHECK(std::equal(vector.begin(), vector.end(), model.user_factors().row(0).begin()));
    CHECK(model.item_factors(0).rows() == 3);
    CHECK(model.item_factors(1).rows() == 4);
    for (const float x : model.item_factors(1).row(0)) {
        CHECK(x == 0.0F);  // nobody took it
    }
    double length = 0.0;
    for (const float x : model.item_factors(1).row(1)) {
        length += static_cast<double>(x) * static_cast<double>(x);
    }
    CHECK(length == doctest::Approx(1.0).epsilon(1e-5));
}

TEST_CASE("CrossDomain: the weight of a domain scales its gradients, and 0 leaves its items untrained") {
    const World world(true, 3);
    TwoTowerOptions options = quick();
    options.epochs = 2;
    const auto trained = [&](std::span<const double> weights) {
        Pair::Trainer trainer(world.logs, {.training = options, .domain_weights = weights});
        std::array<double, 2> moved{};
        const auto before = trainer.weights().ids;
        static_cast<void>(trainer.epoch());
        for (std::size_t d = 0; d < 2; ++d) {
            for (std::size_t i = 0; i < items; ++i) {
                for (std::size_t j = 0; j < 8; ++j) {
                    moved[d] += std::abs(static_cast<double>(trainer.weights().ids[d](i, j) - before[d](i, j)));
                }
            }
        }
        return std::pair(moved, numbers_of(trainer.weights().histories));
    };
    const std::array<double, 2> only_first{1.0, 0.0};
    const auto [moved, histories] = trained(only_first);
    CHECK(moved[0] > 1.0);
    CHECK(moved[1] == 0.0);
    CHECK(trained({}).first[1] > 1.0);
    const std::array<double, 2> none{0.0, 0.0};
    CHECK(trained(none).second == numbers_of(Pair::Trainer(world.logs, {.training = options}).weights().histories));
    const std::array<double, 2> equal{1.0, 1.0};
    const std::array<double, 2> other{1.0, 5.0};
    CHECK(trained(equal).second == trained({}).second);
    CHECK(trained(other).second != trained({}).second);
}

TEST_CASE("CrossDomain: a small domain is drawn in every step, in a new order when it begins again") {
    // 4 pairs per step of each domain: 16 of the first domain, 4 of the second.
    std::array<std::vector<Interaction>, 2> rows;
    for (std::uint32_t user = 0; user < 4; ++user) {
        for (std::uint32_t t = 0; t < 5; ++t) {
            rows[0].push_back({.user = user, .item = t, .time = static_cast<double>(t)});
        }
        rows[1].push_back({.user = user, .item = user, .time = 9.0});
    }
    const std::array<Interactions, 2> logs{Interactions::from_ids(rows[0], 4, 5),
                                           Interactions::from_ids(rows[1], 4, 4)};
    Pair::Trainer trainer(logs, {.training = {.batch = 4}});
    CHECK(trainer.pairs(0) == 16);
    CHECK(trainer.pairs(1) == 4);
    double before = trainer.epoch();
    for (int epoch = 0; epoch < 60; ++epoch) {
        static_cast<void>(trainer.epoch());
    }
    CHECK(trainer.epoch() < before);
}

TEST_CASE("CrossDomain: features of users and of the items of one domain") {
    const World world(true, 3);
    using Featured = BasicCrossDomain<8, Backend, Net<1>, Net<>, Net<2>>;
    Matrix<float> item_features(items, 2);
    for (std::size_t i = 0; i < items; ++i) {
        item_features(i, i % 2) = 1.0F;
    }
    const Matrix<float> user_features(users, 1);
    const std::array<MatrixView<const float>, 2> features{MatrixView<const float>{}, item_features};
    TwoTowerOptions options = quick();
    options.epochs = 1;
    options.id_dropout = 0.2F;
    options.negatives.uniform = 5;
    options.user_features = user_features;
    const Featured model = Featured::fit(world.logs, {.training = options, .item_features = features});
    CHECK(model.user_vector({}, std::vector<float>{1.0F}).size() == 8);
    CHECK_THROWS_AS(static_cast<void>(model.user_vector({})), InvalidArgument);
    CHECK_THROWS_WITH_AS(static_cast<void>(Featured::fit(world.logs, {.training = options})),
                         "CrossDomain: item_features of domain 1 must be 40 x 2, got 0 x 0", InvalidArgument);
}

TEST_CASE("CrossDomain: the same bits for any number of threads, other bits for another seed") {
    const World world(true, 3);
    CrossDomainOptions options{.training = quick()};
    options.training.epochs = 2;
    options.training.batch = 300;
    options.training.negatives = {.uniform = 10, .popular = 10, .leaves_out_taken = true};
    options.training.id_dropout = 0.2F;
    const auto vectors = [&](auto&& executor) {
        const Pair model = Pair::fit(world.logs, options, executor);
        std::vector<float> all = numbers_of(model.user_factors());
        for (std::size_t d = 0; d < 2; ++d) {
            const auto of_items = numbers_of(model.item_factors(d));
            all.insert(all.end(), of_items.begin(), of_items.end());
        }
        return all;
    };
    const std::vector<float> expected = vectors(funnel::Serial{});
    CHECK(vectors(Threads(2)) == expected);
    CHECK(vectors(Threads(4)) == expected);
    options.training.seed = 2;
    CHECK(vectors(funnel::Serial{}) != expected);
}

TEST_CASE("CrossDomain: empty domains, bad arguments are rejected") {
    const World world(true, 3);
    const std::array<Interactions, 2> half{world.logs[0], Interactions::from_ids({}, users, 0)};
    const Pair model = Pair::fit(half, {.training = {.epochs = 1}});
    CHECK(model.item_factors(1).rows() == 0);
    CHECK(model.item_factors(0).rows() == items);
    const std::array<Interactions, 2> nothing{Interactions::from_ids({}, 0, 0), Interactions::from_ids({}, 0, 0)};
    const Pair nobody = Pair::fit(nothing);
    CHECK(nobody.user_factors().rows() == 0);
    CHECK(nobody.user_vector({}).size() == 8);

    const auto fails = [&](const CrossDomainOptions& options) {
        CHECK_THROWS_AS(static_cast<void>(Pair::fit(world.logs, options)), InvalidArgument);
    };
    fails({.training = {.batch = 0}});
    fails({.training = {.history = 0}});
    fails({.training = {.learning_rate = 0.0F}});
    fails({.training = {.temperature = std::numeric_limits<double>::quiet_NaN()}});
    fails({.training = {.id_dropout = 1.0F}});
    fails({.training = {.negatives = {.hard = 5}}});
    const std::vector<std::size_t> starts(users + 1);
    fails({.training = {.user_text = {.bags = {.ids = {}, .starts = starts}, .rows = 1}}});
    fails({.training = {.item_text = {.bags = {.ids = {}, .starts = starts}, .rows = 1}}});
    const Matrix<float> features(items, 2);
    fails({.training = {.item_features = features}});
    const std::array<MatrixView<const float>, 2> of_domains{features, features};
    fails({.item_features = of_domains});
    fails({.item_features = std::span(of_domains).first(1)});
    const std::array<double, 2> negative{1.0, -1.0};
    fails({.domain_weights = negative});
    fails({.domain_weights = std::span(negative).first(1)});
    const std::array<Interactions, 2> unequal{world.logs[0], Interactions::from_ids({}, users + 1, 3)};
    CHECK_THROWS_WITH_AS(static_cast<void>(Pair::fit(unequal)),
                         "CrossDomain: the number of users of each log must be 240, got 241", InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.item_factors(2)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(Pair::Trainer(world.logs, {}).pairs(2)), InvalidArgument);
    const std::vector<DomainItem> unknown_domain{{2, 0}};
    const std::vector<DomainItem> unknown_item{{1, 0}};
    CHECK_THROWS_AS(static_cast<void>(model.user_vector(unknown_domain)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.user_vector(unknown_item)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.user_vector({}, std::vector<float>{1.0F})), InvalidArgument);
}

TEST_CASE("CrossDomain: rejects logs of another program with unknown ids, which were items of the next domain") {
    const UncheckedLog known{{{0, 0}, {1, 1}}, 2, 2};
    const auto fit = [&](const std::vector<Interaction>& rows, std::size_t domain) {
        std::array<UncheckedLog, 2> logs{known, known};
        logs[domain].rows = rows;
        static_cast<void>(Pair::fit(logs, {.training = {.epochs = 1}}));
    };
    CHECK_NOTHROW(fit(known.rows, 0));
    CHECK_THROWS_WITH_AS(fit({{0, 2}}, 0), "CrossDomain: every item in the log must be below 2, got 2",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(fit({{0, 2}}, 1), "CrossDomain: every item in the log must be below 2, got 2",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(fit({{2, 0}}, 1), "CrossDomain: every user in the log must be below 2, got 2",
                         InvalidArgument);
}

TEST_CASE("CrossDomain: files come back, damaged ones are rejected") {
    const World world(true, 3);
    CrossDomainOptions options{.training = quick()};
    options.training.epochs = 1;
    options.training.history = 2;
    const Pair model = Pair::fit(world.logs, options);
    const funnel::testing::TempDir dir;
    model.save(dir / "model.fnl");
    const std::vector<DomainItem> history{{0, 1}, {1, 39}, {0, 3}};
    const auto used = [&](const std::string& path) {
        const Pair loaded = Pair::load(path);
        std::vector<float> all = loaded.user_vector(history);
        for (const auto& part : {numbers_of(loaded.user_factors()), numbers_of(loaded.item_factors(0)),
                                 numbers_of(loaded.item_factors(1))}) {
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    };
    const std::vector<float> all = used(dir / "model.fnl");
    const std::vector<float> vector = model.user_vector(history);
    CHECK(std::equal(vector.begin(), vector.end(), all.begin()));
    const std::vector<float> of_users = numbers_of(model.user_factors());
    CHECK(std::equal(of_users.begin(), of_users.end(), all.begin() + 8));
    const std::vector<float> last = numbers_of(model.item_factors(1));
    CHECK(std::equal(last.rbegin(), last.rend(), all.rbegin()));
    using Wider = BasicCrossDomain<8, Backend, Net<>, Net<>, Net<2>>;
    CHECK_THROWS_AS(static_cast<void>(Wider::load(dir / "model.fnl")), funnel::CorruptData);
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "model.fnl"), used);

    Pair source = model;
    const Pair taken = std::move(source);
    CHECK(taken.user_vector(history) == vector);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK(source.user_factors().rows() == 0);
    CHECK_THROWS_AS(static_cast<void>(source.user_vector(history)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(source.user_vector({})), InvalidArgument);
    CHECK_THROWS_AS(source.save(dir / "moved.fnl"), InvalidArgument);
    // NOLINTEND(bugprone-use-after-move)
}

TEST_CASE("CrossDomain: a file whose parts do not fit, or with numbers that are not finite, is rejected") {
    const funnel::testing::TempDir dir;
    struct File {
        std::uint64_t history = 5;
        std::size_t histories = 5;
        std::size_t factors = 3;
        float number = 1.0F;
        bool has_other_layers = false;
    };
    const auto load = [&](const File& parts) {
        funnel::io::ContainerWriter file("embedding.CrossDomain", 1);
        const std::vector<float> parameters(Net<>::parameters, parts.number);
        const std::vector<float> none;
        const Matrix<float> histories(parts.histories, 8);
        const Matrix<float> two(2, 8);
        const Matrix<float> three(3, 8);
        const Matrix<float> factors(parts.factors, 8);
        file.value("history", parts.history);
        const std::vector<std::string> layers = funnel::nn::detail::parts_in_words<Tower<Net<>>::Network>();
        const std::vector<std::string> others = funnel::nn::detail::parts_in_words<Tower<Net<1>>::Network>();
        file.strings("user.layers", parts.has_other_layers ? others : layers);
        file.array("user.parameters", parameters);
        file.array("user.statistics", none);
        file.matrix("histories", histories.view());
        file.matrix("user_factors", two.view());
        file.strings("item_0.layers", layers);
        file.array("item_0.parameters", parameters);
        file.array("item_0.statistics", none);
        file.matrix("ids_0", two.view());
        file.matrix("item_factors_0", two.view());
        file.strings("item_1.layers", layers);
        file.array("item_1.parameters", parameters);
        file.array("item_1.statistics", none);
        file.matrix("ids_1", three.view());
        file.matrix("item_factors_1", factors.view());
        file.save(dir / "model.fnl");
        const Pair model = Pair::load(dir / "model.fnl");
        return model.item_factors(1).rows();
    };
    const auto rejects = [&](const File& parts) {
        CHECK_THROWS_AS(static_cast<void>(load(parts)), funnel::CorruptData);
    };
    CHECK(load({}) == 3);
    rejects({.history = 0});
    rejects({.histories = 4});
    rejects({.factors = 2});
    rejects({.has_other_layers = true});
    rejects({.number = std::numeric_limits<float>::infinity()});
}
