// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "measure.hpp"
#include "report_data.hpp"
#include "sources.hpp"
#include "world.hpp"

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/data/interactions.hpp>

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

/// The users of the test part, ascending.
inline std::set<std::uint32_t> test_users(const funnel::data::Interactions& test) {
    std::set<std::uint32_t> users;
    for (const auto& row : test) {
        users.insert(row.user);
    }
    return users;
}

/// Those of them with a history; without one, a request is a look at one list.
inline std::set<std::uint32_t> warm_test_users(const Sources& sources, const funnel::data::Interactions& test) {
    std::set<std::uint32_t> users = test_users(test);
    std::erase_if(users, [&](std::uint32_t user) { return !sources.knows(user); });
    return users;
}

inline void count_users(const funnel::data::Interactions& train, const funnel::data::Interactions& test,
                        ReportData& data) {
    data.train_rows = train.size();
    data.test_rows = test.size();
    std::vector<bool> is_warm(train.users(), false);
    for (const auto& row : train) {
        is_warm[row.user] = true;
    }
    for (const std::uint32_t user : test_users(test)) {
        ++(is_warm[user] ? data.warm_users : data.cold_users);
    }
}

/// One user's list, and in words why each item is on it. Without a key: the warm test user who took most afterwards.
template <class Funnel>
void show_user(const World& world, const Sources& sources, const funnel::data::Interactions& train,
               const funnel::data::Interactions& test, const Funnel& funnel, const std::optional<std::string>& key,
               ReportData& data) {
    std::vector<std::size_t> rows(world.log.users(), 0);
    for (const auto& row : test) {
        rows[row.user] += sources.knows(row.user) ? 1 : 0;
    }
    auto user = static_cast<std::uint32_t>(std::max_element(rows.begin(), rows.end()) - rows.begin());
    if (key) {
        const auto found = world.log.find_user(*key);
        if (!found) {
            funnel::raise<funnel::InvalidArgument>("--user: the log has no user \"" + *key + "\"");
        }
        user = *found;
    }
    data.user = world.log.user_key(user);

    std::vector<std::pair<double, std::uint32_t>> past;
    for (const auto& row : train) {
        if (row.user == user) {
            past.emplace_back(-row.time, row.item);
        }
    }
    std::sort(past.begin(), past.end());
    for (std::size_t i = 0; i < std::min<std::size_t>(5, past.size()); ++i) {
        data.history.push_back(world.title(past[i].second));
    }
    std::set<std::uint32_t> future;
    for (const auto& row : test) {
        if (row.user == user) {
            future.insert(row.item);
        }
    }
    for (const auto& item : funnel.recommend(user, {.k = 10})) {
        std::string because;
        for (const auto& [liked, share] : sources.ease.explain(user, item.id, 2)) {
            if (share > 0.0F) {
                because += (because.empty() ? "because you watched " : " and ") + world.title(liked);
            }
        }
        data.list.push_back(
            {world.title(item.id), because.empty() ? "popular these days" : because, future.contains(item.id)});
    }
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
    std::printf("%zu test users: %zu warm (with a history), %zu cold (without)\n\n", data.warm_users + data.cold_users,
                data.warm_users, data.cold_users);

    std::printf(
        "Quality                               NDCG@10    warm    cold   recall@100   genre distance   coverage\n");
    for (const Quality& row : data.quality) {
        std::printf("  %-9s  %-22s   %s  %s  %s       %s           %s     %s\n", row.stage.c_str(), row.name.c_str(),
                    number(row.ndcg).c_str(), number(row.ndcg_warm).c_str(), number(row.ndcg_cold).c_str(),
                    number(row.recall).c_str(), number(row.list_distance).c_str(), number(row.coverage).c_str());
    }
    const Quality& shown = data.quality.back();
    double best = 0.0;
    double best_warm = 0.0;
    for (const Quality& row : data.quality) {
        if (row.stage == "source") {
            best = std::max(best, row.ndcg);
            best_warm = std::max(best_warm, std::isnan(row.ndcg_warm) ? 0.0 : row.ndcg_warm);
        }
    }
    std::printf(
        "The list that is shown %s the best single source for all users (%+.1f %%) and %s it for warm ones (%+.1f "
        "%%).\n",
        shown.ndcg > best ? "beats" : "DOES NOT BEAT", 100.0 * (shown.ndcg / best - 1.0),
        shown.ndcg_warm > best_warm ? "beats" : "DOES NOT BEAT", 100.0 * (shown.ndcg_warm / best_warm - 1.0));

    std::printf("\nLatency of a warm request, one thread, microseconds   p50       p99    candidates in -> out\n");
    for (const StageLatency& stage : data.stages) {
        std::printf("  %-45s %8.1f  %8.1f        %7.1f -> %.1f\n", stage.stage.c_str(), stage.median, stage.p99,
                    stage.in, stage.out);
    }

    std::printf("  %-45s %8.1f  %8.1f\n", "whole request", quantile(data.latencies, 0.5),
                quantile(data.latencies, 0.99));

    std::printf("\nFor user %s, who last watched %s:\n", data.user.c_str(),
                data.history.empty() ? "nothing yet" : data.history.front().c_str());
    for (std::size_t i = 0; i < data.list.size(); ++i) {
        std::printf("  %2zu %s %-42s %s\n", i + 1, data.list[i].is_hit ? "*" : " ", data.list[i].title.c_str(),
                    data.list[i].because.c_str());
    }
    std::printf("  (* = this user really went on to take it)   whole run: %.1f s\n", data.seconds);
}

}  // namespace demo
