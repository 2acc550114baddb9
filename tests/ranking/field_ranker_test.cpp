// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/deep_rankers.hpp>
#include <funnel/ranking/multi_task.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/nn/mlp.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Serial;
using funnel::Threads;
using namespace funnel::ranking;
using namespace funnel::testing;
namespace networks = funnel::ranking::detail;
namespace nn = funnel::nn;

namespace {

// 2 fields of the user, 1 of the item, vectors of 4 numbers, 1 dense feature of the user and 2 of the item.
using Schema = Fields<2, 1, 4, 1, 2>;
using SmallDeepFM = DeepFM<Schema, 8>;
using SmallDLRM = DLRM<Schema, nn::HiddenLayers<3, 4>, 8>;
using SmallMMoE = MMoE<Schema, 2, 3, nn::HiddenLayers<Schema::columns, 8>, nn::MLP<8, 1>>;

// Clicks that depend on a pair of fields (the user's taste and the item), which a linear model cannot learn.
struct Sample {
    Matrix<std::uint32_t> ids;
    Matrix<float> dense;
    std::vector<float> labels;

    explicit Sample(std::size_t rows, std::uint64_t seed = 1) : ids(rows, 3), dense(rows, 3), labels(rows) {
        Random random(seed);
        for (std::size_t i = 0; i < rows; ++i) {
            ids(i, 0) = static_cast<std::uint32_t>(random.below(6));
            ids(i, 1) = static_cast<std::uint32_t>(random.below(3));
            ids(i, 2) = static_cast<std::uint32_t>(random.below(8));
            for (float& x : dense.row(i)) {
                x = static_cast<float>(random.normal());
            }
            const bool fits = ids(i, 0) % 2 == ids(i, 2) % 2;
            const double logit = (fits ? 2.0 : -2.0) + static_cast<double>(dense(i, 2));
            labels[i] = random.uniform() < 1.0 / (1.0 + std::exp(-logit)) ? 1.0F : 0.0F;
        }
    }

    [[nodiscard]] FieldRows rows() const { return {.ids = ids, .dense = dense}; }
};

FieldRankerOptions quick() {
    return {.epochs = 12, .batch = 64, .learning_rate = 0.01F, .table_learning_rate = 0.05F};
}

std::vector<float> numbers_of(const Matrix<float>& matrix) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        numbers.insert(numbers.end(), matrix.row(i).begin(), matrix.row(i).end());
    }
    return numbers;
}

template <class Ranker>
double auc_of(const Ranker& ranker, const Sample& sample) {
    return funnel::metrics::auc(numbers_of(ranker.score(sample.rows())), sample.labels);
}

}  // namespace

TEST_CASE("WideAndDeep, DeepFM, DLRM: the published logits") {
    // Three fields of 2 numbers, then two dense features: as many inputs as the vectors use.
    using Published = Fields<0, 3, 2, 0, 2>;
    const std::vector<double> x = joined({sines(6, 0.0), sines(2, 1.0)});
    const std::vector<double> deep =
        joined({sines(24, 4.0, 0.3), sines(3, 5.0, 0.3), sines(3, 6.0, 0.3), std::vector<double>(1)});
    // The weights of the dense features; the bias .1 takes the linear weights of the ids, F(3; 2), with it.
    double ids = 0.0;
    for (const double w : sines(3, 2.0)) {
        ids += w;
    }
    const std::vector<double> linear = joined({sines(2, 3.0), {0.1 + ids}});

    LayerRun<networks::PartsSum<Published, nn::MLP<8, 3, 1>>> wide(1);
    wide.x = x;
    wide.parameters = joined({deep, linear});
    wide.forward();
    CHECK(wide.y[0] == doctest::Approx(0.2420952).epsilon(1e-6));

    LayerRun<networks::PartsSum<Published, networks::FieldPairs<Published>, nn::MLP<8, 3, 1>>> fm(1);
    fm.x = x;
    fm.parameters = joined({deep, linear});
    fm.forward();
    CHECK(fm.y[0] == doctest::Approx(-1.269545).epsilon(1e-6));

    LayerRun<networks::DLRMNetwork<Published, nn::HiddenLayers<2, 2>>::type> dlrm(1);
    dlrm.x = x;
    dlrm.parameters = joined({sines(4, 7.0, 0.5), sines(2, 8.0, 0.5), sines(8, 9.0, 0.3), std::vector<double>(1)});
    dlrm.forward();
    CHECK(dlrm.y[0] == doctest::Approx(-0.4692363).epsilon(1e-6));
}

TEST_CASE("FieldRanker: the networks of all rankers have the right gradients") {
    CHECK(gradient_error<networks::PartsSum<Schema, networks::FieldPairs<Schema>, nn::MLP<Schema::columns, 5, 1>>>(3) <
          1e-6);
    CHECK(gradient_error<networks::DCNNetwork<Schema, 2, 5>::type>(3) < 1e-6);
    CHECK(gradient_error<networks::DLRMNetwork<Schema, nn::HiddenLayers<3, 4>, 5>::type>(3) < 1e-6);
}

TEST_CASE("FieldRanker: every ranker learns which items fit a user") {
    const Sample train(4000);
    const Sample test(1000, 2);
    const auto check = [&]<class Ranker>(std::type_identity<Ranker>) {
        const Ranker ranker = Ranker::fit(train.rows(), std::span<const float>(train.labels), quick());
        CHECK(auc_of(ranker, test) > 0.85);  // about 0.9 is possible; a linear model reaches 0.63
    };
    check(std::type_identity<SmallDeepFM>{});
    check(std::type_identity<WideAndDeep<Schema, 8>>{});
    check(std::type_identity<DCNv2<Schema, 2, 8>>{});
    check(std::type_identity<SmallDLRM>{});
}

TEST_CASE("FieldRanker: the candidates of a user get the scores of whole rows") {
    const Sample train(2000);
    const auto check = [&]<class Ranker>(std::type_identity<Ranker>, std::size_t n) {
        const Ranker ranker = Ranker::fit(train.rows(), std::span<const float>(train.labels), quick());
        Sample candidates(n, 3);
        for (std::size_t i = 1; i < n; ++i) {
            candidates.ids(i, 0) = candidates.ids(0, 0);
            candidates.ids(i, 1) = candidates.ids(0, 1);
            candidates.dense(i, 0) = candidates.dense(0, 0);
        }
        Matrix<std::uint32_t> item_ids(n, 1);
        Matrix<float> item_dense(n, 2);
        for (std::size_t i = 0; i < n; ++i) {
            item_ids(i, 0) = candidates.ids(i, 2);
            item_dense(i, 0) = candidates.dense(i, 1);
            item_dense(i, 1) = candidates.dense(i, 2);
        }
        const typename Ranker::Request request{.user_ids = candidates.ids.row(0).first(2),
                                               .user_dense = candidates.dense.row(0).first(1),
                                               .item_ids = item_ids,
                                               .item_dense = item_dense};
        const auto whole = numbers_of(ranker.score(candidates.rows()));
        const auto split = numbers_of(ranker.score(request));
        REQUIRE(split.size() == n);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(split[i] == doctest::Approx(whole[i]).epsilon(1e-5));
        }
        std::vector<float> memory(Ranker::scratch(n));
        Matrix<float> out(n, 1);
        CHECK(allocations_of([&] { ranker.score(request, memory, out.view()); }) == 0);
        CHECK(numbers_of(out) == split);
    };
    check(std::type_identity<SmallDeepFM>{}, 300);
    check(std::type_identity<WideAndDeep<Schema, 8>>{}, 257);
    check(std::type_identity<DCNv2<Schema, 3, 8>>{}, 5);
    check(std::type_identity<SmallDLRM>{}, 1);
}

TEST_CASE("FieldRanker: the same bits for any number of threads") {
    const Sample train(1500);
    auto options = quick();
    options.epochs = 2;
    options.batch = 700;
    const auto scores = [&](auto&& executor) {
        return numbers_of(SmallDeepFM::fit(train.rows(), std::span<const float>(train.labels), options, executor)
                              .score(train.rows()));
    };
    const std::vector<float> expected = scores(Serial{});
    CHECK(scores(Threads(2)) == expected);
    CHECK(scores(Threads(3)) == expected);
    options.seed = 2;
    CHECK(scores(Serial{}) != expected);
}

TEST_CASE("FieldRanker: ids that training has not seen count as nothing, also those above 2^24") {
    const Sample train(500);
    const SmallDeepFM ranker = SmallDeepFM::fit(train.rows(), std::span<const float>(train.labels), quick());
    Matrix<std::uint32_t> ids(3, 3);
    ids(0, 2) = 8;
    ids(1, 2) = 16'777'217;
    ids(2, 2) = std::numeric_limits<std::uint32_t>::max();
    const Matrix<float> dense(3, 3);
    const auto scores = numbers_of(ranker.score({.ids = ids, .dense = dense}));
    CHECK(scores[1] == scores[0]);
    CHECK(scores[2] == scores[0]);
    ids(0, 2) = 0;
    CHECK(numbers_of(ranker.score({.ids = ids, .dense = dense}))[0] != scores[0]);
}

TEST_CASE("FieldRanker: the L2 penalty follows the weights, it is not that of their first values") {
    // Without a signal in the labels, only the penalty acts on the embeddings for many steps.
    Sample train(512);
    auto options = quick();
    options.epochs = 40;
    const auto largest = [&](float l2) {
        options.l2 = l2;
        const auto ranker = SmallDeepFM::fit(train.rows(), std::span<const float>(train.labels), options);
        float most = 0.0F;
        for (std::size_t i = 0; i < ranker.table().rows().rows(); ++i) {
            for (const float x : ranker.table().rows().row(i)) {
                most = std::max(most, std::abs(x));
            }
        }
        return most;
    };
    CHECK(largest(1.0F) < 0.05F);
    CHECK(largest(0.0F) > 0.3F);
}

TEST_CASE("multi-task rankers: two tasks that disagree are both learned") {
    // The second label is the opposite taste.
    const auto second = [](const Sample& sample) {
        Matrix<float> labels(sample.labels.size(), 2);
        for (std::size_t i = 0; i < labels.rows(); ++i) {
            labels(i, 0) = sample.labels[i];
            labels(i, 1) = 1.0F - sample.labels[i];
        }
        return labels;
    };
    const Sample train(4000);
    const Sample test(1000, 2);
    const Matrix<float> truth = second(test);
    const auto check = [&]<class Ranker>(std::type_identity<Ranker>) {
        const Ranker ranker = Ranker::fit(train.rows(), second(train), quick());
        const Matrix<float> probabilities = ranker.predict(test.rows());
        for (std::size_t task = 0; task < 2; ++task) {
            std::vector<float> scores;
            std::vector<float> labels;
            for (std::size_t i = 0; i < 1000; ++i) {
                scores.push_back(probabilities(i, task));
                labels.push_back(truth(i, task));
            }
            CHECK(funnel::metrics::auc(scores, labels) > 0.85);
        }
    };
    using Expert = nn::HiddenLayers<Schema::columns, 8>;
    check(std::type_identity<SharedBottom<Schema, 2, Expert, nn::MLP<8, 1>>>{});
    check(std::type_identity<SmallMMoE>{});
    check(std::type_identity<PLE<Schema, 2, 1, 1, Expert, nn::MLP<8, 1>>>{});
    check(std::type_identity<ProgressivePLE<Schema, 2, 1, 1, nn::MLP<6, 1>, Expert, nn::HiddenLayers<8, 6>>>{});
}

TEST_CASE("ProgressivePLE: two levels agree with the formula; gradients are central differences") {
    // Inputs of 3 numbers, 2 tasks, 2 own experts and 1 shared one, levels 3 -> 4 -> 2 without activation.
    using First = nn::Dense<3, 4>;
    using Second = nn::Dense<4, 2>;
    using Narrow = Fields<0, 1, 3>;
    using Network = networks::ExpertsNetwork<Narrow, 2, 2, 1, nn::Dense<2, 1>, First, Second>::type;
    CHECK(gradient_error<Network>(3) < 1e-6);

    LayerRun<Network> run(1);
    run.randomise(7);
    run.forward();
    using Row = std::vector<double>;
    std::size_t at = 0;  // parameters come in the order of the layers: experts, gates, shared gate, towers
    const auto dense = [&](const Row& x, std::size_t out) {
        Row y(out);
        for (std::size_t o = 0; o < out; ++o) {
            for (std::size_t i = 0; i < x.size(); ++i) {
                y[o] += run.parameters[at + o * x.size() + i] * x[i];
            }
            y[o] += run.parameters[at + out * x.size() + o];
        }
        at += out * x.size() + out;
        return y;
    };
    const auto level = [&](const std::vector<Row>& inputs, std::size_t out, bool is_last) {
        const std::vector<std::size_t> reader{0, 0, 1, 1, 2};  // whose input each expert reads: tasks 0, 1, shared
        std::vector<Row> experts;
        for (std::size_t e = 0; e < 5; ++e) {
            experts.push_back(dense(inputs[reader[e]], out));
        }
        std::vector<Row> mixtures;
        for (std::size_t gate = 0; gate < (is_last ? 2U : 3U); ++gate) {
            std::vector<std::size_t> mixed{2 * gate, 2 * gate + 1, 4};
            if (gate == 2) {
                mixed = {0, 1, 2, 3, 4};
            }
            Row weights = dense(inputs[gate], mixed.size());
            double sum = 0.0;
            for (double& weight : weights) {
                weight = std::exp(weight);
                sum += weight;
            }
            Row mixture(out);
            for (std::size_t e = 0; e < mixed.size(); ++e) {
                for (std::size_t k = 0; k < out; ++k) {
                    mixture[k] += weights[e] / sum * experts[mixed[e]][k];
                }
            }
            mixtures.push_back(mixture);
        }
        return mixtures;
    };
    const std::vector<Row> first = level({run.x, run.x, run.x}, 4, false);
    const std::vector<Row> second = level(first, 2, true);
    for (std::size_t task = 0; task < 2; ++task) {
        CHECK(run.y[task] == doctest::Approx(dense(second[task], 1)[0]).epsilon(1e-10));
    }
    CHECK(at == Network::parameters);

    using Three = networks::ExpertsNetwork<Narrow, 3, 1, 2, nn::MLP<2, 1>, nn::HiddenLayers<3, 4>,
                                           nn::HiddenLayers<4, 4>, nn::HiddenLayers<4, 2>>::type;
    CHECK(gradient_error<Three>(3) < 1e-6);
}

TEST_CASE("ESMMLoss, PALLoss: published values and gradients, finite for any logits") {
    std::vector<double> logits(6);
    std::vector<double> gradient(6);
    const auto fill = [&](const std::vector<double>& first, const std::vector<double>& second) {
        for (std::size_t i = 0; i < 3; ++i) {
            logits[2 * i] = first[i];
            logits[2 * i + 1] = second[i];
        }
    };
    const auto column = [&](std::size_t c) {
        return std::vector<double>{gradient[c], gradient[2 + c], gradient[4 + c]};
    };
    const std::vector<float> both{1, 1, 1, 0, 0, 0};
    const std::vector<float> clicks{1, 1, 0};
    const auto esmm = [&] { return ESMMLoss{}.operator()<double>({logits, 3, 2}, {both, 3, 2}, {gradient, 3, 2}); };
    const auto pal = [&] { return PALLoss{}.operator()<double>({logits, 3, 2}, {clicks, 3, 1}, {gradient, 3, 2}); };

    fill(sines(3, 0.0), sines(3, 1.0));
    CHECK(esmm() == doctest::Approx(1.506948).epsilon(1e-6));
    CHECK(are_close(column(0), std::vector<double>{-0.3333333, -0.0007497854, 0.296666}, 1e-6));
    CHECK(are_close(column(1), std::vector<double>{-0.1004084, 0.09499981, 0.09557537}, 1e-6));
    std::vector<double> slopes = gradient;
    CHECK(are_close(slopes, central_differences(logits, esmm), 1e-8));

    fill(sines(3, 2.0), sines(3, 0.0));
    CHECK(pal() == doctest::Approx(0.7578112).epsilon(1e-6));
    CHECK(are_close(column(0), std::vector<double>{-0.09571454, -0.1549261, 0.0668725}, 1e-6));
    CHECK(are_close(column(1), std::vector<double>{-0.1666667, -0.1004084, 0.02821091}, 1e-6));
    slopes = gradient;
    CHECK(are_close(slopes, central_differences(logits, pal), 1e-8));

    for (const double a : {-1e4, -50.0, 50.0, 1e4}) {
        for (const double b : {-1e4, 0.0, 1e4}) {
            fill({a, a, a}, {b, b, b});
            CHECK(std::isfinite(esmm()));
            CHECK(std::isfinite(pal()));
            CHECK(std::all_of(gradient.begin(), gradient.end(), [](double g) { return std::isfinite(g); }));
        }
    }
}

TEST_CASE("LoglossPerTask: gradients are central differences") {
    std::vector<double> logits = sines(6, 0.5, 2.0);
    const std::vector<float> labels{1, 0, 0, 1, 1, 1};
    std::vector<double> gradient(6);
    const auto value = [&] {
        return LoglossPerTask{}.operator()<double>({logits, 3, 2}, {labels, 3, 2}, {gradient, 3, 2});
    };
    static_cast<void>(value());
    const std::vector<double> slopes = gradient;
    CHECK(are_close(slopes, central_differences(logits, value), 1e-8));
}

TEST_CASE("FieldRanker: files come back, damaged ones are rejected") {
    const Sample train(200);
    const SmallDeepFM ranker = SmallDeepFM::fit(train.rows(), std::span<const float>(train.labels), quick());
    const TempDir dir;
    ranker.save(dir / "ranker.fnl");
    const SmallDeepFM loaded = SmallDeepFM::load(dir / "ranker.fnl");
    CHECK(numbers_of(loaded.score(train.rows())) == numbers_of(ranker.score(train.rows())));
    CHECK_THROWS_AS(static_cast<void>(SmallDLRM::load(dir / "ranker.fnl")), funnel::CorruptData);
    check_damage(bytes_of(dir / "ranker.fnl"),
                 [&](const std::string& path) { return numbers_of(SmallDeepFM::load(path).score(train.rows())); });
}

TEST_CASE("FieldRanker: no rows, no epochs, bad arguments") {
    const Sample train(50);
    const std::span<const float> labels(train.labels);
    const SmallDeepFM untrained = SmallDeepFM::fit(train.rows(), labels, {.epochs = 0});
    CHECK(untrained.score(train.rows()).rows() == 50);
    const Matrix<std::uint32_t> no_ids(0, 3);
    const Matrix<float> no_dense(0, 3);
    const SmallDeepFM empty = SmallDeepFM::fit({.ids = no_ids, .dense = no_dense}, std::span<const float>{});
    CHECK(empty.score(train.rows()).rows() == 50);
    CHECK(empty.score({.ids = no_ids, .dense = no_dense}).rows() == 0);

    CHECK_THROWS_WITH_AS(static_cast<void>(untrained.score({.ids = train.ids})),
                         "FieldRanker::score: rows must have 3 ids and 3 dense features each, got 50 x 3 ids and 0 x 0 "
                         "dense features",
                         InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(SmallDeepFM::fit(train.rows(), labels.first(49))), InvalidArgument);
    const auto fails = [&](const FieldRankerOptions& options) {
        CHECK_THROWS_AS(static_cast<void>(SmallDeepFM::fit(train.rows(), labels, options)), InvalidArgument);
    };
    fails({.batch = 0});
    fails({.learning_rate = 0.0F});
    fails({.table_learning_rate = -1.0F});
    fails({.l2 = std::numeric_limits<float>::quiet_NaN()});
    fails({.init_scale = 0.0F});
    std::vector<float> wrong = train.labels;
    wrong[7] = 0.5F;
    CHECK_THROWS_AS(static_cast<void>(SmallDeepFM::fit(train.rows(), std::span<const float>(wrong))), InvalidArgument);
    Matrix<float> infinite(50, 3);
    infinite(49, 2) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(static_cast<void>(untrained.score({.ids = train.ids, .dense = infinite})), InvalidArgument);
    const std::vector<std::uint32_t> one{1};
    CHECK_THROWS_AS(
        static_cast<void>(untrained.score(SmallDeepFM::Request{.user_ids = one, .user_dense = {}, .item_ids = {}})),
        InvalidArgument);
    // A request with each of its four parts of another shape.
    const std::vector<std::uint32_t> user_ids{1, 1};
    const std::vector<float> user_dense{0.5F};
    const Matrix<std::uint32_t> item_ids(2, 1);
    const Matrix<float> item_dense(2, 2);
    const SmallDeepFM::Request good{
        .user_ids = user_ids, .user_dense = user_dense, .item_ids = item_ids, .item_dense = item_dense};
    CHECK(untrained.score(good).rows() == 2);
    const auto rejects = [&](auto change) {
        SmallDeepFM::Request request = good;
        change(request);
        CHECK_THROWS_WITH_AS(static_cast<void>(untrained.score(request)),
                             "FieldRanker::score: the request must have the fields and dense features of the schema",
                             InvalidArgument);
    };
    const Matrix<std::uint32_t> two_ids(2, 2);
    const Matrix<float> one_feature(2, 1);
    rejects([&](auto& request) { request.user_ids = request.user_ids.first(1); });
    rejects([&](auto& request) { request.user_dense = {}; });
    rejects([&](auto& request) { request.item_ids = two_ids; });
    rejects([&](auto& request) { request.item_dense = one_feature; });
    rejects([&](auto& request) { request.item_dense = item_dense.view().rows_from(0, 1); });
    const std::vector<std::size_t> sizes{1, 2};
    CHECK_THROWS_AS(SmallDeepFM(std::span<const std::size_t>(sizes)), InvalidArgument);
    const std::vector<std::size_t> many(3, std::numeric_limits<std::size_t>::max());
    CHECK_THROWS_AS(SmallDeepFM(std::span<const std::size_t>(many)), InvalidArgument);
}
