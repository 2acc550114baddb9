// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/preconditions.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/distance.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemv.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/reduce.hpp>
#include <funnel/kernels/scale.hpp>
#include <funnel/kernels/sigmoid.hpp>
#include <funnel/kernels/softmax.hpp>

#include "support/backends.hpp"
#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using namespace funnel::kernels;  // NOLINT(google-build-using-namespace): all kernels
using funnel::Matrix;
using funnel::MatrixView;
using funnel::testing::dies;
using funnel::testing::HostBackends;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
using Floats = std::vector<float>;
using Ids = std::vector<std::uint32_t>;

}  // namespace

// Checks must not change what a caller can rely on at compile time.
static_assert(noexcept(dot<>(std::span<const float>(), std::span<const float>())));
static_assert(noexcept(squared_l2<>(std::span<const float>(), std::span<const float>())));
static_assert(noexcept(cosine<>(std::span<const float>(), std::span<const float>())));
static_assert(noexcept(axpy<>(1.0F, std::span<const float>(), std::span<float>())));
static_assert(noexcept(softmax<>(std::span<const float>(), std::span<float>())));
static_assert(noexcept(sigmoid<>(std::span<const float>(), std::span<float>())));
static_assert(noexcept(gemv<>(MatrixView<const float>(), std::span<const float>(), std::span<float>())));
static_assert(noexcept(max<>(std::span<const float>())));
static_assert(noexcept(L2::score<>(std::span<const float>(), std::span<const float>())));

TEST_CASE("preconditions: are_apart and are_same_or_apart") {
    Floats x(10);
    const std::span<const float> all = x;
    CHECK(detail::are_apart(all.first(5), all.last(5)));
    CHECK(detail::are_apart(all.last(5), all.first(5)));
    CHECK_FALSE(detail::are_apart(all.first(6), all.last(5)));
    CHECK_FALSE(detail::are_apart(all.last(5), all.first(6)));
    CHECK_FALSE(detail::are_apart(all, all));
    CHECK(detail::are_apart(all, {}));
    CHECK(detail::are_apart(all, all.subspan(3, 0)));
    CHECK(detail::are_same_or_apart(all, all));
    CHECK_FALSE(detail::are_same_or_apart(all, all.first(9)));
    CHECK_FALSE(detail::are_same_or_apart(all.subspan(0, 5), all.subspan(1, 5)));
    const MatrixView<const float> rows(all.first(8), 3, 2, 3);
    CHECK(detail::are_apart(rows, all.last(2)));
    CHECK_FALSE(detail::are_apart(rows, all.last(3)));
    CHECK(detail::are_apart(MatrixView<const float>({}, 0, 10), all));
}

TEST_CASE("preconditions: NaN, infinity and ids") {
    CHECK(detail::has_no_nan(Floats{1.0F, infinity, -infinity}));
    CHECK_FALSE(detail::has_no_nan(Floats{1.0F, not_a_number}));
    CHECK(detail::is_below_infinity(Floats{1.0F, -infinity}));
    CHECK_FALSE(detail::is_below_infinity(Floats{infinity}));
    CHECK_FALSE(detail::is_below_infinity(Floats{-not_a_number}));
    CHECK(detail::are_below(Ids{0, 2}, 3));
    CHECK_FALSE(detail::are_below(Ids{0, 3}, 3));
}

#if FUNNEL_CHECKS
TEST_CASE_TEMPLATE_DEFINE("FUNNEL_CHECKS: vectors of different lengths are found out", Backend, lengths) {
    const Floats three{1.0F, 2.0F, 3.0F};
    const Floats two{1.0F, 2.0F};
    Floats out(3);
    CHECK(dies([&] { (void)dot<Backend>(three, two); }, "assertion failed: a.size() == b.size()"));
    CHECK(dies([&] { (void)dot<Backend>(two, three); }, "kernels/dot.hpp:"));
    CHECK(dies([&] { (void)squared_l2<Backend>(three, two); }, "a.size() == b.size()"));
    CHECK(dies([&] { (void)cosine<Backend>(three, two); }, "a.size() == b.size()"));
    CHECK(dies([&] { (void)L2::score<Backend>(three, two); }, "a.size() == b.size()"));
    CHECK(dies([&] { (void)InnerProduct::score<Backend>(three, two); }, "a.size() == b.size()"));
    CHECK(dies([&] { (void)Cosine::score<Backend>(three, two); }, "a.size() == b.size()"));
    CHECK(dies([&] { axpy<Backend>(1.0F, two, out); }, "x.size() == y.size()"));
    CHECK(dies([&] { axpy<Backend>(1.0F, three, std::span(out).first(2)); }, "x.size() == y.size()"));
    CHECK(dies([&] { sigmoid<Backend>(three, std::span(out).first(2)); }, "x.size() == out.size()"));
    CHECK(dies([&] { softmax<Backend>(three, std::span(out).first(2)); }, "x.size() == out.size()"));
    CHECK(dies([&] { softmax<Backend>(two, out); }, "x.size() == out.size()"));
}
TEST_CASE_TEMPLATE_APPLY(lengths, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("FUNNEL_CHECKS: shapes of matrices and ids outside are found out", Backend, shapes) {
    const Matrix<float> rows(4, 3);
    const Floats three{1.0F, 2.0F, 3.0F};
    const Floats two{1.0F, 2.0F};
    Floats out(4);
    const std::span<float> short_out = std::span(out).first(3);
    CHECK(dies([&] { gemv<Backend>(rows, two, out); }, "x.size() == a.cols()"));
    CHECK(dies([&] { gemv<Backend>(rows, three, short_out); }, "y.size() == a.rows()"));
    CHECK(dies([&] { score_rows<L2, Backend>(two, rows, out); }, "query.size() == rows.cols()"));
    CHECK(dies([&] { score_rows<L2, Backend>(three, rows, short_out); }, "out.size() >= rows.rows()"));
    CHECK(dies([&] { score_rows<L2, Backend>(two, rows, Ids{1}, out); }, "query.size() == rows.cols()"));
    CHECK(dies([&] { score_rows<L2, Backend>(three, rows, Ids{0, 1, 2, 3}, short_out); }, "out.size() >= ids.size()"));
    CHECK(dies([&] { score_rows<L2, Backend>(three, rows, Ids{3, 4}, out); }, "are_below(ids, rows.rows())"));
}
TEST_CASE_TEMPLATE_APPLY(shapes, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("FUNNEL_CHECKS: output that overlaps the input is found out", Backend, overlaps) {
    Floats x(10);
    const std::span<float> all = x;
    CHECK(dies([&] { axpy<Backend>(1.0F, all.first(9), all.last(9)); }, "are_same_or_apart(x, y)"));
    CHECK(dies([&] { sigmoid<Backend>(all.first(9), all.last(9)); }, "are_same_or_apart(x, out)"));
    CHECK(dies([&] { softmax<Backend>(all.first(9), all.last(9)); }, "are_same_or_apart(x, out)"));
    const MatrixView<const float> rows(all.first(6), 3, 2);
    CHECK(dies([&] { gemv<Backend>(rows, all.last(2), all.subspan(5, 3)); }, "are_apart(a, y)"));
    CHECK(dies([&] { gemv<Backend>(rows, all.last(2), all.last(3)); }, "are_apart(x, y)"));
    CHECK(dies([&] { score_rows<L2, Backend>(all.last(2), rows, all.subspan(5, 3)); }, "are_apart(rows, out)"));
    CHECK(dies([&] { score_rows<L2, Backend>(all.last(2), rows, Ids{0}, all.last(1)); }, "are_apart(query, out)"));
}
TEST_CASE_TEMPLATE_APPLY(overlaps, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("FUNNEL_CHECKS: NaN and infinity are found out where they may not be", Backend, numbers) {
    const Floats bad{1.0F, not_a_number, 3.0F};
    const Floats infinite{1.0F, infinity};
    Floats out(3);
    CHECK(dies([&] { (void)max<Backend>(bad); }, "has_no_nan(x)"));
    CHECK(dies([&] { (void)argmax<Backend>(bad); }, "has_no_nan(x)"));
    CHECK(dies([&] { (void)log_sum_exp<Backend>(bad); }, "has_no_nan(x)"));
    CHECK(dies([&] { softmax<Backend>(bad, out); }, "is_below_infinity(x)"));
    CHECK(dies([&] { softmax<Backend>(infinite, std::span(out).first(2)); }, "is_below_infinity(x)"));
    CHECK(dies([&] { softmax<Backend>(std::span(out = bad)); }, "is_below_infinity(x)"));
}
TEST_CASE_TEMPLATE_APPLY(numbers, HostBackends);
#else
TEST_CASE_TEMPLATE_DEFINE("argmax: a position inside, also if there is a NaN", Backend, nans) {
    for (const std::size_t n : {1U, 3U, 16U, 40U, 100U}) {
        for (std::size_t at = 0; at < n; ++at) {
            Floats x(n, 1.0F);
            x[at] = not_a_number;
            CHECK(argmax<Backend>(x) < n);
        }
        CHECK(argmax<Backend>(Floats(n, not_a_number)) < n);
    }
}
TEST_CASE_TEMPLATE_APPLY(nans, HostBackends);
#endif
