// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "report_data.hpp"
#include "world.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/intra_list_distance.hpp>
#include <funnel/pipeline/stage.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace demo {

/// The first k items that a model has for each of some users, asked for once. A Retriever, like the model itself.
class Remembered {
public:
    template <class Model, funnel::Executor E>
    Remembered(const Model& model, std::span<const std::uint32_t> users, std::size_t all_users, std::size_t k,
               E& executor)
        : lists_(all_users) {
        funnel::parallel_for(executor, users.size(), 16, [&](std::size_t i) {
            for (const auto& item : model.recommend(users[i], {.k = k})) {
                lists_[users[i]].push_back({item.id, item.score});
            }
        });
    }

    [[nodiscard]] std::span<const funnel::Scored<>> operator()(const funnel::pipeline::Request& request,
                                                               std::size_t n) const {
        const std::span<const funnel::Scored<>> list = lists_[request.user];
        return list.first(std::min(n, list.size()));
    }

private:
    std::vector<std::vector<funnel::Scored<>>> lists_;
};

/// Judges lists by what the users of the test part went on to choose.
class Judge {
public:
    Judge(const World& world, const funnel::data::Interactions& train, const funnel::data::Interactions& test,
          const funnel::Matrix<float>& genres)
        : train_(train), test_(test), genres_(genres), has_genres_(world.has_genres()), truth_(train, test) {}

    /// Who is evaluated, and who of them has a history.
    [[nodiscard]] const funnel::metrics::GroundTruth& truth() const noexcept { return truth_; }

    /// Asks the model once for each user, for a hundred items; the first ten are the list, unless recall is wanted.
    template <class Model, funnel::Executor E>
    [[nodiscard]] Quality operator()(std::string stage, std::string name, const Model& model, E& executor) const {
        std::vector<double> distances(train_.users(), none);
        const auto report = funnel::metrics::evaluate(WithDistances<Model>{*this, model, distances}, train_, test_,
                                                      {.cutoffs = {10, 100}}, executor);
        return quality(std::move(stage), std::move(name), report, distances, report.at("recall@100"));
    }

    /// The same from lists of ten: recall@100 is NaN.
    template <class Model, funnel::Executor E>
    [[nodiscard]] Quality lists_of_ten(std::string stage, std::string name, const Model& model, E& executor) const {
        std::vector<double> distances(train_.users(), none);
        const auto report = funnel::metrics::evaluate(WithDistances<Model>{*this, model, distances}, train_, test_,
                                                      {.cutoffs = {10}}, executor);
        return quality(std::move(stage), std::move(name), report, distances, none);
    }

private:
    static constexpr double none = std::numeric_limits<double>::quiet_NaN();

    struct ListOptions {
        std::size_t k;
    };

    // The model, which notes the distances of genres in the lists that it gives.
    template <class Model>
    struct WithDistances {
        const Judge& judge;
        const Model& model;
        std::vector<double>& distances;  // by user

        auto recommend(std::uint32_t user, const ListOptions& options) const {
            auto list = model.recommend(user, {.k = options.k});
            std::vector<std::uint32_t> first_ten;
            for (const auto& item : list) {
                if (judge.has_genres_ && first_ten.size() < 10) {
                    first_ten.push_back(item.id);
                }
            }
            distances[user] = funnel::metrics::intra_list_distance(first_ten, judge.genres_);
            return list;
        }
    };

    [[nodiscard]] Quality quality(std::string stage, std::string name, const funnel::metrics::Report& report,
                                  std::vector<double>& distances, double recall) const {
        std::vector<double> distance_of_user;
        for (const std::uint32_t user : truth_.user_ids()) {
            distance_of_user.push_back(distances[user]);
        }
        std::erase_if(distances, [](double distance) { return std::isnan(distance); });  // lists with one item or none
        const double sum = std::accumulate(distances.begin(), distances.end(), 0.0);
        const auto ndcg = report.per_user("ndcg@10");
        const auto recalled = report.per_user("recall@10");
        return {std::move(stage),
                std::move(name),
                report.at("ndcg@10"),
                report.warm().at("ndcg@10"),
                report.cold().at("ndcg@10"),
                recall,
                distances.empty() ? none : sum / static_cast<double>(distances.size()),
                report.at("coverage@10"),
                {ndcg.begin(), ndcg.end()},
                {recalled.begin(), recalled.end()},
                std::move(distance_of_user)};
    }

    const funnel::data::Interactions& train_;
    const funnel::data::Interactions& test_;
    const funnel::Matrix<float>& genres_;
    bool has_genres_;
    funnel::metrics::GroundTruth truth_;
};

/// Compares two stages by the differences of their users, of those for whom counts(position) is true: a paired test,
/// which needs far fewer users than one of two means. Nothing can be said about fewer than two users, or without a
/// baseline above 0.
template <class Counts>
[[nodiscard]] std::optional<Gain> gain(const std::vector<double>& subject, const std::vector<double>& baseline,
                                       const Counts& counts) {
    std::vector<double> differences;
    double sum_of_baseline = 0.0;
    for (std::size_t i = 0; i < subject.size(); ++i) {
        if (counts(i) && !std::isnan(subject[i]) && !std::isnan(baseline[i])) {
            differences.push_back(subject[i] - baseline[i]);
            sum_of_baseline += baseline[i];
        }
    }
    const auto n = static_cast<double>(differences.size());
    if (differences.size() < 2 || sum_of_baseline <= 0.0) {
        return std::nullopt;
    }
    const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / n;
    double squares = 0.0;
    for (const double difference : differences) {
        squares += (difference - mean) * (difference - mean);
    }
    const double standard_error = std::sqrt(squares / (n - 1.0) / n);
    const double scale = n / sum_of_baseline;
    const double z = std::abs(mean) / standard_error;  // NaN if all users have the same
    return Gain{scale * mean, scale * (mean - 1.96 * standard_error), scale * (mean + 1.96 * standard_error),
                std::isnan(z) ? 1.0 : std::erfc(z / std::sqrt(2.0))};
}

/// Compares each ranker with the order of retrieval, LambdaMART with the other rankers, and the list that is shown with
/// the best of the sources. Rankers see only users with a history, so only these are compared.
inline void compare_stages(const funnel::metrics::GroundTruth& truth, ReportData& data) {
    const auto is_warm = [&](std::size_t position) { return truth.is_warm(position); };
    const auto is_any = [](std::size_t) { return true; };
    const auto compare = [&](const Quality& subject, const Quality& baseline, const auto& counts, bool all) {
        const auto ndcg = gain(subject.ndcg_of_user, baseline.ndcg_of_user, counts);
        const auto recall = gain(subject.recall_of_user, baseline.recall_of_user, counts);
        if (ndcg && recall) {
            const auto name = [](const Quality& q) {
                return q.stage == "retrieved" ? "the order of retrieval"
                       : q.stage == "shown"   ? "the list that is shown"
                       : q.stage == "source"  ? "the best source, " + q.name
                                              : q.name;
            };
            const std::size_t users = all ? data.warm_users + data.cold_users : data.warm_users;
            data.comparisons.push_back(
                {all ? "all users" : "warm users", name(subject), name(baseline), users, *ndcg, *recall});
        }
    };
    const auto retrieved = std::find_if(data.quality.begin(), data.quality.end(),
                                        [](const Quality& quality) { return quality.stage == "retrieved"; });
    const auto lambdamart = std::find_if(data.quality.begin(), data.quality.end(),
                                         [](const Quality& quality) { return quality.name == "lambdamart"; });
    for (auto ranker = retrieved + 1; ranker <= lambdamart; ++ranker) {
        compare(*ranker, *retrieved, is_warm, false);
    }
    for (auto ranker = retrieved + 1; ranker < lambdamart; ++ranker) {
        compare(*lambdamart, *ranker, is_warm, false);
    }
    const auto best_source = [&](auto ndcg) {
        return *std::max_element(data.quality.begin(), data.quality.end(), [&](const Quality& a, const Quality& b) {
            const auto rank = [&](const Quality& q) { return q.stage == "source" ? q.*ndcg : -1.0; };
            return rank(a) < rank(b);
        });
    };
    compare(data.quality.back(), best_source(&Quality::ndcg), is_any, true);
    compare(data.quality.back(), best_source(&Quality::ndcg_warm), is_warm, false);
}

/// The value below which a share of the values lies.
inline double quantile(std::vector<double> values, double share) {
    if (values.empty()) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
    return values[at];
}

/// Answers one request for each user, one after the other in this thread, and notes how long every stage takes.
template <class Funnel, class Users>
void measure_latency(const Funnel& funnel, const Users& users, ReportData& data) {
    struct Samples {
        std::vector<double> microseconds;
        double in = 0.0;
        double out = 0.0;
    };
    std::vector<std::string> order;
    std::map<std::string, Samples> stages;
    for (const auto user : users) {
        const auto start = std::chrono::steady_clock::now();
        const auto result = funnel.recommend(user, {.k = 10});
        const std::chrono::duration<double, std::micro> elapsed = std::chrono::steady_clock::now() - start;
        data.latencies.push_back(elapsed.count());
        for (const auto& stage : result.trace.stages) {
            if (!stages.contains(stage.name)) {
                order.push_back(stage.name);
            }
            Samples& samples = stages[stage.name];
            samples.microseconds.push_back(static_cast<double>(stage.nanoseconds) / 1000.0);
            samples.in += static_cast<double>(stage.in);
            samples.out += static_cast<double>(stage.out);
        }
    }
    for (const std::string& name : order) {
        const Samples& samples = stages[name];
        const auto calls = static_cast<double>(samples.microseconds.size());
        data.stages.push_back({name, quantile(samples.microseconds, 0.5), quantile(samples.microseconds, 0.99),
                               samples.in / calls, samples.out / calls});
    }
}

}  // namespace demo
