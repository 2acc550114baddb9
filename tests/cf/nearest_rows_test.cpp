// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/nearest_rows.hpp>

#include "cf/random_log.hpp"

#include <funnel/cf/keep_best.hpp>
#include <funnel/cf/row_weights.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::Serial;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Table = std::vector<std::vector<double>>;

// Items x users of V: ratings 5 3 0 / 4 0 2 / 1 1 5 / 0 4 4 of four users (rows) and three items.
CSRMatrix<float> published_ratings() {
    const std::vector<funnel::Triplet<float>> entries{{0, 0, 5}, {0, 1, 4}, {0, 2, 1}, {1, 0, 3}, {1, 2, 1},
                                                      {1, 3, 4}, {2, 1, 2}, {2, 2, 5}, {2, 3, 4}};
    return {entries, 3, 4};
}

Table dense(const CSRMatrix<float>& matrix) {
    Table x(matrix.rows(), std::vector<double>(matrix.cols(), 0.0));
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        for (std::size_t at = 0; at < matrix.row(i).size(); ++at) {
            x[i][matrix.row(i).columns[at]] = static_cast<double>(matrix.row(i).values[at]);
        }
    }
    return x;
}

double mean_of(const std::vector<double>& x) {
    double sum = 0.0;
    for (const double value : x) {
        sum += value;
    }
    return sum / static_cast<double>(x.size());
}

double dot(const std::vector<double>& x, const std::vector<double>& y) {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        sum += x[i] * y[i];
    }
    return sum;
}

// From the definitions, with dense loops; all values are > 0, so 0 is missing.
double by_definition(const Table& x, std::size_t i, std::size_t j, const KNNOptions& options) {
    const std::size_t n = x.size();
    const std::size_t columns = x[0].size();
    double total = 0.0;
    for (const auto& row : x) {
        for (const double value : row) {
            total += value;
        }
    }
    const auto weight = [&](std::size_t row, std::size_t column) {
        const double value = x[row][column];
        double df = 0.0;
        double length = 0.0;
        for (std::size_t other = 0; other < n; ++other) {
            df += x[other][column] > 0.0 ? 1.0 : 0.0;
        }
        for (const double each : x[row]) {
            length += each;
        }
        const auto rows = static_cast<double>(n);
        const double idf = options.smooth_idf ? std::log((1 + rows) / (1 + df)) + 1 : std::log(rows / (1 + df));
        const double k1 = static_cast<double>(options.k1);
        const double b = static_cast<double>(options.b);
        switch (options.weighting) {
            case Weighting::Sets:
                return value > 0.0 ? 1.0 : 0.0;
            case Weighting::Values:
                return value;
            case Weighting::TfIdf:
                return std::sqrt(value) * idf;
            case Weighting::BM25:
                break;
        }
        return idf * value * (k1 + 1) / (value + k1 * (1 - b + b * length / (total / rows)));
    };
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> both_a;
    std::vector<double> both_b;
    double sizes = 0.0;
    for (std::size_t column = 0; column < columns; ++column) {
        a.push_back(weight(i, column));
        b.push_back(weight(j, column));
        sizes += (x[i][column] > 0.0 ? 1.0 : 0.0) + (x[j][column] > 0.0 ? 1.0 : 0.0);
        if (x[i][column] > 0.0 && x[j][column] > 0.0) {
            double mean = 0.0;
            if (options.similarity == Similarity::AdjustedCosine) {
                std::vector<double> given;
                for (const auto& row : x) {
                    if (row[column] > 0.0) {
                        given.push_back(row[column]);
                    }
                }
                mean = mean_of(given);
            }
            both_a.push_back(x[i][column] - mean);
            both_b.push_back(x[j][column] - mean);
        }
    }
    if (both_a.empty()) {
        return 0.0;
    }
    const auto shared = static_cast<double>(both_a.size());
    const auto shrinkage = static_cast<double>(options.shrinkage);
    double result = 0.0;
    if (options.similarity == Similarity::Cosine) {
        result = dot(a, b) / (std::sqrt(dot(a, a)) * std::sqrt(dot(b, b)) + shrinkage);
    } else if (options.similarity == Similarity::Jaccard) {
        result = shared / (sizes - shared + shrinkage);
    } else if (options.similarity == Similarity::MSD) {
        double squares = 0.0;
        for (std::size_t k = 0; k < both_a.size(); ++k) {
            squares += (both_a[k] - both_b[k]) * (both_a[k] - both_b[k]);
        }
        result = 1.0 / (squares / shared + 1.0 + shrinkage / shared);
    } else {
        if (options.similarity == Similarity::Pearson) {
            const double mean_a = mean_of(both_a);
            const double mean_b = mean_of(both_b);
            for (std::size_t k = 0; k < both_a.size(); ++k) {
                both_a[k] -= mean_a;
                both_b[k] -= mean_b;
            }
        }
        const double norms = std::sqrt(dot(both_a, both_a)) * std::sqrt(dot(both_b, both_b));
        result = norms < 1e-9 ? 0.0 : dot(both_a, both_b) / (norms + shrinkage);
    }
    return result * (options.significance > 0.0F ? shared / (shared + static_cast<double>(options.significance)) : 1.0);
}

// The neighbours of a row: all similarities above 0, best first, by the definition.
std::vector<std::pair<double, std::size_t>> neighbours_by_definition(const Table& x, std::size_t row,
                                                                     const KNNOptions& options) {
    std::vector<std::pair<double, std::size_t>> others;
    for (std::size_t other = 0; other < x.size(); ++other) {
        const double similarity = other == row ? 0.0 : by_definition(x, row, other, options);
        if (similarity > 1e-7) {
            others.emplace_back(-similarity, other);
        }
    }
    std::sort(others.begin(), others.end());
    return others;
}

std::vector<KNNOptions> all_kinds() {
    std::vector<KNNOptions> kinds;
    for (const Similarity similarity :
         {Similarity::Cosine, Similarity::Jaccard, Similarity::Pearson, Similarity::AdjustedCosine, Similarity::MSD}) {
        kinds.push_back({.similarity = similarity});
    }
    for (const Weighting weighting : {Weighting::Values, Weighting::TfIdf, Weighting::BM25}) {
        kinds.push_back({.weighting = weighting});
        kinds.push_back({.weighting = weighting, .k1 = 1.2F, .b = 0.3F, .smooth_idf = false});
    }
    const std::size_t plain = kinds.size();
    for (std::size_t i = 0; i < plain; ++i) {
        KNNOptions shrunk = kinds[i];
        shrunk.shrinkage = 1.5F;
        shrunk.significance = 3.0F;
        kinds.push_back(shrunk);
    }
    return kinds;
}

}  // namespace

TEST_CASE("KeepBest: agrees with a sort, ties go to the smaller id") {
    Random random(5);
    KeepBest keep_best;
    for (const std::size_t n : {0U, 1U, 2U, 50U, 700U}) {
        for (const int kind : {0, 1, 2, 3}) {
            List list;
            for (std::uint32_t id = 0; id < n; ++id) {
                const double u = random.uniform();
                const double score = kind == 0   ? u
                                     : kind == 1 ? 0.25                                     // all equal
                                     : kind == 2 ? std::ceil(4 * u) / 4                     // many ties
                                                 : (id == 0 ? 1e30 : 1e-40 * (1 + 8 * u));  // one bin but for the first
                list.push_back({id, static_cast<float>(score)});
            }
            for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{7}, n, std::size_t{699},
                                        std::numeric_limits<std::size_t>::max()}) {
                List expected = list;
                std::sort(expected.begin(), expected.end(), funnel::ranks_before);
                expected.resize(std::min(k, n));
                std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
                List kept = list;
                kept.resize(keep_best(kept, k));
                CHECK(kept == expected);
            }
        }
    }
}

TEST_CASE("NearestRows: published values") {
    const auto check = [](const KNNOptions& options, double of_01, double of_02, double of_12) {
        Serial serial;
        const Table found = dense(NearestRows(published_ratings(), options, "test").all("test", serial));
        const double six = 3e-6;
        CHECK(found[0][1] == doctest::Approx(of_01).epsilon(six));
        CHECK(found[1][0] == doctest::Approx(of_01).epsilon(six));
        CHECK(found[0][2] == doctest::Approx(of_02).epsilon(six));
        CHECK(found[2][1] == doctest::Approx(of_12).epsilon(six));
    };
    check({.weighting = Weighting::Values}, .484182, .299028, .613941);
    check({.shrinkage = 10.0F, .weighting = Weighting::Values}, .371700, .243108, .475057);
    check({.significance = 10.0F, .weighting = Weighting::Values}, .080697, .049838, .102323);
    check({.similarity = Similarity::Jaccard}, .5, .5, .5);
    check({.similarity = Similarity::Pearson}, 1.0, 0.0, 0.0);  // the others are -1: no neighbours
    check({.similarity = Similarity::AdjustedCosine}, .28, 0.0, 0.0);
    check({.similarity = Similarity::MSD}, 1.0 / 3, 1.0 / 11, 1.0 / 9);
}

TEST_CASE("NearestRows: agrees with the definition for all similarities and weights") {
    // The second log is so sparse that only few rows are visited for each.
    for (const auto& log : {testing::random_log(30, 25, 0.3, 3), testing::random_log(60, 90, 0.02, 4)}) {
        const CSRMatrix<float> items = funnel::data::user_item_matrix(log).transposed();
        const Table x = dense(items);
        for (KNNOptions options : all_kinds()) {
            CAPTURE(static_cast<int>(options.similarity));
            CAPTURE(static_cast<int>(options.weighting));
            Serial serial;
            const Table all = dense(NearestRows(items, options, "test").all("test", serial));
            options.neighbours = 4;
            const NearestRows engine(items, options, "test");
            const CSRMatrix<float> nearest = engine.all("test", serial);
            for (std::size_t row = 0; row < x.size(); ++row) {
                const auto others = neighbours_by_definition(x, row, options);
                for (const auto& [negative, other] : others) {
                    CHECK(all[row][other] == doctest::Approx(-negative).epsilon(1e-5));
                }
                CHECK(std::ranges::count_if(all[row], [](double s) { return s > 1e-7; }) ==
                      static_cast<std::ptrdiff_t>(others.size()));
                // Of ties, rounding may have decided in the definition: compare similarities, not ids.
                const auto list = nearest.row(row);
                REQUIRE(list.size() == std::min<std::size_t>(4, others.size()));
                std::vector<double> kept(list.values.begin(), list.values.end());
                std::ranges::sort(kept, std::ranges::greater{});
                for (std::size_t i = 0; i < kept.size(); ++i) {
                    CHECK(kept[i] == doctest::Approx(-others[i].first).epsilon(1e-5));
                }
                // A row of the matrix that is asked for as a new one finds itself first, if it is like anything.
                auto of = engine.of(items.row(row));
                CHECK(std::ranges::is_sorted(of, {}, &Scored<>::id));
                for (const Scored<>& each : of) {
                    CHECK((each.id == row || std::abs(static_cast<double>(each.score) - all[row][each.id]) < 1e-6));
                }
            }
        }
    }
}

TEST_CASE("NearestRows: any number of threads gives the same bits") {
    const CSRMatrix<float> rows = funnel::data::user_item_matrix(testing::random_log(90, 70, 0.1, 8));
    for (KNNOptions options : all_kinds()) {
        options.neighbours = 9;
        const NearestRows engine(rows, options, "test");
        Serial serial;
        const CSRMatrix<float> one = engine.all("test", serial);
        for (const std::size_t count : {2U, 4U}) {
            Threads pool(count);
            const CSRMatrix<float> more = engine.all("test", pool);
            CHECK(std::ranges::equal(one.columns(), more.columns()));
            CHECK(std::ranges::equal(one.values(), more.values()));
        }
    }
}

TEST_CASE("NearestRows: at the k-th place, ties go to the smaller id, and the order follows the same rule") {
    // In the library implicit, the set kept the smaller id, but its order put the larger one first.
    const std::vector<std::vector<std::uint32_t>> everything(5, {0, 1, 2, 3, 4, 5});
    const CSRMatrix<float> items = funnel::data::user_item_matrix(testing::log_of(everything, 6)).transposed();
    for (const std::size_t k : {1U, 2U, 3U}) {
        Serial serial;
        const CSRMatrix<float> nearest = NearestRows(items, {.neighbours = k}, "test").all("test", serial);
        for (std::uint32_t row = 0; row < 6; ++row) {
            std::uint32_t expected = 0;
            for (const std::uint32_t id : nearest.row(row).columns) {
                expected += expected == row ? 1 : 0;
                CHECK(id == expected++);
            }
            CHECK(nearest.row(row).size() == k);
        }
    }
}

TEST_CASE("RowWeights: the idf of a column that all rows have is neither zero nor negative") {
    // With ln(n / (1 + df)), the third user of the published ratings, who rated all items, weighs -0.287682, and the
    // others, who rated all but one, weigh 0: items that are alike by all users have no similarity at all.
    const CSRMatrix<float> rows = published_ratings();
    const auto idf = [&](bool smooth) {
        const RowWeights weights(rows, {.weighting = Weighting::TfIdf, .smooth_idf = smooth});
        std::vector<float> of_row(3);
        weights.apply(rows.row(0), of_row);
        for (std::size_t i = 0; i < 3; ++i) {
            of_row[i] /= std::sqrt(rows.row(0).values[i]);
        }
        return of_row;
    };
    CHECK(idf(false)[0] == doctest::Approx(0.0));
    CHECK(idf(false)[1] == doctest::Approx(0.0));
    CHECK(idf(false)[2] == doctest::Approx(-0.287682).epsilon(1e-5));
    CHECK(idf(true)[0] == doctest::Approx(std::log(4.0 / 3) + 1));
    CHECK(idf(true)[2] == doctest::Approx(1.0));
    Serial serial;
    CHECK(NearestRows(rows, {.weighting = Weighting::TfIdf}, "test").all("test", serial).nonzeros() == 6);
}

TEST_CASE("RowWeights: the mean of a column with one value is that value, also for a new row") {
    const std::vector<funnel::Triplet<float>> entries{{0, 0, 3.0F}, {0, 1, 2.0F}, {1, 1, 4.0F}};
    const RowWeights weights(CSRMatrix<float>(entries, 2, 3), {.similarity = Similarity::AdjustedCosine});
    const std::vector<std::uint32_t> columns{0, 1, 2};
    const std::vector<float> values{5.0F, 5.0F, 5.0F};
    std::vector<float> centred(3);
    weights.apply(funnel::SparseRow<float>{columns, values}, centred);
    CHECK(centred == std::vector<float>{2.0F, 2.0F, 5.0F});  // nobody has column 2: its mean is 0
}

TEST_CASE("NearestRows: edges") {
    Serial serial;
    for (const KNNOptions& options : all_kinds()) {
        CHECK(NearestRows(CSRMatrix<float>{}, options, "test").all("test", serial).rows() == 0);
        CHECK(NearestRows(CSRMatrix<float>({}, 3, 2), options, "test").all("test", serial).nonzeros() == 0);
        CHECK(NearestRows(CSRMatrix<float>({}, 3, 0), options, "test").of({}).empty());
    }
}

TEST_CASE("NearestRows: rejects what cannot work, and says who asked") {
    const CSRMatrix<float> rows = published_ratings();
    const float not_a_number = std::numeric_limits<float>::quiet_NaN();
    for (const KNNOptions& bad :
         std::vector<KNNOptions>{{.neighbours = 0},
                                 {.similarity = static_cast<Similarity>(5)},
                                 {.shrinkage = -1.0F},
                                 {.significance = not_a_number},
                                 {.weighting = static_cast<Weighting>(4)},
                                 {.similarity = Similarity::Pearson, .weighting = Weighting::BM25},
                                 {.weighting = Weighting::BM25, .k1 = -1.0F},
                                 {.weighting = Weighting::BM25, .b = 1.5F}}) {
        CHECK_THROWS_AS(NearestRows(rows, bad, "test"), InvalidArgument);
    }
    CHECK_THROWS_WITH(NearestRows(rows, {.neighbours = 0}, "ItemKNN"), "ItemKNN: neighbours must be at least 1, got 0");
}
