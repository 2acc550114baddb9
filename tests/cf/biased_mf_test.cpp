// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/biased_mf.hpp>

#include "cf/random_log.hpp"
#include "support/backends.hpp"
#include "support/model_contract.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Random;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Numbers = std::vector<double>;
using Rows = std::vector<Numbers>;

// (r - b_u - b_i - p . q)^2 / 2 and its regularisation; x holds p, b_u, q, b_i.
double loss(const Numbers& x, std::size_t n, double rating, double regularisation) {
    double error = rating - x[n] - x[2 * n + 1];
    double squares = 0.0;
    for (std::size_t f = 0; f < n; ++f) {
        error -= x[f] * x[n + 1 + f];
    }
    for (const double number : x) {
        squares += number * number;
    }
    return 0.5 * error * error + 0.5 * regularisation * squares;
}

struct Rating {
    std::size_t user;
    std::size_t item;
    double value;
};

// Descent in double, one number after the other; then each user anew, with the items fixed. Rows end with a bias.
struct SlowMF {
    double mean = 0.0;
    Rows users;
    Rows items;

    void step(const Rating& rating, double rate, double regularisation, bool is_item_fixed) {
        const Numbers p = users[rating.user];
        const Numbers q = items[rating.item];
        const std::size_t n = p.size() - 1;
        double error = rating.value - mean - p[n] - q[n];
        for (std::size_t f = 0; f < n; ++f) {
            error -= p[f] * q[f];
        }
        for (std::size_t f = 0; f <= n; ++f) {
            users[rating.user][f] += rate * (error * (f < n ? q[f] : 1.0) - regularisation * p[f]);
            if (!is_item_fixed) {
                items[rating.item][f] += rate * (error * (f < n ? p[f] : 1.0) - regularisation * q[f]);
            }
        }
    }
};

}  // namespace

TEST_CASE("BiasedMF: keeps what every model promises") {
    testing::check_model<BiasedMF>({.factors = 5, .epochs = 3});
    testing::check_model<BasicBiasedMF<funnel::kernels::Scalar>>({.factors = 1, .epochs = 0, .fold_in_epochs = 1});
}

// mean 3.5, b_u = .1, b_i = -.2, p = (.1, .2), q = (.3, -.1), rating 4, rate .01, regularisation .02:
// error = 4 - 3.5 - .1 + .2 - (.03 - .02) = .59;  b_u' = .1 + .01 (.59 - .02 .1), p' = p + .01 (.59 q - .02 p), ...
TEST_CASE_TEMPLATE_DEFINE("BiasedMF: one step worked by hand, all from the old values", Backend, biased_mf_by_hand) {
    std::vector<float> user{0.1F, 0.2F, 0.1F};
    std::vector<float> item{0.3F, -0.1F, -0.2F};
    detail::rating_step<Backend>(4.0F - 3.5F, 0.01F, 1.0F - 0.01F * 0.02F, user, item);
    const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-6); };
    CHECK(double{user[0]} == near(0.10175));
    CHECK(double{user[1]} == near(0.19937));
    CHECK(double{user[2]} == near(0.10588));
    CHECK(double{item[0]} == near(0.30053));
    CHECK(double{item[1]} == near(-0.09880));
    CHECK(double{item[2]} == near(-0.19406));
}
TEST_CASE_TEMPLATE_APPLY(biased_mf_by_hand, testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("BiasedMF: a step goes down the gradient of the loss, by central differences", Backend,
                          biased_mf_gradient) {
    for (const std::size_t n : {1U, 3U, 16U, 37U}) {
        Random random(n);
        Numbers x(2 * n + 2);
        for (double& number : x) {
            number = 0.3 * random.normal();
        }
        std::vector<float> user(n + 1);
        std::vector<float> item(n + 1);
        for (std::size_t f = 0; f <= n; ++f) {
            user[f] = static_cast<float>(x[f]);
            item[f] = static_cast<float>(x[n + 1 + f]);
        }
        constexpr float rate = 0.1F;
        detail::rating_step<Backend>(0.7F, rate, 1.0F - rate * 0.05F, user, item);
        for (std::size_t at = 0; at < x.size(); ++at) {
            Numbers more = x;
            Numbers less = x;
            more[at] += 1e-5;
            less[at] -= 1e-5;
            const double gradient = (loss(more, n, 0.7, 0.05) - loss(less, n, 0.7, 0.05)) / 2e-5;
            const float after = at <= n ? user[at] : item[at - n - 1];
            CHECK(double{after} == doctest::Approx(x[at] - double{rate} * gradient).epsilon(1e-5));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(biased_mf_gradient, testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("BiasedMF: fit is descent over the ratings, then over those of each user", Backend,
                          biased_mf_oracle) {
    constexpr std::size_t users = 25;
    constexpr std::size_t items = 40;  // one group of the schedule: users and items ascend
    const auto log = testing::random_log(users, items, 0.3, 8);
    const RatingFactorsOptions options{.factors = 5,
                                       .epochs = 6,
                                       .learning_rate = 0.05F,
                                       .regularisation = 0.04F,
                                       .stddev = 0.3F,
                                       .fold_in_epochs = 4,
                                       .seed = 7};
    std::vector<Rating> ratings;
    for (std::uint32_t user = 0; user < users; ++user) {
        for (std::uint32_t item = 0; item < items; ++item) {
            for (const auto& row : log) {
                if (row.user == user && row.item == item) {
                    ratings.push_back({user, item, double{row.value}});
                }
            }
        }
    }
    SlowMF slow;
    const auto drawn = [&](std::size_t rows, funnel::Stream draws) {
        Rows result(rows, Numbers(6));
        for (std::size_t row = 0; row < rows; ++row) {
            Random random(7, draws, row);
            for (std::size_t f = 0; f < 5; ++f) {
                result[row][f] = 0.3 * random.normal();
            }
        }
        return result;
    };
    slow.users = drawn(users, funnel::stream("biased_mf.users"));
    slow.items = drawn(items, funnel::stream("biased_mf.items"));
    for (const Rating& rating : ratings) {
        slow.mean += rating.value / static_cast<double>(ratings.size());
    }
    const std::size_t quarter = (ratings.size() + 3) / 4;  // a rating of each quarter in turn
    for (std::size_t epoch = 0; epoch < 6; ++epoch) {
        for (std::size_t first = 0; first < quarter; ++first) {
            for (std::size_t at = first; at < ratings.size(); at += quarter) {
                slow.step(ratings[at], 0.05, 0.04, false);
            }
        }
    }
    slow.users = Rows(users, Numbers(6));
    for (std::size_t epoch = 0; epoch < 4; ++epoch) {
        for (const Rating& rating : ratings) {
            slow.step(rating, 0.05, 0.04, true);
        }
    }
    const auto model = BasicBiasedMF<Backend>::fit(log, options);
    const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-4).scale(1.0); };
    for (std::size_t item = 0; item < items; ++item) {
        for (std::size_t f = 0; f <= 5; ++f) {
            CHECK(double{model.item_factors()(item, f)} == near(slow.items[item][f]));
        }
    }
    for (std::size_t user = 0; user < users; ++user) {
        for (std::size_t f = 0; f <= 5; ++f) {
            CHECK(double{model.user_factors()(user, f)} == near(slow.users[user][f]));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(biased_mf_oracle, testing::HostBackends);
