// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Milliseconds of mmr and dpp from embeddings, with candidates that are checked in the call and before it.
#include "support/timing.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/mmr.hpp>

#include <cstddef>
#include <cstdio>
#include <span>
#include <vector>

int main() {
    using namespace funnel;
    struct Case {
        std::size_t n, d, k;
    };
    std::printf("     n    d    k   dpp ms  packed ms   mmr ms  packed ms\n");
    for (const Case c : {Case{1000, 64, 20}, Case{1000, 64, 50}, Case{10000, 64, 50}, Case{10000, 256, 100}}) {
        Random random(1);
        Matrix<float> rows(c.n, c.d);
        std::vector<float> relevance(c.n);
        for (std::size_t i = 0; i < c.n; ++i) {
            for (float& x : rows.row(i)) {
                x = static_cast<float>(random.normal());
            }
            relevance[i] = static_cast<float>(random.below(1U << 20U)) * 0x1p-20F;
        }
        const rerank::SlateCandidates<> candidates(rows);
        rerank::SlateScratch scratch(c.n, c.d, c.k);
        std::vector<std::size_t> out(c.k);
        const auto ms = [](const auto& work) { return bench::time_ns(work).median * 1e-6; };
        std::printf("%6zu %4zu %4zu %8.4f %10.4f %8.4f %10.4f\n", c.n, c.d, c.k,
                    ms([&] { bench::keep(rerank::dpp(relevance, rows, {.k = c.k, .alpha = 1.0F})); }), ms([&] {
                        bench::keep(rerank::dpp(relevance, candidates, scratch, out, {.k = c.k, .alpha = 1.0F}));
                    }),
                    ms([&] { bench::keep(rerank::mmr(relevance, rows, {.k = c.k})); }),
                    ms([&] { bench::keep(rerank::mmr(relevance, candidates, scratch, out, {.k = c.k})); }));
    }
}
