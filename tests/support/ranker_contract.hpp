// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"
#include "support/saved_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/features/feature_rows.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel::testing {

namespace detail {

using Numbers = std::vector<float>;

// Clicks that depend on the first feature; two of three values are zeros, and the last feature is always 1.
struct RankerSample {
    Matrix<float> rows;
    Numbers labels;

    RankerSample(std::size_t n, std::size_t d, std::uint64_t seed) : rows(n, d), labels(n) {
        Random random(seed);
        for (std::size_t i = 0; i < n; ++i) {
            for (float& x : rows.row(i)) {
                x = random.below(3) == 0 ? static_cast<float>(random.normal()) : 0.0F;
            }
            rows(i, d - 1) = 1.0F;
            labels[i] = rows(i, 0) + 0.5 * random.normal() > 0.0 ? 1.0F : 0.0F;
        }
    }
};

inline CSRMatrix<float> sparse_rows_of(const Matrix<float>& rows, bool stores_zeros) {
    std::vector<Triplet<float>> entries;
    for (std::uint32_t i = 0; i < rows.rows(); ++i) {
        for (std::uint32_t j = 0; j < rows.cols(); ++j) {
            if (stores_zeros || rows(i, j) != 0.0F) {
                entries.push_back({i, j, rows(i, j)});
            }
        }
    }
    return {entries, rows.rows(), rows.cols()};
}

template <class R>
constexpr bool predicts = requires(const R& ranker, features::FeatureRows rows) { ranker.predict(rows); };

// The models of dense and sparse rows differ by rounding, which the steps of fit may enlarge.
inline void check_close(const Numbers& found, const Numbers& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        REQUIRE(found[i] == doctest::Approx(expected[i]).epsilon(1e-4).scale(0.1));
    }
}

template <class R>
void check_scores(const R& ranker, const R& of_sparse, const RankerSample& sample) {
    const auto sparse = sparse_rows_of(sample.rows, false);
    const auto with_zeros = sparse_rows_of(sample.rows, true);
    const Numbers scores = ranker.score(sample.rows);
    REQUIRE(scores.size() == sample.rows.rows());
    CHECK(std::all_of(scores.begin(), scores.end(), [](const float& x) { return math::is_finite(x); }));
    CHECK(std::any_of(scores.begin(), scores.end(), [&](const float& x) { return x != scores[0]; }));
    check_close(ranker.score(sparse), scores);
    check_close(ranker.score(with_zeros), scores);
    check_close(of_sparse.score(sample.rows), scores);
    check_close(of_sparse.score(sparse), scores);
    for (std::size_t i = 0; i < 10; ++i) {  // whatever stands beside a row
        CHECK(ranker.score(sample.rows.view().rows_from(i, 1)) == Numbers{scores[i]});
    }
    CHECK(ranker.score(Matrix<float>(0, ranker.features())).empty());
    CHECK(ranker.score(CSRMatrix<float>({}, 0, ranker.features())).empty());
    if constexpr (predicts<R>) {
        const Numbers probabilities = ranker.predict(sample.rows);
        REQUIRE(probabilities.size() == scores.size());
        for (std::size_t i = 0; i < scores.size(); ++i) {
            REQUIRE(probabilities[i] >= 0.0F);
            REQUIRE(probabilities[i] <= 1.0F);
            REQUIRE((scores[i] < scores[0] || probabilities[i] >= probabilities[0]));
            REQUIRE((scores[i] > scores[0] || probabilities[i] <= probabilities[0]));
        }
        check_close(ranker.predict(sparse), probabilities);
    }
    constexpr float most = std::numeric_limits<float>::max();
    for (const float large : {most, -most}) {
        Matrix<float> rows(1, ranker.features());
        std::fill(rows.row(0).begin(), rows.row(0).end(), large);
        CHECK(math::is_finite(ranker.score(rows)[0]));
        CHECK(math::is_finite(ranker.score(sparse_rows_of(rows, false))[0]));
    }
}

template <class R, class Options>
void check_ranker_errors(const R& ranker, const RankerSample& sample, const Options& options) {
    const std::size_t n = sample.rows.rows();
    const std::size_t d = sample.rows.cols();
    constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const auto check_labels = [&](const Numbers& labels) {
        CHECK_THROWS_AS((void)R::fit(sample.rows, labels, options), InvalidArgument);
        CHECK_THROWS_AS((void)R::fit(sparse_rows_of(sample.rows, false), labels, options), InvalidArgument);
    };
    for (const float wrong : {2.0F, 0.5F, -1.0F, not_a_number, infinity, -infinity}) {
        for (const std::size_t at : {std::size_t{0}, n - 1}) {
            Numbers labels = sample.labels;
            labels[at] = wrong;
            check_labels(labels);
        }
    }
    for (const std::size_t size : {std::size_t{0}, n - 1, n + 1}) {
        check_labels(Numbers(size, 1.0F));
    }
    const auto check_query = [&](const features::FeatureRows& rows) {
        CHECK_THROWS_AS((void)ranker.score(rows), InvalidArgument);
        if constexpr (predicts<R>) {
            CHECK_THROWS_AS((void)ranker.predict(rows), InvalidArgument);
        }
    };
    for (const float wrong : {not_a_number, infinity, -infinity}) {
        for (const auto& [i, j] : {std::pair{std::size_t{0}, std::size_t{0}}, std::pair{n - 1, d - 1}}) {
            Matrix<float> rows = sample.rows;
            rows(i, j) = wrong;
            const auto sparse = sparse_rows_of(rows, true);
            CHECK_THROWS_AS((void)R::fit(rows, sample.labels, options), InvalidArgument);
            CHECK_THROWS_AS((void)R::fit(sparse, sample.labels, options), InvalidArgument);
            check_query(rows);
            check_query(sparse);
        }
    }
    for (const std::size_t features : {std::size_t{0}, d - 1, d + 1}) {
        for (const std::size_t rows : {0U, 2U}) {
            const Matrix<float> dense(rows, features);
            const CSRMatrix<float> sparse({}, rows, features);
            check_query(dense);
            check_query(sparse);
        }
    }
}

template <class R, class State>
void check_ranker_values(const R& ranker, const R& other, const RankerSample& sample, const State& state) {
    static_assert(std::is_nothrow_move_constructible_v<R> && std::is_nothrow_move_assignable_v<R>);
    const auto expected = state(ranker);
    R source = ranker;
    R target = std::move(source);
    CHECK(state(target) == expected);
    // NOLINTBEGIN(bugprone-use-after-move): what is left of it is what is tested
    CHECK(source.features() == 0);
    CHECK(source.score(Matrix<float>(2, 0)).size() == 2);
    CHECK_THROWS_AS((void)source.score(sample.rows), InvalidArgument);
    const R copy = source;
    CHECK(copy.features() == 0);
    source = other;
    CHECK(state(source) == state(other));
    source = std::move(target);
    CHECK(state(source) == expected);
    CHECK(target.features() == 0);
    // NOLINTEND(bugprone-use-after-move)
    source = static_cast<const R&>(source);  // itself
    CHECK(state(source) == expected);
    CHECK(check_strong_guarantee([&] { return ranker; }, [&](R& changed) { changed = other; }, state) > 0);
}

}  // namespace detail

/// What every ranker promises: finite scores, which depend on the row alone; the same for dense and sparse rows, but for
/// rounding; the same model for any number of threads; files; moves and copies; errors about labels and features.
/// One call in the test of each ranker; options should be such that it learns fast.
///
/// Needs: copies and moves, fit(rows, labels, options, executor), score(rows) and features() as
/// ranking/logistic_regression.hpp documents them, save and load. rows are features::FeatureRows, labels 0 and 1.
/// predict(rows) is tested if there is one.
///
///     check_ranker<LogisticRegression>(LogisticRegressionOptions{.epochs = 5});
template <class R, class Options>
void check_ranker(const Options& options) {
    const detail::RankerSample sample(400, 6, 1);
    const detail::RankerSample little(30, 3, 2);
    const R ranker = R::fit(sample.rows, sample.labels, options);
    const R other = R::fit(little.rows, little.labels, options);
    const auto sparse = detail::sparse_rows_of(sample.rows, false);
    CHECK(ranker.features() == 6);
    detail::check_scores(ranker, R::fit(sparse, sample.labels, options), sample);
    detail::check_ranker_errors(ranker, sample, options);

    // Its file is all that a ranker knows.
    const auto state = [](const R& any) {
        const TempDir dir;
        any.save(dir / "ranker.fnl");
        return bytes_of(dir / "ranker.fnl");
    };
    detail::check_ranker_values(ranker, other, sample, state);
    for (const bool is_sparse : {false, true}) {
        const features::FeatureRows rows = is_sparse ? features::FeatureRows(sparse) : sample.rows;
        const auto expected = state(R::fit(rows, sample.labels, options));
        for (const std::size_t count : {1U, 2U, 4U}) {
            Threads pool(count);
            CHECK(state(R::fit(rows, sample.labels, options, pool)) == expected);
        }
    }
    const auto answers = [&](const R& any) {
        const auto& rows = any.features() == 6 ? sample.rows : little.rows;
        return std::pair(any.score(rows), any.score(detail::sparse_rows_of(rows, false)));
    };
    check_saved(ranker, other, answers, [](const R& forged) {
        const detail::Numbers ones(forged.features(), 1.0F);
        const auto scores = forged.score(MatrixView<const float>(ones, 1, ones.size()));
        REQUIRE(math::is_finite(scores[0]));
    });
}

}  // namespace funnel::testing
