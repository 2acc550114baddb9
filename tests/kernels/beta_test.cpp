// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/beta.hpp>

#include "bandits/beta_reference.hpp"
#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::kernels::beta;
using funnel::kernels::beta_logit;
using funnel::kernels::Scalar;
using namespace funnel::testing;

namespace {

constexpr std::array<std::uint32_t, 2> key{0x12345678, 0x9abcdef0};

// Shapes from far below 1 to millions, in no order.
std::vector<float> shapes(std::size_t n, std::uint64_t stream) {
    funnel::Random random(3, stream);
    std::vector<float> x(n);
    for (float& element : x) {
        element = static_cast<float>(std::exp(random.uniform() * 18.0 - 4.0));
    }
    return x;
}

}  // namespace

TEST_CASE("beta: log, exp, sine and cosine against the C library") {
    using namespace funnel::kernels::detail;
    funnel::Random random(1);
    for (int i = 0; i < 20000; ++i) {
        const auto x = static_cast<float>(std::exp(random.uniform() * 160.0 - 80.0));
        CHECK(std::abs(double{log_of(x)} - std::log(double{x})) <= 2e-7 * std::max(0.1, std::abs(std::log(double{x}))));
        const auto y = static_cast<float>(random.uniform() * 86.0 - 86.0);
        CHECK(std::abs(double{exp_of(y)} - std::exp(double{y})) <= 3e-7 * std::exp(double{y}));
        CHECK(double{reciprocal_root(x)} * std::sqrt(double{x}) == doctest::Approx(1.0).epsilon(2e-7));
        // Both numbers of a pair together are a radius and an angle.
        const auto radius = random();
        const auto angle = random();
        const auto pair = normals_of(radius, angle);
        const double length = std::sqrt(-2.0 * std::log(double{uniform_of(radius)}));
        CHECK(std::hypot(double{pair.x}, double{pair.y}) == doctest::Approx(length).epsilon(1e-6));
        const double turn = (static_cast<double>(angle >> 7 & 0x7FFFFF) + 0.5) * 0x1p-23 - 0.5;  // in quarters
        const bool is_swapped = (angle >> 30 & 1) != 0;
        CHECK(std::abs(double{is_swapped ? pair.x : pair.y} - length * std::sin(turn * 1.5707963267948966)) < 1e-6);
    }
    CHECK(log_of(1.0F) == 0.0F);
    CHECK(exp_of(0.0F) == 1.0F);
    CHECK(exp_of(-87.0F) == 0.0F);
}

TEST_CASE("beta: uniform numbers never reach 0 or 1") {
    using funnel::kernels::detail::uniform_of;
    CHECK(uniform_of(0) == 0x1p-24F);
    CHECK(uniform_of(0xFFFFFFFF) == 1.0F - 0x1p-24F);
}

TEST_CASE("beta: a draw is a function of key, step and position, one Philox block per attempt") {
    // Beta(1, 1) with d = 2/3, c = 1 / sqrt(6), in double, from the words of the blocks.
    const auto expected = [](std::uint32_t position, std::uint64_t step) {
        const double d = 2.0 / 3.0;
        double roots[2] = {0.0, 0.0};
        for (std::uint32_t attempt = 0; roots[0] == 0.0 || roots[1] == 0.0; ++attempt) {
            const auto words = funnel::philox4x32(
                {position, static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), attempt}, key);
            const auto pair = funnel::kernels::detail::normals_of(words[0], words[1]);
            for (int side = 0; side < 2; ++side) {
                const double x = static_cast<double>(side == 0 ? pair.x : pair.y);
                const double u = ((words[side == 0 ? 2 : 3] >> 9) + 0.5) * 0x1p-23;
                const double v = 1.0 + x / std::sqrt(6.0);
                if (roots[side] == 0.0 && v > 0.0 &&
                    std::log(u) < 0.5 * x * x + d * (1.0 - v * v * v + 3.0 * std::log(v))) {
                    roots[side] = v;
                }
            }
        }
        const double a = std::pow(roots[0], 3.0);
        return a / (a + std::pow(roots[1], 3.0));
    };
    const std::vector<float> ones(100, 1.0F);
    std::vector<float> drawn(100);
    for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{1} << 40}) {
        beta<Scalar>(ones, ones, key, step, drawn);
        for (std::uint32_t i = 0; i < 100; ++i) {
            CHECK(static_cast<double>(drawn[i]) == doctest::Approx(expected(i, step)).epsilon(1e-5));
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("beta: the bits of Scalar, for every length and shape", Backend, beta_bits) {
    for (const std::size_t n : lengths()) {
        auto a = shapes(n + 1, 2 * n);
        auto b = shapes(n + 1, 2 * n + 1);
        if (n % 2 == 1) {  // shapes of at least 1 have a path of their own
            std::transform(a.begin(), a.end(), a.begin(), [](float x) { return 1.0F + x; });
            std::transform(b.begin(), b.end(), b.begin(), [](float x) { return 1.0F + x; });
        }
        const auto unaligned_a = std::span(a).subspan(1);
        const auto unaligned_b = std::span(b).subspan(1);
        std::vector<float> expected(n);
        std::vector<float> padded(n + 2, 99.0F);
        beta<Scalar>(unaligned_a, unaligned_b, key, n, expected);
        beta<Backend>(unaligned_a, unaligned_b, key, n, std::span(padded).subspan(1, n));
        CAPTURE(n);
        CHECK(std::vector<float>(padded.begin() + 1, padded.end() - 1) == expected);
        CHECK(padded.front() == 99.0F);
        CHECK(padded.back() == 99.0F);
        beta_logit<Scalar>(unaligned_a, unaligned_b, key, n, expected);
        beta_logit<Backend>(unaligned_a, unaligned_b, key, n, std::span(padded).subspan(1, n));
        CHECK(std::vector<float>(padded.begin() + 1, padded.end() - 1) == expected);
        CHECK(padded.front() == 99.0F);
        CHECK(padded.back() == 99.0F);
    }
    constexpr std::size_t many = 200000;
    for (const auto& [low, high] : {std::pair{1.0F, 1.0F}, {0.3F, 0.7F}, {5.0F, 100.0F}}) {
        const std::vector<float> a(many, low);
        const std::vector<float> b(many, high);
        std::vector<float> expected(many);
        std::vector<float> drawn(many);
        beta<Scalar>(a, b, key, 1, expected);
        beta<Backend>(a, b, key, 1, drawn);
        CHECK(drawn == expected);
    }
}
TEST_CASE_TEMPLATE_APPLY(beta_bits, HostBackends);

TEST_CASE("beta: 10^6 draws follow the distribution") {
    constexpr std::size_t n = 1000000;
    constexpr double limit = 1.95 / 1000.0;  // exceeded with probability 0.001 for 10^6 draws; and the step below
    std::vector<float> drawn(n);
    for (const auto& shape :
         {std::pair{1.0F, 1.0F}, {0.3F, 0.7F}, {0.05F, 2.0F}, {5.0F, 100.0F}, {1e5F, 2e6F}, {1.0F, 3.0F}}) {
        const float low = shape.first;
        const float high = shape.second;
        CAPTURE(low);
        CAPTURE(high);
        const std::vector<float> a(n, low);
        const std::vector<float> b(n, high);
        const auto cdf = [&](double logit) {
            return beta_cdf_of_logit(static_cast<double>(low), static_cast<double>(high), logit);
        };
        beta_logit(a, b, key, 3, drawn);
        CHECK(ks_distance(drawn, cdf, 500) < limit);
        if (low >= 0.1F) {  // else more than 1 in 10,000 draws is below the smallest float
            beta(a, b, key, 4, drawn);
            CHECK(ks_distance(drawn, [&](double x) { return cdf(std::log(x) - std::log1p(-x)); }, 500) < limit);
        }
    }
}

TEST_CASE("beta: logits and draws are the same numbers") {
    const auto a = shapes(5000, 1);
    const auto b = shapes(5000, 2);
    std::vector<float> x(a.size());
    std::vector<float> logit(a.size());
    beta(a, b, key, 5, x);
    beta_logit(a, b, key, 5, logit);
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double expected = 1.0 / (1.0 + std::exp(-static_cast<double>(logit[i])));
        if (expected > 1e-30) {
            CHECK(static_cast<double>(x[i]) == doctest::Approx(expected).epsilon(1e-5));
        }
    }
}

TEST_CASE("beta: tiny shapes underflow to 0 or 1 as a draw, and to no infinity as a logit") {
    const std::vector<float> tiny(1000, 0.001F);
    std::vector<float> drawn(tiny.size());
    beta(tiny, tiny, key, 1, drawn);
    for (const float x : drawn) {
        CHECK((x >= 0.0F && x <= 1.0F));
    }
    beta_logit(tiny, tiny, key, 1, drawn);
    double largest = 0.0;
    for (const float x : drawn) {
        CHECK(std::isfinite(x));
        largest = std::max(largest, std::abs(double{x}));
    }
    CHECK(largest > 1000.0);
}

TEST_CASE("beta: no draw correlates with those of the next key, step or position") {
    // Generators with sequential seeds and one LCG step per draw fail here.
    constexpr std::size_t n = 100000;
    const std::vector<float> ones(n + 1, 1.0F);
    std::vector<float> base(n + 1);
    std::vector<float> other(n + 1);
    beta(ones, ones, key, 1, base);
    const auto correlation = [&](std::size_t shift) {
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += (static_cast<double>(base[i]) - 0.5) * (static_cast<double>(other[i + shift]) - 0.5);
        }
        return sum * 12.0 / static_cast<double>(n);
    };
    beta(ones, ones, key, 2, other);
    CHECK(std::abs(correlation(0)) < 4.0 / std::sqrt(n));
    beta(ones, ones, {key[0] + 1, key[1]}, 1, other);
    CHECK(std::abs(correlation(0)) < 4.0 / std::sqrt(n));
    other = base;
    CHECK(std::abs(correlation(1)) < 4.0 / std::sqrt(n));
}
