// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of docs/algorithms/hybrid_mf.md: factor models with features, on known films and on films that nobody in
// the training log took. The same in every run.
//
//   hybrid_bench [JSON]    needs MovieLens-100K: ./dev data ml-100k
//
// Protocol: every fifth film is cold, and no model sees its rows. Of the rows of the other films, a fifth is held out.
// All rows count as likes. Cold films are ranked among cold films, known ones among the known films that the user has not
// taken. The features of a film are its genres and its year, in rows of length 1.
#include "support/bench.hpp"

#include <funnel/cf/bpr.hpp>
#include <funnel/cf/hybrid_mf.hpp>
#include <funnel/cf/warp.hpp>
#include <funnel/content/content_based.hpp>
#include <funnel/content/new_item.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/read_item_metadata.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/metrics/ndcg.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";
constexpr std::size_t factors = 32;

bool is_cold(std::size_t item) {
    return item % 5 == 0;
}

/// Genres and the year; each row has length 1.
CSRMatrix<float> features_of(const data::ItemMetadata& items) {
    constexpr int first_year = 1920;
    constexpr int years = 80;
    const auto genres = static_cast<std::uint32_t>(items.genre_names().size());
    std::vector<Triplet<float>> entries;
    for (std::uint32_t item = 0; item < items.size(); ++item) {
        const bool has_year = items[item].year.has_value();
        const auto value =
            static_cast<float>(1.0 / std::sqrt(static_cast<double>(items[item].genres.size() + (has_year ? 1 : 0))));
        for (const std::uint16_t genre : items[item].genres) {
            entries.push_back({item, genre, value});
        }
        if (has_year) {
            const int year = std::clamp(*items[item].year - first_year, 0, years - 1);
            entries.push_back({item, genres + static_cast<std::uint32_t>(year), value});
        }
    }
    return {entries, items.size(), genres + years};
}

class Quality {
public:
    Quality(bench::Report& report, const data::Interactions& log) : report_(report) {
        const data::Interactions known = data::where(log, [&](std::size_t row) { return !is_cold(log[row].item); });
        const data::Interactions cold = data::where(log, [&](std::size_t row) { return is_cold(log[row].item); });
        data::Split split = data::split_random(known);
        train_ = std::move(split.train);
        taken_ = data::user_item_matrix(train_);
        held_out_ = data::user_item_matrix(split.test);
        cold_ = data::user_item_matrix(cold);
    }

    [[nodiscard]] const data::Interactions& train() const { return train_; }

    /// scores(user) -> a score per item of the log
    template <class Scores>
    void add(const std::string& name, bool cold, const Scores& scores) {
        double ndcg = 0.0;
        double auc = 0.0;
        double count = 0.0;
        for (std::uint32_t user = 0; user < train_.users(); ++user) {
            const std::vector<float> of_user = scores(user);
            const auto relevant = (cold ? cold_ : held_out_).row(user).columns;
            std::vector<Scored<>> candidates;
            for (std::uint32_t item = 0; item < of_user.size(); ++item) {
                if (is_cold(item) == cold && !std::ranges::binary_search(taken_.row(user).columns, item)) {
                    candidates.push_back({item, of_user[item]});
                }
            }
            if (relevant.empty() || relevant.size() == candidates.size()) {
                continue;
            }
            std::ranges::sort(candidates, ranks_before);
            std::vector<float> score;
            std::vector<float> label;
            for (const Scored<>& candidate : candidates) {
                score.push_back(candidate.score);
                label.push_back(std::ranges::binary_search(relevant, candidate.id) ? 1.0F : 0.0F);
            }
            ndcg += metrics::ndcg(label, std::vector<float>(relevant.size(), 1.0F), {.k = 10});
            auc += metrics::auc(score, label);
            count += 1.0;
        }
        const std::string setup = "MovieLens-100K, " + std::to_string(static_cast<int>(count)) + " users, films that " +
                                  (cold ? "no model saw" : "models know");
        const std::string part = name + (cold ? ", cold" : ", known");
        report_.add(
            {.name = part + ", NDCG@10", .ours = bench::single(ndcg / count), .unit = "ndcg@10", .setup = setup});
        report_.add({.name = part + ", AUC", .ours = bench::single(auc / count), .unit = "auc", .setup = setup});
    }

    template <class Model>
    void add_model(const std::string& name, const Model& model, bool cold) {
        std::vector<std::uint32_t> all(train_.items());
        std::iota(all.begin(), all.end(), 0U);
        add(name, cold, [&](std::uint32_t user) { return model.score(user, all); });
    }

    /// Cold films with the mean of the factors of the 20 most similar films.
    template <class Model>
    void add_borrowed(const std::string& name, const Model& model, const content::ContentBased& content) {
        Matrix<float> rows(model.item_factors());
        for (std::uint32_t item = 0; item < rows.rows(); ++item) {
            if (is_cold(item)) {
                auto similar = content.similar_items(item, rows.rows());
                std::erase_if(similar, [](const auto& one) { return is_cold(one.id); });
                similar.resize(std::min<std::size_t>(similar.size(), 20));
                std::ranges::copy(content::new_item_factors(similar, model.item_factors()), rows.row(item).begin());
            }
        }
        add(name, true, [&](std::uint32_t user) {
            std::vector<float> scores;
            for (std::size_t item = 0; item < rows.rows(); ++item) {
                scores.push_back(kernels::dot(model.user_factors().row(user), std::as_const(rows).row(item)));
            }
            return scores;
        });
    }

private:
    bench::Report& report_;
    data::Interactions train_;
    CSRMatrix<float> taken_;
    CSRMatrix<float> held_out_;
    CSRMatrix<float> cold_;
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("hybrid", argc, argv);
    if (!std::filesystem::exists(movielens)) {
        std::printf("There is no %s: ./dev data fetches it. Nothing is measured.\n", movielens);
        return 0;
    }
    const data::Interactions log = data::read_interactions(movielens);
    const auto features =
        features_of(data::read_item_metadata(std::filesystem::path(movielens).replace_extension(".item"), log));
    Quality quality(report, log);
    const auto content = content::ContentBased::fit(quality.train(), {.features = features});
    quality.add_model("ContentBased", content, true);

    const auto bpr = cf::BPR::fit(quality.train(), {.factors = factors});
    const auto warp = cf::WARP::fit(quality.train(), {.factors = factors});
    quality.add_model("BPR", bpr, false);
    quality.add_model("WARP", warp, false);
    quality.add_borrowed("BPR, borrowed factors", bpr, content);
    quality.add_borrowed("WARP, borrowed factors", warp, content);
    const auto add = [&]<class Loss>(const std::string& name, const Loss&) {
        for (const bool item_ids : {true, false}) {
            const auto model = cf::HybridMF<Loss>::fit(
                quality.train(), {.item_features = features, .descent = {.factors = factors}, .item_ids = item_ids});
            for (const bool cold : {false, true}) {
                quality.add_model(name + (item_ids ? "" : " without ids"), model, cold);
            }
        }
    };
    add("HybridBPR", cf::BPRLoss({}, 0));
    add("HybridWARP", cf::WARPLoss({}, 0));
    for (const float steps : {4.0F, 16.0F, 64.0F, 256.0F}) {
        quality.add_model(
            "HybridBPR with " + std::to_string(static_cast<int>(steps)) + " feature_steps",
            cf::HybridBPR::fit(quality.train(),
                               {.item_features = features, .descent = {.factors = factors}, .feature_steps = steps}),
            true);
    }
    return report.finish();
}
