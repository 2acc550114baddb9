// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/down_sampling.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::ranking::undo_down_sampling;

TEST_CASE("undo_down_sampling: worked by hand") {
    // Of 100 positive and 1000 negative rows, a tenth of the negative ones is kept: 1/2 becomes 100 / 1100.
    CHECK(undo_down_sampling(0.5, 0.1) == Approx(1.0 / 11.0).epsilon(1e-14));
    CHECK(undo_down_sampling(0.3, 1.0) == Approx(0.3).epsilon(1e-14));
    CHECK(undo_down_sampling(0.0, 0.2) == 0.0);
    CHECK(undo_down_sampling(1.0, 0.2) == 1.0);
    // On logits it adds log(kept).
    const double q = undo_down_sampling(0.8, 0.25);
    CHECK(std::log(q / (1.0 - q)) == Approx(std::log(4.0) + std::log(0.25)).epsilon(1e-12));
}

TEST_CASE("undo_down_sampling: rejects NaN and numbers out of range") {
    const double not_a_number = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS((void)undo_down_sampling(1.1, 0.5), InvalidArgument);
    CHECK_THROWS_AS((void)undo_down_sampling(not_a_number, 0.5), InvalidArgument);
    CHECK_THROWS_AS((void)undo_down_sampling(0.5, 0.0), InvalidArgument);
    CHECK_THROWS_AS((void)undo_down_sampling(0.5, 1.5), InvalidArgument);
    CHECK_THROWS_AS((void)undo_down_sampling(0.5, not_a_number), InvalidArgument);
}
