// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/pure_svd.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/scored.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Scored;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using Table = std::vector<std::vector<double>>;

// X V V^T, where V are the first eigenvectors of X^T X, by power iteration with deflation.
Table scores_by_definition(const Table& x, std::size_t factors) {
    const std::size_t n = x[0].size();
    Table gram(n, std::vector<double>(n, 0.0));
    for (const auto& row : x) {
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                gram[i][j] += row[i] * row[j];
            }
        }
    }
    Table scores(x.size(), std::vector<double>(n, 0.0));
    for (std::size_t factor = 0; factor < factors; ++factor) {
        std::vector<double> v(n);
        for (std::size_t i = 0; i < n; ++i) {
            v[i] = 1.0 + 0.37 * static_cast<double>((i * 7919) % 13);
        }
        double value = 0.0;
        for (int step = 0; step < 20'000; ++step) {
            std::vector<double> next(n, 0.0);
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    next[i] += gram[i][j] * v[j];
                }
            }
            value = std::sqrt(std::inner_product(next.begin(), next.end(), next.begin(), 0.0));
            for (std::size_t i = 0; i < n; ++i) {
                v[i] = next[i] / value;
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                gram[i][j] -= value * v[i] * v[j];
            }
        }
        for (std::size_t user = 0; user < x.size(); ++user) {
            const double along = std::inner_product(v.begin(), v.end(), x[user].begin(), 0.0);
            for (std::size_t i = 0; i < n; ++i) {
                scores[user][i] += along * v[i];
            }
        }
    }
    return scores;
}

}  // namespace

TEST_CASE("PureSVD: keeps what every model promises") {
    testing::check_model<PureSVD>({.factors = 4});
    testing::check_model<BasicPureSVD<funnel::kernels::Scalar>>({.factors = 1000});
}

TEST_CASE("PureSVD: worked by hand") {
    // Two users with items 0 and 1, one with item 2: the first singular vector is (1, 1, 0) / sqrt(2) with 2, the second
    // (0, 0, 1) with 1. With one factor, item 0 adds 1/2 to items 0 and 1, and nothing to item 2.
    const auto one = PureSVD::fit(testing::log_of({{0, 1}, {0, 1}, {2}}, 3), {.factors = 1});
    const std::vector<float> scores = one.fold_in(Ids{0}).score(Ids{0, 1, 2});
    CHECK(scores[0] == doctest::Approx(0.5));
    CHECK(scores[1] == doctest::Approx(0.5));
    CHECK(std::abs(scores[2]) < 1e-6F);
}

TEST_CASE("PureSVD: agrees with the definition on random input; shares add up") {
    const auto log = testing::random_log(40, 12, 0.3, 4);
    const auto model = PureSVD::fit(log, {.factors = 3, .power_steps = 30});
    const Table expected = scores_by_definition(testing::dense_matrix(log), 3);
    Ids items(12);
    std::iota(items.begin(), items.end(), 0U);
    for (std::size_t user = 0; user < 40; ++user) {
        const std::vector<float> scores = model.score(user, items);
        for (const std::uint32_t item : items) {
            CHECK(static_cast<double>(scores[item]) == doctest::Approx(expected[user][item]).epsilon(1e-5).scale(1));
            double sum = 0.0;
            for (const Scored<>& share : model.explain(user, item, 12)) {
                sum += static_cast<double>(share.score);
            }
            CHECK(static_cast<double>(scores[item]) == doctest::Approx(sum).epsilon(1e-5).scale(1));
        }
    }
}

TEST_CASE("PureSVD: values and repetitions in the log do not matter, and more factors than rank are none") {
    const auto once = testing::log_of({{0, 1}, {1, 2}, {0, 2}}, 3);
    const auto often = funnel::data::Interactions::from_ids(
        {{0, 0, 5.0F}, {0, 1, 0.5F}, {0, 0, 2.0F}, {1, 1}, {1, 2, 1e-30F}, {2, 0}, {2, 2}, {2, 2}}, 3, 3);
    CHECK(PureSVD::fit(once).recommend(0) == PureSVD::fit(often).recommend(0));
    const auto all = PureSVD::fit(once, {.factors = 100});
    CHECK(all.item_factors().cols() == 3);
}

TEST_CASE("PureSVD: files with factors that no decomposition has are refused") {
    const testing::TempDir dir;
    const auto save_with = [&](const std::vector<float>& users, const std::vector<float>& items, std::size_t columns) {
        funnel::io::ContainerWriter file("cf.PureSVD", 1);
        const std::vector<std::uint64_t> offsets{0, 1, 2};
        const Ids history{0, 1};
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.matrix("user_factors", funnel::MatrixView<const float>(users, 2, columns));
        file.matrix("item_factors", funnel::MatrixView<const float>(items, 2, columns));
        file.save(dir / "a.fnl");
    };
    save_with({0.5F, 1.0F}, {0.5F, -1.0F}, 1);
    CHECK(PureSVD::load(dir / "a.fnl").items() == 2);
    save_with({0.5F, 1.0F}, {0.5F, 1.5F}, 1);
    CHECK_THROWS_AS((void)PureSVD::load(dir / "a.fnl"), CorruptData);
    save_with({0.5F, 3.0F}, {0.5F, 1.0F}, 1);
    CHECK_THROWS_AS((void)PureSVD::load(dir / "a.fnl"), CorruptData);
    save_with({0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}, 3);
    CHECK_THROWS_AS((void)PureSVD::load(dir / "a.fnl"), CorruptData);
}

TEST_CASE("PureSVD: rejects what cannot work") {
    CHECK_THROWS_AS((void)PureSVD::fit(testing::log_of({{0}}, 1), {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)PureSVD::fit(testing::log_of({{0}}, 1)).fold_in_factors(Ids{1}), InvalidArgument);
}
