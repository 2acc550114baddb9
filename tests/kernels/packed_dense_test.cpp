// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/packed_dense.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/kernels/half_floats.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

using funnel::MatrixView;
using funnel::kernels::BFloat16;
using funnel::kernels::DensePanels;
using funnel::kernels::Epilogue;
using funnel::kernels::Float16;
using funnel::kernels::pack_dense;
using funnel::kernels::packed_dense;
using funnel::kernels::Scalar;
using namespace funnel::testing;

namespace {

/// A packed layer. The memory of all arrays ends where they end, so that a sanitizer sees a kernel that reads on.
template <class Weight>
struct Layer {
    std::size_t in;
    std::size_t out;
    std::vector<float> weights;
    std::vector<float> bias;
    std::vector<Weight> packed;

    Layer(std::size_t inputs, std::size_t outputs, std::vector<float> w, std::vector<float> b)
        : in(inputs),
          out(outputs),
          weights(std::move(w)),
          bias(std::move(b)),
          packed(DensePanels<Weight>::weights_of(in, out)) {
        pack_dense<Weight>(MatrixView<const float>(weights, out, in), packed);
        bias.resize(DensePanels<Weight>::bias_of(out), std::numeric_limits<float>::quiet_NaN());
    }

    [[nodiscard]] DensePanels<Weight> panels() const { return {in, out, packed, bias}; }

    /// The weight that is multiplied.
    [[nodiscard]] double weight(std::size_t j, std::size_t k) const {
        const float w = weights[j * in + k];
        if constexpr (std::is_same_v<Weight, float>) {
            return static_cast<double>(w);
        } else {
            return static_cast<double>(Weight::nearest(w).value());
        }
    }
};

constexpr std::size_t gap = 3;  // numbers between rows of y

template <class Backend, Epilogue E, class Weight>
std::vector<float> run(const Layer<Weight>& layer, std::size_t n, std::span<const float> x, std::size_t x_stride) {
    const std::size_t stride = layer.out + gap;
    std::vector<float> y(n == 0 ? 0 : (n - 1) * stride + layer.out, 99.0F);
    packed_dense<E, Backend>(layer.panels(), MatrixView<const float>(x, n, layer.in, x_stride),
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

template <class Backend, class Weight>
void check_exact() {
    for (const std::size_t in : {1U, 2U, 5U, 40U}) {
        for (const std::size_t out : {1U, 2U, 3U, 4U, 7U, 15U, 16U, 17U, 24U, 31U, 32U, 33U, 49U, 64U, 100U, 160U}) {
            const Layer<Weight> layer(in, out, small_integers(in * out, 1), small_integers(out, 2));
            for (const std::size_t n : {0U, 1U, 2U, 3U, 6U, 7U, 12U, 25U}) {
                const std::vector<float> x = small_integers(n * in, 3);
                const std::vector<float> y = run<Backend, Epilogue::Identity>(layer, n, x, in);
                const std::vector<float> relu = run<Backend, Epilogue::ReLU>(layer, n, x, in);
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

/// `allowed` is what inputs may be rounded by.
template <class Backend, class Weight>
void check_rounding(std::size_t in, std::size_t out, const std::vector<float>& x, double allowed) {
    constexpr std::size_t n = 30;
    const Layer<Weight> layer(in, out, normals(in * out, 1), normals(out, 2));
    const std::vector<float> y = run<Backend, Epilogue::Identity>(layer, n, x, in);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < out; ++j) {
            auto sum = static_cast<double>(layer.bias[j]);
            double size = std::abs(sum);
            for (std::size_t k = 0; k < in; ++k) {
                const double product = static_cast<double>(x[i * in + k]) * layer.weight(j, k);
                sum += product;
                size += std::abs(product);
            }
            const auto found = static_cast<double>(y[i * (out + gap) + j]);
            REQUIRE(std::abs(found - sum) <= (allowed + unit_roundoff * static_cast<double>(in + 1)) * size);
        }
    }
    // Every row has the same bits in a call of any number of rows.
    const std::span<const float> all(y);
    for (std::size_t count = 1; count <= n; ++count) {
        const std::size_t first = n - count;
        const std::vector<float> some =
            run<Backend, Epilogue::Identity>(layer, count, std::span(x).subspan(first * in), in);
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(same_bits(std::span<const float>(some).subspan(i * (out + gap), out),
                              all.subspan((first + i) * (out + gap), out)));
        }
    }
}

template <class Backend, class Weight>
void check_nan() {
    for (const std::size_t n : {2U, 14U}) {
        constexpr std::size_t in = 20;
        constexpr std::size_t out = 35;
        const Layer<Weight> layer(in, out, normals(in * out, 1), normals(out, 2));
        std::vector<float> x = normals(n * in, 3);
        x[in + 7] = std::numeric_limits<float>::quiet_NaN();
        const std::vector<float> y = run<Backend, Epilogue::Identity>(layer, n, x, in);
        const std::vector<float> relu = run<Backend, Epilogue::ReLU>(layer, n, x, in);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < out; ++j) {
                CHECK(std::isnan(y[i * (out + gap) + j]) == (i == 1));
                CHECK((i != 1 || relu[i * (out + gap) + j] == 0.0F));
            }
        }
    }
}

/// The products of the first inputs are the bias of those of the others.
template <class Backend, class Weight>
void check_parts() {
    constexpr std::size_t n = 14;
    constexpr std::size_t in = 45;
    for (const std::size_t out : {1U, 31U, 70U}) {
        const Layer<Weight> layer(in, out, normals(in * out, 1), normals(out, 2));
        std::vector<float> x = normals(n * in, 3);
        for (const std::size_t head : {0U, 2U, 22U, 44U}) {
            for (std::size_t i = 1; i < n; ++i) {
                std::copy_n(x.begin(), head, x.begin() + static_cast<std::ptrdiff_t>(i * in));
            }
            const std::vector<float> whole = run<Backend, Epilogue::ReLU>(layer, n, x, in);
            std::vector<float> shared(layer.bias.size());
            packed_dense<Epilogue::Identity, Backend>(layer.panels().part(0, head, layer.bias),
                                                      MatrixView<const float>(std::span(x).first(head), 1, head),
                                                      MatrixView<float>(std::span(shared).first(out), 1, out));
            std::vector<float> y(whole.size(), 99.0F);
            packed_dense<Epilogue::ReLU, Backend>(layer.panels().part(0, in, layer.bias).part(head, in - head, shared),
                                                  MatrixView<const float>(std::span(x).subspan(head), n, in - head, in),
                                                  MatrixView<float>(y, n, out, out + gap));
            CHECK_MESSAGE(same_bits(y, whole), out, " outputs, head ", head);
        }
    }
}

}  // namespace

#ifndef __FAST_MATH__
TEST_CASE_TEMPLATE_DEFINE("packed_dense: a layer in two parts has the bits of the whole", Backend, packed_parts) {
    check_parts<Backend, float>();
    check_parts<Backend, BFloat16>();
    check_parts<Backend, Float16>();
}
TEST_CASE_TEMPLATE_APPLY(packed_parts, HostBackends);
#endif

TEST_CASE_TEMPLATE_DEFINE("packed_dense: worked by hand", Backend, packed_by_hand) {
    const Layer<float> layer(2, 3, {1, 2, 3, 4, -5, -6}, {0.5F, -20.0F, 1.0F});
    const std::vector<float> x{1.0F, 1.0F, 99.0F, 2.0F, 0.0F};
    const std::vector<float> y = run<Backend, Epilogue::Identity>(layer, 2, x, 3);
    CHECK(std::vector<float>(y.begin(), y.begin() + 3) == std::vector<float>{3.5F, -13.0F, -10.0F});
    CHECK(std::vector<float>(y.end() - 3, y.end()) == std::vector<float>{2.5F, -14.0F, -9.0F});
    const std::vector<float> relu = run<Backend, Epilogue::ReLU>(layer, 2, x, 3);
    CHECK(std::vector<float>(relu.begin(), relu.begin() + 3) == std::vector<float>{3.5F, 0.0F, 0.0F});
}
TEST_CASE_TEMPLATE_APPLY(packed_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("packed_dense: exact on small whole numbers, for every shape", Backend, packed_exact) {
    check_exact<Backend, float>();
    check_exact<Backend, BFloat16>();
    check_exact<Backend, Float16>();
}
TEST_CASE_TEMPLATE_APPLY(packed_exact, HostBackends);

#ifndef __FAST_MATH__
TEST_CASE_TEMPLATE_DEFINE("packed_dense: near the sums in double, and rows do not depend on each other", Backend,
                          packed_rounding) {
    for (const std::size_t in : {1U, 33U, 300U, 2049U}) {
        std::vector<float> x = normals(30 * in, 3);
        check_rounding<Backend, float>(in, 1, x, 0.0);
        check_rounding<Backend, float>(in, 150, x, 0.0);
        check_rounding<Backend, BFloat16>(in, 150, x, 0x1p-8);
        check_rounding<Backend, Float16>(in, 1, x, 0.0);
        check_rounding<Backend, Float16>(in, 150, x, 0.0);
        for (float& number : x) {
            number = BFloat16::nearest(number).value();
        }
        check_rounding<Backend, BFloat16>(in, 150, x, 0.0);
    }
}
TEST_CASE_TEMPLATE_APPLY(packed_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("packed_dense: the same bits as gemm_nt", Backend, packed_as_gemm) {
    if (std::is_same_v<Backend, Scalar>) {
        return;  // a compiler may fuse multiplications and additions in one of two plain loops
    }
    constexpr std::size_t in = 270;
    constexpr std::size_t out = 70;
    const Layer<float> layer(in, out, normals(in * out, 1), normals(out, 2));
    const std::vector<float> x = normals(5 * in, 3);
    std::vector<float> expected(5 * (out + gap) - gap, 99.0F);
    funnel::kernels::gemm_nt<Backend>(MatrixView<const float>(x, 5, in),
                                      MatrixView<const float>(layer.weights, out, in), std::span(layer.bias).first(out),
                                      MatrixView<float>(expected, 5, out, out + gap));
    CHECK(same_bits(run<Backend, Epilogue::Identity>(layer, 5, x, in), expected));
}
TEST_CASE_TEMPLATE_APPLY(packed_as_gemm, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("packed_dense: NaN does not spread to other rows; ReLU makes it 0", Backend, packed_nan) {
    check_nan<Backend, float>();
    check_nan<Backend, BFloat16>();
    check_nan<Backend, Float16>();
}
TEST_CASE_TEMPLATE_APPLY(packed_nan, HostBackends);
#endif
