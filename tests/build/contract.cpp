// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The public names and call shapes that programs outside of this repository rely on, each used as such a program uses
// it. What this file does not compile is a broken promise: change the library, not the file.
#include <funnel/ann/concurrent.hpp>
#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/keyed.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/ann/snapshot.hpp>
#include <funnel/ann/tune.hpp>
#include <funnel/bandits/cascading.hpp>
#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/exp3.hpp>
#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/lin_ts.hpp>
#include <funnel/bandits/lin_ucb.hpp>
#include <funnel/bandits/logged_decision.hpp>
#include <funnel/bandits/propensities.hpp>
#include <funnel/bandits/square_cb.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/bandits/thompson_gaussian.hpp>
#include <funnel/bandits/thompson_slate.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>
#include <funnel/cf/biased_mf.hpp>
#include <funnel/cf/bought_together.hpp>
#include <funnel/cf/bpr.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/explicit_als.hpp>
#include <funnel/cf/hybrid_mf.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/logistic_mf.hpp>
#include <funnel/cf/nmf.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/cf/pure_svd.hpp>
#include <funnel/cf/rp3beta.hpp>
#include <funnel/cf/slim.hpp>
#include <funnel/cf/svdpp.hpp>
#include <funnel/cf/user_knn.hpp>
#include <funnel/cf/warp.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/movielens.hpp>
#include <funnel/data/recbole.hpp>
#include <funnel/data/run.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/half.hpp>
#include <funnel/kernels/half_rows.hpp>
#include <funnel/kernels/hamming.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/coverage.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/evaluate_run.hpp>
#include <funnel/metrics/fusion.hpp>
#include <funnel/metrics/graded.hpp>
#include <funnel/metrics/intra_list_distance.hpp>
#include <funnel/metrics/mean_ndcg.hpp>
#include <funnel/metrics/multiple_tests.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/novelty.hpp>
#include <funnel/metrics/precision_recall.hpp>
#include <funnel/metrics/rating.hpp>
#include <funnel/metrics/significance.hpp>
#include <funnel/pipeline/funnel.hpp>
#include <funnel/ranking/ffm.hpp>
#include <funnel/ranking/fm.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/logistic_regression.hpp>
#include <funnel/rerank/calibrated.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/kdpp.hpp>
#include <funnel/rerank/kernel_dpp.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/slate_rules.hpp>
#include <funnel/rerank/window_cap.hpp>
#include <funnel/rerank/window_dpp.hpp>

#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace {

funnel::data::Interactions small_log() {
    std::vector<funnel::data::Interaction> rows;
    for (std::uint32_t user = 0; user < 12; ++user) {
        for (std::uint32_t i = 0; i < 5; ++i) {
            rows.push_back({user, (user * 2 + i * 3) % 15, static_cast<float>(1 + (user + i) % 5), 100.0 * user + i});
        }
    }
    return funnel::data::Interactions::from_ids(rows, 12, 15);
}

}  // namespace

TEST_CASE("contract: scored ids, matrices and executors") {
    const funnel::Scored<> hit{7, 0.5F};
    static_assert(std::same_as<decltype(hit.id), std::uint32_t>);
    static_assert(std::same_as<decltype(hit.score), float>);
    const funnel::Scored<std::int64_t> wide{-1, 2.0F};
    CHECK(hit.id + wide.id == 6);

    funnel::Matrix<float> matrix(2, 3);
    matrix(1, 2) = 4.0F;
    matrix.row(0)[1] = 5.0F;
    const funnel::MatrixView<const float> view = matrix;
    CHECK(view.rows() == 2);
    CHECK(view.cols() == 3);
    CHECK(view(1, 2) == 4.0F);
    CHECK(view.row(0)[1] == 5.0F);
    const std::vector<float> numbers{1.0F, 2.0F, 3.0F, 4.0F};
    CHECK(funnel::MatrixView<const float>(numbers, 2, 2)(1, 0) == 3.0F);
    const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> eigen{{1.0F, 2.0F}, {3.0F, 4.0F}};
    const funnel::MatrixView<const float> of_eigen = eigen;
    CHECK(of_eigen(1, 0) == 3.0F);

    static_assert(funnel::Executor<funnel::Serial>);
    funnel::Threads pool(4);
    static_assert(funnel::Executor<funnel::Threads>);
    CHECK(pool.concurrency() == 4);
}

TEST_CASE("contract: errors are exceptions of the standard library") {
    static_assert(std::derived_from<funnel::InvalidArgument, std::exception>);
    static_assert(std::derived_from<funnel::CorruptData, std::exception>);
    static_assert(std::derived_from<funnel::IOError, std::exception>);
    const std::vector<float> numbers(5);
    CHECK_THROWS_AS(funnel::MatrixView<const float>(numbers, 2, 3), funnel::InvalidArgument);
}

TEST_CASE("contract: a log") {
    const funnel::data::Interactions log = small_log();
    CHECK(log.size() == 60);
    CHECK(log.users() == 12);
    CHECK(log.items() == 15);
    CHECK(log[6].user == 1);
    CHECK(log[6].item == 5);
    CHECK(log[6].value == 3.0F);
    CHECK(log[6].time == 101.0);
    CHECK(log.user_key(11) == "11");
    CHECK(log.item_key(3) == "3");

    using funnel::data::where;
    const funnel::data::Interactions liked = where(log, [&](std::size_t row) { return log[row].value >= 4; });
    CHECK(liked.size() == 24);
    CHECK(liked.items() == 15);
}

TEST_CASE("contract: logs are read and split") {
    const funnel::testing::TempDir folder;
    std::ofstream(folder / "u.data") << "7\t10\t3\t881250949\n7\t9\t5\t881250950\n30\t9\t4\t881250951\n";
    std::ofstream(folder / "x.inter")
        << "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t10\t3\t881250949\n";
    const funnel::data::Interactions movielens = funnel::data::read_movielens(folder / "u.data");
    CHECK(movielens.size() == 3);
    CHECK(movielens.user_key(1) == "30");
    CHECK(movielens.item_key(0) == "9");
    CHECK(movielens[0].item == 1);
    CHECK(funnel::data::read_recbole(folder / "x.inter")[0].time == 881250949.0);
    CHECK_THROWS_AS((void)funnel::data::read_movielens(folder / "none"), funnel::IOError);

    using namespace funnel::data;
    const Interactions log = small_log();
    {
        auto [train, test] = split_random(log, {.test_fraction = 0.2, .seed = 1});
        CHECK(test.size() == 12);
        CHECK(train.users() == log.users());
    }
    {
        auto [train, test] = split_by_time(log, {.test_fraction = 0.2});
        CHECK(test.size() == 12);
    }
    {
        auto [train, test] = split_by_time(log, {.cut = 600.0});
        CHECK(train.size() == 30);
    }
    {
        auto [train, test] = split_last_out(log, {.holdout = 1});
        CHECK(test.size() == 12);
    }
    auto [train, test] = split_where(log, [](std::size_t row) { return row % 5 == 0; });
    CHECK(test.size() == 12);
    CHECK(test.items() == log.items());
}

TEST_CASE("contract: kernels") {
    const std::vector<float> a{1.0F, 2.0F};
    const std::vector<float> b{3.0F, 4.0F};
    CHECK(funnel::kernels::dot(a, b) == 11.0F);
    CHECK(funnel::kernels::dot<funnel::kernels::Scalar>(a, b) == 11.0F);
    std::vector<std::uint32_t> distances(1);
    funnel::kernels::hamming(std::vector<std::uint64_t>{6}, std::vector<std::uint64_t>{3}, distances);
    CHECK(distances[0] == 2);
    std::vector<funnel::kernels::Float16> halves(2);
    funnel::kernels::to_half(a, std::span(halves));
    std::vector<float> values(2);
    funnel::kernels::to_float(std::span<const funnel::kernels::Float16>(halves), values);
    CHECK(values == a);
    const funnel::MatrixView<const funnel::kernels::Float16> half_rows(halves, 1, 2);
    funnel::kernels::score_half_rows<funnel::kernels::InnerProduct>(b, half_rows, values);
    CHECK(values[0] == 11.0F);
    CHECK(funnel::kernels::L2::score(a, b) == -8.0F);
    CHECK(funnel::kernels::InnerProduct::score(a, b) == 11.0F);
    CHECK(funnel::kernels::Cosine::score(a, a) == doctest::Approx(1.0F));
}

// The table of models in docs/architecture.md.
template <class... Models>
struct ModelsThat {
    template <class Model>
    static constexpr bool explains =
        requires(const Model& model) { model.explain(std::size_t{0}, std::uint32_t{0}, std::size_t{1}); };
    template <class Model>
    static constexpr bool updates =
        requires(Model& model, const funnel::data::Interactions& log) { model.update(log, {}, funnel::Serial{}); };

    static constexpr bool can(bool explain, bool update) {
        return ((explains<Models> == explain && updates<Models> == update) && ...);
    }
};
static_assert(ModelsThat<funnel::cf::Popularity, funnel::cf::UserKNN>::can(false, false));
static_assert(ModelsThat<funnel::cf::ItemKNN, funnel::cf::RP3Beta, funnel::cf::BoughtTogether, funnel::cf::EASE,
                         funnel::cf::SLIM, funnel::cf::PureSVD>::can(true, false));
static_assert(ModelsThat<funnel::cf::ImplicitALS, funnel::cf::ExplicitALS, funnel::cf::NMF>::can(true, true));
static_assert(ModelsThat<funnel::cf::BPR, funnel::cf::WARP, funnel::cf::LogisticMF, funnel::cf::HybridBPR,
                         funnel::cf::HybridWARP, funnel::cf::BiasedMF, funnel::cf::SVDpp>::can(false, true));

TEST_CASE_TEMPLATE("contract: models", Model, funnel::cf::Popularity, funnel::cf::ItemKNN, funnel::cf::EASE,
                   funnel::cf::ImplicitALS, funnel::cf::RP3Beta, funnel::cf::SLIM, funnel::cf::PureSVD,
                   funnel::cf::UserKNN, funnel::cf::BiasedMF, funnel::cf::SVDpp, funnel::cf::LogisticMF,
                   funnel::cf::ExplicitALS, funnel::cf::NMF) {
    // Histories overlap, so that every model has evidence for every item.
    std::vector<funnel::data::Interaction> rows;
    for (std::uint32_t user = 0; user < 12; ++user) {
        for (const std::uint32_t step : {0U, 1U, 3U, 7U, 12U}) {
            rows.push_back({user, (user + step) % 15});
        }
    }
    const auto train = funnel::data::Interactions::from_ids(rows, 12, 15);
    const Model model = [&] {
        if constexpr (std::is_same_v<Model, funnel::cf::SLIM>) {  // its default l1 drops pairs with one user in common
            return Model::fit(train, {.l1 = 0.0F}, funnel::Serial{});
        } else {
            return Model::fit(train, {}, funnel::Serial{});
        }
    }();
    const std::vector<funnel::Scored<>> list = model.recommend(3, {.k = 10});
    CHECK(list.size() == 10);
    CHECK(model.recommend(3, {.k = 100, .keep_seen = true}).size() == 15);
    for (auto [item, score] : model.recommend(3, {.k = 10}, [](auto id) { return id % 2 == 0; })) {
        CHECK(item % 2 == 0);
        CHECK(score == score);
    }
    const std::vector<std::uint32_t> items{list[0].id, list[1].id};
    const std::vector<float> scores = model.score(3, items);
    CHECK(scores[0] >= scores[1]);

    if constexpr (requires { model.predict(3, 0); }) {  // models of ratings
        CHECK(model.predict(3, items[0]) == doctest::Approx(1.0F));
    }

    const std::vector<std::uint32_t> history{1, 2, 3};
    CHECK(model.fold_in(history).recommend({.k = 5}).size() == 5);
    if constexpr (requires { model.explain(3, 0, 2); }) {  // some models have no reasons
        const std::vector<funnel::Scored<>> reasons = model.explain(3, 0, 2);
        const bool rates = requires { model.predict(3, 0); };
        CHECK(reasons.size() == (rates ? 0 : 2));  // all ratings are the mean: none adds or takes off anything
    }

    const funnel::testing::TempDir folder;
    model.save(folder / "model.fnl");
    const Model loaded = Model::load(folder / "model.fnl");
    CHECK(loaded.recommend(3, {.k = 10}) == list);
}

TEST_CASE("contract: options by the papers' words") {
    const funnel::data::Interactions train = small_log();
    using namespace funnel::cf;
    funnel::Threads pool(2);
    CHECK(Popularity::fit(train, {.half_life = 100.0}).items() == 15);
    CHECK(ItemKNN::fit(train, {.neighbours = 3, .shrinkage = 1.0F}, pool).items() == 15);
    CHECK(EASE::fit(train, {.lambda = 10.0F}, pool).items() == 15);
    CHECK(ImplicitALS::fit(train,
                           {.factors = 4, .lambda = 0.1F, .alpha0 = 0.1F, .nu = 1.0F, .iterations = 2, .seed = 1}, pool)
              .items() == 15);
    CHECK(
        SVDpp::fit(train, {.factors = 4, .epochs = 2, .learning_rate = 0.01F, .regularisation = 0.1F, .seed = 1}, pool)
            .items() == 15);
}

TEST_CASE("contract: metrics") {
    const std::vector<float> shown{1.0F, 0.0F, 2.0F};
    const std::vector<float> judged{1.0F, 0.0F, 2.0F, 1.0F};
    using namespace funnel::metrics;
    CHECK(ndcg(shown, judged, {.k = 10}) > 0.0);
    CHECK(ndcg(shown, judged, {.k = 10}, ExponentialGain{}) > 0.0);
    CHECK(mean_ndcg(std::vector<double>{3.0, 1.0, 2.0}, shown, {}, 10) > 0.0);
    CHECK(precision(shown, judged, {.k = 3}) == doctest::Approx(2.0 / 3.0));
    CHECK(recall(shown, judged, {.k = 3}) == doctest::Approx(2.0 / 3.0));
    CHECK(capped_recall(shown, judged, {.k = 2}) == doctest::Approx(0.5));
    CHECK(average_precision(shown, judged, {.k = 3}) > 0.0);
    CHECK(reciprocal_rank(shown, judged, {.k = 3}) == 1.0);
    CHECK(hit_rate(shown, judged, {.k = 3}) == 1.0);
    const std::vector<float> scores{0.9F, 0.1F, 0.8F};
    CHECK(auc(scores, shown) == 1.0);
    CHECK(grouped_auc(scores, shown, std::vector<std::uint32_t>{0, 0, 0}) == 1.0);
    CHECK(rank_biased_precision(shown, {.k = 3, .persistence = 0.5}) == doctest::Approx(0.625));
    CHECK(expected_reciprocal_rank(shown, {.k = 3, .largest_label = 2.0F}) > 0.0);
    CHECK(bpref(shown, judged) > 0.0);
    CHECK(rating_errors(scores, scores).rmse == 0.0);
    const std::vector<double> a{0.5, 0.4, 0.3};
    const std::vector<double> b{0.1, 0.2, 0.2};
    CHECK(paired_t(a, b).p_value < 1.0);
    CHECK(permutation_test(a, b, {.seed = 1}).p_value == 0.25);
    CHECK(wilcoxon_signed_rank(a, b).p_value == 0.25);
    CHECK(bootstrap_mean(a, {.confidence = 0.9}).low <= 0.4);
    CHECK(holm(a).size() == 3);
    CHECK(benjamini_hochberg(a).size() == 3);
    const std::vector<funnel::data::RunRow<>> run{{"q", "a", 2.0}, {"q", "b", 1.0}};
    const std::vector<funnel::data::Judgement<>> labels{{"q", "b", 1.0F}};
    CHECK(evaluate_run(run, labels, {.cutoffs = {2}, .conventions = compat::lenskit}).at("ndcg@2") == 1.0);
    CHECK(fuse(std::vector{run, run}, {.rule = FusionRule::CombSum}).front().item == "a");
    const std::vector<std::uint64_t> counts{2, 0, 1};
    CHECK(coverage(counts) == doctest::Approx(2.0 / 3.0));
    CHECK(gini(counts) > 0.0);
    CHECK(entropy(counts) > 0.0);
    const std::vector<std::uint32_t> list{0, 2};
    CHECK(novelty(list, std::vector<std::uint32_t>{4, 8, 2}, 8) == doctest::Approx(1.5));
    CHECK(intra_list_distance(list, [](auto i, auto j) { return i == j ? 0.0F : 1.0F; }) == 1.0);

    const auto [train, test] = funnel::data::split_last_out(small_log(), {.holdout = 1});
    const auto model = funnel::cf::Popularity::fit(train);
    funnel::Threads pool(2);
    const Report report = evaluate(model, train, test, {.cutoffs = {10, 20}}, pool);
    for (const std::string name : {"ndcg", "precision", "recall", "capped_recall", "hit_rate", "mrr", "map", "rbp",
                                   "err", "coverage", "gini", "entropy", "novelty"}) {
        CHECK(report.at(name + "@10") >= 0.0);
        CHECK(report.at(name + "@20") >= 0.0);
    }
    CHECK(report.users() == 12);
    CHECK(report.cold_users() == 0);
    CHECK(report.warm().at("recall@20") == report.at("recall@20"));
}

namespace {

template <class Index, class Options>
void check_index(Index index, const Options& options) {
    const std::vector<float> query{1.0F, 0.0F, 2.0F};
    const std::vector<funnel::Scored<>> hits = index.search(query, options);
    CHECK(hits.size() == 10);
    for (auto [id, score] : index.search(query, options, [](auto candidate) { return candidate % 2 == 0; })) {
        CHECK(id % 2 == 0);
        CHECK(score <= hits[0].score);
    }
    typename Index::Scratch scratch;
    std::vector<funnel::Scored<>> out(10);
    static_assert(noexcept(index.search(query, options, scratch, std::span(out))));
    CHECK(index.search(query, options, scratch, out) == 10);
    CHECK(out == hits);

    funnel::Matrix<float> queries(2, 3);
    queries(0, 1) = queries(1, 2) = 1.0F;
    funnel::Threads pool(2);
    CHECK(index.search_batch(queries, options, pool).size() == 2);

    const auto id = index.add(query);
    CHECK(id == 50);
    CHECK(index.size() == 51);
    index.remove(id);
    CHECK(index.size() == 50);
    CHECK(index.memory_bytes() > 0);

    const funnel::testing::TempDir folder;
    index.save(folder / "index.fnl");
    CHECK(Index::load(folder / "index.fnl").search(query, options) == hits);
}

}  // namespace

TEST_CASE("contract: indexes") {
    funnel::Matrix<float> vectors(50, 3);
    for (std::size_t i = 0; i < 50; ++i) {
        vectors(i, 0) = static_cast<float>(i % 7);
        vectors(i, 1) = static_cast<float>(i % 5) + 1.0F;
        vectors(i, 2) = static_cast<float>(i % 3);
    }
    using namespace funnel::ann;
    using funnel::kernels::Cosine;
    funnel::Threads pool(2);
    check_index(HNSW<Cosine>::build(vectors, {.M = 16, .ef_construction = 200, .seed = 1}, pool),
                HNSWSearchOptions{.k = 10, .ef = 64});
    check_index(Flat<funnel::kernels::L2>::build(vectors), FlatSearchOptions{.k = 10});

    auto index = HNSW<Cosine>::build(vectors, {.M = 16, .ef_construction = 200, .seed = 1});
    const std::vector<float> query{1.0F, 0.0F, 2.0F};
    CHECK(index.search(query, {.k = 10, .ef = 64}).size() == 10);
    CHECK(index.search(query, {.k = 10, .ef = 64}, [](auto id) { return id < 5; }).size() == 5);
    CHECK(index.search_batch(vectors, {.k = 3, .ef = 64}, pool).size() == 50);
    const std::vector<std::uint64_t> words{0x1F};
    const std::vector<std::uint32_t> ids{3, 4, 49};
    CHECK(index.search(query, {.k = 10, .ef = 64}, Bitmap(words)).size() == 5);
    CHECK(index.search(query, {.k = 10, .ef = 64}, SortedIds(ids)).size() == 3);
    CHECK(index.search_batch(vectors, {.k = 3}, std::vector(50, Bitmap(words)), pool).size() == 50);
    CHECK(index.contains(49));
    CHECK(index.vector(49).size() == 3);
    CHECK(HNSW<Cosine>::memory_estimate(50, 3, {.M = 16}) > 0);
    CHECK(tune(index, vectors, 0.9, {.k = 3}, pool).reached);

    std::vector<std::int64_t> keys(50);
    std::iota(keys.begin(), keys.end(), -20);
    auto keyed = Keyed<HNSW<Cosine>, std::int64_t>::build(keys, vectors, {.M = 8}, pool);
    keyed.replace(-20, query);
    CHECK(keyed.search(query, {.k = 1})[0].key == -20);
    Concurrent<Flat<Cosine>> changing(Flat<Cosine>::build(vectors));
    changing.replace(1U, query);
    CHECK(changing.search(query).size() == 10);
    CHECK(Sharded<Flat<Cosine>>::build(vectors, 3, {}, pool).search(query, {.k = 3}, pool).size() == 3);
    Snapshot<HNSW<Cosine>> live(index);
    live.publish(HNSW<Cosine>::build(vectors));
    CHECK(live.take()->size() == 50);
}

TEST_CASE("contract: ranking") {
    const std::vector<float> numbers{0.0F, 1.0F, 1.0F, 0.0F};
    const std::vector<float> labels{0.0F, 1.0F};
    const funnel::MatrixView<const float> rows(numbers, 2, 2);
    const auto model = funnel::ranking::FM::fit(rows, labels, {.factors = 2});
    CHECK(model.score(rows).size() == 2);
    CHECK(model.predict(rows)[1] > 0.0F);
    CHECK(funnel::ranking::FFM::fit(rows, labels, {.fields = {0, 1}, .factors = 2}).score(rows).size() == 2);

    const std::vector<funnel::Triplet<float>> entries{{0, 1, 1.0F}, {1, 0, 1.0F}};
    const funnel::CSRMatrix<float> sparse(entries, 2, 2);
    using funnel::ranking::LogisticRegression;
    funnel::Threads pool(2);
    CHECK(LogisticRegression::fit(rows, labels, {.epochs = 5, .seed = 1}, pool).score(rows).size() == 2);
    const auto logistic = LogisticRegression::fit(sparse, labels, {.epochs = 5});
    CHECK(logistic.score(sparse)[1] > logistic.score(sparse)[0]);
    CHECK(logistic.predict(sparse)[1] > 0.5F);
    CHECK(funnel::ranking::FM::fit(sparse, labels, {.factors = 2}, pool).score(sparse).size() == 2);

    funnel::ranking::TreeEnsemble trees;
    trees.features = 2;
    trees.trees.resize(1);
    trees.trees[0].splits = {{.feature = 1, .threshold = 0.5, .left = ~0, .right = ~1}};
    trees.trees[0].leaf_values = {1.0, 2.0};
    const funnel::ranking::Forest forest(trees);
    CHECK(forest.score(rows) == std::vector<double>{2.0, 1.0});
    CHECK(forest.predict(rows, pool) == std::vector<double>{2.0, 1.0});
    std::vector<double> scores(2);
    funnel::ranking::Forest::Scratch scratch = forest.scratch();
    CHECK(forest.score(rows, scratch, scores).size() == 2);
}

TEST_CASE("contract: re-ranking") {
    const std::vector<float> relevance{0.9F, 0.8F, 0.1F};
    const auto similarity = [](std::size_t i, std::size_t j) { return i + j == 1 ? 1.0F : 0.0F; };
    CHECK(funnel::rerank::mmr(relevance, similarity, {.k = 2, .lambda = 0.4F}) == std::vector<std::size_t>{0, 2});
    funnel::Matrix<float> embeddings(3, 2);
    embeddings(0, 0) = embeddings(1, 0) = embeddings(2, 1) = 1.0F;
    CHECK(funnel::rerank::mmr(relevance, embeddings, {.k = 2, .lambda = 0.4F}) == std::vector<std::size_t>{0, 2});
}

TEST_CASE("contract: diverse slates") {
    using namespace funnel::rerank;
    using Positions = std::vector<std::size_t>;
    const std::vector<float> relevance{0.9F, 0.8F, 0.1F};
    funnel::Matrix<float> embeddings(3, 2);
    embeddings(0, 0) = embeddings(1, 0) = embeddings(2, 1) = 1.0F;
    CHECK(dpp(relevance, embeddings, {.k = 2, .theta = 0.7F}) == Positions{0, 2});
    CHECK(explain_dpp(relevance, embeddings, {.k = 2, .alpha = 1.0F}).picks[1].diversity == 0.0);
    CHECK(explain_mmr(relevance, embeddings, {.k = 2, .lambda = 0.4F, .scale = RelevanceScale::MinMax})
              .picks[1]
              .nearest == 0U);
    CHECK(window_dpp(relevance, embeddings, {.k = 3, .window = 2}).positions() == Positions{0, 2, 1});
    funnel::Matrix<float> same(3, 3);
    same(0, 0) = same(1, 1) = same(2, 2) = same(0, 1) = same(1, 0) = 1.0F;
    const Slate of_kernel = kernel_dpp(relevance, Similarities{same}, {.k = 3});
    CHECK(of_kernel.positions() == Positions{0, 2});
    CHECK(of_kernel.end == SlateEnd::NothingNew);
    CHECK(of_kernel.witness.empty());

    const SlateCandidates candidates(embeddings);
    SlateScratch scratch(3, 2, 2);
    Positions out(2);
    CHECK(dpp(relevance, candidates, scratch, out, {.k = 2, .time_budget_ms = 1e9}).picks == 2);
    CHECK(mmr(relevance, candidates, scratch, out, {.k = 2}).end == SlateEnd::Complete);

    const std::vector<float> quality(3, 1.0F);
    KDPP sampler(embeddings, quality, {.k = 2, .seed = 1});
    CHECK(sampler.sample().size() == 2);
}

TEST_CASE("contract: rules of a slate") {
    using namespace funnel::rerank;
    const std::vector<float> relevance{0.9F, 0.8F, 0.1F};
    const Groups groups(std::vector<std::uint32_t>{7, 7, 8});
    SlateRules rules({.candidates = 3, .places = 2, .pins = {}}, hard("genres", GroupCap(groups, {.at_most = 1})),
                     soft("spacing", spacing(groups, 2, 2)));
    CHECK(fill_slate(relevance, 2, rules) == std::vector<std::size_t>{0, 2});
    CHECK(rules.report().relaxed.empty());
    SlateRules again({.candidates = 3, .places = 2, .pins = {{.candidate = 2, .place = 0}}},
                     hard("genres", GroupCap(groups, {.at_most = 1})));
    const auto similarity = [](std::size_t, std::size_t) { return 0.0F; };
    CHECK(mmr(relevance, similarity, {.k = 2}, again) == std::vector<std::size_t>{2, 0});
    funnel::Matrix<float> shares(3, 2);
    shares(0, 0) = shares(1, 0) = shares(2, 1) = 1.0F;
    const std::vector<float> taste{0.5F, 0.5F};
    CHECK(calibrated(relevance, shares, taste, {.k = 2, .weight = 0.9}) == std::vector<std::size_t>{0, 2});
}

TEST_CASE("contract: KDPP") {
    const std::vector<float> rows{1.0F, 0.0F, 0.0F, 1.0F, 1.0F, 1.0F};
    const funnel::MatrixView<const float> embeddings(rows, 3, 2);
    const std::vector<float> quality{1.0F, 2.0F, 0.0F};
    funnel::rerank::KDPP sampler(embeddings, quality, {.k = 2, .seed = 1});
    CHECK(sampler.sample() == std::vector<std::size_t>{0, 1});
}

TEST_CASE("contract: bandits") {
    namespace bandits = funnel::bandits;
    const auto play = [](bandits::Policy auto policy) {
        const std::vector<std::size_t> shown = policy.select(2);
        const std::vector<double> propensities = policy.propensities();
        policy.update(shown[0], 1.0);
        bandits::update_cascade(policy, shown, 1);
        return shown.size() + propensities.size();
    };
    CHECK(play(bandits::EpsilonGreedy(3, {.epsilon = 0.1, .seed = 1})) == 5);
    CHECK(play(bandits::UCB1(3)) == 5);
    CHECK(play(bandits::UCBTuned(3)) == 5);
    CHECK(play(bandits::KLUCB(3)) == 5);
    CHECK(play(bandits::Exp3(3, {.gamma = 0.1, .seed = 1})) == 5);
    CHECK(play(bandits::ThompsonBeta(3, {.seed = 1})) == 5);
    CHECK(play(bandits::ThompsonGaussian(3, {.seed = 1})) == 5);
    const std::vector<double> ones(3, 1.0);
    CHECK(bandits::beta_top_k_probabilities(ones, ones, 2).size() == 3);
    CHECK(bandits::LoggedDecision{.context = 1, .arm = 2, .propensity = 0.5, .reward = 1.0}.arm == 2);
}

TEST_CASE("contract: contextual bandits") {
    const std::vector<float> context{1.0F, 0.5F};
    funnel::bandits::LinUCB ucb(3, 2, {.alpha = 0.5, .lambda = 1.0, .forgetting = 0.999});
    ucb.update(1, context, 1.0F);
    CHECK(ucb.select(context) == 1);
    CHECK(ucb.score(context)[1].mean > 0.0);
    CHECK(funnel::bandits::thompson_slate(std::vector{2.0, 1.0}, std::vector{1.0, 2.0}, 7, {.k = 1, .seed = 1})
              .arms.size() == 1);
    funnel::bandits::LinTS thompson(3, 2, {.scale = 0.5, .seed = 1});
    thompson.update(thompson.select(context), context, 1.0F);
    CHECK(thompson.propensities(context).size() == 3);
    funnel::bandits::SquareCB square(3, 2, {.gamma_scale = 10.0, .seed = 1});
    square.update(square.select(context), context, 1.0F);
    CHECK(square.propensities(context).size() == 3);
    funnel::Matrix<float> contexts(2, 2);
    contexts(1, 0) = 1.0F;
    funnel::bandits::SharedLinUCB shared_ucb(2);
    shared_ucb.update(contexts.row(shared_ucb.select(contexts)), 1.0F);
    funnel::bandits::SharedLinTS shared_thompson(2);
    shared_thompson.update(contexts.row(shared_thompson.select(contexts)), 1.0F);
    CHECK(shared_thompson.propensities(contexts, 100).standard_errors.size() == 2);
    CHECK(funnel::bandits::inverse_gap_weights(std::vector{0.5, 1.0}, 2.0)[0] == doctest::Approx(1.0 / 3.0));
}

TEST_CASE("contract: a funnel") {
    const funnel::data::Interactions log = small_log();
    const auto a = funnel::cf::ItemKNN::fit(log);
    const auto b = funnel::cf::EASE::fit(log);
    const auto popular = funnel::cf::Popularity::fit(log);
    using namespace funnel::pipeline;
    const auto reversed = [](const auto& /*request*/, const auto& candidates) {
        std::vector<std::size_t> positions;
        for (std::size_t i = candidates.size(); i-- > 0;) {
            positions.push_back(i);
        }
        return positions;
    };
    const Funnel funnel(retrieve(a, b, popular), rank(b), rerank(reversed), fallback(popular));
    const auto result = funnel.recommend({.user = 3, .k = 5});
    CHECK(result.items.size() == 5);
    CHECK(result.trace.explored.empty());
    CHECK(result.trace.stages.size() == 6);  // three sources, their merge, rank, rerank; the fallback was not needed
}
