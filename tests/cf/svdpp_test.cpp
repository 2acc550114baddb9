// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/svdpp.hpp>

#include "cf/random_log.hpp"
#include "support/backends.hpp"
#include "support/model_contract.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::Random;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using Numbers = std::vector<double>;
using Rows = std::vector<Numbers>;

// The definition, in double and one number after the other: each step changes all y of the user.
struct SlowSVDpp {
    double rate;
    double regularisation;
    double mean;
    Rows users;     // (p, b_u)
    Rows items;     // (q, b_i)
    Rows implicit;  // y

    [[nodiscard]] Numbers sum_of(const Ids& history) const {
        Numbers sum(implicit[0].size());
        for (const std::uint32_t j : history) {
            for (std::size_t f = 0; f < sum.size(); ++f) {
                sum[f] += implicit[j][f] / std::sqrt(static_cast<double>(history.size()));
            }
        }
        return sum;
    }
    [[nodiscard]] double error_of(std::size_t user, const Ids& history, std::uint32_t item, double rating) const {
        const Numbers sum = sum_of(history);
        double error = rating - mean - users[user].back() - items[item].back();
        for (std::size_t f = 0; f < sum.size(); ++f) {
            error -= items[item][f] * (users[user][f] + sum[f]);
        }
        return error;
    }
    void step(std::size_t user, const Ids& history, std::uint32_t item, double rating, bool is_rest_fixed) {
        const Numbers sum = sum_of(history);
        const double error = error_of(user, history, item, rating);
        const Numbers p = users[user];
        const Numbers q = items[item];
        const std::size_t n = sum.size();
        for (std::size_t f = 0; f <= n; ++f) {
            users[user][f] += rate * (error * (f < n ? q[f] : 1.0) - regularisation * p[f]);
            if (!is_rest_fixed) {
                items[item][f] += rate * (error * (f < n ? p[f] + sum[f] : 1.0) - regularisation * q[f]);
            }
        }
        for (std::size_t k = 0; k < history.size() && !is_rest_fixed; ++k) {
            Numbers& y = implicit[history[k]];
            for (std::size_t f = 0; f < n; ++f) {
                y[f] += rate * (error * q[f] / std::sqrt(static_cast<double>(history.size())) - regularisation * y[f]);
            }
        }
    }
};

// The ratings of a log, by user and item.
struct Ratings {
    std::vector<Ids> items;
    Rows values;
    double mean = 0.0;

    explicit Ratings(const funnel::data::Interactions& log) : items(log.users()), values(log.users()) {
        for (std::size_t user = 0; user < log.users(); ++user) {
            for (std::uint32_t item = 0; item < log.items(); ++item) {
                for (const auto& row : log) {
                    if (row.user == user && row.item == item) {
                        items[user].push_back(item);
                        values[user].push_back(double{row.value});
                        mean += double{row.value} / static_cast<double>(log.size());
                    }
                }
            }
        }
    }
};

}  // namespace

TEST_CASE("SVDpp: keeps what every model promises") {
    testing::check_model<SVDpp>({.factors = 5, .epochs = 3});
    testing::check_model<BasicSVDpp<funnel::kernels::Scalar>>({.factors = 1, .epochs = 0, .fold_in_epochs = 1});
}

// One rating of a user with two items, one factor: p = .2, y = (.3, .1), s = .4 / sqrt 2 = .282843; q_0 = .5, biases 0.
// Rating 1 above the mean: error = 1 - .5 (.2 + .282843) = .758579. Rate .1, no regularisation:
// p' = .2 + .1 .758579 .5 = .237929, q_0' = .5 + .1 .758579 .482843 = .536628,
// y_j' = y_j + .1 .758579 .5 / sqrt 2 = y_j + .026820. Then rating 0 of item 1 with q_1 = 0: its error is
// 0 - b_u' = -.0758579; only b_u, b_1 and q_1 change: q_1' = .1 (-.0758579) (p' + s'), s' = .282843 + .037929.
TEST_CASE_TEMPLATE_DEFINE("SVDpp: the steps of one user worked by hand", Backend, svdpp_by_hand) {
    Matrix<float> items(2, 2);
    items(0, 0) = 0.5F;
    Matrix<float> implicit(2, 1);
    implicit(0, 0) = 0.3F;
    implicit(1, 0) = 0.1F;
    std::vector<float> user{0.2F, 0.0F};
    const Ids history{0, 1};
    const std::vector<float> values{4.0F, 3.0F};
    detail::SVDppUser<Backend>(1, 0.1F, 0.0F).learn({history, values}, 3.0F, user, items, implicit);
    const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-5); };
    CHECK(double{user[0]} == near(0.237929));
    CHECK(double{user[1]} == near(0.0758579 - 0.00758579));
    CHECK(double{items(0, 0)} == near(0.536628));
    CHECK(double{items(0, 1)} == near(0.0758579));
    CHECK(double{items(1, 0)} == near(-0.00758579 * (0.237929 + 0.282843 + 0.037929)));
    CHECK(double{items(1, 1)} == near(-0.00758579));
    CHECK(double{implicit(0, 0)} == near(0.326820));
    CHECK(double{implicit(1, 0)} == near(0.126820));
}
TEST_CASE_TEMPLATE_APPLY(svdpp_by_hand, testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("SVDpp: a step goes down the gradient of the loss, by central differences", Backend,
                          svdpp_gradient) {
    for (const std::size_t n : {1U, 3U, 16U, 21U}) {
        // One user with one rating: all that a step changes. x holds p, b_u, q, b_i, y.
        Random random(n);
        Numbers x(3 * n + 2);
        for (double& number : x) {
            number = 0.3 * random.normal();
        }
        const auto loss = [&](const Numbers& at) {
            double error = 0.7 - at[n] - at[2 * n + 1];
            double squares = 0.0;
            for (std::size_t f = 0; f < n; ++f) {
                error -= at[n + 1 + f] * (at[f] + at[2 * n + 2 + f]);
            }
            for (const double number : at) {
                squares += number * number;
            }
            return 0.5 * error * error + 0.5 * 0.05 * squares;
        };
        std::vector<float> user(n + 1);
        Matrix<float> items(1, n + 1);
        Matrix<float> implicit(1, n);
        for (std::size_t f = 0; f <= n; ++f) {
            user[f] = static_cast<float>(x[f]);
            items(0, f) = static_cast<float>(x[n + 1 + f]);
        }
        for (std::size_t f = 0; f < n; ++f) {
            implicit(0, f) = static_cast<float>(x[2 * n + 2 + f]);
        }
        const Ids history{0};
        const std::vector<float> values{3.7F};
        constexpr float rate = 0.1F;
        detail::SVDppUser<Backend>(n, rate, 0.05F).learn({history, values}, 3.0F, user, items, implicit);
        for (std::size_t at = 0; at < x.size(); ++at) {
            Numbers more = x;
            Numbers less = x;
            more[at] += 1e-5;
            less[at] -= 1e-5;
            const double gradient = (loss(more) - loss(less)) / 2e-5;
            const float after = at <= n           ? user[at]
                                : at <= 2 * n + 1 ? items(0, at - n - 1)
                                                  : implicit(0, at - 2 * n - 2);
            CHECK(double{after} == doctest::Approx(x[at] - double{rate} * gradient).epsilon(1e-5));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(svdpp_gradient, testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("SVDpp: steps of a user together are the steps of the definition, one after the other",
                          Backend, svdpp_oracle) {
    constexpr std::size_t users = 15;
    constexpr std::size_t items = 20;
    const auto log = testing::random_log(users, items, 0.4, 8);
    const Ratings ratings(log);
    const auto drawn = [&](std::size_t rows, std::size_t columns, funnel::Stream draws) {
        Rows result(rows, Numbers(columns));
        for (std::size_t row = 0; row < rows; ++row) {
            Random random(7, draws, row);
            for (std::size_t f = 0; f < 5; ++f) {
                result[row][f] = 0.3 * random.normal();
            }
        }
        return result;
    };
    SlowSVDpp slow{.rate = 0.03,
                   .regularisation = 0.04,
                   .mean = ratings.mean,
                   .users = drawn(users, 6, funnel::stream("svdpp.users")),
                   .items = drawn(items, 6, funnel::stream("svdpp.items")),
                   .implicit = drawn(items, 5, funnel::stream("svdpp.implicit"))};
    const auto pass = [&](bool is_rest_fixed) {
        for (std::size_t user = 0; user < users; ++user) {
            for (std::size_t i = 0; i < ratings.items[user].size(); ++i) {
                slow.step(user, ratings.items[user], ratings.items[user][i], ratings.values[user][i], is_rest_fixed);
            }
        }
    };
    const auto descend = [&](std::size_t epochs) {
        for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
            pass(false);
        }
        slow.users = Rows(users, Numbers(6));
        for (std::size_t epoch = 0; epoch < 4; ++epoch) {
            pass(true);
        }
    };
    RatingFactorsOptions options{.factors = 5,
                                 .epochs = 6,
                                 .learning_rate = 0.03F,
                                 .regularisation = 0.04F,
                                 .stddev = 0.3F,
                                 .fold_in_epochs = 4,
                                 .seed = 7};
    auto model = BasicSVDpp<Backend>::fit(log, options);
    const auto check = [&] {
        const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-4).scale(1.0); };
        for (std::size_t item = 0; item < items; ++item) {
            for (std::size_t f = 0; f <= 5; ++f) {
                CHECK(double{model.item_factors()(item, f)} == near(slow.items[item][f]));
                if (f < 5) {
                    CHECK(double{model.implicit_factors()(item, f)} == near(slow.implicit[item][f]));
                }
            }
        }
        for (std::size_t user = 0; user < users; ++user) {
            const Numbers sum = slow.sum_of(ratings.items[user]);
            for (std::size_t f = 0; f <= 5; ++f) {
                CHECK(double{model.user_factors()(user, f)} == near(slow.users[user][f] + (f < 5 ? sum[f] : 0.0)));
            }
            for (std::uint32_t item = 0; item < items; ++item) {
                const double score = -slow.error_of(user, ratings.items[user], item, 0.0);
                CHECK(double{model.score(user, Ids{item})[0]} == near(score));
            }
        }
    };
    descend(6);
    check();
    options.epochs = 1;  // from the vectors of the users without the sum of the y
    model.update(log, options);
    descend(1);
    check();
}
TEST_CASE_TEMPLATE_APPLY(svdpp_oracle, testing::HostBackends);

TEST_CASE("SVDpp: a new user with no more than the items, all rated average, gets another list than nobody") {
    const auto log = testing::random_log(60, 30, 0.3, 2);
    const auto model = SVDpp::fit(log, {.factors = 4, .epochs = 60, .regularisation = 0.02F});
    const Ids history{1, 4, 9};
    const std::vector<float> average(3, model.mean());
    const auto user = model.fold_in(history, average);
    const auto nobody = model.fold_in({});
    CHECK(user.score(Ids{2, 3, 5}) != nobody.score(Ids{2, 3, 5}));
}
