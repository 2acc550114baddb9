// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "report_data.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/intra_list_distance.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace demo {

/// Judges lists by what the users of the test part really took.
class Judge {
public:
    Judge(const funnel::data::Interactions& train, const funnel::data::Interactions& test,
          const funnel::Matrix<float>& genres)
        : train_(train), test_(test), genres_(genres) {}

    template <class Model, funnel::Executor E>
    [[nodiscard]] Quality operator()(std::string stage, std::string name, const Model& model, E& executor) const {
        const auto report = funnel::metrics::evaluate(model, train_, test_, {.cutoffs = {10, 100}}, executor);
        Quality quality{std::move(stage),
                        std::move(name),
                        report.at("ndcg@10"),
                        report.warm().at("ndcg@10"),
                        report.cold().at("ndcg@10"),
                        report.at("recall@100"),
                        0.0,
                        report.at("coverage@10")};
        std::vector<double> distances(report.user_ids().size());
        funnel::parallel_for(executor, distances.size(), 16, [&](std::size_t i) {
            const auto list = model.recommend(report.user_ids()[i], {.k = 10});
            distances[i] = funnel::metrics::intra_list_distance(list, genres_);
        });
        std::erase_if(distances, [](double distance) { return std::isnan(distance); });  // lists with one item or none
        for (const double distance : distances) {
            quality.list_distance += distance / static_cast<double>(distances.size());
        }
        return quality;
    }

private:
    const funnel::data::Interactions& train_;
    const funnel::data::Interactions& test_;
    const funnel::Matrix<float>& genres_;
};

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
