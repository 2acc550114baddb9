// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/eligible.hpp>

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>

using funnel::ann::L2;
using funnel::ann::detail::code_cost;
using funnel::ann::detail::Eligible;
using funnel::ann::detail::passing_share;
using funnel::ann::detail::reading_cost;
using funnel::ann::detail::Vectors;

TEST_CASE("passing_share: asks for ids below n, and is near the share") {
    for (const std::size_t n : {1U, 2U, 127U, 128U, 1000U, 1'000'000U}) {
        CAPTURE(n);
        const auto share_of = [&](std::uint32_t divisor) {
            return passing_share(n, [&](std::uint32_t id) {
                REQUIRE(id < n);
                return id % divisor == 0;
            });
        };
        CHECK(share_of(1) == 1.0);
        if (n > 100) {
            CHECK(share_of(2) == doctest::Approx(0.5).epsilon(0.15));
            CHECK(share_of(10) == doctest::Approx(0.1).epsilon(0.4));
        }
    }
}

TEST_CASE("passing_share: a filter with a period is not taken for one that lets everything pass") {
    for (const std::uint32_t period : {100U, 1000U, 1U << 13}) {  // 128 of them, as many as ids that are asked for
        CAPTURE(period);
        CHECK(passing_share(std::size_t{128} * period, [&](std::uint32_t id) { return id % period == 0; }) < 0.1);
    }
}

TEST_CASE("Eligible: where few pass, scoring them is cheaper than reading all codes, also with a call per vector") {
    const auto is_first = [](std::uint32_t id) { return id == 0; };
    using Asked = Eligible<L2, decltype(is_first)>;
    using Known = Eligible<L2, funnel::ann::Bitmap>;
    for (const double share : {1.0, 0.5, 0.1, 0.02, 0.005, 0.0}) {
        CAPTURE(share);
        CHECK(Asked::scan_cost(share, true) <= Asked::scan_cost(share, false));
        CHECK((Asked::cost_by_ids(share) < reading_cost(code_cost, share)) == (share < 0.05));
        CHECK((Known::cost_by_ids(share) < reading_cost(code_cost, share)) == (share < 0.15));
        CHECK(reading_cost(code_cost, share) >= reading_cost(code_cost, share + 0.1));
    }
}

TEST_CASE("Eligible: neither removed nor filtered") {
    Vectors<L2> vectors(funnel::Matrix<float>(8, 2), "test");
    const funnel::AcceptAll all;
    const auto is_even = [](std::uint32_t id) { return id % 2 == 0; };
    CHECK_FALSE(Eligible(vectors, all).excludes_any());
    CHECK(Eligible(vectors, all).share() == 1.0);
    CHECK(Eligible(vectors, is_even).excludes_any());
    CHECK(Eligible(vectors, is_even).share() == doctest::Approx(0.5).epsilon(0.1));

    vectors.remove(2, "test");
    vectors.remove(3, "test");
    CHECK(Eligible(vectors, all).excludes_any());
    CHECK(Eligible(vectors, all).share() == 0.75);
    for (std::uint32_t id = 0; id < 8; ++id) {
        CHECK(Eligible(vectors, all)(id) == (id != 2 && id != 3));
        CHECK(Eligible(vectors, is_even)(id) == (id % 2 == 0 && id != 2));
    }
}
