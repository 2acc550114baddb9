// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages about bandits: what policies lose in simulated worlds. All rows are the same in every
// run of this program, with any number of threads. Each row is a mean of independent runs; "NAME, deviation" is the standard deviation between them.
//
//   exploration_bench [JSON]
#include "support/bench.hpp"

#include <funnel/bandits/cascading.hpp>
#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/exp3.hpp>
#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/lin_ts.hpp>
#include <funnel/bandits/lin_ucb.hpp>
#include <funnel/bandits/square_cb.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/beta.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using namespace funnel::bandits;

namespace {

constexpr std::size_t runs = 20;
constexpr std::size_t more_runs = 60;  // where they differ most

std::string text_of(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

/// The number that decides whether a step gives a click: the same for all policies, so that their runs are paired.
double chance(std::uint64_t run, std::uint64_t step) {
    return Random(run, stream("exploration_bench.clicks"), step).uniform();
}

// ---- policies, made for a number of arms and a seed

auto epsilon_greedy(double epsilon, double decay = 0.0) {
    return [=](std::size_t arms, std::uint64_t seed) {
        return EpsilonGreedy(arms, {.epsilon = epsilon, .decay = decay, .seed = seed});
    };
}
auto thompson(double discount = 1.0, double successes = 1.0, double failures = 1.0) {
    return [=](std::size_t arms, std::uint64_t seed) {
        return ThompsonBeta(
            arms, {.prior_successes = successes, .prior_failures = failures, .discount = discount, .seed = seed});
    };
}
auto exp3(double gamma) {
    return [=](std::size_t arms, std::uint64_t seed) { return Exp3(arms, {.gamma = gamma, .seed = seed}); };
}
template <class Policy>
auto without_seed() {
    return [](std::size_t arms, std::uint64_t /*seed*/) { return Policy(arms); };
}

/// Click rates that are linear in five features of the user: a constant and four interests that are there or not.
class ContextWorld {
public:
    static constexpr std::size_t arms = 10;
    static constexpr std::size_t dimension = 5;

    ContextWorld(std::uint64_t run, bool has_interests) {
        Random random(run, stream("exploration_bench.contexts"));
        for (auto& theta : thetas_) {
            theta[0] = 0.02 + 0.06 * random.uniform();
            for (std::size_t j = 1; j < dimension; ++j) {
                theta[j] = has_interests && random.uniform() < 0.25 ? 0.1 : 0.0;
            }
        }
    }

    [[nodiscard]] static std::vector<float> context(std::uint64_t run, std::uint64_t step) {
        Random random(run, stream("exploration_bench.users"), step);
        std::vector<float> x{1.0F};
        while (x.size() < dimension) {
            x.push_back(random.uniform() < 0.3 ? 1.0F : 0.0F);
        }
        return x;
    }

    [[nodiscard]] double rate(std::size_t arm, const std::vector<float>& x) const {
        double sum = 0.0;
        for (std::size_t j = 0; j < dimension; ++j) {
            sum += thetas_[arm][j] * static_cast<double>(x[j]);
        }
        return sum;
    }

    [[nodiscard]] double best_rate(const std::vector<float>& x) const {
        double best = 0.0;
        for (std::size_t arm = 0; arm < arms; ++arm) {
            best = std::max(best, rate(arm, x));
        }
        return best;
    }

private:
    std::array<std::array<double, dimension>, arms> thetas_{};
};

class Exploration {
public:
    explicit Exploration(bench::Report& report) : report_(report) {}

    // ---- rates that stay

    void bounds() {
        for (const double gap : {0.05, 0.02}) {
            const double p = 0.1 - gap;
            const double kl = p * std::log(p / 0.1) + (1.0 - p) * std::log((1.0 - p) / 0.9);
            for (const std::uint64_t steps : horizons) {
                const std::string where = ", gap " + text_of(gap) + ", " + std::to_string(steps) + " steps";
                const auto t = static_cast<double>(steps);
                add("Lai-Robbins" + where, 9.0 * gap / kl * std::log(t), "lost clicks",
                    "9 gap log(t) / kl(rate of the others, 0.1)");
                add("uniform" + where, 0.9 * gap * t, "lost clicks", "0.9 gap t");
            }
        }
    }

    template <class MakePolicy>
    void stationary(const std::string& name, const MakePolicy& make, std::size_t count = runs) {
        for (const double gap : {0.05, 0.02}) {
            const auto lost = simulate<horizons.size()>(count, [&](std::uint64_t run) {
                std::array<double, horizons.size()> regrets{};
                auto policy = make(arms, run);
                const std::size_t best = run % arms;
                double regret = 0.0;
                std::size_t passed = 0;
                for (std::uint64_t step = 1; step <= horizons.back(); ++step) {
                    const std::size_t arm = policy.select(1)[0];
                    const double rate = arm == best ? 0.1 : 0.1 - gap;
                    policy.update(arm, chance(run, step) < rate ? 1.0 : 0.0);
                    regret += 0.1 - rate;
                    if (step == horizons[passed]) {
                        regrets[passed++] = regret;
                    }
                }
                return regrets;
            });
            for (std::size_t i = 0; i < horizons.size(); ++i) {
                add(name + ", gap " + text_of(gap) + ", " + std::to_string(horizons[i]) + " steps", lost[i],
                    "lost clicks", "10 arms, click rate 0.1 of the best and " + text_of(0.1 - gap) + " of the others");
            }
        }
    }

    // ---- rates that change

    template <class MakePolicy>
    void changing(const std::string& name, const MakePolicy& make) {
        for (const auto& [best_rate, other_rate] : {std::pair{0.1, 0.05}, {0.6, 0.4}}) {
            const double high = best_rate;
            const double low = other_rate;
            const auto lost = simulate<1>(runs, [&](std::uint64_t run) {
                auto policy = make(arms, run);
                double regret = 0.0;
                for (std::uint64_t step = 0; step < 40'000; ++step) {
                    const std::size_t best = (run + 3 * (step / 5'000)) % arms;
                    const std::size_t arm = policy.select(1)[0];
                    const double rate = arm == best ? high : low;
                    policy.update(arm, chance(run, step) < rate ? 1.0 : 0.0);
                    regret += high - rate;
                }
                return std::array{regret};
            });
            add(name + ", changing, rate " + text_of(high), lost[0], "lost clicks",
                "10 arms, click rate " + text_of(high) + " of the best and " + text_of(low) +
                    " of the others; another arm is the best every 5,000 of 40,000 steps");
        }
    }

    // The arm that is played with the highest probability gets reward 0, all others get 1.
    template <class MakePolicy>
    void adversarial(const std::string& name, const MakePolicy& make) {
        constexpr int steps = 2'000;
        const auto earned = simulate<1>(runs, [&](std::uint64_t run) {
            auto policy = make(4, run);
            double sum = 0.0;
            for (int step = 0; step < steps; ++step) {
                const std::vector<double> p = policy.propensities();
                const auto likely = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
                const std::size_t arm = policy.select(1)[0];
                const double reward = arm == likely ? 0.0 : 1.0;
                policy.update(arm, reward);
                sum += reward;
            }
            return std::array{sum / steps};
        });
        add(name + ", adversary", earned[0], "reward per step",
            "4 arms, 2,000 steps; the arm with the highest propensity gets 0, the others get 1");
    }

    // ---- rewards that arrive in batches

    template <class MakePolicy>
    void batched(const std::string& name, const MakePolicy& make) {
        constexpr std::uint64_t steps = 10'000;
        for (const std::uint64_t batch : {1U, 100U, 1000U}) {
            const auto found = simulate<2>(runs, [&](std::uint64_t run) {
                auto policy = make(arms, run);
                const std::size_t best = run % arms;
                double regret = 0.0;
                double arms_of_batches = 0.0;
                std::vector<std::pair<std::size_t, double>> waiting;
                for (std::uint64_t step = 1; step <= steps; ++step) {
                    const std::size_t arm = policy.select(1)[0];
                    const double rate = arm == best ? 0.1 : 0.05;
                    waiting.emplace_back(arm, chance(run, step) < rate ? 1.0 : 0.0);
                    regret += 0.1 - rate;
                    if (step % batch == 0) {
                        std::array<bool, arms> is_shown{};
                        for (const auto& entry : waiting) {
                            policy.update(entry.first, entry.second);
                            is_shown[entry.first] = true;
                        }
                        arms_of_batches += static_cast<double>(std::count(is_shown.begin(), is_shown.end(), true));
                        waiting.clear();
                    }
                }
                return std::array{regret, arms_of_batches / static_cast<double>(steps / batch)};
            });
            const std::string setup =
                "10 arms, click rate 0.1 of the best and 0.05 of the others, 10,000 steps; rewards arrive after "
                "every " +
                std::to_string(batch) + " steps";
            add(name + ", batches of " + std::to_string(batch), found[0], "lost clicks", setup);
            add(name + ", arms in batches of " + std::to_string(batch), found[1], "arms", setup);
        }
    }

    // ---- slates that users read from the top to the first click

    // With is_cascade, items below the click teach nothing; else they count as seen and not clicked.
    template <class MakePolicy>
    void slates(const std::string& name, const MakePolicy& make, bool is_cascade) {
        constexpr std::size_t candidates = 20;
        constexpr std::size_t places = 4;
        constexpr double high = 0.2;
        constexpr double low = 0.1;
        const auto lost = simulate<1>(runs, [&](std::uint64_t run) {
            auto policy = make(candidates, run);
            double regret = 0.0;
            for (std::uint64_t step = 1; step <= 10'000; ++step) {
                const std::vector<std::size_t> shown = policy.select(places);
                Random user(run, stream("exploration_bench.readers"), step);
                std::optional<std::size_t> click;
                double no_click = 1.0;
                for (std::size_t place = 0; place < places; ++place) {
                    const double rate = (shown[place] + run) % 5 == 0 ? high : low;  // 4 of 20 items are good
                    no_click *= 1.0 - rate;
                    if (user.uniform() < rate && !click) {
                        click = place;
                    }
                }
                const double good = 1.0 - high;
                regret += no_click - good * good * good * good;
                if (is_cascade) {
                    update_cascade(policy, shown, click);
                } else {
                    for (std::size_t place = 0; place < places; ++place) {
                        policy.update(shown[place], place == click ? 1.0 : 0.0);
                    }
                }
            }
            return std::array{regret};
        });
        add(name + ", slates", lost[0], "lost clicks",
            "slates of 4 out of 20 items, 4 with a click rate of 0.2 and 16 with 0.1; users stop at the first click; "
            "10,000 slates");
    }

    // ---- a catalogue in which items come and go

    template <class MakePolicy>
    void new_items(const std::string& name, const MakePolicy& make) {
        const auto found = simulate<2>(runs, [&](std::uint64_t run) {
            const std::vector<float> rates = rates_of_items(run);
            auto policy = make(items, run);
            std::size_t oldest = 0;
            double clicks = 0.0;
            double shown_new = 0.0;
            for (std::uint64_t step = 1; step <= item_steps; ++step) {
                const std::size_t arm = policy.select(1)[0];
                const auto rate = static_cast<double>(rates[oldest + arm]);
                policy.update(arm, chance(run, step) < rate ? 1.0 : 0.0);
                clicks += rate;
                shown_new += arm + 5 >= items ? 1.0 : 0.0;
                if (step % item_period == 0) {
                    policy.remove_arm(0);
                    policy.add_arm();
                    ++oldest;
                }
            }
            constexpr auto n = static_cast<double>(item_steps);
            return std::array{1'000.0 * clicks / n, shown_new / n};
        });
        add(name + ", new items", found[0], "clicks per 1,000 steps", item_setup);
        add(name + ", share of the 5 newest items", found[1], "share", item_setup);
    }

    void best_of_items() {
        const auto best = simulate<1>(runs, [&](std::uint64_t run) {
            const std::vector<float> rates = rates_of_items(run);
            double sum = 0.0;
            for (std::size_t oldest = 0; oldest + items < rates.size(); ++oldest) {
                const auto first = rates.begin() + static_cast<std::ptrdiff_t>(oldest);
                sum += static_cast<double>(*std::max_element(first, first + items));
            }
            return std::array{1'000.0 * sum / static_cast<double>(rates.size() - items)};
        });
        add("always the best, new items", best[0], "clicks per 1,000 steps", item_setup);
    }

    // ---- contexts

    template <class MakePolicy>
    void contextual(const std::string& name, const MakePolicy& make) {
        for (const bool has_interests : {true, false}) {
            const auto lost = simulate<2>(runs, [&](std::uint64_t run) {
                const ContextWorld world(run, has_interests);
                auto policy = make(ContextWorld::arms, run);
                std::array<double, 2> regrets{};
                for (std::uint64_t step = 1; step <= 10'000; ++step) {
                    const std::vector<float> x = ContextWorld::context(run, step);
                    std::size_t arm = 0;
                    if constexpr (requires { policy.select(x); }) {
                        arm = policy.select(x);
                        policy.update(arm, x, chance(run, step) < world.rate(arm, x) ? 1.0F : 0.0F);
                    } else {
                        arm = policy.select(1)[0];
                        policy.update(arm, chance(run, step) < world.rate(arm, x) ? 1.0 : 0.0);
                    }
                    const double lost_here = world.best_rate(x) - world.rate(arm, x);
                    regrets[0] += step <= 2'000 ? lost_here : 0.0;
                    regrets[1] += lost_here;
                }
                return regrets;
            });
            const std::string where = has_interests ? ", interests" : ", no interests";
            const std::string setup =
                std::string("10 arms, 5 features; click rates are ") +
                (has_interests ? "linear in the interests of the user" : "the same for all users");
            add(name + where + ", 2000 steps", lost[0], "lost clicks", setup);
            add(name + where + ", 10000 steps", lost[1], "lost clicks", setup);
        }
    }

    // ---- off-policy evaluation

    // What "always arm i" would have earned, estimated from a log of Thompson sampling.
    void off_policy() {
        constexpr std::array rates{0.04, 0.05, 0.06, 0.07, 0.12};
        constexpr std::size_t kinds = 4;
        constexpr std::array<const char*, kinds> names{"IPS, exact propensities", "IPS, propensities assumed uniform",
                                                       "mean reward", "share of the log"};
        const auto found = simulate<rates.size() * kinds>(200, [&](std::uint64_t run) {
            constexpr std::uint64_t steps = 1'000;
            ThompsonBeta policy(rates.size(), {.floor = 0.02, .seed = run});
            std::array<double, rates.size()> exact{};
            std::array<double, rates.size()> rewards{};
            std::array<double, rates.size()> shown{};
            for (std::uint64_t step = 1; step <= steps; ++step) {
                const std::vector<double> p = policy.propensities();
                const std::size_t arm = policy.select(1)[0];
                const double reward = chance(run, step) < rates[arm] ? 1.0 : 0.0;
                policy.update(arm, reward);
                exact[arm] += reward / p[arm];
                rewards[arm] += reward;
                shown[arm] += 1.0;
            }
            std::array<double, rates.size() * kinds> estimates{};
            constexpr auto n = static_cast<double>(steps);
            for (std::size_t arm = 0; arm < rates.size(); ++arm) {
                estimates[arm * kinds] = exact[arm] / n;
                estimates[arm * kinds + 1] = rewards[arm] * static_cast<double>(rates.size()) / n;
                estimates[arm * kinds + 2] = shown[arm] > 0.0 ? rewards[arm] / shown[arm] : 0.0;
                estimates[arm * kinds + 3] = shown[arm] / n;
            }
            return estimates;
        });
        for (std::size_t arm = 0; arm < rates.size(); ++arm) {
            for (std::size_t i = 0; i < kinds; ++i) {
                add(names[i] + (", rate " + text_of(rates[arm])), found[arm * kinds + i],
                    i + 1 < kinds ? "click rate" : "share",
                    "logs of ThompsonBeta with floor 0.02, 5 arms with click rates 0.04, 0.05, 0.06, 0.07 and 0.12, "
                    "1,000 steps");
            }
        }
    }

private:
    static constexpr std::size_t arms = 10;
    static constexpr std::array<std::uint64_t, 3> horizons{1'000, 10'000, 100'000};
    static constexpr std::size_t items = 50;
    static constexpr std::uint64_t item_steps = 20'000;
    static constexpr std::uint64_t item_period = 200;
    static constexpr const char* item_setup =
        "50 items with click rates from Beta(2, 48); every 200 of 20,000 steps the oldest item leaves and a new one "
        "comes";

    [[nodiscard]] static std::vector<float> rates_of_items(std::uint64_t run) {
        constexpr std::size_t all = items + item_steps / item_period;
        std::vector<float> rates(all);
        kernels::beta<kernels::Scalar>(std::vector<float>(all, 2.0F), std::vector<float>(all, 48.0F),
                                       {static_cast<std::uint32_t>(run), 1}, 0, rates);
        return rates;
    }

    struct Summary {
        double mean = 0.0;
        double deviation = 0.0;
        std::size_t count = 0;
    };

    // The values of body(1), body(2), ...
    template <std::size_t N, class Body>
    std::array<Summary, N> simulate(std::size_t count, const Body& body) {
        std::vector<std::array<double, N>> values(count);
        parallel_for(pool_, count, 1, [&](std::size_t i) { values[i] = body(i + 1); });
        std::array<Summary, N> summaries;
        const auto n = static_cast<double>(count);
        for (std::size_t j = 0; j < N; ++j) {
            double sum = 0.0;
            for (const auto& value : values) {
                sum += value[j];
            }
            double squares = 0.0;
            for (const auto& value : values) {
                squares += (value[j] - sum / n) * (value[j] - sum / n);
            }
            summaries[j] = {.mean = sum / n, .deviation = std::sqrt(squares / (n - 1.0)), .count = count};
        }
        return summaries;
    }

    void add(const std::string& name, double value, const std::string& unit, const std::string& setup) {
        report_.add({.name = name, .ours = bench::single(value), .unit = unit, .setup = setup});
    }
    void add(const std::string& name, const Summary& found, const std::string& unit, const std::string& setup) {
        const std::string of_runs = setup + "; " + std::to_string(found.count) + " runs";
        add(name, found.mean, unit, of_runs);
        add(name + ", deviation", found.deviation, unit, of_runs);
    }

    bench::Report& report_;
    Threads pool_;
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("exploration", argc, argv);
    Exploration worlds(report);

    worlds.bounds();
    for (const double epsilon : {0.01, 0.05, 0.1, 0.2}) {
        worlds.stationary("epsilon " + text_of(epsilon), epsilon_greedy(epsilon), more_runs);
    }
    worlds.stationary("epsilon with decay", epsilon_greedy(1.0, 0.01), more_runs);
    worlds.stationary("UCB1", without_seed<UCB1>());
    worlds.stationary("UCBTuned", without_seed<UCBTuned>());
    worlds.stationary("KLUCB", without_seed<KLUCB>());
    worlds.stationary("ThompsonBeta", thompson(), more_runs);
    worlds.stationary("ThompsonBeta discount 0.999", thompson(0.999));
    worlds.stationary("Exp3", exp3(0.1));

    worlds.changing("epsilon 0.05", epsilon_greedy(0.05));
    worlds.changing("KLUCB", without_seed<KLUCB>());
    for (const double discount : {1.0, 0.9999, 0.999, 0.99}) {
        worlds.changing("ThompsonBeta discount " + text_of(discount), thompson(discount));
    }
    worlds.changing("Exp3", exp3(0.1));

    worlds.adversarial("epsilon 0.05", epsilon_greedy(0.05));
    worlds.adversarial("UCB1", without_seed<UCB1>());
    worlds.adversarial("KLUCB", without_seed<KLUCB>());
    worlds.adversarial("ThompsonBeta", thompson());
    worlds.adversarial("Exp3", exp3(0.1));

    worlds.batched("epsilon 0.05", epsilon_greedy(0.05));
    worlds.batched("UCB1", without_seed<UCB1>());
    worlds.batched("KLUCB", without_seed<KLUCB>());
    worlds.batched("ThompsonBeta", thompson());

    worlds.slates(
        "UCB1 exploration 1.5", [](std::size_t arms, std::uint64_t) { return UCB1(arms, {.exploration = 1.5}); }, true);
    worlds.slates("KLUCB", without_seed<KLUCB>(), true);
    worlds.slates("ThompsonBeta", thompson(), true);
    worlds.slates("KLUCB, all places", without_seed<KLUCB>(), false);
    worlds.slates("ThompsonBeta, all places", thompson(), false);

    worlds.best_of_items();
    worlds.new_items("Beta(1, 1)", thompson());
    worlds.new_items("Beta(2, 48)", thompson(1.0, 2.0, 48.0));
    worlds.new_items("Beta(0.04, 0.96)", thompson(1.0, 0.04, 0.96));
    worlds.new_items("Beta(1, 99)", thompson(1.0, 1.0, 99.0));
    worlds.new_items("epsilon 0.05", epsilon_greedy(0.05));
    worlds.new_items("UCB1", without_seed<UCB1>());

    worlds.contextual("ThompsonBeta", thompson());
    for (const double alpha : {0.25, 1.0}) {
        worlds.contextual("LinUCB alpha " + text_of(alpha), [=](std::size_t arms, std::uint64_t /*seed*/) {
            return LinUCB(arms, ContextWorld::dimension, {.alpha = alpha});
        });
    }
    for (const double scale : {0.25, 1.0}) {
        worlds.contextual("LinTS scale " + text_of(scale), [=](std::size_t arms, std::uint64_t seed) {
            return LinTS(arms, ContextWorld::dimension, {.scale = scale, .seed = seed});
        });
    }
    worlds.contextual("SquareCB", [](std::size_t arms, std::uint64_t seed) {
        return SquareCB(arms, ContextWorld::dimension, {.seed = seed});
    });

    worlds.off_policy();
    return report.finish();
}
