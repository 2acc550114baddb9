// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/int8_rows.hpp>

#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::MatrixView;
using funnel::kernels::int8_row_dots;

namespace {

template <class Backend, std::size_t Dim = std::dynamic_extent>
void check_dots(std::size_t n, std::size_t d, std::size_t shift, bool extreme) {
    funnel::Random random(3, n * 1000 + d);
    const auto number = [&] {
        return extreme ? (random.below(2) == 0 ? -127 : 127) : static_cast<int>(random.below(255)) - 127;
    };
    const std::size_t stride = d + 3;
    std::vector<std::uint8_t> memory(shift + n * stride, 255);
    std::vector<std::int8_t> query(shift + d);
    for (std::size_t j = 0; j < d; ++j) {
        query[shift + j] = static_cast<std::int8_t>(number());
        for (std::size_t i = 0; i < n; ++i) {
            memory[shift + i * stride + j] = static_cast<std::uint8_t>(number() + 128);
        }
    }
    std::vector<std::uint32_t> ids;
    for (std::size_t i = 0; i < 2 * n; i += 3) {  // out of order, some twice
        ids.push_back(static_cast<std::uint32_t>(i * 5 % n));
    }
    std::vector<std::int32_t> out(ids.size() + 1, 7);
    const MatrixView<const std::uint8_t> rows(std::span<const std::uint8_t>(memory).subspan(shift), n, d, stride);
    int8_row_dots<Backend>(std::span<const std::int8_t, Dim>(std::span<const std::int8_t>(query).subspan(shift)), rows,
                           ids, out);
    CAPTURE(d);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        std::int64_t sum = 0;
        for (std::size_t j = 0; j < d; ++j) {
            sum += (std::int64_t{memory[shift + ids[i] * stride + j]} - 128) * query[shift + j];
        }
        CHECK(out[i] == sum);
    }
    CHECK(out.back() == 7);
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("int8_row_dots: equal to the definition at every length and alignment", Backend, int8_rows) {
    for (std::size_t d = 0; d <= 200; ++d) {
        check_dots<Backend>(1 + d % 7, d, d % 5, false);
    }
    check_dots<Backend, 8>(5, 8, 0, false);
    check_dots<Backend, 64>(9, 64, 1, false);
    check_dots<Backend, 128>(9, 128, 0, true);
}
TEST_CASE_TEMPLATE_APPLY(int8_rows, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("int8_row_dots: the largest numbers do not overflow", Backend, int8_rows_largest) {
    check_dots<Backend>(3, 1000, 0, true);
    constexpr std::size_t d = funnel::kernels::max_int8_dimension;
    const std::vector<std::uint8_t> row(d, 255);
    const std::vector<std::int8_t> query(d, -127);
    const std::vector<std::uint32_t> ids{0};
    std::vector<std::int32_t> out(1);
    int8_row_dots<Backend>(std::span<const std::int8_t>(query), MatrixView<const std::uint8_t>(row, 1, d), ids, out);
    CHECK(out[0] == -127 * 127 * static_cast<std::int64_t>(d));
}
TEST_CASE_TEMPLATE_APPLY(int8_rows_largest, funnel::testing::HostBackends);
