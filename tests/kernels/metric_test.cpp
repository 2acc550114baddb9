// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/metric.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

using funnel::kernels::Cosine;
using funnel::kernels::InnerProduct;
using funnel::kernels::L2;
using funnel::kernels::Metric;
using namespace funnel::testing;

namespace {

struct Nameless {
    using Stored = Nameless;
    static constexpr bool normalises = false;
    template <class Backend>
    static float score(std::span<const float>, std::span<const float>) noexcept {
        return 0.0F;
    }
};

struct Named : Nameless {
    static constexpr std::string_view name = "Named";
};

static_assert(Metric<L2> && Metric<InnerProduct> && Metric<Cosine> && Metric<Named>);
static_assert(!Metric<Nameless> && !Metric<int>);
static_assert(std::same_as<L2::Stored, L2> && std::same_as<InnerProduct::Stored, InnerProduct> &&
              std::same_as<Cosine::Stored, InnerProduct>);
static_assert(Cosine::normalises && !L2::normalises && !InnerProduct::normalises);

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("metric: worked by hand; higher is more alike", Backend, metric_by_hand) {
    const std::vector<float> a{3.0F, 4.0F};
    const std::vector<float> b{0.0F, 2.0F};
    CHECK(L2::score<Backend>(a, b) == -13.0F);  // -(9 + 4)
    CHECK(InnerProduct::score<Backend>(a, b) == 8.0F);
    CHECK(Cosine::score<Backend>(a, b) == 0.8F);  // 8 / (5 * 2)
    CHECK_FALSE(std::signbit(L2::score<Backend>(a, a)));
    CHECK(L2::score<Backend>(a, a) == 0.0F);

    const std::span<const float, 2> fixed_a(a.data(), 2);
    const std::span<const float, 2> fixed_b(b.data(), 2);
    CHECK(L2::score<Backend>(fixed_a, fixed_b) == -13.0F);
    CHECK_FALSE(std::signbit(L2::score<Backend>(fixed_a, fixed_a)));
    CHECK(InnerProduct::score<Backend>(fixed_a, fixed_b) == 8.0F);
    CHECK(Cosine::score<Backend>(fixed_a, fixed_b) == 0.8F);
}
TEST_CASE_TEMPLATE_APPLY(metric_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("metric: Stored orders rows of length 1 as the metric orders the rows", Backend, stored) {
    const auto query = normals(20, 1);
    for (std::size_t i = 0; i < 50; ++i) {
        auto row = normals(20, 2 + i);
        const float before = Cosine::score<Backend>(query, row);
        const float length = std::sqrt(InnerProduct::score<Backend>(row, row));
        for (float& element : row) {
            element /= length;
        }
        const float query_length = std::sqrt(InnerProduct::score<Backend>(query, query));
        // Both sides carry fewer than 2 * 20 + 20 roundings of numbers up to 1.
        CHECK(std::abs(Cosine::Stored::score<Backend>(query, row) / query_length - before) < 60.0F * 0x1p-24F);
    }
}
TEST_CASE_TEMPLATE_APPLY(stored, HostBackends);

TEST_CASE("metric: names are part of saved files") {
    CHECK(L2::name == "L2");
    CHECK(InnerProduct::name == "InnerProduct");
    CHECK(Cosine::name == "Cosine");
}
