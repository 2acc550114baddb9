// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/real_view.hpp>

#include <doctest/doctest.h>

#include <array>
#include <span>
#include <vector>

using funnel::RealView;

TEST_CASE("RealView: reads float and double numbers as double") {
    const std::vector<float> floats{0.5F, -2.0F};
    const std::array<double, 3> doubles{0.1, 0.2, 0.3};
    std::vector<float> changed{7.0F};
    CHECK(RealView(floats).size() == 2);
    CHECK(RealView(floats)[1] == -2.0);
    CHECK(RealView(doubles).size() == 3);
    CHECK(RealView(doubles)[2] == 0.3);
    CHECK(RealView(std::span(changed))[0] == 7.0);
    CHECK(RealView(std::vector<float>()).size() == 0);
    CHECK(RealView(std::vector<double>()).size() == 0);
}
