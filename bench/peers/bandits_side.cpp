// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/bandits.py: beta draws, decisions, rewards and propensities, without context and with one.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/bandits/epsilon_greedy.hpp>
#include <funnel/bandits/lin_ts.hpp>
#include <funnel/bandits/lin_ucb.hpp>
#include <funnel/bandits/propensities.hpp>
#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/kernels/beta.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

// The time of one of `times` calls of work(i).
template <class Work>
Side::Answer time_of_each(std::size_t times, const Work& work) {
    Side::Answer time = Side::timed([&] {
        for (std::size_t i = 0; i < times; ++i) {
            work(i);
        }
    });
    for (auto& [clock, seconds] : time) {
        seconds /= static_cast<double>(times);
    }
    return time;
}

void write_row(const std::string& path, const std::vector<double>& values) {
    Matrix<double> row(1, values.size());
    std::copy(values.begin(), values.end(), row.row(0).begin());
    io::write_npy(path, row);
}

// How often each arm is the choice of `times` calls of choose().
template <class Choose>
void write_choices(const Side::Arguments& arguments, std::size_t arms, const Choose& choose) {
    std::vector<double> counts(arms, 0.0);
    for (std::size_t i = 0; i < arguments.number("times"); ++i) {
        counts[choose()] += 1.0;
    }
    write_row(arguments.text("path"), counts);
}

/// Rewards in the order in which they arrive.
struct Events {
    Matrix<std::uint32_t> arms;  // 1 x m
    Matrix<float> rewards;       // 1 x m
    Matrix<float> contexts;      // m x d

    [[nodiscard]] std::size_t size() const { return arms.cols(); }

    template <class Policy>
    void teach(Policy& policy, std::size_t event) const {
        policy.update(arms(0, event), static_cast<double>(rewards(0, event)));
    }
    template <class Policy>
    void teach_in_context(Policy& policy, std::size_t event) const {
        policy.update(arms(0, event), contexts.row(event), rewards(0, event));
    }
};

// beta_draws and best: distributions with the shapes in the first and the second row.
void serve_distributions(Side& side, Matrix<double>& shapes) {
    side.on("shapes", [&](const Side::Arguments& arguments) -> Side::Answer {
        shapes = io::read_npy<double>(arguments.text("path"));
        require(shapes.rows() == 2, "shapes: there must be two rows");
        return {{"distributions", static_cast<double>(shapes.cols())}};
    });
    // A row of draws for each of `times` steps; without a path, they are not written.
    side.on("beta", [&](const Side::Arguments& arguments) {
        const std::vector<float> a(shapes.row(0).begin(), shapes.row(0).end());
        const std::vector<float> b(shapes.row(1).begin(), shapes.row(1).end());
        std::vector<float> out(shapes.cols());
        return time_of_each(arguments.number("times"), [&](std::size_t step) {
            kernels::beta(a, b, {1, 2}, step, out);
            bench::keep(out);
        });
    });
    side.on("beta_draws", [&](const Side::Arguments& arguments) -> Side::Answer {
        const std::vector<float> a(shapes.row(0).begin(), shapes.row(0).end());
        const std::vector<float> b(shapes.row(1).begin(), shapes.row(1).end());
        Matrix<float> draws(arguments.number("times"), shapes.cols());
        for (std::size_t step = 0; step < draws.rows(); ++step) {
            kernels::beta(a, b, {1, 2}, step, draws.row(step));
        }
        io::write_npy(arguments.text("path"), draws);
        return {};
    });
    side.on("best", [&](const Side::Arguments& arguments) {
        return time_of_each(arguments.number("times"), [&](std::size_t) {
            bench::keep(bandits::beta_top_k_probabilities(shapes.row(0), shapes.row(1), 1));
        });
    });
    side.on("best_write", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_row(arguments.text("path"), bandits::beta_top_k_probabilities(shapes.row(0), shapes.row(1), 1));
        return {};
    });
}

}  // namespace

int main() {
    Side side;
    Matrix<double> shapes;
    serve_distributions(side, shapes);

    Events events;
    side.on("events", [&](const Side::Arguments& arguments) -> Side::Answer {
        events.arms = io::read_npy<std::uint32_t>(arguments.text("arms"));
        events.rewards = io::read_npy<float>(arguments.text("rewards"));
        events.contexts = io::read_npy<float>(arguments.text("contexts"));
        require(events.rewards.cols() == events.size() && events.contexts.rows() == events.size(), "events: sizes");
        return {{"events", static_cast<double>(events.size())}};
    });

    // Policies without context. Each command that learns begins with a new policy.
    std::optional<bandits::ThompsonBeta> thompson;
    std::optional<bandits::EpsilonGreedy> greedy;
    side.on("thompson_learn", [&](const Side::Arguments& arguments) {
        thompson.emplace(arguments.number("arms"));
        return time_of_each(events.size(), [&](std::size_t event) { events.teach(*thompson, event); });
    });
    side.on("thompson_select", [&](const Side::Arguments& arguments) {
        return time_of_each(arguments.number("times"), [&](std::size_t) { bench::keep(thompson.value().select(1)); });
    });
    side.on("thompson_choices", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_choices(arguments, thompson.value().arms(), [&] { return thompson->select(1).front(); });
        return {};
    });
    side.on("thompson_propensities", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_row(arguments.text("path"), thompson.value().propensities());
        return {};
    });
    side.on("thompson_posterior", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<double> posterior(2, thompson.value().arms());
        for (std::size_t arm = 0; arm < thompson->arms(); ++arm) {
            posterior(0, arm) = thompson->alpha(arm);
            posterior(1, arm) = thompson->beta(arm);
        }
        io::write_npy(arguments.text("path"), posterior);
        return {};
    });
    side.on("greedy_learn", [&](const Side::Arguments& arguments) {
        greedy.emplace(arguments.number("arms"),
                       bandits::EpsilonGreedyOptions{.epsilon = std::stod(arguments.text("epsilon"))});
        return time_of_each(events.size(), [&](std::size_t event) { events.teach(*greedy, event); });
    });
    side.on("greedy_select", [&](const Side::Arguments& arguments) {
        return time_of_each(arguments.number("times"), [&](std::size_t) { bench::keep(greedy.value().select(1)); });
    });
    side.on("greedy_choices", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_choices(arguments, greedy.value().arms(), [&] { return greedy->select(1).front(); });
        return {};
    });
    side.on("greedy_propensities", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_row(arguments.text("path"), greedy.value().propensities());
        return {};
    });

    // Policies with a context. They decide in the contexts of "questions".
    std::optional<bandits::LinUCB> lin_ucb;
    std::optional<bandits::LinTS> lin_ts;
    Matrix<float> questions;
    side.on("questions", [&](const Side::Arguments& arguments) -> Side::Answer {
        questions = io::read_npy<float>(arguments.text("path"));
        return {{"questions", static_cast<double>(questions.rows())}};
    });
    side.on("lin_ucb_learn", [&](const Side::Arguments& arguments) {
        lin_ucb.emplace(arguments.number("arms"), events.contexts.cols());
        return time_of_each(events.size(), [&](std::size_t event) { events.teach_in_context(*lin_ucb, event); });
    });
    side.on("lin_ucb_select", [&](const Side::Arguments& arguments) {
        return time_of_each(arguments.number("times"), [&](std::size_t i) {
            bench::keep(lin_ucb.value().select(questions.row(i % questions.rows())));
        });
    });
    // The choice in each of the contexts.
    side.on("lin_ucb_choices", [&](const Side::Arguments& arguments) -> Side::Answer {
        std::vector<double> choices(questions.rows());
        for (std::size_t i = 0; i < choices.size(); ++i) {
            choices[i] = static_cast<double>(lin_ucb.value().select(questions.row(i)));
        }
        write_row(arguments.text("path"), choices);
        return {};
    });
    side.on("lin_ts_learn", [&](const Side::Arguments& arguments) {
        lin_ts.emplace(arguments.number("arms"), events.contexts.cols(), bandits::LinTSOptions{.scale = 1.0});
        return time_of_each(events.size(), [&](std::size_t event) { events.teach_in_context(*lin_ts, event); });
    });
    side.on("lin_ts_select", [&](const Side::Arguments& arguments) {
        return time_of_each(arguments.number("times"), [&](std::size_t i) {
            bench::keep(lin_ts.value().select(questions.row(i % questions.rows())));
        });
    });
    // In the first context.
    side.on("lin_ts_choices", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_choices(arguments, lin_ts.value().arms(), [&] { return lin_ts->select(questions.row(0)); });
        return {};
    });
    side.on("lin_ts_propensities", [&](const Side::Arguments& arguments) -> Side::Answer {
        write_row(arguments.text("path"), lin_ts.value().propensities(questions.row(0)));
        return {};
    });
    // Draws of the coefficients of the first arm.
    side.on("lin_ts_draw", [&](const Side::Arguments& arguments) {
        return time_of_each(arguments.number("times"),
                            [&](std::size_t number) { bench::keep(lin_ts.value().draw(0, number)); });
    });
    side.on("lin_ts_draws", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<float> draws(arguments.number("times"), lin_ts.value().dimension());
        for (std::size_t number = 0; number < draws.rows(); ++number) {
            const auto drawn = lin_ts->draw(0, number);
            std::copy(drawn.begin(), drawn.end(), draws.row(number).begin());
        }
        io::write_npy(arguments.text("path"), draws);
        return {};
    });
    return side.serve();
}
