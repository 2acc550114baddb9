// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/quality_gate.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::kernels::BFloat16;
using funnel::kernels::Float16;
using funnel::kernels::Scalar;
using funnel::kernels::ScaledInt8;
using funnel::nn::BatchNorm;
using funnel::nn::Dense;
using funnel::nn::freeze;
using funnel::nn::Frozen;
using funnel::nn::L2Normalize;
using funnel::nn::Parallel;
using funnel::nn::relative_error;
using funnel::nn::ReLU;
using funnel::nn::Sequential;
using funnel::nn::Tower;
using namespace funnel::testing;

namespace {

Matrix<float> random_rows(std::size_t rows, std::size_t width, std::uint64_t seed) {
    Matrix<float> x(rows, width);
    Random random(seed);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& number : x.row(i)) {
            number = static_cast<float>(random.normal());
        }
    }
    return x;
}

bool same_bits(const Matrix<float>& a, const Matrix<float>& b) {
    bool same = a.rows() == b.rows() && a.cols() == b.cols();
    for (std::size_t i = 0; same && i < a.rows(); ++i) {
        same = std::equal(a.row(i).begin(), a.row(i).end(), b.row(i).begin());
    }
    return same;
}

/// Numbers rounded to bytes times the largest magnitude / 127, in double.
std::vector<double> rounded(std::vector<double> numbers) {
    double largest = 0.0;
    for (const double number : numbers) {
        largest = std::max(largest, std::abs(number));
    }
    for (double& number : numbers) {
        number = largest == 0.0 ? 0.0 : std::nearbyint(number * 127.0 / largest) * largest / 127.0;
    }
    return numbers;
}

/// The definition of a layer of bytes, in double.
std::vector<double> dense_of_bytes(std::span<const float> weights, std::span<const float> bias,
                                   const std::vector<double>& x) {
    const std::vector<double> input = rounded(x);
    std::vector<double> y(bias.begin(), bias.end());
    for (std::size_t j = 0; j < y.size(); ++j) {
        const auto row = weights.subspan(j * x.size(), x.size());
        const std::vector<double> factors = rounded({row.begin(), row.end()});
        for (std::size_t k = 0; k < x.size(); ++k) {
            y[j] += input[k] * factors[k];
        }
    }
    return y;
}

using Small = Tower<Dense<20, 40>, ReLU, Dense<40, 5>>;

/// What the exception says, or nothing.
template <class Body>
std::string message_of(const Body& body) {
    try {
        body();
    } catch (const InvalidArgument& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("freeze: bytes are those of the definition") {
    const Small tower(7);
    const Matrix<float> x = random_rows(50, 20, 1);
    const Matrix<float> y = freeze<ScaledInt8>(tower, {.rows = x, .tolerance = 0.05}).infer(x);
    const std::span<const float> all = tower.parameters();
    std::size_t flips = 0;
    for (std::size_t i = 0; i < x.rows(); ++i) {
        std::vector<double> hidden =
            dense_of_bytes(all.subspan(0, 800), all.subspan(800, 40), {x.row(i).begin(), x.row(i).end()});
        for (double& number : hidden) {
            number = std::max(number, 0.0);
        }
        const std::vector<double> expected = dense_of_bytes(all.subspan(840, 200), all.subspan(1040, 5), hidden);
        // A number that lies between two bytes may go to the other one in float.
        bool is_near = true;
        for (std::size_t j = 0; j < 5; ++j) {
            is_near = is_near && std::abs(static_cast<double>(y(i, j)) - expected[j]) < 2e-6;
            CHECK(static_cast<double>(y(i, j)) == doctest::Approx(expected[j]).epsilon(0.02));
        }
        flips += is_near ? 0U : 1U;
    }
    CHECK(flips <= 2);
}

TEST_CASE_TEMPLATE_DEFINE("freeze: networks of bytes are near those of floats, and Scalar gives the same bits", Backend,
                          gate_backends) {
    const auto check = [](const auto& tower) {
        using Network = std::remove_cvref_t<decltype(tower)>;
        const Matrix<float> sample = random_rows(40, Network::in, 3);
        const auto frozen = freeze<ScaledInt8>(tower, {.rows = sample, .tolerance = 0.03});
        for (const std::size_t rows : {0U, 1U, 2U, 13U, 97U, 200U}) {
            const Matrix<float> x = random_rows(rows, Network::in, rows + 5);
            const Matrix<float> y = frozen.template infer<Backend>(x);
            CHECK(relative_error(y, freeze(tower).infer(x)) < 0.03);
#ifndef __FAST_MATH__
            CHECK(same_bits(y, frozen.template infer<Scalar>(x)));
#endif
        }
    };
    check(Small(1));
    check(Tower<Dense<20, 17>, BatchNorm<17>, ReLU, Dense<17, 1>>(2));
    check(Tower<Dense<33, 70>, ReLU, Dense<70, 70>, ReLU, Dense<70, 3>>(3));
    check(Tower<Parallel<Sequential<Dense<20, 33>, ReLU, Dense<33, 3>>, Dense<20, 2>>, Dense<5, 2>>(4));
}
TEST_CASE_TEMPLATE_APPLY(gate_backends, HostBackends);

TEST_CASE("freeze: a row of bytes does not depend on the other rows, and infer allocates nothing") {
    const Small tower(1);
    const Matrix<float> x = random_rows(130, 20, 1);
    const auto frozen = freeze<ScaledInt8>(tower, {.rows = x, .tolerance = 0.03});
    Matrix<float> y(130, 5);
    std::vector<float> memory(frozen.scratch(130));
    CHECK(allocations_of([&] { frozen.infer(x, memory, y.view()); }) == 0);
    static_assert(noexcept(frozen.infer(x.view(), std::span(memory), y.view())));
    for (std::size_t i = 0; i < x.rows(); ++i) {
        const Matrix<float> alone = frozen.infer(x.view().rows_from(i, 1));
        REQUIRE(std::equal(alone.row(0).begin(), alone.row(0).end(), y.row(i).begin()));
    }
}

TEST_CASE_TEMPLATE_DEFINE("freeze: rows of bytes that begin with the same numbers, in two parts", Backend, gate_split) {
    const Small tower(5);
    const Matrix<float> sample = random_rows(40, 20, 3);
    const auto frozen = freeze<ScaledInt8>(tower, {.rows = sample, .tolerance = 0.03});
    const auto check = [&]<std::size_t Head>(std::integral_constant<std::size_t, Head>, bool is_exact) {
        Matrix<float> x = random_rows(101, 20, 4);
        Matrix<float> tail(101, 20 - Head);
        for (std::size_t i = 0; i < x.rows(); ++i) {
            std::copy_n(x.row(0).begin(), Head, x.row(i).begin());
            std::copy(x.row(i).begin() + Head, x.row(i).end(), tail.row(i).begin());
        }
        Matrix<float> y(101, 5);
        std::vector<float> memory(frozen.template split_scratch<Head>(101));
        CHECK(allocations_of([&] {
                  frozen.template infer_split<Head, Backend>(x.row(0).first(Head), tail, memory, y.view());
              }) == 0);
        CHECK(relative_error(y, freeze(tower).infer(x)) < 0.03);
        CHECK((!is_exact || same_bits(y, frozen.template infer<Backend>(x))));
    };
    check(std::integral_constant<std::size_t, 8>{}, false);  // each part has its own step
    check(std::integral_constant<std::size_t, 0>{}, true);
    check(std::integral_constant<std::size_t, 20>{}, true);
    check(std::integral_constant<std::size_t, 7>{}, true);  // a word of four inputs is not torn: whole rows
}
TEST_CASE_TEMPLATE_APPLY(gate_split, HostBackends);

TEST_CASE("freeze: weights of 16 bits, and any storage behind a gate") {
    const Small tower(2);
    const Matrix<float> x = random_rows(100, 20, 1);
    const Matrix<float> expected = freeze(tower).infer(x);
    CHECK(relative_error(freeze<Float16>(tower).infer(x), expected) < 0x1p-11);
    CHECK(relative_error(freeze<BFloat16>(tower).infer(x), expected) < 0x1p-7);
    CHECK(same_bits(freeze<BFloat16>(tower, {.rows = x}).infer(x), freeze<BFloat16>(tower).infer(x)));
    CHECK(same_bits(freeze<float>(tower, {.rows = x, .tolerance = 1e-9}).infer(x), expected));
}

TEST_CASE("relative_error: worked by hand") {
    const std::vector<float> expected{3.0F, 0.0F, 0.0F, 4.0F};
    const std::vector<float> y{3.0F, 0.3F, -0.4F, 4.0F};
    const MatrixView<const float> a(y, 2, 2);
    const MatrixView<const float> b(expected, 2, 2);
    CHECK(relative_error(a, b) == doctest::Approx(0.1));  // sqrt((0.09 + 0.16) / 25)
    CHECK(relative_error(b, b) == 0.0);
    const std::vector<float> zeros(4);
    const MatrixView<const float> none(zeros, 2, 2);
    CHECK(relative_error(none, none) == 0.0);
    CHECK(relative_error(none, b) == 1.0);
    CHECK(relative_error({}, {}) == 0.0);
#ifndef __FAST_MATH__
    CHECK(relative_error(b, none) == std::numeric_limits<double>::infinity());
#endif
}

TEST_CASE("freeze: a network of bytes above the tolerance is refused, with its error") {
    const Small tower(7);
    const Matrix<float> x = random_rows(50, 20, 1);
    const double error =
        relative_error(freeze<ScaledInt8>(tower, {.rows = x, .tolerance = 1.0}).infer(x), freeze(tower).infer(x));
    CHECK(error > 1e-3);
    CHECK(error < 2e-2);
    CHECK_NOTHROW(static_cast<void>(freeze<ScaledInt8>(tower, {.rows = x, .tolerance = error})));
    CHECK_THROWS_AS(static_cast<void>(freeze<ScaledInt8>(tower, {.rows = x, .tolerance = 0.999 * error})),
                    InvalidArgument);
    const std::string text =
        message_of([&] { static_cast<void>(freeze<ScaledInt8>(tower, {.rows = x, .tolerance = 0.001})); });
    const std::string start = "freeze: the relative error on the rows of the gate must be at most 0.001, got 0.0";
    CHECK(text.starts_with(start));
    CHECK(std::stod(text.substr(start.size() - 3)) == doctest::Approx(error).epsilon(1e-4));
    // One weight a thousand times as large as the others takes all bytes of its output.
    Small spoiled(7);
    for (std::size_t j = 0; j < 40; ++j) {
        spoiled.parameters()[j * 20] = 1000.0F;
    }
    Matrix<float> usual = x;
    for (std::size_t i = 0; i < usual.rows(); ++i) {
        usual(i, 0) = 0.0F;
    }
    CHECK_THROWS_AS(static_cast<void>(freeze<ScaledInt8>(spoiled, {.rows = usual, .tolerance = 0.1})), InvalidArgument);
}

TEST_CASE("freeze: a gate without finite rows of the right width, or a tolerance, is refused") {
    const Small tower(7);
    Matrix<float> x = random_rows(3, 20, 1);
    const auto refused = [&](MatrixView<const float> rows, double tolerance) {
        return message_of(
            [&] { static_cast<void>(freeze<ScaledInt8>(tower, {.rows = rows, .tolerance = tolerance})); });
    };
    CHECK(refused(random_rows(3, 19, 1), 0.1) == "freeze: rows of the gate must have 20 columns, got 19");
    CHECK(refused(x.view().rows_from(0, 0), 0.1) == "freeze: the gate must have at least one row");
    CHECK(refused(x, 0.0) == "freeze: tolerance of the gate must be finite and > 0, got 0");
    CHECK(refused(x, -1.0) == "freeze: tolerance of the gate must be finite and > 0, got -1");
    CHECK_FALSE(refused(x, std::numeric_limits<double>::quiet_NaN()).empty());
    x(2, 19) = std::numeric_limits<float>::infinity();
    CHECK(refused(x, 0.1) == "freeze: rows of the gate must be finite");
    CHECK_THROWS_WITH_AS(static_cast<void>(relative_error(x, x.view().rows_from(0, 2))),
                         "relative_error: both must have the same number of rows and columns", InvalidArgument);
}

TEST_CASE("freeze: weights that are not finite, or too large for Float16, are refused") {
    const Matrix<float> x = random_rows(3, 20, 1);
    Small tower(7);
    tower.parameters()[3] = 65504.0F;
    CHECK_NOTHROW(static_cast<void>(freeze<Float16>(tower)));
    tower.parameters()[3] = -65536.0F;
    CHECK(message_of([&] { static_cast<void>(freeze<Float16>(tower)); }) ==
          "Frozen: weights of Float16 must lie in [-65504, 65504], got -65536");
    tower.parameters()[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK_NOTHROW(static_cast<void>(freeze<Float16>(tower)));  // as with float: NaN stays NaN
#ifndef __FAST_MATH__
    tower.parameters()[845] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS(static_cast<void>(freeze<ScaledInt8>(tower, {.rows = x, .tolerance = 1.0})), InvalidArgument);
#endif
}

TEST_CASE("freeze: a number that is not finite makes outputs NaN") {
#ifndef __FAST_MATH__
    using Line = Tower<Dense<20, 3>>;
    Matrix<float> x = random_rows(2, 20, 1);
    const auto frozen = freeze<ScaledInt8>(Line(1), {.rows = x, .tolerance = 0.1});
    x(0, 5) = std::numeric_limits<float>::quiet_NaN();
    const Matrix<float> y = frozen.infer(x);
    for (std::size_t j = 0; j < 3; ++j) {
        CHECK(std::isnan(y(0, j)));
        CHECK_FALSE(std::isnan(y(1, j)));
    }
#endif
}

// Nobody makes a network of bytes without a gate.
static_assert(std::is_constructible_v<Frozen<BFloat16, Dense<2, 1>>, std::span<const float>, std::span<const float>>);
static_assert(
    !std::is_constructible_v<Frozen<ScaledInt8, Dense<2, 1>>, std::span<const float>, std::span<const float>>);
