// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/embedding/two_tower.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/features/hashed_text.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::embedding::BasicTwoTower;
using funnel::embedding::TextFeatures;
using funnel::embedding::TwoTowerOptions;
using funnel::features::HashedText;
using namespace funnel::nn;

namespace {

using Net = Sequential<Dense<16, 32>, ReLU, Dense<32, 16>, L2Normalize<16>>;
using Model = BasicTwoTower<Net, Net, 16>;

constexpr std::size_t topics = 8;
constexpr std::size_t items = 96;   // item i is of topic i % topics
constexpr std::size_t warm = 80;    // nobody took the others
constexpr std::size_t users = 240;  // user u likes topic u % topics
constexpr std::size_t rows = 4096;  // of the tables of words

// Four words of a topic and three that all topics share.
std::string text_of(std::size_t topic, std::uint64_t seed) {
    Random random(seed, topic);
    std::string text;
    for (int i = 0; i < 4; ++i) {
        text += "topic" + std::to_string(topic) + "word" + std::to_string(random.below(12)) + " ";
    }
    for (int i = 0; i < 3; ++i) {
        text += "common" + std::to_string(random.below(20)) + ", ";
    }
    return text;
}

// Four of five interactions follow the taste of the user. The last 16 users took nothing.
struct World {
    HashedText item_texts{rows};
    HashedText user_texts{rows, 2};
    Interactions log;

    World() : log(draw()) {
        for (std::size_t item = 0; item < items; ++item) {
            item_texts.add(text_of(item % topics, 100 + item));
        }
        for (std::size_t user = 0; user < users; ++user) {
            user_texts.add(user % 5 == 0 ? "" : text_of(user % topics, 1000 + user));
        }
    }

    static Interactions draw() {
        std::vector<Interaction> all;
        for (std::uint32_t user = 0; user < users - 16; ++user) {
            Random random(3, user);
            for (const std::uint32_t draw : random.permutation<std::uint32_t>(10)) {
                const bool follows = random.uniform() < 0.8;
                const std::uint64_t item = follows ? draw * topics + user % topics : random.below(warm);
                all.push_back(
                    {.user = user, .item = static_cast<std::uint32_t>(item), .time = static_cast<double>(all.size())});
            }
        }
        return Interactions::from_ids(all, users, items);
    }

    [[nodiscard]] TwoTowerOptions options(bool with_user_texts) const {
        TwoTowerOptions options{
            .epochs = 15, .batch = 128, .learning_rate = 0.01F, .temperature = 0.15, .id_dropout = 0.3F};
        options.item_text = {.bags = {.ids = item_texts.ids(), .starts = item_texts.starts()}, .rows = rows};
        if (with_user_texts) {
            options.user_text = {.bags = {.ids = user_texts.ids(), .starts = user_texts.starts()}, .rows = rows};
        }
        return options;
    }
};

// The share of the best k of some items that are of a topic.
double precision(const Model& model, std::span<const float> user, std::size_t topic, std::size_t first,
                 std::size_t last, std::size_t k) {
    std::vector<float> scores(items);
    model.score_all({{}, user}, scores);
    std::vector<std::size_t> order;
    for (std::size_t item = first; item < last; ++item) {
        order.push_back(item);
    }
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
    std::size_t right = 0;
    for (std::size_t i = 0; i < k; ++i) {
        right += order[i] % topics == topic ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(k);
}

std::vector<float> copy_of(std::span<const float> numbers) {
    return {numbers.begin(), numbers.end()};
}

}  // namespace

TEST_CASE("TwoTower: items that nobody took are found by their texts, in the catalogue and new") {
    const World world;
    const Model model = Model::fit(world.log, world.options(false));
    double cold = 0.0;
    for (std::size_t user = 0; user < users - 16; ++user) {
        cold += precision(model, model.user_factors().row(user), user % topics, warm, items, 2) / (users - 16);
    }
    CHECK(cold > 0.7);  // by chance: 2 of 16

    // New items, with texts that training did not see: the best of one per topic.
    std::size_t right = 0;
    for (std::size_t user = 0; user < users - 16; ++user) {
        std::vector<float> scores;
        for (std::size_t topic = 0; topic < topics; ++topic) {
            const auto vector = model.item_vector({}, world.item_texts.words(text_of(topic, 7000 + user)));
            float score = 0.0F;
            for (std::size_t j = 0; j < vector.size(); ++j) {
                score += vector[j] * model.user_factors()(user, j);
            }
            scores.push_back(score);
        }
        const auto best = std::max_element(scores.begin(), scores.end()) - scores.begin();
        right += static_cast<std::size_t>(best) == user % topics ? 1 : 0;
    }
    CHECK(right > (users - 16) * 7 / 10);  // by chance: one of 8
    // An item of the catalogue that nobody took has the vector of one with its text.
    CHECK(model.item_vector({}, world.item_texts.words(text_of(90 % topics, 190))) ==
          copy_of(model.item_factors().row(90)));
}

TEST_CASE("TwoTower: users without a history are served by their texts") {
    const World world;
    const Model model = Model::fit(world.log, world.options(true));
    double in_the_log = 0.0;
    double new_users = 0.0;
    std::size_t described = 0;
    for (std::size_t user = users - 16; user < users; ++user) {
        if (user % 5 != 0) {
            in_the_log += precision(model, model.user_factors().row(user), user % topics, 0, warm, 10);
            ++described;
        }
        const auto vector = model.user_vector({}, {}, world.user_texts.words(text_of(user % topics, 9000 + user)));
        new_users += precision(model, vector, user % topics, 0, warm, 10) / 16.0;
    }
    CHECK(in_the_log / static_cast<double>(described) > 0.6);  // by chance: 1 of 8
    CHECK(new_users > 0.6);
    // A text and a history together: the row is the sum of both means.
    const std::vector<std::uint32_t> history{3, 11};
    CHECK(model.user_vector(history) != model.user_vector(history, {}, world.user_texts.words("topic1word1")));
    CHECK(model.user_vector(history, {}, {}) == model.user_vector(history));
}

TEST_CASE("TwoTower: Flat and HNSW with its vectors give the items of the scorer, cold ones among them") {
    const World world;
    const Model model = Model::fit(world.log, world.options(false));
    const auto flat = funnel::ann::Flat<funnel::kernels::InnerProduct>::build(model.item_factors());
    const auto cosine = funnel::ann::Flat<funnel::kernels::Cosine>::build(model.item_factors());
    const auto graph = funnel::ann::HNSW<funnel::kernels::InnerProduct>::build(model.item_factors());
    std::size_t cold = 0;
    for (std::size_t user = 0; user < users; user += 7) {
        const auto expected = model.recommend(user, {.k = 20, .keep_seen = true});
        if (expected.empty()) {
            continue;  // took nothing
        }
        const auto vector = model.user_factors().row(user);
        const auto ids = [](const auto& hits) {
            std::vector<std::uint32_t> list;
            for (const auto& hit : hits) {
                list.push_back(static_cast<std::uint32_t>(hit.id));
            }
            return list;
        };
        REQUIRE(expected.size() == 20);
        CHECK(ids(flat.search(vector, {.k = 20})) == ids(expected));
        CHECK(ids(cosine.search(vector, {.k = 20})) == ids(expected));
        CHECK(ids(graph.search(vector, {.k = 20, .ef = items})) == ids(expected));
        cold += static_cast<std::size_t>(
            std::count_if(expected.begin(), expected.end(), [](const auto& item) { return item.id >= warm; }));
    }
    CHECK(cold > 0);
}

TEST_CASE("TwoTower: training with texts gives the same bits for any number of threads, and files keep the words") {
    const World world;
    TwoTowerOptions options = world.options(true);
    options.epochs = 2;
    const Model model = Model::fit(world.log, options);
    const Model threaded = Model::fit(world.log, options, Threads(4));
    const auto words = world.item_texts.words("topic3word1 common5");
    CHECK(model.item_vector({}, words) == threaded.item_vector({}, words));
    CHECK(copy_of(model.user_factors().row(9)) == copy_of(threaded.user_factors().row(9)));
    const funnel::testing::TempDir dir;
    model.save(dir / "model.fnl");
    const Model loaded = Model::load(dir / "model.fnl");
    CHECK(loaded.item_vector({}, words) == model.item_vector({}, words));
    CHECK(loaded.user_vector({}, {}, words) == model.user_vector({}, {}, words));
}

TEST_CASE("TwoTower: words weigh as their weights say, and an item without words and takers has no vector") {
    const std::vector<Interaction> log_rows{{.user = 0, .item = 0, .time = 1.0}, {.user = 0, .item = 1, .time = 2.0}};
    const auto log = Interactions::from_ids(log_rows, 1, 4);
    const std::vector<std::uint32_t> ids{0, 1, 0, 1};
    const std::vector<std::size_t> starts{0, 0, 1, 4, 4};  // item 2 has three words, item 3 none
    const std::vector<float> weights{1.0F, 3.0F, 0.0F, 0.0F};
    const auto fit = [&](std::span<const float> of_words) {
        return Model::fit(
            log, {.epochs = 0, .item_text = {.bags = {.ids = ids, .starts = starts, .weights = of_words}, .rows = 2}});
    };
    const Model plain = fit({});
    const Model weighted = fit(weights);
    CHECK(std::all_of(plain.item_factors().row(3).begin(), plain.item_factors().row(3).end(),
                      [](float x) { return x == 0.0F; }));
    CHECK(copy_of(plain.item_factors().row(1)) == copy_of(weighted.item_factors().row(1)));
    // 3/3 of word 1, against 2/3 of word 1 and 1/3 of word 0.
    CHECK(copy_of(weighted.item_factors().row(2)) == weighted.item_vector({}, std::vector<std::uint32_t>{1}));
    CHECK(copy_of(plain.item_factors().row(2)) == plain.item_vector({}, std::vector<std::uint32_t>{1, 0, 1}));
}

TEST_CASE("TwoTower: bad texts are rejected") {
    const World world;
    const auto fails = [&](const std::vector<std::uint32_t>& ids, const std::vector<std::size_t>& starts,
                           std::size_t table, const std::vector<float>& weights = {}) {
        TwoTowerOptions options{.epochs = 1};
        options.item_text = {.bags = {.ids = ids, .starts = starts, .weights = weights}, .rows = table};
        CHECK_THROWS_AS(static_cast<void>(Model::fit(world.log, options)), InvalidArgument);
    };
    std::vector<std::size_t> starts(items + 1, 1);
    starts.front() = 0;
    fails({2}, starts, 2);  // ids must be below the rows
    fails({2}, starts, 0);
    fails({1, 1}, starts, 2);  // the last start is not the number of words
    fails({1}, starts, 2, {1.0F, 1.0F});
    fails({1}, starts, 2, {std::numeric_limits<float>::quiet_NaN()});
    fails({1}, {0, 1}, 2);  // one bag per item
    fails({}, {}, 2);
    starts[5] = 0;
    fails({1}, starts, 2);  // not ascending
    const Model model = Model::fit(world.log, {.epochs = 0});
    const std::vector<std::uint32_t> word{0};
    CHECK_THROWS_AS(static_cast<void>(model.item_vector({}, word)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(model.user_vector({}, {}, word)), InvalidArgument);
}
