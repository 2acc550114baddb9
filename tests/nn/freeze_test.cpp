// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/freeze.hpp>

#include "nn/gradient_check.hpp"
#include "support/allocations.hpp"
#include "support/backends.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/cross_network.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::kernels::BFloat16;
using funnel::kernels::Scalar;
using funnel::nn::BatchNorm;
using funnel::nn::Blocks;
using funnel::nn::Columns;
using funnel::nn::CrossNetwork;
using funnel::nn::Dense;
using funnel::nn::Dropout;
using funnel::nn::freeze;
using funnel::nn::Frozen;
using funnel::nn::Parallel;
using funnel::nn::ReLU;
using funnel::nn::Sequential;
using funnel::nn::Tower;
using namespace funnel::testing;

namespace {

/// A layer with the formula of a batch normalization in service: parameters gamma, beta; statistics mean, variance.
template <std::size_t Width>
struct Normalize {
    static constexpr const char* name = "Normalize";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 2 * Width;
    static constexpr std::size_t statistics = 2 * Width;
    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) { return 0; }

    template <class T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& random) {
        for (std::size_t j = 0; j < Width; ++j) {
            trained[j] = static_cast<T>(1.0 + 0.3 * random.normal());
            trained[Width + j] = static_cast<T>(random.normal());
            collected[j] = static_cast<T>(random.normal());
            collected[Width + j] = static_cast<T>(0.2 + random.uniform());
        }
    }

    template <class T>
    static void scale_and_shift(std::span<const T> trained, std::span<const T> collected, std::span<double> scale,
                                std::span<double> shift) {
        for (std::size_t j = 0; j < Width; ++j) {
            scale[j] = static_cast<double>(trained[j]) / std::sqrt(static_cast<double>(collected[Width + j]) + 1e-5);
            shift[j] = static_cast<double>(trained[Width + j]) - scale[j] * static_cast<double>(collected[j]);
        }
    }

    template <class Backend, class T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> /*scratch*/) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                const T unit = (x(i, j) - collected[j]) / std::sqrt(collected[Width + j] + T{1e-5F});
                y(i, j) = trained[j] * unit + trained[Width + j];
            }
        }
    }
};

/// Gives its input in service.
template <std::size_t Width>
struct Drop {
    static constexpr const char* name = "Drop";
    static constexpr bool is_identity_in_service = true;
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;
    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) { return 0; }
    template <class T>
    static void initialise(std::span<T> /*parameters*/, std::span<T> /*statistics*/, Random& /*random*/) {}
    template <class Backend, class T>
    static void infer(std::span<const T> /*parameters*/, std::span<const T> /*statistics*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            std::copy_n(x.row(i).begin(), Width, y.row(i).begin());
        }
    }
};

/// x - mean(x), with scratch memory: a layer that nothing is known about.
template <std::size_t Width>
struct Center : Drop<Width> {
    static constexpr const char* name = "Center";
    static constexpr bool is_identity_in_service = false;
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) { return rows; }
    template <class Backend, class T>
    static void infer(std::span<const T> /*parameters*/, std::span<const T> /*statistics*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> scratch) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            scratch[i] = T{0};
            for (const T number : x.row(i)) {
                scratch[i] += number / static_cast<T>(Width);
            }
            for (std::size_t j = 0; j < Width; ++j) {
                y(i, j) = x(i, j) - scratch[i];
            }
        }
    }
};

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

/// The outputs of a tower in double, layer by layer: the definition.
template <class... Layers>
std::vector<double> outputs(const Tower<Layers...>& tower, const Matrix<float>& x) {
    using Network = typename Tower<Layers...>::Network;
    const std::vector<double> parameters(tower.parameters().begin(), tower.parameters().end());
    const std::vector<double> statistics(tower.statistics().begin(), tower.statistics().end());
    std::vector<double> rows;
    for (std::size_t i = 0; i < x.rows(); ++i) {
        rows.insert(rows.end(), x.row(i).begin(), x.row(i).end());
    }
    std::vector<double> y(x.rows() * Network::out);
    std::vector<double> scratch(Network::scratch(x.rows()));
    Network::template infer<Scalar, double>(std::span<const double>(parameters), std::span<const double>(statistics),
                                            MatrixView<const double>(rows, x.rows(), Network::in),
                                            MatrixView<double>(y, x.rows(), Network::out), std::span(scratch));
    return y;
}

template <class Backend, class Storage, class... Layers>
double largest_difference(const Tower<Layers...>& tower, std::size_t rows) {
    const Matrix<float> x = random_rows(rows, Tower<Layers...>::in, rows + 5);
    const std::vector<double> expected = outputs(tower, x);
    const Matrix<float> found = freeze<Storage>(tower).template infer<Backend>(x);
    REQUIRE(found.rows() == rows);
    REQUIRE(found.cols() == (Tower<Layers...>::out));
    double largest = 0.0;
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < found.cols(); ++j) {
            const double difference = std::abs(static_cast<double>(found(i, j)) - expected[i * found.cols() + j]);
            largest = difference <= largest ? largest : difference;
        }
    }
    return largest;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("freeze: the outputs of the tower", Backend, frozen_outputs) {
    using Small = Tower<Dense<5, 33>, ReLU, Dense<33, 3>>;
    for (const std::size_t rows : {0U, 1U, 2U, 8U, 95U, 96U, 97U, 200U}) {
        CHECK(largest_difference<Backend, float>(Small(7), rows) < 1e-6);
        CHECK(largest_difference<Backend, BFloat16>(Small(7), rows) < 0.02);
    }
    const auto check = [](const auto& tower) {
        CHECK(largest_difference<Backend, float>(tower, 3) < 3e-6);
        CHECK(largest_difference<Backend, BFloat16>(tower, 3) < 0.1);
    };
    check(Tower<Dense<20, 40>>(1));
    check(Tower<Dense<20, 40>, Dense<40, 70>, ReLU>(2));
    check(Tower<Sequential<Dense<20, 17>, ReLU>, Sequential<Sequential<Dense<17, 1>, ReLU>>>(3));
    check(Tower<Dense<20, 17>, ReLU, ReLU, Center<17>, ReLU, Dense<17, 9>, Center<9>>(4));
    check(Tower<Center<20>, Dense<20, 17>, Center<17>, ReLU, Dense<17, 9>, ReLU>(5));
}
TEST_CASE_TEMPLATE_APPLY(frozen_outputs, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("freeze: batch normalization is folded, dropout is left out", Backend, frozen_folds) {
    const auto check = [](const auto& tower) { CHECK(largest_difference<Backend, float>(tower, 5) < 1e-5); };
    check(Tower<Dense<6, 8>, Normalize<8>, ReLU, Dense<8, 3>>(1));                         // into the first
    check(Tower<Dense<6, 8>, ReLU, Normalize<8>, Drop<8>, Dense<8, 3>>(2));                // into the second
    check(Tower<Dense<6, 8>, ReLU, Normalize<8>>(3));                                      // stays
    check(Tower<Normalize<6>, Dense<6, 8>, Drop<8>, Normalize<8>, Drop<8>, ReLU>(4));      // both into one
    check(Tower<Normalize<6>, Drop<6>, Normalize<6>, Dense<6, 8>>(5));                     // two ahead
    check(Tower<Dense<6, 8>, Normalize<8>, Drop<8>, Normalize<8>, Dense<8, 4>, ReLU>(6));  // two back
    check(Tower<Dense<6, 8>, Center<8>, Normalize<8>, Center<8>, Normalize<8>>(7));        // stay
    check(Tower<Normalize<6>, Drop<6>>(8));
    check(Tower<Drop<6>, Drop<6>>(9));
    check(Tower<Sequential<Dense<6, 8>, ReLU>, Sequential<Normalize<8>, Drop<8>>, Dense<8, 3>>(10));
}
TEST_CASE_TEMPLATE_APPLY(frozen_folds, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("freeze: layers side by side are frozen one by one", Backend, frozen_parallel) {
    const auto check = [](const auto& tower) {
        for (const std::size_t rows : {0U, 1U, 5U, 100U}) {
            CHECK(largest_difference<Backend, float>(tower, rows) < 1e-5);
        }
        CHECK(largest_difference<Backend, BFloat16>(tower, 5) < 0.2);
    };
    check(Tower<Parallel<Sequential<Dense<6, 8>, Normalize<8>, ReLU, Dense<8, 3>>, Dense<6, 2>, Drop<6>>>(1));
    check(Tower<Dense<4, 6>, Parallel<Center<6>, Normalize<6>>, Normalize<12>, Dense<12, 1>>(2));
    check(Tower<Parallel<Dense<6, 4>, Parallel<Dense<6, 3>, Columns<6, 2, 3>>>, Dense<10, 2>>(3));
    check(Tower<Dense<6, 6>, Blocks<Dense<2, 3>, Sequential<Dense<3, 4>, ReLU>, Normalize<1>>, Center<8>>(4));
    check(Tower<Blocks<Dense<5, 1>, Parallel<Dense<1, 1>>>>(5));
}
TEST_CASE_TEMPLATE_APPLY(frozen_parallel, HostBackends);

// Rows that begin with the same Head numbers: in two parts, and whole.
template <class Backend, class Storage, std::size_t Head, class... Layers>
void check_split(const Tower<Layers...>& tower, bool is_exact) {
    const auto frozen = freeze<Storage>(tower);
    using Network = Tower<Layers...>;
    for (const std::size_t rows : {0U, 1U, 3U, 96U, 201U}) {
        Matrix<float> x = random_rows(rows, Network::in, 3);
        Matrix<float> tail(rows, Network::in - Head);
        const Matrix<float> head = random_rows(1, Head, 4);
        for (std::size_t i = 0; i < rows; ++i) {
            std::copy_n(head.row(0).begin(), Head, x.row(i).begin());
            std::copy(x.row(i).begin() + Head, x.row(i).end(), tail.row(i).begin());
        }
        const Matrix<float> whole = frozen.template infer<Backend>(x);
        Matrix<float> split(rows, Network::out);
        std::vector<float> memory(frozen.template split_scratch<Head>(rows));
        CHECK(allocations_of(
                  [&] { frozen.template infer_split<Head, Backend>(head.row(0), tail, memory, split.view()); }) == 0);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < whole.cols(); ++j) {
                const float difference = std::abs(whole(i, j) - split(i, j));
                REQUIRE(difference <= (is_exact ? 0.0F : 1e-5F * (1.0F + std::abs(whole(i, j)))));
            }
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("freeze: rows that begin with the same numbers, in two parts", Backend, frozen_split) {
    using Deep = Tower<Dense<9, 33>, Normalize<33>, ReLU, Dense<33, 2>>;
#ifdef __FAST_MATH__
    constexpr bool is_exact = false;
#else
    constexpr bool is_exact = true;  // an output of Dense is the same chain of sums
#endif
    check_split<Backend, float, 4>(Deep(1), is_exact);
    check_split<Backend, float, 0>(Deep(1), is_exact);
    check_split<Backend, float, 9>(Deep(1), is_exact);
    check_split<Backend, float, 3>(Deep(1), is_exact);
    check_split<Backend, BFloat16, 4>(Deep(1), is_exact);
    check_split<Backend, BFloat16, 3>(Deep(1), is_exact);  // a pair of inputs is not torn
    check_split<Backend, float, 4>(Tower<Drop<9>, Normalize<9>, Dense<9, 5>>(2), is_exact);
    check_split<Backend, float, 4>(Tower<Normalize<9>, ReLU>(3), is_exact);
    check_split<Backend, float, 4>(Tower<Drop<9>>(4), is_exact);
    check_split<Backend, float, 4>(Tower<Center<9>, Dense<9, 2>>(5), is_exact);
    check_split<Backend, float, 5>(
        Tower<Parallel<Sequential<Dense<9, 8>, ReLU>, Columns<9, 3, 4>, CrossNetwork<9, 2>, Parallel<Dense<9, 2>>>,
              Dense<23, 1>>(6),
        false);
    check_split<Backend, float, 5>(Tower<Blocks<Dense<5, 8>, Dense<4, 3>>, ReLU>(7), is_exact);
}
TEST_CASE_TEMPLATE_APPLY(frozen_split, HostBackends);

TEST_CASE("freeze: layers that are parts of others take no step") {
    // The memory of a step is as wide as its widest output, so it shows which steps there are.
    using Wide = Frozen<float, Dense<4, 16>, Normalize<16>, ReLU, Drop<16>>;
    static_assert(Wide::scratch(1) == 2 * 16);
    static_assert(sizeof(Wide) == sizeof(Frozen<float, Dense<4, 16>>));
    static_assert(sizeof(Frozen<float, Dense<4, 16>, ReLU, Normalize<16>, Drop<16>, Dense<16, 4>>) == 2 * sizeof(Wide));
    static_assert(std::is_empty_v<Frozen<float, Drop<4>>> || sizeof(Frozen<float, Drop<4>>) <= sizeof(void*));
    static_assert(sizeof(Frozen<float, Dense<4, 16>, Dropout<16>, BatchNorm<16>, ReLU>) == sizeof(Wide));
    static_assert(Wide::scratch(1000) == 96 * Wide::scratch(1));
}

TEST_CASE("freeze: published values of folded layers") {
    // Dense(2, 3) then a batch normalization, and the other way round with Dense(3, 2).
    const std::vector<float> gamma_beta = [] {
        std::vector<float> numbers;
        for (const double s : sines(3, 1.0, 0.1)) {
            numbers.push_back(static_cast<float>(1.0 + s));
        }
        for (const double s : sines(3, 2.0, 0.1)) {
            numbers.push_back(static_cast<float>(s));
        }
        return numbers;
    }();
    const std::vector<float> statistics{0.01954638F, -0.06317138F, -0.08780965F, 0.8401906F, 0.8803184F, 0.9989946F};
    const auto floats = [](std::size_t count, double start) {
        const std::vector<double> numbers = sines(count, start);
        return std::vector<float>(numbers.begin(), numbers.end());
    };
    const auto joined = [](std::vector<float> a, const std::vector<float>& b, const std::vector<float>& c) {
        a.insert(a.end(), b.begin(), b.end());
        a.insert(a.end(), c.begin(), c.end());
        return a;
    };
    // The outputs for unit vectors and zero show the folded weights and biases.
    const auto check = [](const auto& frozen, std::size_t in, const std::vector<double>& w,
                          const std::vector<double>& b) {
        Matrix<float> units(in + 1, in);
        for (std::size_t k = 0; k < in; ++k) {
            units(k, k) = 1.0F;
        }
        const Matrix<float> y = frozen.infer(units);
        for (std::size_t j = 0; j < b.size(); ++j) {
            CHECK(static_cast<double>(y(in, j)) == doctest::Approx(b[j]).epsilon(1e-6));
            for (std::size_t k = 0; k < in; ++k) {
                CHECK(static_cast<double>(y(k, j)) == doctest::Approx(w[j * in + k] + b[j]).epsilon(2e-6));
            }
        }
    };
    check(Frozen<float, Dense<2, 3>, Dropout<3>, BatchNorm<3>>(joined(floats(6, 6.0), floats(3, 7.0), gamma_beta),
                                                               statistics),
          2, {-0.3304815, 0.7770576, 1.150345, 0.4791776, -0.5519731, -1.014607}, {0.8448687, 1.237907, 0.4315554});
    check(Frozen<float, BatchNorm<3>, Dropout<3>, Dense<3, 2>>(joined(gamma_beta, floats(6, 8.0), floats(2, 9.0)),
                                                               statistics),
          3, {1.170174, 0.4791776, -0.5519731, -1.182749, -0.623883, 0.4263087}, {0.5079971, -0.6531795});
}

TEST_CASE("freeze: a row is the same whatever the other rows are") {
    const Tower<Dense<20, 140>, ReLU, Normalize<140>, Dense<140, 9>, Center<9>> tower(3);
    const auto frozen = freeze(tower);
    const auto half = freeze<BFloat16>(tower);
    const Matrix<float> x = random_rows(130, 20, 1);
    const Matrix<float> y = frozen.infer(x);
    const Matrix<float> z = half.infer(x);
    for (const std::size_t i : {0U, 1U, 95U, 96U, 129U}) {
        for (const std::size_t n : {1U, 2U, 3U, 30U}) {
            const std::size_t first = std::min<std::size_t>(i, 130 - n);
            const Matrix<float> some = frozen.infer(x.view().rows_from(first, n));
            const Matrix<float> some_half = half.infer(x.view().rows_from(first, n));
            for (std::size_t r = 0; r < n; ++r) {
                CHECK(std::equal(some.row(r).begin(), some.row(r).end(), y.row(first + r).begin()));
                CHECK(std::equal(some_half.row(r).begin(), some_half.row(r).end(), z.row(first + r).begin()));
            }
        }
    }
}

TEST_CASE("freeze: infer into memory of the caller allocates nothing") {
    using Network = Tower<Dense<5, 33>, ReLU, Center<33>, Dense<33, 3>, Normalize<3>>;
    const auto frozen = freeze(Network(1));
    const Matrix<float> x = random_rows(200, 5, 1);
    Matrix<float> y(200, 3);
    std::vector<float> memory(frozen.scratch(200));
    CHECK(allocations_of([&] { frozen.infer(x, memory, y.view()); }) == 0);
    CHECK(y(199, 2) == frozen.infer(x)(199, 2));
    static_assert(noexcept(frozen.infer(x.view(), std::span(memory), y.view())));
}

TEST_CASE("freeze: what the tower learns later does not reach a frozen network") {
    Tower<Dense<2, 1>> tower(1);
    const auto frozen = freeze(tower);
    const Matrix<float> x = random_rows(1, 2, 1);
    const float before = frozen.infer(x)(0, 0);
    std::fill(tower.parameters().begin(), tower.parameters().end(), 0.0F);
    CHECK(frozen.infer(x)(0, 0) == before);
}

TEST_CASE("freeze: shapes that do not match are rejected") {
    const auto frozen = freeze(Tower<Dense<5, 2>>(1));
    CHECK_THROWS_WITH_AS(static_cast<void>(frozen.infer(random_rows(2, 4, 1))),
                         "Frozen::infer: x must have 5 columns, got 4", InvalidArgument);
    using Small = Frozen<float, Dense<2, 1>>;
    const std::vector<float> numbers(4);
    const std::span<const float> all(numbers);
    CHECK_THROWS_AS(Small(all, {}), InvalidArgument);
    CHECK_THROWS_AS(Small(all.first(2), {}), InvalidArgument);
    CHECK_THROWS_AS(Small(all.first(3), all.first(1)), InvalidArgument);
}
