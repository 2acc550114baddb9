// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "measure.hpp"
#include "rankers.hpp"
#include "report_data.hpp"
#include "sources.hpp"
#include "world.hpp"

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/ground_truth.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace demo {

/// Starts the report: what the data is, and what it was built with.
inline ReportData describe(const World& world, float lambda) {
    ReportData data{};
    data.data = world.name;
    data.note = world.note;
    data.users = world.log.users();
    data.items = world.log.items();
    data.lambda = static_cast<double>(lambda);
    data.has_genres = world.has_genres();
    data.popularity.assign(world.log.items(), 0);
    for (const auto& row : world.log) {
        ++data.popularity[row.item];
    }
    std::sort(data.popularity.rbegin(), data.popularity.rend());
#if defined(__clang__)
    data.build = "clang " + std::to_string(__clang_major__);
#else
    data.build = "g++ " + std::to_string(__GNUC__);
#endif
    data.build += FUNNEL_WITH_XSIMD ? ", Simd backend" : ", Scalar backend";
    return data;
}

/// Which ranker serves and why, and how the forest was saved and loaded.
inline void describe(const Rankers& rankers, std::size_t lists, const std::string& path, ReportData& data) {
    data.ranker = "LambdaMART, " + std::to_string(rankers.forest.trees().trees.size()) +
                  " trees, was saved for LightGBM and loaded again to serve (" + path +
                  "): " + std::to_string(rankers.differ) + " of " + std::to_string(rankers.compared) +
                  " scores of its training rows differ in any bit.";
    if (std::isnan(rankers.held_out_forest) || std::isnan(rankers.held_out_deep)) {
        data.choice_of_ranker = "LambdaMART ranks: there are too few lists to compare it with DeepFM before the cut.";
        return;
    }
    char words[240];
    std::snprintf(words, sizeof words,
                  "%s ranks: on the %zu lists of the earlier window, each scored by a model that learned from others, "
                  "NDCG@10 is %.3f by LambdaMART and %.3f by DeepFM.",
                  rankers.deep_is_better() ? "DeepFM" : "LambdaMART", lists, rankers.held_out_forest,
                  rankers.held_out_deep);
    data.choice_of_ranker = words;
}

/// How many rows and users there are on both sides of the cut.
inline void count(const funnel::data::Interactions& train, const funnel::data::Interactions& test,
                  const funnel::metrics::GroundTruth& truth, ReportData& data) {
    data.train_rows = train.size();
    data.test_rows = test.size();
    data.skipped_users = truth.skipped_users();
    for (std::size_t position = 0; position < truth.size(); ++position) {
        ++(truth.is_warm(position) ? data.warm_users : data.cold_users);
    }
}

/// The evaluated users with a history: without one, a request is a look at one list.
inline std::vector<std::uint32_t> warm_users(const funnel::metrics::GroundTruth& truth) {
    std::vector<std::uint32_t> users;
    for (std::size_t position = 0; position < truth.size(); ++position) {
        if (truth.is_warm(position)) {
            users.push_back(truth.user_ids()[position]);
        }
    }
    return users;
}

/// The evaluated user whose list is neither a lucky nor an unlucky one: the median by NDCG@10, of those with a history
/// if there are any.
inline std::optional<std::uint32_t> typical_user(const funnel::metrics::GroundTruth& truth, const Quality& quality,
                                                 ReportData& data) {
    std::vector<std::pair<double, std::uint32_t>> users;
    for (std::size_t position = 0; position < truth.size(); ++position) {
        if (truth.is_warm(position) || data.warm_users == 0) {
            users.emplace_back(quality.ndcg_of_user[position], truth.user_ids()[position]);
        }
    }
    if (users.empty()) {
        return std::nullopt;
    }
    const auto middle = users.begin() + static_cast<std::ptrdiff_t>(users.size() / 2);
    std::nth_element(users.begin(), middle, users.end());
    char words[120];
    std::snprintf(words, sizeof words, "a typical one: the median of the %s users by NDCG@10, which is %.3f here",
                  data.warm_users == 0 ? "cold" : "warm", middle->first);
    data.choice = words;
    return middle->second;
}

/// One user's list, and in words why each item is on it. Without a key: that of the typical user.
template <class Funnel>
void show_user(const World& world, const Sources& sources, const funnel::data::Interactions& train,
               const funnel::data::Interactions& test, const funnel::metrics::GroundTruth& truth, const Funnel& funnel,
               const std::optional<std::string>& key, ReportData& data) {
    std::optional<std::uint32_t> user;
    if (key) {
        user = world.log.find_user(*key);
        data.choice = "as asked for";
    } else {
        user = typical_user(truth, data.quality.back(), data);
    }
    if (!user) {
        return;
    }
    data.user = world.log.user_key(*user);

    std::vector<std::pair<double, std::uint32_t>> past;
    for (const auto& row : train) {
        if (row.user == *user) {
            past.emplace_back(-row.time, row.item);
        }
    }
    std::sort(past.begin(), past.end());
    for (std::size_t i = 0; i < std::min<std::size_t>(5, past.size()); ++i) {
        data.history.push_back(world.title(past[i].second));
    }
    std::set<std::uint32_t> future;
    for (const auto& row : test) {
        if (row.user == *user) {
            future.insert(row.item);
        }
    }
    for (const auto& item : funnel.recommend(*user, {.k = 10})) {
        std::string because;
        for (const auto& [chosen, share] : sources.ease.explain(*user, item.id, 2)) {
            if (share > 0.0F) {
                because += (because.empty() ? "because of " : " and ") + world.title(chosen);
            }
        }
        data.list.push_back(
            {world.title(item.id), because.empty() ? "popular these days" : because, future.contains(item.id)});
    }
}

/// What a comparison means, in one sentence.
inline std::string in_words(const Comparison& comparison) {
    const char* verdict = comparison.ndcg.low > 0.0    ? "beats"
                          : comparison.ndcg.high < 0.0 ? "FALLS BEHIND"
                                                       : "cannot be told from";
    const auto numbers = [](const char* metric, const Gain& gain) {
        char text[120];
        std::snprintf(text, sizeof text, "%s %+.1f %% (95 %% interval %+.1f to %+.1f, p = %.2g)", metric,
                      100.0 * gain.lift, 100.0 * gain.low, 100.0 * gain.high, gain.p_value);
        return std::string(text);
    };
    return "For " + comparison.group + ", " + comparison.subject + " " + verdict + " " + comparison.baseline + ": " +
           numbers("NDCG@10", comparison.ndcg) + ", " + numbers("recall@10", comparison.recall) + "; paired, " +
           std::to_string(comparison.users) + " users.";
}

/// The sentences below the table of quality.
inline std::vector<std::string> verdicts(const ReportData& data) {
    std::vector<std::string> sentences;
    for (const Comparison& comparison : data.comparisons) {
        sentences.push_back(in_words(comparison));
    }
    sentences.push_back(data.choice_of_ranker);
    sentences.push_back(data.ranker);
    return sentences;
}

/// A gain in percent, with its interval.
inline std::string in_percent(const Gain& gain, bool with_p) {
    char text[120];
    std::snprintf(text, sizeof text, with_p ? "%+.1f %% (%+.1f to %+.1f, p = %.2g)" : "%+.1f %% (%+.1f to %+.1f)",
                  100.0 * gain.lift, 100.0 * gain.low, 100.0 * gain.high, gain.p_value);
    return text;
}

/// The sentences below the table of the last mile.
inline std::vector<std::string> last_mile_in_words(const ReportData& data) {
    std::vector<std::string> sentences;
    const SlateCount& slates = data.slates;
    if (slates.places == 0) {
        return sentences;
    }
    std::string rules = "Of the " + std::to_string(slates.places) + " places shown to warm users, " +
                        std::to_string(slates.explored) +
                        (slates.explored == 1 ? " has a film that was drawn" : " have a film that was drawn");
    for (const auto& [name, places] : slates.set_aside) {
        rules += "; the rule \"" + name + "\" was set aside at " + std::to_string(places);
    }
    sentences.push_back(rules + (slates.set_aside.empty() ? "; no rule was set aside." : "."));
    for (const PolicyValue& value : data.policies) {
        char text[240];
        std::snprintf(
            text, sizeof text,
            "From %zu logged decisions, inverse propensity scoring estimates a rate of %.4f choices per explored place "
            "(95 %% interval %.4f to %.4f) for %s; by the test rows it is %.4f.",
            data.decisions, value.estimate, value.estimate - 1.96 * value.standard_error,
            value.estimate + 1.96 * value.standard_error, value.policy.c_str(), value.truth);
        sentences.push_back(text);
    }
    return sentences;
}

/// Who was evaluated, in one sentence.
inline std::string evaluated_users(const ReportData& data) {
    const std::size_t users = data.warm_users + data.cold_users;
    std::string text = std::to_string(users) + (users == 1 ? " user is" : " users are") +
                       " evaluated: " + std::to_string(data.warm_users) + " warm (with a history), " +
                       std::to_string(data.cold_users) + " cold (without)";
    if (data.skipped_users > 0) {
        text += "; " + std::to_string(data.skipped_users) + " more only repeat what they had chosen before";
    }
    return text + '.';
}

/// Prints what was found as tables.
inline void print(const ReportData& data) {
    const auto number = [](double value) {
        char text[16];
        std::snprintf(text, sizeof text, std::isnan(value) ? "     -" : "%6.4f", value);
        return std::string(text);
    };
    std::printf("\n%s: %zu users, %zu items; %zu rows to learn from, the %zu after them to judge by\n",
                data.data.c_str(), data.users, data.items, data.train_rows, data.test_rows);
    if (!data.note.empty()) {
        std::printf("%s\n", data.note.c_str());
    }
    std::printf("%s\n\n", evaluated_users(data).c_str());

    std::printf("Quality                               NDCG@10    warm    cold   recall@100   coverage%s\n",
                data.has_genres ? "   genre distance" : "");
    for (const Quality& row : data.quality) {
        std::printf("  %-9s  %-22s   %s  %s  %s       %s     %s", row.stage.c_str(), row.name.c_str(),
                    number(row.ndcg).c_str(), number(row.ndcg_warm).c_str(), number(row.ndcg_cold).c_str(),
                    number(row.recall).c_str(), number(row.coverage).c_str());
        std::printf("%s%s\n", data.has_genres ? "           " : "",
                    data.has_genres ? number(row.list_distance).c_str() : "");
    }
    for (const std::string& sentence : verdicts(data)) {
        std::printf("%s\n", sentence.c_str());
    }

    if (!data.steps.empty()) {
        std::printf(
            "\nThe last mile, %zu warm users, paired                NDCG@10 (95 %% interval)%s   items shown   "
            "microseconds\n",
            data.warm_users, data.has_genres ? "              genre distance" : "");
    }
    for (const Step& step : data.steps) {
        std::printf("  %-13s against %-18s %-40s %-26s %+9.0f  %13.1f\n", step.name.c_str(), step.before.c_str(),
                    in_percent(step.ndcg, true).c_str(), step.distance ? in_percent(*step.distance, false).c_str() : "",
                    step.coverage, step.microseconds);
    }
    for (const std::string& sentence : last_mile_in_words(data)) {
        std::printf("%s\n", sentence.c_str());
    }

    if (!data.latencies.empty()) {
        std::printf("\nLatency of a warm request, one thread, microseconds   p50       p99    candidates in -> out\n");
    }
    for (const StageLatency& stage : data.stages) {
        std::printf("  %-45s %8.1f  %8.1f        %7.1f -> %.1f\n", stage.stage.c_str(), stage.median, stage.p99,
                    stage.in, stage.out);
    }
    if (!data.latencies.empty()) {
        std::printf("  %-45s %8.1f  %8.1f\n", "whole request", quantile(data.latencies, 0.5),
                    quantile(data.latencies, 0.99));
    }

    if (!data.user.empty()) {
        std::printf("\nFor user %s (%s), who last chose %s:\n", data.user.c_str(), data.choice.c_str(),
                    data.history.empty() ? "nothing yet" : data.history.front().c_str());
    }
    for (std::size_t i = 0; i < data.list.size(); ++i) {
        std::printf("  %2zu %s %-42s %s\n", i + 1, data.list[i].is_hit ? "*" : " ", data.list[i].title.c_str(),
                    data.list[i].because.c_str());
    }
    if (!data.list.empty()) {
        std::printf("  (* = this user went on to choose it)\n");
    }
    std::printf("Whole run: %.1f s\n", data.seconds);
}

}  // namespace demo
