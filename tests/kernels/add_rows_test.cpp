// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/add_rows.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/axpy.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::MatrixView;
using funnel::kernels::add_rows;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("add_rows: worked by hand", Backend, add_rows_by_hand) {
    const std::vector<float> elements{1.0F, 2.0F, 9.0F, 9.0F, 0.0F, -1.0F};
    const std::vector<std::uint32_t> ids{2, 0, 2};
    const std::vector<float> factors{3.0F, 10.0F, -1.0F};
    std::vector<float> out{100.0F, 200.0F};
    add_rows<Backend>(MatrixView<const float>(elements, 3, 2), ids, factors, out);
    CHECK(out == std::vector<float>{110.0F, 218.0F});  // 2 times (0, -1) and 10 times (1, 2)
    add_rows<Backend>(MatrixView<const float>(elements, 3, 2), {}, {}, out);
    CHECK(out == std::vector<float>{110.0F, 218.0F});
}
TEST_CASE_TEMPLATE_APPLY(add_rows_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("add_rows: agrees with the definition, and nothing is written around", Backend,
                          add_rows_definition) {
    const auto check = [](std::size_t n, std::size_t d) {
        const std::size_t rows = n + 2;
        const std::size_t stride = d + 3;  // the memory ends with the last number of the last row
        const auto elements = normals((rows - 1) * stride + d, 1);
        const MatrixView<const float> matrix(elements, rows, d, stride);
        std::vector<std::uint32_t> ids;
        for (std::size_t i = 0; i < n; ++i) {
            ids.push_back(static_cast<std::uint32_t>((7 * i + 1) % rows));  // some rows twice, others never
        }
        const auto factors = normals(n, 2);
        const auto before = normals(d + 2, 3);
        std::vector<float> out = before;
        add_rows<Backend>(matrix, ids, factors, std::span(out).subspan(1, d));
        CAPTURE(n);
        CAPTURE(d);
        for (std::size_t j = 0; j < d; ++j) {
            auto sum = static_cast<double>(before[j + 1]);
            double size = std::abs(sum);
            for (std::size_t i = 0; i < n; ++i) {
                const double term = static_cast<double>(factors[i]) * static_cast<double>(matrix(ids[i], j));
                sum += term;
                size += std::abs(term);
            }
            CHECK(std::abs(static_cast<double>(out[j + 1]) - sum) <= unit_roundoff * static_cast<double>(n + 1) * size);
        }
        CHECK(out.front() == before.front());
        CHECK(out.back() == before.back());
    };
    for (const std::size_t length : lengths()) {
        check(length, 37);
        check(21, length);
    }
}
TEST_CASE_TEMPLATE_APPLY(add_rows_definition, HostBackends);
