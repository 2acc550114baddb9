// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/half_rows.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

using funnel::MatrixView;
using funnel::kernels::BFloat16;
using funnel::kernels::Float16;
using funnel::kernels::InnerProduct;
using funnel::kernels::L2;
using funnel::kernels::score_half_rows;
using namespace funnel::testing;

namespace {

// Rows at any address and stride. The memory ends where the last row ends, so that a sanitizer sees a kernel that reads
// on.
template <class H>
class Rows {
public:
    Rows(std::size_t n, std::size_t d, std::size_t shift, const std::vector<float>& values)
        : memory_(shift + n * (d + 3) - 3, H{0x7E00}), shift_(shift), n_(n), d_(d) {
        for (std::size_t i = 0; i < n * d; ++i) {
            memory_[shift + i / d * (d + 3) + i % d] = H::nearest(values[i]);
        }
    }
    [[nodiscard]] MatrixView<const H> view() const {
        return {std::span<const H>(memory_).subspan(shift_), n_, d_, d_ + 3};
    }

private:
    std::vector<H> memory_;
    std::size_t shift_;
    std::size_t n_;
    std::size_t d_;
};

std::vector<std::uint32_t> some_ids(std::size_t n) {
    std::vector<std::uint32_t> ids;
    for (std::size_t i = 0; i < 2 * n; i += 3) {  // out of order, some twice
        ids.push_back(static_cast<std::uint32_t>(i * 5 % n));
    }
    return ids;
}

// Against sums in double. Any order of additions of n terms with fused or separate products has an error of at most
// (n + 1) units of roundoff of the sum of the absolute terms (of differences: two more for the rounded difference).
template <class M, class H, class Backend, std::size_t Dim = std::dynamic_extent>
void check_rows(std::size_t n, std::size_t d, std::size_t shift) {
    const std::vector<float> query = normals(d, 1);
    const Rows<H> rows(n, d, shift, normals(n * d, 2 + n));
    const auto ids = some_ids(n);
    std::vector<float> all(n + 1, 7.0F);
    std::vector<float> some(ids.size() + 1, 7.0F);
    score_half_rows<M, Backend>(query, rows.view(), all);
    score_half_rows<M, Backend>(std::span<const float, Dim>(query), rows.view(), ids, some);
    CAPTURE(n);
    CAPTURE(d);
    const auto check = [&](float score, std::size_t i) {
        double exact = 0.0;
        double absolute = 0.0;
        for (std::size_t j = 0; j < d; ++j) {
            const auto q = static_cast<double>(query[j]);
            const auto x = static_cast<double>(rows.view().row(i)[j].value());
            const double term = std::is_same_v<M, L2> ? -(q - x) * (q - x) : q * x;
            exact += term;
            absolute += std::abs(term);
        }
        const double bound = static_cast<double>(d + 4) * unit_roundoff * absolute;
        CHECK(std::abs(static_cast<double>(score) - exact) <= bound);
    };
    for (std::size_t i = 0; i < n; ++i) {
        check(all[i], i);
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
        check(some[i], ids[i]);
        if (Dim == std::dynamic_extent) {
            CHECK(some[i] == all[ids[i]]);
        }
    }
    CHECK(all.back() == 7.0F);
    CHECK(some.back() == 7.0F);
}

template <class M, class H, class Backend>
void check_all_lengths() {
    for (const std::size_t d : lengths()) {
        check_rows<M, H, Backend>(1 + d % 9, d, d % 5);
    }
    check_rows<M, H, Backend, 8>(5, 8, 0);
    check_rows<M, H, Backend, 24>(5, 24, 1);  // one and a half batches of AVX-512
    check_rows<M, H, Backend, 40>(9, 40, 0);
    check_rows<M, H, Backend, 64>(9, 64, 1);
    check_rows<M, H, Backend, 100>(4, 100, 0);
    check_rows<M, H, Backend, 128>(7, 128, 3);
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("score_half_rows: worked by hand", Backend, half_rows_by_hand) {
    // 0.1 as a half is 0.0999755859375 = 1638 / 2^14.
    const Rows<Float16> rows(2, 2, 0, {0.1F, 2.0F, -3.0F, 0.5F});
    const std::vector<float> query{16384.0F, 1.0F};
    const std::vector<std::uint32_t> ids{1, 0};
    std::vector<float> out(2);
    score_half_rows<InnerProduct, Backend>(std::span<const float>(query), rows.view(), ids, out);
    CHECK(out == std::vector<float>{-49151.5F, 1640.0F});
    score_half_rows<L2, Backend>(std::vector<float>{-3.0F, 0.5F}, rows.view(), out);
    CHECK(out[1] == 0.0F);
    CHECK_FALSE(std::signbit(out[1]));
}
TEST_CASE_TEMPLATE_APPLY(half_rows_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("score_half_rows: the sums of the definition at every length and address", Backend,
                          half_rows) {
    check_all_lengths<InnerProduct, Float16, Backend>();
    check_all_lengths<L2, Float16, Backend>();
    check_all_lengths<InnerProduct, BFloat16, Backend>();
    check_all_lengths<L2, BFloat16, Backend>();
}
TEST_CASE_TEMPLATE_APPLY(half_rows, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("score_half_rows: small whole numbers are exact", Backend, half_rows_exact) {
    for (const std::size_t d : {1U, 7U, 16U, 31U, 64U, 100U, 200U}) {
        const std::vector<float> query = small_integers(d, 1);
        const std::vector<float> values = small_integers(9 * d, 2);
        const Rows<Float16> rows(9, d, 0, values);
        std::vector<float> out(9);
        std::vector<float> expected(9);
        score_half_rows<InnerProduct, Backend>(query, rows.view(), out);
        for (std::size_t i = 0; i < 9 * d; ++i) {
            expected[i / d] += query[i % d] * values[i];
        }
        CHECK(out == expected);
    }
}
TEST_CASE_TEMPLATE_APPLY(half_rows_exact, HostBackends);
