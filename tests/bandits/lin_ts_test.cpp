// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/lin_ts.hpp>

#include "bandits/forged_values.hpp"
#include "bandits/linear_world.hpp"
#include "support/backends.hpp"
#include "support/saved_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::bandits::LinTS;
using funnel::bandits::SharedLinTS;
using namespace funnel::testing;

namespace {

LinTS learned(std::size_t arms, std::size_t dimension, std::uint64_t seed = 1, double scale = 0.7) {
    LinTS policy(arms, dimension, {.scale = scale, .lambda = 2.0, .seed = seed});
    const LinearWorld world(arms, dimension, 4);
    for (std::size_t step = 0; step < 40; ++step) {
        const auto x = world.context(step);
        policy.update(step % arms, x, world.reward(step % arms, x, step));
    }
    return policy;
}

SharedLinTS learned_shared(std::size_t dimension) {
    SharedLinTS policy(dimension, {.scale = 0.7});
    const LinearWorld world(1, dimension, 4);
    for (std::size_t step = 0; step < 10; ++step) {
        const auto x = world.context(step);
        policy.update(x, world.reward(0, x, step));
    }
    return policy;
}

Matrix<float> rows_of(const LinearWorld& world, std::size_t rows, std::size_t dimension) {
    Matrix<float> contexts(rows, dimension);
    for (std::size_t i = 0; i < rows; ++i) {
        const auto x = world.context(500 + i);
        std::copy(x.begin(), x.end(), contexts.row(i).begin());
    }
    return contexts;
}

// Pearson's statistic of counts; its mean is the number of cells minus 1, its variance twice that.
double chi_square(const std::vector<std::size_t>& counts, const std::vector<double>& probabilities, std::size_t n) {
    double sum = 0.0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
        const double expected = probabilities[i] * static_cast<double>(n);
        const double difference = static_cast<double>(counts[i]) - expected;
        sum += difference * difference / expected;
    }
    return sum;
}

std::vector<double> answers_of(const LinTS& policy) {
    const std::vector<float> context(policy.dimension(), 0.5F);
    auto more = policy;
    std::vector<double> all{policy.options().scale, policy.options().lambda};
    for (int i = 0; i < 8; ++i) {
        all.push_back(static_cast<double>(more.select(context)));
    }
    for (const auto& estimate : policy.score(context)) {
        all.push_back(estimate.mean);
        all.push_back(estimate.width);
    }
    for (const float element : policy.draw(0, 3)) {
        all.push_back(static_cast<double>(element));
    }
    return all;
}

std::vector<double> answers_of_shared(const SharedLinTS& policy) {
    const auto contexts = rows_of(LinearWorld(1, policy.dimension(), 8), 3, policy.dimension());
    auto more = policy;
    std::vector<double> all{policy.options().scale};
    for (int i = 0; i < 8; ++i) {
        all.push_back(static_cast<double>(more.select(contexts)));
    }
    return all;
}

}  // namespace

// lambda = 1, v = 2, context 1, reward 3 twice: A = 1 + 2 = 3, theta ~ N(6/3, 4/3).
TEST_CASE("LinTS: worked by hand") {
    LinTS policy(1, 1, {.scale = 2.0});
    policy.update(0, std::vector{1.0F}, 3.0F);
    policy.update(0, std::vector{1.0F}, 3.0F);
    double sum = 0.0;
    double squares = 0.0;
    constexpr int n = 20'000;
    for (std::uint64_t number = 0; number < n; ++number) {
        const double theta = static_cast<double>(policy.draw(0, number)[0]);
        sum += theta;
        squares += (theta - 2.0) * (theta - 2.0);
    }
    CHECK(std::abs(sum / n - 2.0) < 4.0 * std::sqrt(4.0 / 3.0 / n));
    CHECK(std::abs(squares / n - 4.0 / 3.0) < 4.0 * 4.0 / 3.0 * std::sqrt(2.0 / n));
    CHECK(policy.propensities(std::vector{1.0F}) == std::vector{1.0});
}

// Mean A^-1 b and covariance v^2 A^-1, checked along x: (x^T theta - mean) / (v width) is standard normal, and values
// along two directions have the covariance v^2 x^T A^-1 y.
TEST_CASE("LinTS: draws have the mean and the covariance of the posterior") {
    constexpr std::size_t d = 5;
    constexpr int n = 40'000;
    const LinTS policy = learned(2, d);
    const LinearWorld world(1, d, 77);
    const auto x = world.context(1);
    const auto y = world.context(2);
    std::vector<float> both(d);
    for (std::size_t j = 0; j < d; ++j) {
        both[j] = x[j] + y[j];
    }
    const auto along_x = policy.score(x)[1];
    const auto along_y = policy.score(y)[1];
    const double w = policy.score(both)[1].width;
    const double cross = 0.5 * (w * w - along_x.width * along_x.width - along_y.width * along_y.width);
    double sum = 0.0;
    double squares = 0.0;
    double products = 0.0;
    for (std::uint64_t number = 0; number < n; ++number) {
        const auto theta = policy.draw(1, number);
        const auto value = [&](const std::vector<float>& z) {
            return std::inner_product(z.begin(), z.end(), theta.begin(), 0.0);
        };
        const double a = (value(x) - along_x.mean) / (0.7 * along_x.width);
        const double b = (value(y) - along_y.mean) / (0.7 * along_y.width);
        sum += a;
        squares += a * a;
        products += a * b;
    }
    const double correlation = cross / (along_x.width * along_y.width);
    CHECK(std::abs(sum / n) < 4.0 / std::sqrt(n));
    CHECK(std::abs(squares / n - 1.0) < 4.0 * std::sqrt(2.0 / n));
    CHECK(std::abs(products / n - correlation) < 4.0 * std::sqrt((1.0 + correlation * correlation) / n));
}

TEST_CASE("LinTS: draws depend on the seed, the arm and the number only") {
    const LinTS policy = learned(3, 4);
    CHECK(policy.draw(1, 5) == policy.draw(1, 5));
    CHECK(policy.draw(1, 5) != policy.draw(1, 6));
    CHECK(policy.draw(1, 5) != policy.draw(2, 5));
    CHECK(policy.draw(1, 5) != learned(3, 4, 2).draw(1, 5));
}

TEST_CASE("LinTS: the same choices for the same seed and history, others for another seed") {
    const std::vector<float> context(4, 0.2F);
    LinTS a = learned(5, 4, 1, 5.0);
    LinTS b = learned(5, 4, 1, 5.0);
    LinTS c = learned(5, 4, 2, 5.0);
    std::vector<std::size_t> from_a;
    std::vector<std::size_t> from_b;
    std::vector<std::size_t> from_c;
    for (int i = 0; i < 200; ++i) {
        from_a.push_back(a.select(context));
        from_b.push_back(b.select(context));
        from_c.push_back(c.select(context));
    }
    CHECK(from_a == from_b);
    CHECK(from_a != from_c);
    CHECK(std::set(from_a.begin(), from_a.end()).size() > 1);
}

TEST_CASE("LinTS: choices come with the probabilities that propensities() gives") {
    constexpr std::size_t n = 100'000;
    LinTS policy = learned(5, 3, 1, 4.0);
    for (const auto& x : {std::vector{0.3F, -0.2F, 0.5F}, std::vector{-0.1F, 0.4F, 0.2F}}) {
        const auto p = policy.propensities(x);
        CHECK(std::accumulate(p.begin(), p.end(), 0.0) == doctest::Approx(1.0).epsilon(1e-12));
        std::vector<std::size_t> counts(5, 0);
        for (std::size_t i = 0; i < n; ++i) {
            ++counts[policy.select(x)];
        }
        CHECK(*std::min_element(p.begin(), p.end()) * n > 5.0);
        CHECK(chi_square(counts, p, n) < 4.0 + 4.0 * std::sqrt(8.0));
    }
}

// P(arm 1 > arm 0) for means 0.5 and 0: the difference is normal with variance w_0^2 + w_1^2.
TEST_CASE("LinTS: propensities of two arms are a normal distribution function") {
    LinTS policy(2, 1);
    policy.update(1, std::vector{1.0F}, 1.0F);  // N(1/2, 1/2); arm 0: N(0, 1)
    const auto p = policy.propensities(std::vector{1.0F});
    CHECK(p[1] == doctest::Approx(0.5 * std::erfc(-0.5 / std::sqrt(1.5) / std::sqrt(2.0))).epsilon(1e-8));
}

TEST_CASE("LinTS: contexts of zeros leave no doubt: the smaller arm") {
    LinTS policy = learned(3, 2);
    const std::vector<float> zeros(2, 0.0F);
    CHECK(policy.propensities(zeros) == std::vector{1.0, 0.0, 0.0});
    CHECK(policy.select(zeros) == 0);
    Matrix<float> contexts(3, 2);
    contexts(2, 0) = 1.0F;
    const auto estimate = policy.score(contexts)[2];
    const auto p = policy.propensities(contexts);
    const double above = 0.5 * std::erfc(-estimate.mean / (0.7 * estimate.width) / std::sqrt(2.0));
    CHECK(p[0] == doctest::Approx(1.0 - above).epsilon(1e-5));
    CHECK(p[1] == 0.0);
    CHECK(p[2] == doctest::Approx(above).epsilon(1e-5));
}

TEST_CASE("LinTS: finds the best arms of a simulated world") {
    const LinearWorld world(8, 6, 2);
    LinTS policy(8, 6, {.scale = 0.3});
    CHECK(share_of_best(policy, world, 3000) > 0.92);
}

TEST_CASE("LinTS: a new arm starts with the prior") {
    LinTS policy = learned(2, 3);
    policy.add_arms(1);
    CHECK(policy.arms() == 3);
    CHECK(policy.score(std::vector{1.0F, 2.0F, 2.0F})[2].width == doctest::Approx(3.0 / std::sqrt(2.0)));
    CHECK(policy.propensities(std::vector{1.0F, 2.0F, 2.0F})[2] > 0.0);
}

TEST_CASE("LinTS: errors say what must hold") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(LinTS(0, 3), InvalidArgument);
    CHECK_THROWS_AS(LinTS(3, 0), InvalidArgument);
    CHECK_THROWS_AS(LinTS(1, 1, {.scale = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(LinTS(1, 1, {.scale = nan}), InvalidArgument);
    CHECK_THROWS_AS(LinTS(1, 1, {.scale = 1e10}), InvalidArgument);
    LinTS policy(2, 2);
    CHECK_THROWS_AS((void)policy.select(std::vector{1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)policy.select(std::vector{1.0F, static_cast<float>(nan)}), InvalidArgument);
    CHECK_THROWS_AS((void)policy.propensities(Matrix<float>(3, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)policy.draw(2, 0), InvalidArgument);
    CHECK_THROWS_AS(policy.update(2, std::vector{1.0F, 1.0F}, 1.0F), InvalidArgument);
    SharedLinTS shared(2);
    CHECK_THROWS_AS((void)shared.select(Matrix<float>(0, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)shared.select(Matrix<float>(2, 1)), InvalidArgument);
    CHECK_THROWS_AS((void)shared.propensities(Matrix<float>(0, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)shared.propensities(Matrix<float>(1, 2), 0), InvalidArgument);
    CHECK_THROWS_AS(SharedLinTS(2, {.scale = -1.0}), InvalidArgument);
}

TEST_CASE("LinTS: saved and loaded, damaged files are rejected") {
    const auto use = [](const LinTS& policy) { return answers_of(policy); };
    LinTS policy = learned(3, 4);
    (void)policy.select(std::vector<float>(4, 1.0F));  // the number of decisions is saved
    check_saved(policy, learned(2, 3, 5), answers_of, use);
    check_saved(learned_shared(3), SharedLinTS(2), answers_of_shared, answers_of_shared);
}

TEST_CASE("LinTS: damage that only a check of the values finds") {
    const ForgedValues<LinTS> forged(learned(2, 3));
    CHECK_FALSE(forged.are_rejected("scale", 0, 0.25));
    CHECK(forged.are_rejected("scale", 0, 0.0));
    CHECK(forged.are_rejected("scale", 0, 1e10));
    CHECK(forged.are_rejected("scale", 0, std::numeric_limits<double>::quiet_NaN()));
    const ForgedValues<SharedLinTS> shared(learned_shared(3));
    CHECK_FALSE(shared.are_rejected("scale", 0, 0.25));
    CHECK(shared.are_rejected("scale", 0, -1.0));
    const TempDir dir;  // a file of LinTS with two arms, under the kind of SharedLinTS
    learned(2, 3).save(dir / "two.fnl");
    SharedLinTS(3).save(dir / "one.fnl");
    Forgery two = Forgery::of(bytes_of(dir / "two.fnl"));
    const Forgery one = Forgery::of(bytes_of(dir / "one.fnl"));
    std::copy_n(one.head.begin() + 32, 24, two.head.begin() + 32);
    put_bytes(dir / "forged.fnl", two.file());
    CHECK(funnel::testing::detail::is_rejected_as_corrupt<SharedLinTS>(dir / "forged.fnl"));
}

TEST_CASE("SharedLinTS: choices come with the sampled propensities, within their standard errors") {
    constexpr std::size_t n = 20'000;
    SharedLinTS policy = learned_shared(4);
    const auto contexts = rows_of(LinearWorld(1, 4, 8), 6, 4);
    const auto sampled = policy.propensities(contexts, 40'000);
    CHECK(std::accumulate(sampled.probabilities.begin(), sampled.probabilities.end(), 0.0) == doctest::Approx(1.0));
    std::vector<std::size_t> counts(6, 0);
    for (std::size_t i = 0; i < n; ++i) {
        ++counts[policy.select(contexts)];
    }
    for (std::size_t i = 0; i < 6; ++i) {
        const double p = sampled.probabilities[i];
        const double share = static_cast<double>(counts[i]) / n;
        const double error = sampled.standard_errors[i];
        CHECK(error == doctest::Approx(std::sqrt(p * (1.0 - p) / 40'000)));
        CHECK(std::abs(share - p) < 4.0 * std::sqrt(error * error + p * (1.0 - p) / n) + 1e-4);
    }
}

// Two equal rows have equal values under each draw: the smaller takes all choices, which no product of independent
// distributions would say.
TEST_CASE("SharedLinTS: rows share the draw, ties go to the smaller position") {
    SharedLinTS policy = learned_shared(2);
    Matrix<float> contexts(3, 2);
    contexts(0, 0) = contexts(1, 0) = 1.0F;
    contexts(2, 0) = -1.0F;
    const auto p = policy.propensities(contexts, 1000).probabilities;
    CHECK(p[1] == 0.0);
    CHECK(p[0] + p[2] == doctest::Approx(1.0));
    for (int i = 0; i < 100; ++i) {
        CHECK(policy.select(contexts) != 1);
    }
}

TEST_CASE("SharedLinTS: finds the best rows of a simulated world") {
    const LinearWorld world(1, 5, 3);
    SharedLinTS policy(5, {.scale = 0.3});
    std::size_t found = 0;
    for (std::size_t step = 0; step < 500; ++step) {
        Matrix<float> contexts(10, 5);
        std::size_t best = 0;
        for (std::size_t i = 0; i < 10; ++i) {
            const auto x = world.context(10 * step + i);
            std::copy(x.begin(), x.end(), contexts.row(i).begin());
            best = world.mean(0, x) > world.mean(0, world.context(10 * step + best)) ? i : best;
        }
        const std::size_t row = policy.select(contexts);
        const auto x = world.context(10 * step + row);
        policy.update(x, world.reward(0, x, step));
        found += step >= 250 && row == best ? 1 : 0;
    }
    CHECK(found > 225);
}

TEST_CASE_TEMPLATE_DEFINE("LinTS: backends choose the same arms", Backend, lin_ts_choices) {
    const LinearWorld world(10, 12, 9);
    funnel::bandits::BasicLinTS<funnel::kernels::Scalar> scalar(10, 12);
    funnel::bandits::BasicLinTS<Backend> other(10, 12);
    CHECK(differing_choices(scalar, other, world, 3000) <= 1);
    funnel::bandits::BasicSharedLinTS<funnel::kernels::Scalar> shared_scalar(12);
    funnel::bandits::BasicSharedLinTS<Backend> shared_other(12);
    CHECK(differing_rows(shared_scalar, shared_other, world, 1000) <= 1);
}
TEST_CASE_TEMPLATE_APPLY(lin_ts_choices, HostBackends);
