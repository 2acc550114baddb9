// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A funnel that explores: Thompson sampling draws a new item for one place of each list, the trace has the propensity of
// the draw, and from the log of draws and clicks other policies are evaluated that were never run.
//
//     g++ -std=c++20 -O2 -I include examples/18_explore_in_a_funnel.cpp -o /tmp/example && /tmp/example
#include <funnel/bandits/logged_decision.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/funnel.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/pins.hpp>
#include <funnel/rerank/slate_rules.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

using namespace funnel::pipeline;

namespace {

constexpr std::uint32_t first_new = 100;
const std::vector<double> click_rates{0.06, 0.08, 0.10, 0.14};  // of the new items 100 to 103; nobody knows them yet

struct Drawn {
    std::uint32_t id;
    double propensity;
};

// A source that knows the items 0 to 9.
std::vector<funnel::Scored<>> known_items(const Request&, std::size_t) {
    std::vector<funnel::Scored<>> items;
    for (std::uint32_t item = 0; item < 10; ++item) {
        items.push_back({item, 1.0F - 0.05F * static_cast<float>(item)});
    }
    return items;
}

// At most two items of each of three categories. The drawn item is pinned to its place: its score would not do.
funnel::rerank::RuledSlate mixed(const Request& request, const Candidates& candidates, const Trace& trace) {
    using namespace funnel::rerank;
    const std::size_t n = candidates.size();
    const Groups categories(n, [&](std::size_t i) { return std::vector<std::uint32_t>{candidates.ids()[i] % 3}; });
    return under_rules(SlateRules({n, request.k, pins_of(candidates.ids(), trace.explored)},
                                  soft("category", GroupCap(categories, {.at_most = 2}))),
                       [&](auto& rules) { return fill_slate(candidates.scores(), request.k, rules); });
}

}  // namespace

int main() {
    // No new item is drawn with a probability below 0.05, so no weight of the evaluation exceeds 20.
    funnel::bandits::ThompsonBeta policy(click_rates.size(), {.floor = 0.05, .seed = 18});
    const auto draw = [&](const Request&, const Candidates&, std::size_t n) {
        const std::vector<double> propensities = policy.propensities();
        std::vector<Drawn> drawn;
        for (const std::size_t arm : policy.select(n)) {
            drawn.push_back({first_new + static_cast<std::uint32_t>(arm), propensities[arm]});
        }
        return drawn;
    };
    const Funnel shop(retrieve(known_items), explore(named("new items", draw), {2}), rerank(named("mixed", mixed)));

    funnel::Random visitors(18);
    std::vector<funnel::bandits::LoggedDecision> log;  // save_decisions would keep it in a file
    for (std::uint32_t visit = 1; visit <= 5000; ++visit) {
        const Result list = shop.recommend(visit, {.k = 6});
        for (const Explored& shown : list.trace.explored) {  // what the visitor saw of the drawn items
            const std::size_t arm = shown.item - first_new;
            const double reward = visitors.uniform() < click_rates[arm] ? 1.0 : 0.0;
            policy.update(arm, reward);
            log.push_back({.context = visit, .arm = shown.item, .propensity = shown.propensity, .reward = reward});
            if (visit == 1 || visit == 100 || visit == 5000) {
                std::printf("visit %4u:", visit);
                for (const Candidate& item : list) {
                    std::printf(" %3u", item.id);
                }
                std::printf("   item %u was drawn with probability %.3f\n", shown.item, shown.propensity);
            }
        }
    }

    // Inverse propensity scoring: what would "always item i" have earned? Each draw of i counts 1 / propensity.
    for (std::size_t i = 0; i < click_rates.size(); ++i) {
        double sum = 0.0;
        for (const auto& decision : log) {
            sum += decision.arm == first_new + i ? decision.reward / decision.propensity : 0.0;
        }
        std::printf("always item %zu: click rate %.3f, estimated from the log %.3f\n", first_new + i, click_rates[i],
                    sum / static_cast<double>(log.size()));
    }
}
