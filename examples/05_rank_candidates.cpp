// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ranking: learn from impressions and clicks, then score the candidates of a request. A logistic regression uses single
// features; a factorization machine also uses pairs of features.
//
//     g++ -std=c++20 -O2 -I include examples/05_rank_candidates.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/ranking/fm.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace {

// Four features of an impression, and whether it was clicked.
constexpr std::size_t features = 4;
constexpr const char* names[features] = {"popularity", "age of item", "on mobile", "is a video"};

struct Log {
    funnel::Matrix<float> rows;
    std::vector<float> clicks;
};

// Popular and new items are clicked more. Videos are clicked on mobiles and skipped elsewhere; no single feature
// captures this.
Log draw_log(std::size_t n, std::uint64_t seed) {
    Log log{funnel::Matrix<float>(n, features), std::vector<float>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        funnel::Random random(seed, i);  // each row has its own sequence
        const double popularity = random.normal();
        const double age = random.normal();
        const double mobile = random.below(2) == 0 ? -1.0 : 1.0;
        const double video = random.below(2) == 0 ? -1.0 : 1.0;
        const double logit = 0.8 * popularity - 0.6 * age + 1.5 * mobile * video - 0.5;

        const double values[features] = {popularity, age, mobile, video};
        for (std::size_t j = 0; j < features; ++j) {
            log.rows(i, j) = static_cast<float>(values[j]);
        }
        log.clicks[i] = random.uniform() < 1.0 / (1.0 + std::exp(-logit)) ? 1.0F : 0.0F;
    }
    return log;
}

}  // namespace

int main() {
    const Log train = draw_log(4000, 1);
    const Log test = draw_log(2000, 2);

    const auto linear = funnel::ranking::LogisticRegression::fit(train.rows, train.clicks, {.epochs = 30});
    const auto machine =
        funnel::ranking::FM::fit(train.rows, train.clicks, {.factors = 4, .epochs = 20, .init_scale = 0.1F});

    std::printf("What one standard deviation more adds to the logit:\n");
    for (std::size_t j = 0; j < features; ++j) {
        std::printf("  %-12s %6.2f\n", names[j], static_cast<double>(linear.weights()[j]));
    }

    // 0.5 is a random order, 1 a perfect order.
    std::printf("AUC on rows not seen in training:\n");
    std::printf("  logistic regression    %.3f\n", funnel::metrics::auc(linear.score(test.rows), test.clicks));
    std::printf("  factorisation machine  %.3f\n", funnel::metrics::auc(machine.score(test.rows), test.clicks));

    // One request: three items, for a user on a mobile. The video (item 2) gains from the feature pair.
    funnel::Matrix<float> candidates(3, features);
    const float rows[3][features] = {{1.0F, 0.0F, 1.0F, -1.0F}, {0.0F, -1.0F, 1.0F, -1.0F}, {0.0F, 0.0F, 1.0F, 1.0F}};
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < features; ++j) {
            candidates(i, j) = rows[i][j];
        }
    }
    const auto by_linear = linear.predict(candidates);
    const auto by_machine = machine.predict(candidates);
    std::printf("Probability of a click:\n");
    for (std::size_t i = 0; i < 3; ++i) {
        std::printf("  item %zu   linear %.2f   machine %.2f\n", i, static_cast<double>(by_linear[i]),
                    static_cast<double>(by_machine[i]));
    }
}
