// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/feature_bins.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <vector>

using funnel::Matrix;
using funnel::Random;
using funnel::Serial;
using funnel::ranking::detail::BinnedRows;
using funnel::ranking::detail::bounds_of;
using funnel::ranking::detail::FeatureBins;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<std::uint8_t> codes_of(const BinnedRows& binned, std::size_t feature) {
    std::vector<std::uint8_t> codes;
    for (std::size_t i = 0; i < binned.rows(); ++i) {
        codes.push_back(binned.code(i, feature));
    }
    return codes;
}

}  // namespace

TEST_CASE("bounds_of: worked by hand") {
    // Few values: a bin for each. The bounds beside zero are those of LightGBM; the others lie just above the midpoint.
    const auto bounds = bounds_of({3.0F, -2.0F, 0.0F, 1.0F, 3.0F, -2.0F}, 255);
    const auto tiny = static_cast<double>(1e-35F);
    CHECK(bounds == std::vector{std::nextafter(-tiny, -infinity), tiny, std::nextafter(2.0, infinity)});
    CHECK(bounds_of({5.0F, 5.0F}, 255).empty());
    CHECK(bounds_of({}, 255).empty());
    CHECK(bounds_of({0.0F, -0.0F, 1e-36F}, 255).empty());  // all are zero
}

TEST_CASE("bounds_of: a bound between -1 and 1 is one that a LightGBM model can hold") {
    const auto tiny = static_cast<double>(1e-35F);
    CHECK(bounds_of({-1.0F, 1.0F}, 255) == std::vector{tiny});
    CHECK(bounds_of({-2e-35F, 1.5e-35F}, 255) == std::vector{tiny});
    CHECK(bounds_of({-1.0F, 1.5F}, 255) == std::vector{std::nextafter(0.25, infinity)});
}

TEST_CASE("divide: a value in many rows is alone if half a bin lies before it, by hand") {
    const auto ends_of = [](const std::vector<std::size_t>& counts, std::size_t room) {
        std::vector<funnel::ranking::detail::ValueCount> values;
        for (const std::size_t count : counts) {
            values.emplace_back(static_cast<float>(values.size()), count);
        }
        std::vector<std::size_t> ends;
        funnel::ranking::detail::divide(values, room, ends, 0);
        return ends;
    };
    // 16 rows in 3 bins, 5.33 each. 1 row before the 8 is less than half a bin: they share one. 7 rows are left for two
    // bins, 3.5 each; again 1 row before the 4 is too few.
    CHECK(ends_of({1, 8, 1, 4, 1, 1}, 3) == std::vector<std::size_t>{1, 3});
    // 10 rows are left for two bins, 5 each: the 3 rows before the 5 are more than half of that.
    CHECK(ends_of({1, 8, 3, 5, 1, 1}, 3) == std::vector<std::size_t>{1, 2});
    CHECK(ends_of({9, 1, 1}, 3) == std::vector<std::size_t>{0, 1});  // room for each value
}

TEST_CASE("bounds_of: many values are divided into bins of about equally many rows, with zero alone") {
    Random random(3);
    for (const std::size_t room : {3U, 4U, 16U, 255U}) {
        std::vector<float> values;
        for (int i = 0; i < 20000; ++i) {
            const auto x = static_cast<float>(random.normal() + 0.5);
            values.push_back(random.below(4) == 0 ? 0.0F : x);
        }
        const FeatureBins bins{.bounds = bounds_of(values, room), .has_missing = false};
        CHECK(bins.bins() <= room);
        CHECK(bins.bins() >= room - 1);
        CHECK(std::is_sorted(bins.bounds.begin(), bins.bounds.end()));
        std::map<std::size_t, std::size_t> rows;
        for (const float x : values) {
            ++rows[bins.bin_of(x)];
            CHECK((bins.bin_of(x) == bins.bin_of(0.0F)) == (x == 0.0F));
        }
        CHECK(rows.size() == bins.bins());
        for (const auto& [bin, count] : rows) {
            if (bin != bins.bin_of(0.0F)) {
                CHECK(static_cast<double>(count) < 1.6 * 15000.0 / static_cast<double>(room - 1));
            }
        }
    }
}

TEST_CASE("bounds_of: neighboring floats, negative values alone and huge values are kept apart") {
    const float next = std::nextafter(1.0F, 2.0F);
    for (const auto& [low, high] : std::vector<std::pair<float, float>>{
             {1.0F, next}, {-next, -1.0F}, {-3e38F, 3e38F}, {1e-45F, 1e-30F}, {-1e-30F, -1e-34F}}) {
        const FeatureBins bins{.bounds = bounds_of({high, low}, 255), .has_missing = false};
        CHECK(bins.bins() == 2);
        CHECK(bins.bin_of(low) == 0);
        CHECK(bins.bin_of(high) == 1);
    }
}

TEST_CASE("BinnedRows: missing values are in the last bin, only of features that lack some") {
    Matrix<float> rows(3, 2);
    rows(0, 0) = 7.0F;
    rows(1, 0) = not_a_number;
    rows(2, 0) = 5.0F;
    rows(0, 1) = 1.0F;
    rows(1, 1) = 2.0F;
    rows(2, 1) = 1.0F;
    Serial serial;
    const BinnedRows binned(rows, 255, serial);
    CHECK(binned.bins(0).has_missing);
    CHECK(codes_of(binned, 0) == std::vector<std::uint8_t>{1, 2, 0});
    CHECK_FALSE(binned.bins(1).has_missing);
    CHECK(codes_of(binned, 1) == std::vector<std::uint8_t>{0, 1, 0});
    CHECK(binned.offset(1) == 3);
    CHECK(binned.all_bins() == 5);
}

TEST_CASE("BinnedRows: rejects infinite features") {
    Matrix<float> rows(2, 1);
    rows(1, 0) = -std::numeric_limits<float>::infinity();
    Serial serial;
    CHECK_THROWS_WITH_AS(BinnedRows(rows, 255, serial), "LambdaMART::fit: a feature of row 1 is infinite",
                         funnel::InvalidArgument);
}
