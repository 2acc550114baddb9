// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/feature_factors.hpp>

#include "support/backends.hpp"

#include <funnel/cf/bpr.hpp>
#include <funnel/cf/sampled_rows.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

using funnel::CSRMatrix;
using funnel::Matrix;
using funnel::Random;
using funnel::Serial;
using funnel::Triplet;
using funnel::cf::FeatureDescentOptions;
using funnel::cf::FeatureFactors;
namespace testing = funnel::testing;

namespace {

using Entries = std::vector<Triplet<float>>;
using Numbers = std::vector<double>;

constexpr funnel::Stream purpose = funnel::stream("feature_factors_test");

double sum_of_products(const Numbers& a, const Numbers& b) {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

}  // namespace

// Two rows of one column. Feature 0 is 1 of row 0 and 2 of row 1; feature 1 is 1 of row 1. Rows take 1 and 3 steps per
// round. Bounds: a_0 = 1 * 1 * 1 + 3 * 2 * 3 = 19, a_1 = 3 * 1 * 3 = 9. With most_steps = 9.5, the shares are 1/2 and 1.
// The round adds .1 to row 0 and .2 to row 1: e_0 moves by (1 * .1 + 2 * .2) / 2 = .25, e_1 by .2; so row 0 moves by
// .1 + .25 = .35, and row 1 by .2 + 2 * .25 + .2 = .9.
TEST_CASE_TEMPLATE_DEFINE("FeatureFactors: one round worked by hand", Backend, feature_factors_by_hand) {
    const CSRMatrix<float> features(Entries{{0, 0, 1.0F}, {1, 0, 2.0F}, {1, 1, 1.0F}}, 2, 2);
    for (const bool keep_own_rows : {true, false}) {
        Matrix<float> rows(2, 2);
        rows(0, 0) = 5.0F;
        rows(1, 0) = 6.0F;
        Serial serial;
        FeatureFactors<Backend> learner(
            features, rows, Numbers{1.0, 3.0}, {},
            {.factors = 1, .most_steps = 9.5F, .keep_own_rows = keep_own_rows, .stream = purpose}, serial);
        const float first = rows(0, 0);
        const float second = rows(1, 0);
        rows(0, 0) += 0.1F;
        rows(1, 0) += 0.2F;
        learner.end_round(serial);
        CHECK(rows(0, 0) - first == doctest::Approx(keep_own_rows ? 0.35 : 0.25).epsilon(1e-5));
        CHECK(rows(1, 0) - second == doctest::Approx(keep_own_rows ? 0.9 : 0.7).epsilon(1e-5));
        CHECK(rows(0, 1) == 0.0F);  // what is not drawn starts at 0
        const Matrix<float> factors = std::move(learner).factors();
        const float own = keep_own_rows ? 1.0F : 0.0F;
        CHECK(rows(0, 0) == doctest::Approx(own * 5.1F + factors(0, 0)).epsilon(1e-5));
        CHECK(rows(1, 0) == doctest::Approx(own * 6.2F + 2.0F * factors(0, 0) + factors(1, 0)).epsilon(1e-5));
    }
}
TEST_CASE_TEMPLATE_APPLY(feature_factors_by_hand, testing::HostBackends);

// A step of BPR on a user, a like and a negative, whose rows are sums of own rows and features that they share.
TEST_CASE_TEMPLATE_DEFINE(
    "FeatureFactors: a round of one step goes down the gradient of the loss, by central differences", Backend,
    feature_factors_gradient) {
    constexpr double rate = 0.05;
    constexpr double regularisation = 0.1;
    for (const std::size_t n : {1U, 5U, 19U}) {
        const CSRMatrix<float> of_items(Entries{{0, 0, 0.5F}, {0, 1, -1.5F}, {1, 1, 0.7F}, {1, 2, 1.0F}, {0, 2, 0.25F}},
                                        2, 3);
        const CSRMatrix<float> of_users(Entries{{0, 0, 0.8F}, {0, 1, -0.3F}}, 1, 2);
        Matrix<float> users(1, n + 1);
        Matrix<float> items(2, n + 1);
        Random random(n);
        for (std::size_t f = 0; f < n; ++f) {
            users(0, f) = static_cast<float>(0.3 * random.normal());
            items(0, f) = static_cast<float>(0.3 * random.normal());
            items(1, f) = static_cast<float>(0.3 * random.normal());
        }
        users(0, n) = 1.0F;
        const Matrix<float> own_user = users;
        const Matrix<float> own_items = items;
        Serial serial;
        const FeatureDescentOptions options{.factors = n, .stddev = 1.0F, .stream = purpose};
        const auto learner_of = [&](const CSRMatrix<float>& features, Matrix<float>& rows) {
            return FeatureFactors<Backend>(features, rows, Numbers(rows.rows(), 1.0), {}, options, serial);
        };
        auto user_side = learner_of(of_users, users);
        auto item_side = learner_of(of_items, items);
        // The features before the step: those of a second learner, with the same draws.
        Matrix<float> scratch_users = own_user;
        Matrix<float> scratch_items = own_items;
        const Matrix<float> old_users = std::move(learner_of(of_users, scratch_users)).factors();
        const Matrix<float> old_items = std::move(learner_of(of_items, scratch_items)).factors();

        const std::vector<std::uint32_t> group{0, 1};
        const std::vector<std::uint8_t> is_positive{1, 0};
        funnel::cf::detail::TrainedRow<Backend> row(items, group, is_positive, static_cast<float>(rate),
                                                    static_cast<float>(regularisation), random);
        row.start(users.row(0), 1);
        funnel::cf::BPRLoss({}, 2).learn(row, 0);
        user_side.end_round(serial);
        item_side.end_round(serial);
        const Matrix<float> new_users = std::move(user_side).factors();
        const Matrix<float> new_items = std::move(item_side).factors();

        // The loss of features: x holds those of the users, then those of the items.
        const auto sum_of = [n](const CSRMatrix<float>& features, std::size_t i, const Matrix<float>& own,
                                const Numbers& x, std::size_t first) {
            Numbers sum(own.row(i).begin(), own.row(i).end());
            const auto entries = features.row(i);
            for (std::size_t at = 0; at < entries.size(); ++at) {
                for (std::size_t f = 0; f <= n; ++f) {
                    sum[f] += double{entries.values[at]} * x[(first + entries.columns[at]) * (n + 1) + f];
                }
            }
            return sum;
        };
        const auto loss = [&](const Numbers& x) {
            const Numbers u = sum_of(of_users, 0, own_user, x, 0);
            const Numbers a = sum_of(of_items, 0, own_items, x, 2);
            const Numbers b = sum_of(of_items, 1, own_items, x, 2);
            const double lead = sum_of_products(u, a) - sum_of_products(u, b);
            const double squares = sum_of_products(u, u) + sum_of_products(a, a) + sum_of_products(b, b);
            return std::log1p(std::exp(-lead)) + 0.5 * regularisation * squares;
        };
        Numbers x;
        Numbers after;
        for (const auto* part : {&old_users, &old_items}) {
            for (std::size_t i = 0; i < part->rows(); ++i) {
                x.insert(x.end(), part->row(i).begin(), part->row(i).end());
            }
        }
        for (const auto* part : {&new_users, &new_items}) {
            for (std::size_t i = 0; i < part->rows(); ++i) {
                after.insert(after.end(), part->row(i).begin(), part->row(i).end());
            }
        }
        for (std::size_t at = 0; at < x.size(); ++at) {
            if (at < 2 * (n + 1) && at % (n + 1) == n) {
                CHECK(after[at] == 0.0);  // users have no biases
                continue;
            }
            Numbers more = x;
            Numbers less = x;
            more[at] += 1e-5;
            less[at] -= 1e-5;
            const double gradient = (loss(more) - loss(less)) / 2e-5;
            CHECK(after[at] == doctest::Approx(x[at] - rate * gradient).epsilon(1e-5));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(feature_factors_gradient, testing::HostBackends);

TEST_CASE("FeatureFactors: a feature that no row with steps has stays 0") {
    // Row 1 takes no steps, so feature 1 learns nothing; feature 2 has no row at all; feature 3 has the value 0.
    const CSRMatrix<float> features(Entries{{0, 0, 1.0F}, {1, 1, 1.0F}, {1, 0, 1.0F}, {0, 3, 0.0F}}, 2, 4);
    Matrix<float> rows(2, 3);
    Serial serial;
    FeatureFactors<funnel::kernels::Scalar> learner(features, rows, Numbers{2.0, 0.0}, {},
                                                    {.factors = 2, .stream = purpose}, serial);
    rows(0, 0) += 1.0F;
    learner.end_round(serial);
    CHECK(std::ranges::equal(rows.row(0), rows.row(1)) == false);  // row 0 has its own step, too
    const Matrix<float> factors = std::move(learner).factors();
    CHECK(std::ranges::equal(rows.row(1), factors.row(0)));
    for (const std::size_t feature : {1U, 2U, 3U}) {
        CHECK(std::ranges::count(factors.row(feature), 0.0F) == 3);
    }
}

TEST_CASE("FeatureFactors: known factors take the place of drawn ones; those that are zero or missing are drawn") {
    const CSRMatrix<float> features(Entries{{0, 0, 1.0F}, {0, 1, 2.0F}, {1, 2, 1.0F}}, 2, 3);
    Matrix<float> known(2, 2);
    known(0, 0) = 7.0F;
    Serial serial;
    const auto learned = [&](const Matrix<float>& before, Matrix<float>& rows) {
        return FeatureFactors<funnel::kernels::Scalar>(features, rows, Numbers{1.0, 1.0}, before,
                                                       {.factors = 2, .stream = purpose}, serial)
            .factors();
    };
    Matrix<float> drawn_rows(2, 2);
    Matrix<float> rows(2, 2);
    const Matrix<float> drawn = learned({}, drawn_rows);
    const Matrix<float> factors = learned(known, rows);
    CHECK(std::ranges::equal(factors.row(0), known.row(0)));
    CHECK(std::ranges::equal(factors.row(1), drawn.row(1)));
    CHECK(std::ranges::equal(factors.row(2), drawn.row(2)));
    CHECK(rows(0, 1) == 2.0F * drawn(1, 1));
    CHECK(rows(0, 0) == doctest::Approx(7.0F + 2.0F * drawn(1, 0)));
}

TEST_CASE("FeatureFactors: a frequent feature takes most_steps times the mean of the steps, however many there are") {
    for (const std::size_t n : {100U, 10'000U}) {
        Entries entries;
        for (std::uint32_t i = 0; i < n; ++i) {
            entries.push_back({i, 0, 1.0F});
        }
        const CSRMatrix<float> features(entries, n, 1);
        Matrix<float> rows(n, 1);
        Serial serial;
        FeatureFactors<funnel::kernels::DefaultBackend> learner(
            features, rows, Numbers(n, 4.0), {}, {.factors = 1, .most_steps = 32.0F, .stream = purpose}, serial);
        const float before = rows(0, 0);
        for (std::size_t i = 0; i < n; ++i) {
            rows(i, 0) += 4.0F * 0.001F;  // 4 steps of .001 each
        }
        learner.end_round(serial);
        CHECK(rows(0, 0) - before == doctest::Approx(0.004 + 32 * 0.001).epsilon(1e-3));
    }
}
