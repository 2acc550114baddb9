// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/one_to_many.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::kernels::Cosine;
using funnel::kernels::InnerProduct;
using funnel::kernels::L2;
using funnel::kernels::score_rows;
using namespace funnel::testing;

namespace {

template <class M, class Backend>
void check_against_one_by_one(const std::vector<float>& query, MatrixView<const float> rows) {
    std::vector<std::uint32_t> ids;
    for (std::size_t i = 0; i < 2 * rows.rows(); i += 3) {  // out of order, some twice
        ids.push_back(static_cast<std::uint32_t>((i * 5) % rows.rows()));
    }
    std::vector<float> all(rows.rows());
    std::vector<float> some(ids.size());
    score_rows<M, Backend>(query, rows, all);
    score_rows<M, Backend>(query, rows, ids, some);

    CAPTURE(rows.rows());
    CAPTURE(rows.cols());
    std::vector<float> all_expected(rows.rows());
    std::vector<float> some_expected(ids.size());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        all_expected[i] = M::template score<Backend>(query, rows.row(i));
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
        some_expected[i] = all_expected[ids[i]];
    }
    CHECK(all == all_expected);
    CHECK(some == some_expected);
}

// A fixed length may round differently, but not for small whole numbers.
template <std::size_t Dim, class M, class Backend>
void check_fixed(MatrixView<const float> rows) {
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < rows.rows(); ++i) {
        ids.push_back(static_cast<std::uint32_t>(rows.rows() - 1 - i));
    }
    const std::span<const float, Dim> query(rows.row(0));
    std::vector<float> fixed(ids.size());
    std::vector<float> expected(ids.size());
    score_rows<M, Backend>(query, rows, ids, fixed);
    score_rows<M, Backend>(std::span<const float>(query), rows, ids, expected);
    CHECK(fixed == expected);
}

template <std::size_t Dim, class Backend>
void check_fixed_metrics() {
    for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 9U}) {
        std::vector<float> elements(count * Dim);
        for (std::size_t i = 0; i < elements.size(); ++i) {
            elements[i] = static_cast<float>(i * i % 7) - 3.0F;
        }
        const MatrixView<const float> rows(elements, count, Dim);
        check_fixed<Dim, L2, Backend>(rows);
        check_fixed<Dim, InnerProduct, Backend>(rows);
        check_fixed<Dim, Cosine, Backend>(rows);
    }
}

namespace user {

struct Loud : funnel::kernels::DefaultBackend {};

float dot(Loud, std::span<const float> a, std::span<const float>) {
    return 100.0F + a[0];
}

}  // namespace user

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("score_rows: worked by hand", Backend, rows_by_hand) {
    const std::vector<float> query{3.0F, 4.0F};
    const std::vector<float> elements{0.0F, 2.0F,  //
                                      3.0F, 4.0F,  //
                                      0.0F, 0.0F};
    const MatrixView<const float> rows(elements, 3, 2);
    const std::vector<std::uint32_t> ids{2, 1};
    std::vector<float> all(3);
    std::vector<float> some(2);

    score_rows<L2, Backend>(query, rows, all);
    CHECK(all == std::vector<float>{-13.0F, 0.0F, -25.0F});
    CHECK_FALSE(std::signbit(all[1]));
    score_rows<InnerProduct, Backend>(query, rows, all);
    CHECK(all == std::vector<float>{8.0F, 25.0F, 0.0F});
    score_rows<Cosine, Backend>(query, rows, all);
    CHECK(all == std::vector<float>{0.8F, 1.0F, 0.0F});
    score_rows<L2, Backend>(query, rows, ids, some);
    CHECK(some == std::vector<float>{-25.0F, 0.0F});
}
TEST_CASE_TEMPLATE_APPLY(rows_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("score_rows: the same bits as one row at a time", Backend, rows_bits) {
    for (const std::size_t dim : {1U, 3U, 4U, 15U, 16U, 37U, 64U, 100U, 131U}) {
        for (const std::size_t count : {1U, 2U, 3U, 4U, 5U, 7U, 8U, 21U}) {
            const auto query = normals(dim, 1);
            const auto elements = normals(count * dim, 2);
            const MatrixView<const float> rows(elements, count, dim);
            check_against_one_by_one<L2, Backend>(query, rows);
            check_against_one_by_one<InnerProduct, Backend>(query, rows);
            check_against_one_by_one<Cosine, Backend>(query, rows);

            const Matrix<float> padded(rows);  // rows that lie apart
            check_against_one_by_one<L2, Backend>(query, padded);
            check_against_one_by_one<InnerProduct, Backend>(query, padded);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(rows_bits, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("score_rows: a length known at compile time gives the same scores", Backend, rows_fixed) {
    check_fixed_metrics<1, Backend>();
    check_fixed_metrics<7, Backend>();
    check_fixed_metrics<24, Backend>();
    check_fixed_metrics<64, Backend>();
    check_fixed_metrics<100, Backend>();
}
TEST_CASE_TEMPLATE_APPLY(rows_fixed, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("score_rows: nothing to do, and nothing written past the rows", Backend, rows_edges) {
    const std::vector<float> query{1.0F, 2.0F};
    const std::vector<float> elements{1.0F, 1.0F};
    std::vector<float> out{7.0F, 7.0F};
    score_rows<L2, Backend>(query, MatrixView<const float>({}, 0, 2), out);
    score_rows<L2, Backend>(query, MatrixView<const float>(elements, 1, 2), std::span<const std::uint32_t>{}, out);
    CHECK(out == std::vector<float>{7.0F, 7.0F});
    score_rows<InnerProduct, Backend>(query, MatrixView<const float>(elements, 1, 2), out);
    CHECK(out == std::vector<float>{3.0F, 7.0F});

    const std::vector<float> no_query;  // rows without columns
    score_rows<InnerProduct, Backend>(no_query, MatrixView<const float>({}, 2, 0), out);
    CHECK(out == std::vector<float>{0.0F, 0.0F});
}
TEST_CASE_TEMPLATE_APPLY(rows_edges, HostBackends);

TEST_CASE("score_rows: uses the kernel of a user's backend") {
    const std::vector<float> query{1.0F, 2.0F};
    std::vector<float> out(1);
    score_rows<InnerProduct, user::Loud>(query, MatrixView<const float>(query, 1, 2), out);
    CHECK(out[0] == 101.0F);
    const std::span<const float, 2> fixed(query);
    const std::vector<std::uint32_t> ids{0};
    score_rows<InnerProduct, user::Loud>(fixed, MatrixView<const float>(query, 1, 2), ids, out);
    CHECK(out[0] == 101.0F);
    score_rows<L2, user::Loud>(query, MatrixView<const float>(query, 1, 2), out);
    CHECK(out[0] == 0.0F);
}
