// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: ScoreSelection
#include <funnel/core/matrix.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/trade_off_curve.hpp>

#include <cstddef>
#include <span>
#include <vector>

int main() {
    const funnel::Matrix<float> objectives(3, 2);
#ifdef FUNNEL_EXPECT_FAILURE
    const auto select = [](std::span<const float> scores) { return scores[0]; };  // a score, not positions
#else
    const auto select = [](std::span<const float> scores) { return funnel::rerank::fill_slate(scores, 1); };
#endif
    return funnel::rerank::trade_off_curve(objectives, select).size() == 1 ? 0 : 1;
}
