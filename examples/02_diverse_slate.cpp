// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Re-ranking: select three items that are relevant and diverse, and measure how much nDCG diversity costs.
//
//     g++ -std=c++20 -O2 -I include examples/02_diverse_slate.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/matrix_view.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/rerank/mmr.hpp>

#include <cstdio>
#include <vector>

int main() {
    // Scores of four items from a ranker, and their true relevance labels.
    const std::vector<float> relevance{0.9F, 0.8F, 0.7F, 0.4F};
    const std::vector<float> labels{3, 2, 2, 1};

    // Item embeddings: items are similar if their vectors point in the same direction.
    const std::vector<float> embeddings{1.0F, 0.0F,   // three items on one topic ...
                                        1.0F, 0.1F,   //
                                        0.8F, 0.4F,   //
                                        0.0F, 1.0F};  // ... and one on another
    const funnel::MatrixView<const float> items(embeddings, 4, 2);

    // lambda = 1 keeps the order of the ranker. A smaller lambda penalizes similar items more.
    for (const float lambda : {1.0F, 0.7F, 0.5F}) {
        const auto slate = funnel::rerank::mmr(relevance, items, {.k = 3, .lambda = lambda});

        std::vector<float> shown;
        std::printf("lambda %.1f:", static_cast<double>(lambda));
        for (const std::size_t item : slate) {
            std::printf(" %zu", item);
            shown.push_back(labels[item]);
        }
        std::printf("   nDCG@3 %.3f\n", funnel::metrics::ndcg(shown, labels, {.k = 3}));
    }
}
