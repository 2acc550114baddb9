// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/relevance_scale.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using namespace funnel::rerank;

namespace {

std::vector<float> scaled(const std::vector<float>& relevance, RelevanceScale scale) {
    std::vector<std::uint32_t> order(relevance.size());
    std::vector<float> out(relevance.size());
    detail::scale_relevance(relevance, scale, order, out);
    return out;
}

constexpr RelevanceScale all_scales[] = {RelevanceScale::Raw, RelevanceScale::MinMax, RelevanceScale::ZScore,
                                         RelevanceScale::Rank, RelevanceScale::Softmax};

}  // namespace

TEST_CASE("RelevanceScale: worked by hand") {
    const std::vector<float> relevance{2.0F, 6.0F, 2.0F, 4.0F, 1.0F};
    CHECK(scaled(relevance, RelevanceScale::Raw) == relevance);
    CHECK(scaled(relevance, RelevanceScale::MinMax) == std::vector<float>{0.2F, 1.0F, 0.2F, 0.6F, 0.0F});
    // One of four others is below 2, four are below 6, three are below 4.
    CHECK(scaled(relevance, RelevanceScale::Rank) == std::vector<float>{0.25F, 1.0F, 0.25F, 0.75F, 0.0F});
    // Mean 3, variance (1 + 9 + 1 + 1 + 4) / 5 = 3.2.
    const auto z = scaled(relevance, RelevanceScale::ZScore);
    CHECK(z[1] == doctest::Approx(3.0 / std::sqrt(3.2)));
    CHECK(z[4] == doctest::Approx(-2.0 / std::sqrt(3.2)));
    // exp(0) : exp(log 3) = 1 : 3
    const auto soft = scaled({0.0F, std::log(3.0F)}, RelevanceScale::Softmax);
    CHECK(soft[0] == doctest::Approx(0.25));
    CHECK(soft[1] == doctest::Approx(0.75));
}

TEST_CASE("RelevanceScale: equal relevances become 0, or 1 / n as softmax, and no NaN") {
    for (const float value : {0.0F, -3.5F, 1e30F}) {
        const std::vector<float> equal(4, value);
        for (const RelevanceScale scale : {RelevanceScale::MinMax, RelevanceScale::ZScore, RelevanceScale::Rank}) {
            CHECK(scaled(equal, scale) == std::vector<float>(4, 0.0F));
        }
        CHECK(scaled(equal, RelevanceScale::Softmax) == std::vector<float>(4, 0.25F));
    }
}

TEST_CASE("RelevanceScale: the largest floats, and one or no candidate, stay finite") {
    constexpr float huge = std::numeric_limits<float>::max();
    for (const RelevanceScale scale : all_scales) {
        for (const float x : scaled({-huge, huge, 0.0F}, scale)) {
            CHECK(std::isfinite(x));
        }
        CHECK(scaled({}, scale).empty());
        CHECK(std::isfinite(scaled({5.0F}, scale)[0]));
    }
}
