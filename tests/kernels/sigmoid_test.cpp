// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/sigmoid.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using funnel::kernels::sigmoid;
using namespace funnel::testing;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("sigmoid: worked by hand, and at both ends", Backend, sigmoid_by_hand) {
    const std::vector<float> x{0.0F, std::log(3.0F), 1000.0F, -1000.0F, infinity, -infinity};
    std::vector<float> out(x.size());
    sigmoid<Backend>(x, out);
    CHECK(out[0] == 0.5F);
    CHECK(out[1] == doctest::Approx(0.75).epsilon(1.0e-6));  // 1 / (1 + 1/3)
    CHECK(out[2] == 1.0F);
    CHECK(out[3] == 0.0F);
    CHECK(out[4] == 1.0F);
    CHECK(out[5] == 0.0F);
}
TEST_CASE_TEMPLATE_APPLY(sigmoid_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("sigmoid: a few roundings from the formula, for every length", Backend, sigmoid_rounding) {
    for (const std::size_t n : lengths()) {
        auto x = normals(n, n);
        for (float& element : x) {
            element *= 20.0F;  // up to +-80: exp(-80) is still a normal number
        }
        std::vector<float> padded(n + 2, 99.0F);
        sigmoid<Backend>(x, std::span<float>(padded).subspan(1, n));
        CAPTURE(n);
        CHECK(padded.front() == 99.0F);
        CHECK(padded.back() == 99.0F);
        for (std::size_t i = 0; i < n; ++i) {
            const double expected = 1.0 / (1.0 + std::exp(-double{x[i]}));
            // exp is off by up to two units (a unit is two roundings), then a sum and a quotient.
            CHECK(std::abs(double{padded[i + 1]} - expected) <= 6.0 * unit_roundoff * expected);
        }
        std::vector<float> in_place = x;
        sigmoid<Backend>(in_place, in_place);
        CHECK(std::vector<float>(padded.begin() + 1, padded.end() - 1) == in_place);
    }
}
TEST_CASE_TEMPLATE_APPLY(sigmoid_rounding, HostBackends);
