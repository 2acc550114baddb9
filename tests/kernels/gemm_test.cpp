// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/gemm.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

using funnel::MatrixView;
using funnel::kernels::gemm_nn;
using funnel::kernels::gemm_nt;
using funnel::kernels::gemm_tn;
using namespace funnel::testing;

namespace {

/// A matrix whose memory ends with its last element, so that a sanitizer sees a kernel that reads on. Its rows are
/// `gap` numbers apart, which are NaN.
template <class T>
struct Rows {
    std::size_t rows;
    std::size_t cols;
    std::size_t stride;
    std::vector<T> elements;

    Rows(std::size_t n, std::size_t width, const std::vector<float>& values, std::size_t gap = 0)
        : rows(n),
          cols(width),
          stride(width + gap),
          elements(n == 0 ? 0 : (n - 1) * stride + width, std::numeric_limits<T>::quiet_NaN()) {
        for (std::size_t i = 0; i < n; ++i) {
            std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(i * width), width,
                        elements.begin() + static_cast<std::ptrdiff_t>(i * stride));
        }
    }

    [[nodiscard]] MatrixView<const T> view() const { return {elements, rows, cols, stride}; }
    [[nodiscard]] MatrixView<T> view() { return {elements, rows, cols, stride}; }

    /// Rows first_row ... and columns first_col ... of it.
    [[nodiscard]] MatrixView<const T> block(std::size_t first_row, std::size_t n, std::size_t first_col,
                                            std::size_t width) const {
        if (n == 0 || width == 0) {
            return {std::span<const T>{}, n, width};
        }
        const std::span<const T> all(elements);
        return {all.subspan(first_row * stride + first_col, (n - 1) * stride + width), n, width, stride};
    }

    [[nodiscard]] double at(std::size_t i, std::size_t j) const {
        return static_cast<double>(elements[i * stride + j]);
    }
};

using Floats = Rows<float>;

template <class T>
bool same_bits(MatrixView<const T> a, MatrixView<const T> b) {
    for (std::size_t i = 0; i < a.rows(); ++i) {
        if (a.cols() > 0 && std::memcmp(a.row(i).data(), b.row(i).data(), a.cols() * sizeof(T)) != 0) {
            return false;
        }
    }
    return a.rows() == b.rows() && a.cols() == b.cols();
}

/// The three products of one n x m result and d products per element, from numbers that `draw` gives.
template <class T, class Backend, class Draw>
struct Products {
    Rows<T> a;
    Rows<T> a_t;
    Rows<T> b;
    Rows<T> b_t;
    std::vector<T> bias;
    Rows<T> before;
    Rows<T> nt;
    Rows<T> nn;
    Rows<T> tn;

    Products(std::size_t n, std::size_t m, std::size_t d, std::size_t gap, const Draw& draw)
        : a(n, d, draw(n * d, 1), gap),
          a_t(d, n, draw(n * d, 2), gap),
          b(d, m, draw(d * m, 3), gap),
          b_t(m, d, draw(d * m, 4), gap),
          before(n, m, draw(n * m, 6), gap),
          nt(before),
          nn(before),
          tn(before) {
        const auto numbers = draw(m, 5);
        bias.assign(numbers.begin(), numbers.end());
        gemm_nt<Backend>(a.view(), b_t.view(), bias, nt.view());
        gemm_nn<Backend>(a.view(), b.view(), nn.view());
        gemm_tn<Backend>(a_t.view(), b.view(), tn.view());
    }

    /// The largest error of an element, in units of `unit` per multiply-add and of the sum of absolute values.
    [[nodiscard]] double error(double unit) const {
        double largest = 0.0;
        const auto check = [&](double start, double found, const auto& x, const auto& y) {
            double sum = start;
            double size = std::abs(start);
            for (std::size_t k = 0; k < a.cols; ++k) {
                sum += x(k) * y(k);
                size += std::abs(x(k) * y(k));
            }
            const double allowed = unit * static_cast<double>(a.cols + 1) * size;
            const double difference = std::abs(found - sum);
            const double units = difference == 0.0 ? 0.0 : difference / allowed;
            largest = units <= largest ? largest : units;  // NaN is kept
        };
        for (std::size_t i = 0; i < a.rows; ++i) {
            for (std::size_t j = 0; j < b.cols; ++j) {
                const auto row = [&](std::size_t k) { return a.at(i, k); };
                const auto column = [&](std::size_t k) { return b.at(k, j); };
                check(static_cast<double>(bias[j]), nt.at(i, j), row, [&](std::size_t k) { return b_t.at(j, k); });
                check(0.0, nn.at(i, j), row, column);
                check(before.at(i, j), tn.at(i, j), [&](std::size_t k) { return a_t.at(k, i); }, column);
            }
        }
        return largest;
    }
};

const auto whole_numbers = [](std::size_t n, std::uint64_t stream) { return small_integers(n, stream); };
const auto normal_numbers = [](std::size_t n, std::uint64_t stream) { return normals(n, stream); };

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("gemm: worked by hand", Backend, gemm_by_hand) {
    const Floats a(2, 3, {1, 2, 3, 4, 5, 6});
    const Floats b(2, 3, {1, 0, -1, 2, 1, 0});
    const std::vector<float> bias{10.0F, 20.0F};
    Floats nt(2, 2, {9, 9, 9, 9});
    gemm_nt<Backend>(a.view(), b.view(), bias, nt.view());
    CHECK(nt.elements == std::vector<float>{8, 24, 8, 33});  // (1 - 3) + 10, (2 + 2) + 20, (4 - 6) + 10, (8 + 5) + 20
    gemm_nt<Backend>(a.view(), b.view(), {}, nt.view());
    CHECK(nt.elements == std::vector<float>{-2, 4, -2, 13});
    const Floats e(2, 2, {1, 1, 0, 2});
    Floats nn(2, 3, {9, 9, 9, 9, 9, 9});
    gemm_nn<Backend>(e.view(), b.view(), nn.view());
    CHECK(nn.elements == std::vector<float>{3, 1, -1, 4, 2, 0});
    Floats tn(2, 3, {1, 1, 1, 1, 1, 1});
    gemm_tn<Backend>(e.view(), b.view(), tn.view());  // e^T b = {1, 0, -1}, {1 + 4, 0 + 2, -1 + 0}
    CHECK(tn.elements == std::vector<float>{2, 1, 0, 6, 3, 0});
}
TEST_CASE_TEMPLATE_APPLY(gemm_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("gemm: exact on small whole numbers, for every shape", Backend, gemm_exact) {
    for (const std::size_t n : {0U, 1U, 2U, 5U, 6U, 7U, 11U, 12U, 13U, 30U}) {
        for (const std::size_t m : {0U, 1U, 3U, 4U, 8U, 15U, 16U, 17U, 31U, 32U, 33U, 64U, 70U, 128U, 131U}) {
            for (const std::size_t d : {0U, 1U, 2U, 3U, 4U, 5U, 9U}) {
                for (const std::size_t gap : {0U, 3U}) {
                    const Products<float, Backend, decltype(whole_numbers)> products(n, m, d, gap, whole_numbers);
                    CHECK(products.error(0.0) == 0.0);
                }
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(gemm_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("gemm: as close to the sums in double as rounding allows", Backend, gemm_close) {
    for (const std::size_t n : {1U, 5U, 29U}) {
        for (const std::size_t m : {1U, 37U, 150U}) {
            for (const std::size_t d : {1U, 136U, 255U, 256U, 257U, 700U}) {
                const Products<float, Backend, decltype(normal_numbers)> products(n, m, d, 1, normal_numbers);
                CHECK(products.error(unit_roundoff) <= 1.0);
            }
        }
    }
    CHECK(Products<double, Backend, decltype(normal_numbers)>(7, 9, 300, 1, normal_numbers).error(0x1p-53) <= 1.0);
}
TEST_CASE_TEMPLATE_APPLY(gemm_close, HostBackends);

#ifndef __FAST_MATH__
TEST_CASE_TEMPLATE_DEFINE("gemm: a block of the result has the same bits as the whole", Backend, gemm_blocks) {
    for (const std::size_t d : {7U, 256U, 300U}) {
        constexpr std::size_t m = 133;
        const Products<float, Backend, decltype(normal_numbers)> whole(30, m, d, 2, normal_numbers);
        const auto check = [&](std::size_t row, std::size_t n, std::size_t col, std::size_t width) {
            CAPTURE(row);
            CAPTURE(n);
            CAPTURE(col);
            CAPTURE(width);
            Floats c(n, width, std::vector<float>(n * width));
            const std::span<const float> bias = std::span(whole.bias).subspan(col, width);
            gemm_nt<Backend>(whole.a.block(row, n, 0, d), whole.b_t.block(col, width, 0, d), bias, c.view());
            CHECK(same_bits(std::as_const(c).view(), whole.nt.block(row, n, col, width)));
            gemm_nn<Backend>(whole.a.block(row, n, 0, d), whole.b.block(0, d, col, width), c.view());
            CHECK(same_bits(std::as_const(c).view(), whole.nn.block(row, n, col, width)));
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < width; ++j) {
                    c.view()(i, j) = whole.before.elements[(row + i) * whole.before.stride + col + j];
                }
            }
            gemm_tn<Backend>(whole.a_t.block(0, d, row, n), whole.b.block(0, d, col, width), c.view());
            CHECK(same_bits(std::as_const(c).view(), whole.tn.block(row, n, col, width)));
        };
        for (std::size_t n = 1; n <= 30; ++n) {
            check(0, n, 0, m);
            check(30 - n, n, 0, m);
        }
        for (const std::size_t width : {1U, 2U, 3U, 5U, 8U, 13U, 16U, 17U, 31U, 32U, 33U, 100U, 128U, 132U}) {
            for (const std::size_t n : {1U, 4U, 12U, 13U}) {
                check(30 - n, n, 0, width);
                check(0, n, m - width, width);
                check(3, n, 1, width);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(gemm_blocks, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("gemm: NaN does not spread to other rows or columns", Backend, gemm_nan) {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    for (const std::size_t n : {2U, 14U, 25U}) {
        constexpr std::size_t m = 35;
        constexpr std::size_t d = 20;
        Products<float, Backend, decltype(normal_numbers)> p(n, m, d, 0, normal_numbers);
        p.a.view()(1, 7) = nan;
        p.a_t.view()(7, 1) = nan;
        p.b.view()(3, 33) = nan;
        p.b_t.view()(33, 3) = nan;
        gemm_nt<Backend>(std::as_const(p.a).view(), std::as_const(p.b_t).view(), p.bias, p.nt.view());
        gemm_nn<Backend>(std::as_const(p.a).view(), std::as_const(p.b).view(), p.nn.view());
        gemm_tn<Backend>(std::as_const(p.a_t).view(), std::as_const(p.b).view(), p.tn.view());
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < m; ++j) {
                const bool expected = i == 1 || j == 33;
                CHECK(std::isnan(p.nt.at(i, j)) == expected);
                CHECK(std::isnan(p.nn.at(i, j)) == expected);
                CHECK(std::isnan(p.tn.at(i, j)) == expected);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(gemm_nan, HostBackends);
#endif
