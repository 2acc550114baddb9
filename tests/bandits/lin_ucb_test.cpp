// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/lin_ucb.hpp>

#include "bandits/forged_values.hpp"
#include "bandits/linear_world.hpp"
#include "support/allocations.hpp"
#include "support/backends.hpp"
#include "support/saved_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/linalg/cholesky_update.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::bandits::ArmEstimate;
using funnel::bandits::LinUCB;
using funnel::bandits::SharedLinUCB;
using namespace funnel::testing;

namespace {

LinUCB learned(std::size_t arms, std::size_t dimension, double forgetting = 1.0) {
    LinUCB policy(arms, dimension, {.alpha = 0.5, .lambda = 2.0, .forgetting = forgetting});
    const LinearWorld world(arms, dimension, 4);
    for (std::size_t step = 0; step < 40; ++step) {
        const auto x = world.context(step);
        policy.update(step % arms, x, world.reward(step % arms, x, step));
    }
    return policy;
}

// Everything that a user can ask.
std::vector<double> answers_of(const LinUCB& policy) {
    const std::vector<float> context(policy.dimension(), 0.5F);
    std::vector<double> all{static_cast<double>(policy.arms()), static_cast<double>(policy.select(context)),
                            policy.options().alpha, policy.options().lambda, policy.options().forgetting};
    for (const ArmEstimate& estimate : policy.score(context)) {
        all.push_back(estimate.mean);
        all.push_back(estimate.width);
    }
    for (std::size_t arm = 0; arm < policy.arms(); ++arm) {
        for (const float element : policy.coefficients(arm)) {
            all.push_back(static_cast<double>(element));
        }
    }
    auto more = policy;
    more.update(0, context, 1.0F);
    all.push_back(more.score(context)[0].mean);
    return all;
}

std::vector<double> answers_of_shared(const SharedLinUCB& policy) {
    Matrix<float> contexts(2, policy.dimension());
    for (std::size_t j = 0; j < policy.dimension(); ++j) {
        contexts(0, j) = 1.0F;
        contexts(1, j) = j % 2 == 0 ? -1.0F : 0.5F;
    }
    std::vector<double> all{static_cast<double>(policy.select(contexts)), policy.options().alpha};
    for (const ArmEstimate& estimate : policy.score(contexts)) {
        all.push_back(estimate.mean);
        all.push_back(estimate.width);
    }
    return all;
}

}  // namespace

// lambda = 1, context (1, 1), reward 3 for arm 0: A = (2 1; 1 2), b = (3, 3), A^-1 = (2 -1; -1 2) / 3, theta = (1, 1).
// For (1, 0): mean 1, width sqrt(2/3); arm 1 is cold: mean 0, width 1.
TEST_CASE("LinUCB: worked by hand") {
    LinUCB policy(2, 2, {.alpha = 2.0});
    policy.update(0, std::vector{1.0F, 1.0F}, 3.0F);
    const std::vector<float> context{1.0F, 0.0F};
    const auto estimates = policy.score(context);
    CHECK(estimates[0].mean == doctest::Approx(1.0));
    CHECK(estimates[0].width == doctest::Approx(std::sqrt(2.0 / 3.0)));
    CHECK(estimates[1].mean == doctest::Approx(0.0));
    CHECK(estimates[1].width == doctest::Approx(1.0));
    CHECK(policy.select(context) == 0);                   // 1 + 2 sqrt(2/3) = 2.63 and 2
    CHECK(policy.select(std::vector{-1.0F, 0.0F}) == 1);  // -1 + 1.63 and 2
    CHECK(policy.coefficients(0)[0] == doctest::Approx(1.0));
}

// One library starts an arm with lambda I where the inverse I / lambda belongs: its bonus was 3.16 for lambda = 10.
TEST_CASE("LinUCB: the bonus of a cold arm is alpha |x| / sqrt(lambda)") {
    for (const double lambda : {0.1, 1.0, 10.0}) {
        const LinUCB policy(1, 3, {.lambda = lambda});
        CHECK(policy.score(std::vector{0.0F, 1.0F, 0.0F})[0].width == doctest::Approx(1.0 / std::sqrt(lambda)));
        CHECK(policy.score(std::vector{2.0F, 1.0F, -2.0F})[0].width == doctest::Approx(3.0 / std::sqrt(lambda)));
    }
}

TEST_CASE("LinUCB: ties go to the smaller arm; each arm may have its own features") {
    const std::vector<float> context{1.0F, 2.0F};
    LinUCB policy(3, 2);
    CHECK(policy.select(context) == 0);
    CHECK(policy.select(std::vector{0.0F, 0.0F}) == 0);
    Matrix<float> contexts(3, 2);
    contexts(1, 0) = 2.0F;
    contexts(2, 1) = -2.0F;  // as wide as arm 1
    CHECK(policy.select(contexts) == 1);
    policy.update(1, contexts.row(1), -1.0F);
    CHECK(policy.select(contexts) == 2);
    CHECK(policy.score(contexts)[0] == ArmEstimate{});
}

TEST_CASE("LinUCB: one row of features for each arm gives what one context gives") {
    const LinUCB policy = learned(4, 7);
    const auto x = LinearWorld(4, 7, 9).context(1);
    Matrix<float> contexts(4, 7);
    for (std::size_t arm = 0; arm < 4; ++arm) {
        std::copy(x.begin(), x.end(), contexts.row(arm).begin());
    }
    CHECK(policy.score(contexts) == policy.score(x));
    CHECK(policy.select(contexts) == policy.select(x));
}

TEST_CASE("LinUCB: finds the best arms of a simulated world") {
    const LinearWorld world(8, 6, 2);
    LinUCB policy(8, 6, {.alpha = 0.5});
    CHECK(share_of_best(policy, world, 3000) > 0.93);
    LinUCB forgets(8, 6, {.alpha = 0.5, .forgetting = 0.995});
    CHECK(share_of_best(forgets, world, 3000) > 0.85);
}

TEST_CASE("LinUCB: a new arm starts cold and leaves the others as they were") {
    LinUCB policy = learned(3, 4);
    const std::vector<float> context(4, 1.0F);
    const auto before = policy.score(context);
    policy.add_arms(2);
    CHECK(policy.arms() == 5);
    const auto after = policy.score(context);
    CHECK(std::vector(after.begin(), after.begin() + 3) == before);
    CHECK(after[4].width == doctest::Approx(2.0 / std::sqrt(2.0)));
    policy.update(4, context, 1.0F);
    CHECK(policy.score(context)[4].mean > 0.0);
}

TEST_CASE("LinUCB: learning allocates no memory") {
    LinUCB policy = learned(3, 20, 0.99);
    const std::vector<float> context(20, 1.0F);
    CHECK(allocated_bytes_of([&] { policy.update(1, context, 1.0F); }) == 0);
}

TEST_CASE("LinUCB: errors say what must hold, and a rejected update changes nothing") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinite = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(LinUCB(0, 3), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(3, 0), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(1, 1, {.alpha = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(1, 1, {.alpha = static_cast<double>(nan)}), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(1, 1, {.lambda = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(1, 1, {.forgetting = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(1, 1, {.forgetting = 1.1}), InvalidArgument);
    CHECK_THROWS_AS(LinUCB(1, 1, {.forgetting = static_cast<double>(nan)}), InvalidArgument);
    LinUCB policy = learned(2, 2);
    const auto before = answers_of(policy);
    for (const float bad : {nan, infinite, -infinite, 2e9F}) {
        CHECK_THROWS_AS(policy.update(0, std::vector{1.0F, bad}, 1.0F), InvalidArgument);
        CHECK_THROWS_AS(policy.update(0, std::vector{1.0F, 1.0F}, bad), InvalidArgument);
        CHECK_THROWS_AS((void)policy.select(std::vector{bad, 1.0F}), InvalidArgument);
        Matrix<float> contexts(2, 2);
        contexts(1, 1) = bad;
        CHECK_THROWS_AS((void)policy.select(contexts), InvalidArgument);
    }
    CHECK_THROWS_AS(policy.update(2, std::vector{1.0F, 1.0F}, 1.0F), InvalidArgument);
    CHECK_THROWS_AS(policy.update(0, std::vector{1.0F}, 1.0F), InvalidArgument);
    CHECK_THROWS_AS((void)policy.select(std::vector{1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)policy.select(Matrix<float>(3, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)policy.select(Matrix<float>(2, 3)), InvalidArgument);
    CHECK_THROWS_AS((void)policy.coefficients(2), InvalidArgument);
    CHECK(answers_of(policy) == before);
    SharedLinUCB shared(2);
    CHECK_THROWS_AS((void)shared.select(Matrix<float>(0, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)shared.select(Matrix<float>(1, 3)), InvalidArgument);
    CHECK_THROWS_AS(shared.update(std::vector{1.0F, nan}, 1.0F), InvalidArgument);
    CHECK_THROWS_AS(SharedLinUCB(0), InvalidArgument);
}

TEST_CASE("LinUCB: one arm with one feature") {
    LinUCB policy(1, 1);
    CHECK(policy.select(std::vector{-3.0F}) == 0);
    policy.update(0, std::vector{1.0F}, 4.0F);  // theta = 4 / (1 + 1)
    CHECK(policy.coefficients(0)[0] == doctest::Approx(2.0));
    CHECK(policy.score(std::vector{1.0F})[0].width == doctest::Approx(std::sqrt(0.5)));
}

TEST_CASE("LinUCB: saved and loaded, damaged files are rejected") {
    check_saved(learned(3, 5, 0.9), learned(2, 3), answers_of, answers_of);
    SharedLinUCB shared(3, {.alpha = 2.0});
    shared.update(std::vector{1.0F, 0.5F, 0.0F}, 1.0F);
    check_saved(shared, SharedLinUCB(2), answers_of_shared, answers_of_shared);
}

TEST_CASE("LinUCB: damage that only a check of the values finds") {
    const ForgedValues<LinUCB> forged(learned(2, 3));
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_FALSE(forged.are_rejected("alpha", 0, 0.25));
    CHECK(forged.are_rejected("alpha", 0, -0.25));
    CHECK(forged.are_rejected("alpha", 0, static_cast<double>(nan)));
    CHECK(forged.are_rejected("lambda", 0, 0.0));
    CHECK(forged.are_rejected("lambda", 0, 1e10));
    CHECK(forged.are_rejected("forgetting", 0, 0.0));
    CHECK(forged.are_rejected("forgetting", 0, 1.5));
    CHECK(forged.are_rejected("factors", 3, nan));
    CHECK(forged.are_rejected("inverse_diagonals", 1, 0.0));
    CHECK(forged.are_rejected("inverse_diagonals", 1, std::numeric_limits<double>::infinity()));
    CHECK(forged.are_rejected("dimension", 0, std::uint64_t{4}));
    CHECK(forged.are_rejected("dimension", 0, std::uint64_t{0}));
    CHECK(forged.are_rejected("dimension", 0, std::uint64_t{1} << 40));
    const ForgedValues<SharedLinUCB> shared(SharedLinUCB(2));
    CHECK_FALSE(shared.are_rejected("alpha", 0, 0.25));
    CHECK(shared.are_rejected("alpha", 0, -0.25));
}

// A file of LinUCB with two arms, under the kind of SharedLinUCB.
TEST_CASE("SharedLinUCB: damage: a file with two models is rejected") {
    const TempDir dir;
    learned(2, 3).save(dir / "two.fnl");
    SharedLinUCB(3).save(dir / "one.fnl");
    Forgery two = Forgery::of(bytes_of(dir / "two.fnl"));
    const Forgery one = Forgery::of(bytes_of(dir / "one.fnl"));
    std::copy_n(one.head.begin() + 32, 24, two.head.begin() + 32);
    put_bytes(dir / "forged.fnl", two.file());
    CHECK(funnel::testing::detail::is_rejected_as_corrupt<SharedLinUCB>(dir / "forged.fnl"));
}

TEST_CASE("SharedLinUCB: learns from one row what holds for others") {
    SharedLinUCB policy(2, {.alpha = 0.1});
    Matrix<float> contexts(3, 2);
    contexts(0, 0) = 1.0F;
    contexts(1, 1) = 1.0F;
    contexts(2, 0) = -1.0F;
    CHECK(policy.select(contexts) == 0);  // all have the same width
    for (int step = 0; step < 10; ++step) {
        policy.update(contexts.row(0), -1.0F);
    }
    CHECK(policy.select(contexts) == 2);  // never chosen, but row 0 says that its feature is bad
    CHECK(policy.coefficients()[0] == doctest::Approx(-10.0 / 11.0));
    const auto estimates = policy.score(contexts);
    CHECK(estimates[0].width == doctest::Approx(std::sqrt(1.0 / 11.0)));
    CHECK(estimates[0].width == doctest::Approx(estimates[2].width));
}

TEST_CASE("SharedLinUCB: the same numbers as LinUCB with one arm") {
    const LinearWorld world(1, 9, 6);
    SharedLinUCB shared(9);
    LinUCB one(1, 9);
    for (std::size_t step = 0; step < 30; ++step) {
        const auto x = world.context(step);
        shared.update(x, world.reward(0, x, step));
        one.update(0, x, world.reward(0, x, step));
    }
    Matrix<float> contexts(1, 9);
    const auto probe = world.context(99);
    std::copy(probe.begin(), probe.end(), contexts.row(0).begin());
    CHECK(shared.score(contexts) == one.score(probe));
}

// The same numbers as the factors of A = (2 1; 1 2) = U^T D U: D = (2, 2 - 1/2) = (2, 3/2), U_01 = 1/2.
// U^T (D g) = b = (3, 3): D g = (3, 3 - 3/2), g = (3/2, 1). U theta = g: theta = (3/2 - 1/2, 1) = (1, 1).
// For x = (1, 0): U^T z = x, z = (1, -1/2), width^2 = 1/2 + (1/4) / (3/2) = 2/3.
TEST_CASE("LinUCB: the state of an arm worked by hand") {
    funnel::linalg::CholeskyFactor<float> arm(2, 1.0);
    arm.update(std::vector{1.0F, 1.0F}, 3.0F);
    CHECK(1.0 / arm.inverse_diagonal()[0] == doctest::Approx(2.0));
    CHECK(1.0 / arm.inverse_diagonal()[1] == doctest::Approx(1.5));
    CHECK(arm.upper_row(0)[0] == doctest::Approx(0.5));  // U_01
    CHECK(arm.upper_row(0)[1] == doctest::Approx(1.5));  // g_0
    CHECK(arm.upper_row(1)[0] == doctest::Approx(1.0));  // g_1
    CHECK(arm.estimate(std::vector{1.0F, 0.0F}).quadratic_form == doctest::Approx(2.0 / 3.0));
}

TEST_CASE_TEMPLATE_DEFINE("LinUCB: backends choose the same arms", Backend, lin_ucb_choices) {
    const LinearWorld world(10, 12, 9);
    funnel::bandits::BasicLinUCB<funnel::kernels::Scalar> scalar(10, 12);
    funnel::bandits::BasicLinUCB<Backend> other(10, 12);
    CHECK(differing_choices(scalar, other, world, 3000) <= 1);
    funnel::bandits::BasicSharedLinUCB<funnel::kernels::Scalar> shared_scalar(12);
    funnel::bandits::BasicSharedLinUCB<Backend> shared_other(12);
    CHECK(differing_rows(shared_scalar, shared_other, world, 1000) <= 1);
}
TEST_CASE_TEMPLATE_APPLY(lin_ucb_choices, HostBackends);
