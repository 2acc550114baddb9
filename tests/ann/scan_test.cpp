// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/scan.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::Matrix;
using funnel::Scored;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::nearest_by_definition;
using funnel::testing::small_integers;

// A block has 256 rows. One without a gap is scored in order, one with gaps by its ids.
TEST_CASE_TEMPLATE_DEFINE("scan: right scores where one row, the first or last of a block, does not pass", Backend,
                          scan_gaps) {
    for (const std::size_t n : {1U, 2U, 255U, 256U, 257U, 600U}) {
        const Matrix<float> rows = small_integers(n, 5, 1);
        const Matrix<float> query = small_integers(1, 5, 2);
        for (const std::uint32_t left_out : {0U, 1U, 100U, 254U, 255U, 256U, 511U, 598U, 599U}) {
            CAPTURE(n);
            CAPTURE(left_out);
            const auto passes = [&](std::uint32_t id) { return id != left_out; };
            std::vector<Scored<>> out(n);
            const auto found = funnel::ann::detail::scan<L2, Backend>(query.row(0), rows, passes, out);
            CHECK(Hits(found.begin(), found.end()) == nearest_by_definition<L2>(rows, query.row(0), n, passes));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(scan_gaps, funnel::testing::HostBackends);

TEST_CASE("scan: a filter that changes its mind still leaves all that is written inside the list") {
    const Matrix<float> rows = small_integers(600, 5, 1);
    std::uint32_t asked = 0;
    std::vector<Scored<>> out(7);
    const auto found = funnel::ann::detail::scan<L2, funnel::kernels::Scalar>(
        rows.row(0), rows, [&](std::uint32_t) { return ++asked % 3 == 0; }, out);
    CHECK(found.size() == 7);
}
