// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the page about two-tower models: what log Q correction, features and negatives are worth. All rows but the
// times are the same in every run, with any number of threads.
//
//   two_tower_bench [JSON]    needs MovieLens-100K: ./dev data ml-100k
//
// Protocol: all ratings are positives. Each user's rows are ordered by time, then by item; the last is for the test, the one
// before for validation. All items are ranked but those the user took before; ties go to the smaller id. Training stops at
// the epoch with the best validation NDCG@10 (patience 8). At the test, the history includes the validation item.
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/read_item_metadata.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/features/hashed_text.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";
constexpr std::size_t genres = 19;

struct Figures {
    double ndcg = 0.0;
    double hit_rate = 0.0;
};

class Comparison {
public:
    Comparison(bench::Report& report, const data::Interactions& log, const data::ItemMetadata& items)
        : report_(report),
          log_(log),
          sequences_(log),
          features_(log.items(), genres),
          train_(data::split_last_out(log, {.holdout = 2}).train) {
        for (std::size_t item = 0; item < log.items(); ++item) {
            titles_.add(items[item].title);
            for (const std::uint16_t genre : items[item].genres) {
                features_(item, std::min<std::size_t>(genre, genres - 1)) = 1.0F;
            }
        }
    }

    template <class Model>
    void run(const std::string& name, embedding::TwoTowerOptions options) {
        constexpr std::size_t seeds = 3;
        Figures mean;
        std::vector<double> each;
        double seconds = 0.0;
        double epochs = 0.0;
        for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
            options.seed = seed;
            const double start = bench::detail::now_ns(bench::Clock::ThreadCPU);
            typename Model::Trainer trainer(train_, options);
            double best = -1.0;
            std::size_t best_epoch = 0;
            Figures at_best;
            for (std::size_t epoch = 1; epoch <= 60 && epoch - best_epoch <= 8; ++epoch) {
                static_cast<void>(trainer.epoch());
                const Model model(trainer, options);
                if (const double valid = evaluate(model, 2).ndcg; valid > best) {
                    best = valid;
                    best_epoch = epoch;
                    at_best = evaluate(model, 1);
                }
            }
            mean.ndcg += at_best.ndcg / seeds;
            mean.hit_rate += at_best.hit_rate / seeds;
            each.push_back(at_best.ndcg);
            epochs += static_cast<double>(best_epoch) / seeds;
            seconds += (bench::detail::now_ns(bench::Clock::ThreadCPU) - start) * 1e-9 / seeds;
        }
        const auto [low, high] = std::minmax_element(each.begin(), each.end());
        char text[160];
        std::snprintf(text, sizeof text,
                      "MovieLens-100K, last item of each user; mean of 3 seeds, NDCG@10 %.4f - %.4f; best epoch %.0f, "
                      "%.0f s a run",
                      *low, *high, epochs, seconds);
        report_.add({.name = name + ", NDCG@10", .ours = bench::single(mean.ndcg), .unit = "ndcg@10", .setup = text});
        report_.add({.name = name + ", HR@10", .ours = bench::single(mean.hit_rate), .unit = "hr@10", .setup = text});
    }

    [[nodiscard]] MatrixView<const float> features() const { return features_; }
    [[nodiscard]] embedding::TextFeatures titles() const {
        return {.bags = {.ids = titles_.ids(), .starts = titles_.starts()}, .rows = titles_.rows()};
    }

private:
    // held_out: 1 for the test item, 2 for the validation item.
    template <class Model>
    [[nodiscard]] Figures evaluate(const Model& model, std::size_t held_out) const {
        Figures sum;
        std::vector<float> scores(log_.items());
        for (std::size_t user = 0; user < log_.users(); ++user) {
            const std::span<const std::uint32_t> all = sequences_.of(user);
            const auto history = all.first(all.size() - held_out);
            const std::uint32_t target = all[all.size() - held_out];
            const std::vector<float> vector = model.user_vector(history);
            model.score_all({history, vector}, scores);
            std::vector<std::uint8_t> is_taken(scores.size());
            for (const std::uint32_t item : history) {
                is_taken[item] = 1;
            }
            std::size_t rank = 0;
            for (std::uint32_t item = 0; item < scores.size(); ++item) {
                rank += is_taken[item] == 0 &&
                                (scores[item] > scores[target] || (scores[item] == scores[target] && item < target))
                            ? 1
                            : 0;
            }
            if (rank < 10) {
                sum.hit_rate += 1.0;
                sum.ndcg += 1.0 / std::log2(static_cast<double>(rank) + 2.0);
            }
        }
        const auto users = static_cast<double>(log_.users());
        return {sum.ndcg / users, sum.hit_rate / users};
    }

    bench::Report& report_;
    const data::Interactions& log_;
    embedding::Sequences sequences_;
    Matrix<float> features_;
    features::HashedText titles_{1 << 14};
    data::Interactions train_;
};

template <std::size_t Features, bool IsCosine, std::size_t Dimension>
using Network =
    std::conditional_t<IsCosine,
                       nn::Sequential<nn::Dense<Dimension + Features, 128>, nn::ReLU, nn::Dense<128, Dimension>,
                                      nn::L2Normalize<Dimension>>,
                       nn::Sequential<nn::Dense<Dimension + Features, 128>, nn::ReLU, nn::Dense<128, Dimension>>>;

template <std::size_t Features, bool IsCosine = true, std::size_t Dimension = 64>
using Model =
    embedding::TwoTowerScorer<Network<0, IsCosine, Dimension>, Network<Features, IsCosine, Dimension>, Dimension>;

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("two_tower", argc, argv);
    if (!std::filesystem::exists(movielens)) {
        std::printf("There is no %s: ./dev data fetches it. Nothing is measured.\n", movielens);
        return 0;
    }
    const data::Interactions log = data::read_interactions(movielens);
    const data::ItemMetadata items =
        data::read_item_metadata(std::filesystem::path(movielens).replace_extension(".item"), log);
    Comparison comparison(report, log, items);
    const auto features = comparison.features();
    comparison.run<Model<genres>>("with log Q", {.item_features = features});
    comparison.run<Model<genres>>("without log Q", {.log_q_correction = false, .item_features = features});
    comparison.run<Model<0>>("with log Q, ids only", {});
    comparison.run<Model<genres>>("with log Q, 512 uniform negatives",
                                  {.negatives = {.uniform = 512}, .item_features = features});
    comparison.run<Model<genres>>("with log Q, 512 popular negatives",
                                  {.negatives = {.popular = 512}, .item_features = features});
    comparison.run<Model<genres>>("1,024 uniform negatives, none of the batch",
                                  {.negatives = {.in_batch = false, .uniform = 1024}, .item_features = features});
    comparison.run<Model<genres>>("with log Q, 64 hard negatives",
                                  {.negatives = {.hard = 64}, .item_features = features});
    comparison.run<Model<genres>>("with log Q, 64 hard negatives, not the best 10",
                                  {.negatives = {.hard = 64, .hard_pool = {.skip = 10}}, .item_features = features});
    comparison.run<Model<genres>>("with log Q, taken items left out",
                                  {.negatives = {.leaves_out_taken = true}, .item_features = features});
    comparison.run<Model<genres>>("with log Q, titles", {.item_features = features, .item_text = comparison.titles()});
    comparison.run<Model<genres>>("with log Q, temperature 0.2", {.temperature = 0.2, .item_features = features});
    comparison.run<Model<genres, false>>("with log Q, inner product", {.temperature = 1.0, .item_features = features});
    comparison.run<Model<genres, true, 8>>("dimension 8", {.item_features = features});
    comparison.run<Model<genres, true, 16>>("dimension 16", {.item_features = features});
    comparison.run<Model<genres, true, 32>>("dimension 32", {.item_features = features});
    comparison.run<Model<genres, true, 128>>("dimension 128", {.item_features = features});
    return report.finish();
}
