// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/int8_dense.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/dense_panels.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::MatrixView;
using funnel::Random;
using funnel::kernels::DensePanels;
using funnel::kernels::Epilogue;
using funnel::kernels::int8_dense;
using funnel::kernels::max_int8_inputs;
using funnel::kernels::pack_dense;
using funnel::kernels::Scalar;
using funnel::kernels::ScaledInt8;
using namespace funnel::testing;

namespace {

/// A layer of bytes. The memory of all arrays ends where they end, so that a sanitizer sees a kernel that reads on.
struct Layer {
    using Panels = DensePanels<ScaledInt8>;
    std::size_t in;
    std::size_t out;
    std::vector<float> weights;
    std::vector<float> bias;
    std::vector<ScaledInt8> packed;
    std::vector<float> scales;

    Layer(std::size_t inputs, std::size_t outputs, std::vector<float> w, std::vector<float> b)
        : in(inputs),
          out(outputs),
          weights(std::move(w)),
          bias(std::move(b)),
          packed(Panels::weights_of(in, out)),
          scales(Panels::bias_of(out)) {
        pack_dense(MatrixView<const float>(weights, out, in), packed, scales);
        bias.resize(Panels::bias_of(out), std::numeric_limits<float>::quiet_NaN());
    }

    [[nodiscard]] Panels panels() const { return {in, out, packed, bias, 0, scales}; }
    [[nodiscard]] int byte(std::size_t j, std::size_t k) const {
        return packed[Panels::position(in, k, j)].plus_128 - 128;
    }
};

constexpr std::size_t gap = 3;  // numbers between rows of y

template <class Backend, Epilogue E = Epilogue::Identity>
std::vector<float> run(const Layer& layer, std::size_t n, std::span<const float> x) {
    const std::size_t stride = layer.out + gap;
    std::vector<float> y(n == 0 ? 0 : (n - 1) * stride + layer.out, 99.0F);
    int8_dense<E, Backend>(layer.panels(), MatrixView<const float>(x, n, layer.in),
                           MatrixView<float>(y, n, layer.out, stride));
    for (std::size_t i = 0; i + 1 < n; ++i) {
        for (std::size_t j = 0; j < gap; ++j) {
            REQUIRE(y[i * stride + layer.out + j] == 99.0F);
        }
    }
    return y;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

/// Whole numbers in [-127, 127]; the first of each row of `width` is 127 or -127, so that the step is 1.
std::vector<float> whole_bytes(std::size_t rows, std::size_t width, std::uint64_t stream) {
    Random random(5, stream);
    std::vector<float> numbers(rows * width);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        numbers[i] = static_cast<float>(random.below(255)) - 127.0F;
        if (i % width == 0) {
            numbers[i] = numbers[i] < 0.0F ? -127.0F : 127.0F;
        }
    }
    return numbers;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("int8_dense: worked by hand", Backend, int8_dense_by_hand) {
    // Steps of the outputs: 2 and 0.5. Bytes: [127, -1], [0, 127]. Row: step 0.1, bytes [127, -10].
    const Layer layer(2, 2, {254.0F, -2.0F, 0.0F, 63.5F}, {1.0F, -1.0F});
    CHECK(layer.scales[0] == 2.0F);
    CHECK(layer.scales[1] == 0.5F);
    CHECK(layer.byte(0, 0) == 127);
    CHECK(layer.byte(0, 1) == -1);
    CHECK(layer.byte(1, 0) == 0);
    CHECK(layer.byte(1, 1) == 127);
    const std::vector<float> x{12.7F, -1.0F};
    const std::vector<float> y = run<Backend>(layer, 1, x);
    CHECK(y[0] == doctest::Approx(0.1 * 2 * (127 * 127 + 10) + 1).epsilon(1e-6));
    CHECK(y[1] == doctest::Approx(0.1 * 0.5 * (-10 * 127) - 1).epsilon(1e-6));
    CHECK(run<Backend, Epilogue::ReLU>(layer, 1, x)[0] == y[0]);
    CHECK(run<Backend, Epilogue::ReLU>(layer, 1, x)[1] == 0.0F);
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dense: published values", Backend, int8_dense_published) {
    // x[k] = sin(k), weights sin(1 + n); from NumPy. Bytes [0, 118, 127, 20] and [118, 127, 20, -106], [-123, -36, 84, 127];
    // sums 15406 and 8960.
    std::vector<float> numbers(9);
    for (std::size_t n = 0; n < numbers.size(); ++n) {
        numbers[n] = static_cast<float>(std::sin(static_cast<double>(n)));
    }
    const Layer layer(4, 2, {numbers.begin() + 1, numbers.end()}, {0.0F, 0.0F});
    const std::vector<int> bytes{118, 127, 20, -106, -123, -36, 84, 127};
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        CHECK(layer.byte(n / 4, n % 4) == bytes[n]);
    }
    const std::vector<float> y = run<Backend>(layer, 1, std::span(numbers).first(4));
    CHECK(y[0] == doctest::Approx(0.7897586).epsilon(1e-6));
    CHECK(y[1] == doctest::Approx(0.4997584).epsilon(1e-6));
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_published, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dense: exact on whole numbers, for every shape", Backend, int8_dense_exact) {
    for (const std::size_t in : {1U, 2U, 3U, 4U, 5U, 15U, 16U, 17U, 40U, 65U}) {
        for (const std::size_t out : {1U, 2U, 7U, 8U, 9U, 15U, 16U, 17U, 24U, 31U, 32U, 33U, 64U, 100U, 160U}) {
            const Layer layer(in, out, whole_bytes(out, in, 1), small_integers(out, 2));
            for (const std::size_t n : {0U, 1U, 2U, 3U, 6U, 7U, 12U, 25U}) {
                const std::vector<float> x = whole_bytes(n, in, 3);
                const std::vector<float> y = run<Backend>(layer, n, x);
                const std::vector<float> relu = run<Backend, Epilogue::ReLU>(layer, n, x);
                bool all = true;
                for (std::size_t i = 0; i < n; ++i) {
                    for (std::size_t j = 0; j < out; ++j) {
                        float sum = layer.bias[j];
                        for (std::size_t k = 0; k < in; ++k) {
                            sum += x[i * in + k] * layer.weights[j * in + k];
                        }
                        all = all && y[i * (out + gap) + j] == sum && relu[i * (out + gap) + j] == std::max(sum, 0.0F);
                    }
                }
                CHECK_MESSAGE(all, in, " x ", out, ", rows ", n);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dense: off by half a step of each factor, as Scalar, and row by row", Backend,
                          int8_dense_rounding) {
    constexpr std::size_t n = 26;
    for (const std::size_t in : {1U, 33U, 300U, 2049U}) {
        for (const std::size_t out : {1U, 40U, 150U}) {
            const Layer layer(in, out, normals(in * out, 1), normals(out, 2));
            const std::vector<float> x = normals(n * in, 3);
            const std::vector<float> y = run<Backend>(layer, n, x);
            for (std::size_t i = 0; i < n; ++i) {
                double largest = 0.0;
                for (std::size_t k = 0; k < in; ++k) {
                    largest = std::max(largest, std::abs(static_cast<double>(x[i * in + k])));
                }
                for (std::size_t j = 0; j < out; ++j) {
                    double largest_weight = 0.0;
                    for (std::size_t k = 0; k < in; ++k) {
                        largest_weight =
                            std::max(largest_weight, std::abs(static_cast<double>(layer.weights[j * in + k])));
                    }
                    const double dx = largest / 254.0;
                    const double dw = largest_weight / 254.0;
                    auto sum = static_cast<double>(layer.bias[j]);
                    double size = std::abs(sum);
                    double allowed = 0.0;
                    for (std::size_t k = 0; k < in; ++k) {
                        const auto a = static_cast<double>(x[i * in + k]);
                        const auto b = static_cast<double>(layer.weights[j * in + k]);
                        sum += a * b;
                        size += std::abs(a * b);
                        allowed += std::abs(a) * dw + std::abs(b) * dx + dx * dw;
                    }
                    const auto found = static_cast<double>(y[i * (out + gap) + j]);
                    REQUIRE(std::abs(found - sum) <= allowed + 1e-5 * (size + allowed));
                }
            }
#ifndef __FAST_MATH__
            CHECK(same_bits(y, run<Scalar>(layer, n, x)));
            for (std::size_t count = 1; count <= n; ++count) {
                const std::size_t first = n - count;
                const std::vector<float> some = run<Backend>(layer, count, std::span(x).subspan(first * in));
                REQUIRE(same_bits(some, std::span(y).subspan(first * (out + gap))));
            }
#endif
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dense: parts of a layer have steps of their own", Backend, int8_dense_parts) {
    constexpr std::size_t in = 45;
    for (const std::size_t out : {1U, 31U, 70U}) {
        for (const std::size_t head : {0U, 4U, 24U, 44U}) {
            const Layer layer(in, out, whole_bytes(out, in, 1), small_integers(out, 2));
            std::vector<float> x = whole_bytes(1, in, 3);
            x[head] = 127.0F;  // the step of both parts is 1, so that they add up exactly
            const std::vector<float> whole = run<Backend>(layer, 1, x);
            std::vector<float> shared(layer.bias.size());
            int8_dense<Epilogue::Identity, Backend>(layer.panels().part(0, head, layer.bias),
                                                    MatrixView<const float>(std::span(x).first(head), 1, head),
                                                    MatrixView<float>(std::span(shared).first(out), 1, out));
            std::vector<float> y(out);
            int8_dense<Epilogue::Identity, Backend>(
                layer.panels().part(0, in, layer.bias).part(head, in - head, shared),
                MatrixView<const float>(std::span(x).subspan(head), 1, in - head), MatrixView<float>(y, 1, out));
            CHECK_MESSAGE(same_bits(y, whole), out, " outputs, head ", head);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_parts, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dense: zeros, the smallest and the largest numbers", Backend, int8_dense_extremes) {
    constexpr std::size_t in = 70;
    constexpr std::size_t out = 33;
    std::vector<float> weights = normals(in * out, 1);
    std::fill_n(weights.begin(), in, 0.0F);
    const Layer layer(in, out, weights, normals(out, 2));
    std::vector<float> x = normals(4 * in, 3);
    std::fill_n(x.begin() + in, in, 0.0F);        // a row of zeros
    std::fill_n(x.begin() + 2 * in, in, 1e-40F);  // below the least step
    std::fill_n(x.begin() + 3 * in, in, std::numeric_limits<float>::max());
    const std::vector<float> y = run<Backend>(layer, 4, x);
    for (std::size_t j = 0; j < out; ++j) {
        CHECK(y[out + gap + j] == layer.bias[j]);
        CHECK(y[2 * (out + gap) + j] == layer.bias[j]);
    }
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(y[i * (out + gap)] == layer.bias[0]);  // weights of zeros
    }
#ifndef __FAST_MATH__
    CHECK(same_bits(y, run<Scalar>(layer, 4, x)));
#endif
    // The largest sum: every product is 127 * 127.
    const Layer longest(max_int8_inputs, 1, std::vector<float>(max_int8_inputs, -127.0F), {0.0F});
    const std::vector<float> ones(3 * max_int8_inputs, 127.0F);
    for (const float number : run<Backend>(longest, 1, std::span(ones).first(max_int8_inputs))) {
        CHECK(number == -127.0F * 127.0F * static_cast<float>(max_int8_inputs));
    }
    CHECK(run<Backend>(longest, 3, ones)[2 * (1 + gap)] == -127.0F * 127.0F * static_cast<float>(max_int8_inputs));
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_extremes, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_dense: ties of bytes go to the even one", Backend, int8_dense_ties) {
    const Layer layer(4, 1, {127.0F, 1.0F, 2.0F, 4.0F}, {0.0F});
    CHECK(run<Backend>(layer, 1, std::vector<float>{127.0F, 0.5F, 1.5F, -2.5F})[0] == 127.0F * 127.0F + 0 + 4 - 8);
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_ties, HostBackends);

#ifndef __FAST_MATH__
TEST_CASE_TEMPLATE_DEFINE("int8_dense: a number that is not finite makes its row, or its output, NaN", Backend,
                          int8_dense_nan) {
    constexpr std::size_t in = 37;
    constexpr std::size_t out = 35;
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        for (const std::size_t place : {0U, 20U, 36U}) {
            std::vector<float> weights = normals(in * out, 1);
            weights[5 * in + place] = bad;
            const Layer layer(in, out, weights, normals(out, 2));
            for (const std::size_t n : {2U, 14U}) {
                std::vector<float> x = normals(n * in, 3);
                x[in + place] = bad;
                const std::vector<float> y = run<Backend>(layer, n, x);
                const std::vector<float> relu = run<Backend, Epilogue::ReLU>(layer, n, x);
                for (std::size_t i = 0; i < n; ++i) {
                    for (std::size_t j = 0; j < out; ++j) {
                        const bool is_bad = i == 1 || j == 5;
                        CHECK(std::isnan(y[i * (out + gap) + j]) == is_bad);
                        CHECK((!is_bad || relu[i * (out + gap) + j] == 0.0F));
                    }
                }
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_dense_nan, HostBackends);
#endif
