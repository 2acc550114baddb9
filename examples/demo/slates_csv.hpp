// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "new_films.hpp"
#include "rows_csv.hpp"
#include "world.hpp"

#include <funnel/bandits/logged_decision.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace demo {

/// Writes what slates are selected from to FOLDER/candidates.csv: for each user, best first, with scores.
template <class Funnel>
void write_candidates(const std::string& folder, const World& world, const Funnel& funnel,
                      std::span<const std::uint32_t> users) {
    std::string text = "user,item,score\n";
    for (const std::uint32_t user : users) {
        for (const auto& item : funnel.recommend(user, {.k = 100})) {
            text += world.log.user_key(user) + ',' + world.log.item_key(item.id);
            detail::append(text, static_cast<double>(item.score));
            text += '\n';
        }
    }
    detail::write_lines(folder + "/candidates.csv", text);
}

/// Adds the slates of one way to select them: place by place, with the rules that were set aside there, and the
/// propensity of an item that was drawn.
template <class Funnel>
void add_slates(std::string& text, const std::string& name, const World& world, const Funnel& funnel,
                std::span<const std::uint32_t> users) {
    for (const std::uint32_t user : users) {
        const auto result = funnel.recommend(user, {.k = 10});
        for (std::size_t place = 0; place < result.size(); ++place) {
            const std::uint32_t item = result[place].id;
            std::string rules;
            for (const auto& aside : result.trace.set_aside) {
                rules += aside.place == place ? (rules.empty() ? "" : "+") + aside.rule : "";
            }
            text += name + ',' + world.log.user_key(user) + ',' + std::to_string(place) + ',' +
                    world.log.item_key(item) + ',' + rules;
            const auto drawn = std::ranges::find(result.trace.explored, item, &funnel::pipeline::Explored::item);
            if (drawn == result.trace.explored.end()) {
                text += ',';
            } else {
                detail::append(text, drawn->propensity, 17);
            }
            text += '\n';
        }
    }
}

/// Writes the arms of each user to FOLDER/arms.csv: their posteriors, and the probability to be drawn.
template <class Candidates>
void write_arms(const std::string& folder, const World& world, const NewFilms& films,
                std::span<const std::uint32_t> users, const Candidates& candidates_of) {
    std::string text = "user,item,alpha,beta,propensity\n";
    for (const std::uint32_t user : users) {
        const Arms arms = films.arms(user, candidates_of(user), 2);
        for (std::size_t i = 0; i < arms.ids.size(); ++i) {
            text += world.log.user_key(user) + ',' + world.log.item_key(arms.ids[i]);
            detail::append(text, arms.alphas[i], 17);
            detail::append(text, arms.betas[i], 17);
            detail::append(text, arms.slate.propensities[i], 17);
            text += '\n';
        }
    }
    detail::write_lines(folder + "/arms.csv", text);
}

/// Writes the logged decisions to FOLDER/decisions.fnl, for load_decisions, and with keys to FOLDER/decisions.csv.
inline void write_decisions(const std::string& folder, const World& world,
                            std::span<const funnel::bandits::LoggedDecision> decisions) {
    std::string text = "user,item,propensity,reward\n";
    for (const auto& decision : decisions) {
        text += world.log.user_key(static_cast<std::uint32_t>(decision.context)) + ',' +
                world.log.item_key(static_cast<std::uint32_t>(decision.arm));
        detail::append(text, decision.propensity, 17);
        detail::append(text, decision.reward);
        text += '\n';
    }
    detail::write_lines(folder + "/decisions.csv", text);
    funnel::bandits::save_decisions(folder + "/decisions.fnl", decisions);
}

}  // namespace demo
