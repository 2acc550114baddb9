// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/kernel_dpp.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using namespace funnel::rerank;

namespace {

using Positions = std::vector<std::size_t>;

// Cosines of (1, 0), (.999, .0447), (0, 1), (-.6, .8).
Matrix<float> four_cosines() {
    const double rows[4][2] = {{1.0, 0.0}, {0.999, 0.0447}, {0.0, 1.0}, {-0.6, 0.8}};
    Matrix<float> cosines(4, 4);
    for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
            cosines(i, j) = static_cast<float>(rows[i][0] * rows[j][0] + rows[i][1] * rows[j][1]);
        }
    }
    return cosines;
}

}  // namespace

TEST_CASE("kernel_dpp: a kernel of orthogonal and similar items, worked by hand") {
    // After 0, the residuals are 1 - .999^2 = .002 for 1, 1 for 2, 1 - .36 = .64 for 3.
    const auto slate = kernel_dpp(std::vector<float>(4, 0.0F), Similarities{four_cosines()}, {.k = 2});
    CHECK(slate.positions() == Positions{0, 2});
    CHECK(slate.end == SlateEnd::Complete);
    CHECK(slate.picks[1].score == doctest::Approx(0.0));
    CHECK(slate.picks[1].nearest == std::size_t{0});
}

TEST_CASE("kernel_dpp: 1 - similarity is no kernel, with a diagonal of zeros or of ones") {
    for (const float on_diagonal : {0.0F, 1.0F}) {
        Matrix<float> distances = four_cosines();
        for (std::size_t i = 0; i < 4; ++i) {
            for (std::size_t j = 0; j < 4; ++j) {
                distances(i, j) = i == j ? on_diagonal : 1.0F - distances(i, j);
            }
        }
        const auto slate = kernel_dpp(std::vector<float>(4, 0.0F), Similarities{distances}, {.k = 4});
        CHECK(slate.end == SlateEnd::NotPositiveSemidefinite);
        REQUIRE(slate.witness.size() == 2);
        const std::size_t a = slate.witness[0];
        const std::size_t b = slate.witness[1];
        CHECK(distances(a, a) * distances(b, b) - distances(a, b) * distances(b, a) < 0.0F);
        if (on_diagonal == 1.0F) {
            CHECK(slate.witness == Positions{0, 3});  // 1 - 1.6^2 = -1.56
        }
    }
}

TEST_CASE("kernel_dpp: ends at the rank, whatever the scale of the kernel, and picks nothing from zeros") {
    Random random(3);
    Matrix<double> rows(60, 16);
    for (std::size_t i = 0; i < 60; ++i) {
        for (std::size_t j = 0; j < 16; ++j) {
            rows(i, j) = random.normal();
        }
    }
    Positions first;
    for (const double scale : {1.0, 1e8, 1e-8, 1e100}) {
        const auto element = [&](std::size_t i, std::size_t j) {
            double dot = 0.0;
            for (std::size_t c = 0; c < 16; ++c) {
                dot += rows(i, c) * rows(j, c);
            }
            return scale * static_cast<double>(static_cast<float>(dot));  // as from a float matrix
        };
        std::vector<double> diagonal(60);
        for (std::size_t i = 0; i < 60; ++i) {
            diagonal[i] = element(i, i);
        }
        const auto row = [&](std::size_t j, std::span<double> out) {
            for (std::size_t i = 0; i < out.size(); ++i) {
                out[i] = element(j, i);
            }
        };
        const auto slate = kernel_dpp(std::span<const double>(diagonal), row, {.k = 50});
        CHECK(slate.picks.size() == 16);
        CHECK(slate.end == SlateEnd::NothingNew);
        first = first.empty() ? slate.positions() : first;
        CHECK(slate.positions() == first);
    }
    const auto nothing = kernel_dpp(std::vector<float>(3, 0.0F), Similarities{Matrix<float>(3, 3)}, {.k = 3});
    CHECK(nothing.picks.empty());
    CHECK(nothing.end == SlateEnd::NothingNew);
}

TEST_CASE("kernel_dpp: agrees with dpp of the embeddings") {
    Random random(8);
    for (int trial = 0; trial < 50; ++trial) {
        Matrix<float> rows(30, 8);
        Matrix<float> cosines(30, 30);
        std::vector<float> relevance(30);
        for (std::size_t i = 0; i < 30; ++i) {
            relevance[i] = static_cast<float>(random.below(1000)) / 1000.0F;
            for (std::size_t j = 0; j < 8; ++j) {
                rows(i, j) = static_cast<float>(random.normal());
            }
        }
        for (std::size_t i = 0; i < 30; ++i) {
            for (std::size_t j = 0; j < 30; ++j) {
                double ij = 0.0;
                double ii = 0.0;
                double jj = 0.0;
                for (std::size_t c = 0; c < 8; ++c) {
                    ij += static_cast<double>(rows(i, c)) * static_cast<double>(rows(j, c));
                    ii += static_cast<double>(rows(i, c)) * static_cast<double>(rows(i, c));
                    jj += static_cast<double>(rows(j, c)) * static_cast<double>(rows(j, c));
                }
                cosines(i, j) = static_cast<float>(ij / std::sqrt(ii * jj));
            }
        }
        CHECK(kernel_dpp(relevance, Similarities{cosines}, {.k = 6}).positions() == dpp(relevance, rows, {.k = 6}));
    }
}

TEST_CASE("kernel_dpp: a negative diagonal is its own witness; rejects NaN and a matrix that is not square") {
    Matrix<float> values(2, 2);
    values(1, 1) = -1.0F;
    const std::vector<float> relevance(2, 0.0F);
    CHECK(kernel_dpp(relevance, Similarities{values}).witness == Positions{1});
    values(1, 1) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)kernel_dpp(relevance, Similarities{values}), InvalidArgument);
    CHECK_THROWS_AS((void)kernel_dpp(relevance, Similarities{Matrix<float>(2, 3)}), InvalidArgument);
    CHECK(kernel_dpp({}, Similarities{}).picks.empty());
}

TEST_CASE("kernel_dpp: a matrix that is not symmetric is named by two candidates") {
    Matrix<float> values(3, 3);
    values(0, 0) = values(1, 1) = values(2, 2) = 1.0F;
    values(0, 2) = 0.25F;
    values(2, 0) = 0.5F;
    const Slate slate = kernel_dpp(std::vector<float>{0.3F, 0.2F, 0.1F}, Similarities{values}, {.k = 3, .alpha = 1.0F});
    CHECK(slate.end == SlateEnd::NotSymmetric);
    CHECK(slate.witness == Positions{0, 2});
    CHECK(slate.positions() == Positions{0, 1});  // the picks before it was found
    values(2, 0) = 0.25F + 1e-6F;                 // rounding
    CHECK(kernel_dpp(std::vector<float>(3, 0.0F), Similarities{values}, {.k = 3}).end == SlateEnd::Complete);
}

TEST_CASE("kernel_dpp: zeros on the diagonal neither divide by zero nor give a duplicate") {
    Matrix<float> values(4, 4);
    values(1, 1) = values(3, 3) = 1.0F;
    const Slate slate = kernel_dpp(std::vector<float>(4, 0.0F), Similarities{values}, {.k = 4});
    CHECK(slate.positions() == Positions{1, 3});
    CHECK(slate.end == SlateEnd::NothingNew);
    CHECK(slate.picks[1].score == 0.0);
    values(0, 1) = values(1, 0) = 0.5F;  // beside a diagonal of 0: the determinant of {0, 1} is -0.25
    const Slate broken = kernel_dpp(std::vector<float>(4, 0.0F), Similarities{values}, {.k = 4});
    CHECK(broken.end == SlateEnd::NotPositiveSemidefinite);
    CHECK(broken.witness == Positions{1, 0});
}

TEST_CASE("kernel_dpp: only_gains applies to the first pick too") {
    const std::vector<double> diagonal{0.5, 0.25};
    const auto row = [&](std::size_t j, std::span<double> out) {
        out[0] = out[1] = 0.0;
        out[j] = diagonal[j];
    };
    const Slate slate = kernel_dpp(std::span<const double>(diagonal), row, {.k = 2, .only_gains = true});
    CHECK(slate.picks.empty());
    CHECK(slate.end == SlateEnd::NoGain);
}

TEST_CASE("kernel_dpp: reads the rows of its picks and nothing else") {
    std::vector<std::size_t> asked;
    const std::vector<double> diagonal(500, 1.0);
    const auto row = [&](std::size_t j, std::span<double> out) {
        asked.push_back(j);
        std::fill(out.begin(), out.end(), 0.0);
        out[j] = 1.0;
    };
    const Slate slate = kernel_dpp(std::span<const double>(diagonal), row, {.k = 20});
    CHECK(slate.picks.size() == 20);
    CHECK(asked == slate.positions());
}

namespace {

// det of the submatrix, by elimination with pivots.
double determinant(const Matrix<float>& values, const Positions& items) {
    const std::size_t m = items.size();
    std::vector<std::vector<double>> a(m, std::vector<double>(m));
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < m; ++j) {
            a[i][j] = static_cast<double>(values(items[i], items[j]));
        }
    }
    double product = 1.0;
    for (std::size_t p = 0; p < m; ++p) {
        std::size_t largest = p;
        for (std::size_t i = p; i < m; ++i) {
            largest = std::fabs(a[i][p]) > std::fabs(a[largest][p]) ? i : largest;
        }
        if (largest != p) {
            std::swap(a[p], a[largest]);
            product = -product;
        }
        product *= a[p][p];
        for (std::size_t i = p + 1; i < m; ++i) {
            const double factor = a[i][p] / a[p][p];
            for (std::size_t j = p; j < m; ++j) {
                a[i][j] -= factor * a[p][j];
            }
        }
    }
    return product;
}

struct SimilarityCase {
    const char* name;
    bool is_kernel;
    double (*of_cosine)(double);
    double on_diagonal;
};

}  // namespace

TEST_CASE("kernel_dpp: tells similarities that are kernels from those that are not, with a witness") {
    // 40 unit vectors in four dimensions.
    Random random(17);
    Matrix<double> rows(40, 4);
    for (std::size_t i = 0; i < 40; ++i) {
        double squared = 0.0;
        for (double& x : rows.row(i)) {
            x = random.normal();
            squared += x * x;
        }
        for (double& x : rows.row(i)) {
            x /= std::sqrt(squared);
        }
    }
    const SimilarityCase cases[] = {
        {"cosine", true, [](double c) { return c; }, 1.0},
        {"(1 + cosine) / 2", true, [](double c) { return (1.0 + c) / 2.0; }, 1.0},
        {"cosine^2", true, [](double c) { return c * c; }, 1.0},
        {"exp(cosine)", true, [](double c) { return std::exp(c); }, std::exp(1.0)},
        {"exp(-distance^2)", true, [](double c) { return std::exp(2.0 * c - 2.0); }, 1.0},
        {"exp(-distance)", true, [](double c) { return std::exp(-std::sqrt(std::max(2.0 - 2.0 * c, 0.0))); }, 1.0},
        {"max(0, cosine)", false, [](double c) { return std::max(0.0, c); }, 1.0},
        {"cosine above 0.3", false, [](double c) { return c > 0.3 ? c : 0.0; }, 1.0},
        {"|cosine|", false, [](double c) { return std::fabs(c); }, 1.0},
        {"cosine rounded to 1/16", false, [](double c) { return std::round(c * 16.0) / 16.0; }, 1.0},
        {"1.5 exp(-distance^2)", false, [](double c) { return 1.5 * std::exp(2.0 * c - 2.0); }, 1.0},
        {"1 - cosine", false, [](double c) { return 1.0 - c; }, 0.0},
        {"1 - cosine, 1 on the diagonal", false, [](double c) { return 1.0 - c; }, 1.0},
    };
    for (const SimilarityCase& tried : cases) {
        CAPTURE(tried.name);
        Matrix<float> values(40, 40);
        for (std::size_t i = 0; i < 40; ++i) {
            for (std::size_t j = 0; j < 40; ++j) {
                double dot = 0.0;
                for (std::size_t c = 0; c < 4; ++c) {
                    dot += rows(i, c) * rows(j, c);
                }
                values(i, j) = static_cast<float>(i == j ? tried.on_diagonal : tried.of_cosine(dot));
            }
        }
        const Slate slate = kernel_dpp(std::vector<float>(40, 0.0F), Similarities{values}, {.k = 40});
        CHECK((slate.end == SlateEnd::NotPositiveSemidefinite) == !tried.is_kernel);
        CHECK(slate.witness.empty() == tried.is_kernel);
        if (!slate.witness.empty()) {
            CHECK(determinant(values, slate.witness) < 0.0);
        }
    }
}

TEST_CASE("kernel_dpp: relevance that differs by hundreds does not underflow, and large relevance does not overflow") {
    Matrix<float> similarities(3, 3);
    for (std::size_t i = 0; i < 3; ++i) {
        for (std::size_t j = 0; j < 3; ++j) {
            similarities(i, j) = i == j ? 1.0F : 0.2F;
        }
    }
    const std::vector<float> relevance{100.0F, 50.0F, 0.0F};
    for (const bool only_gains : {false, true}) {
        for (const float alpha : {5.0F, 10.0F, 1000.0F}) {
            const auto slate = kernel_dpp(relevance, funnel::rerank::Similarities{similarities},
                                          {.k = 3, .alpha = alpha, .only_gains = only_gains});
            CHECK(slate.positions() == std::vector<std::size_t>(only_gains ? std::vector<std::size_t>{0, 1}
                                                                           : std::vector<std::size_t>{0, 1, 2}));
            CHECK(slate.end == (only_gains ? funnel::rerank::SlateEnd::NoGain : funnel::rerank::SlateEnd::Complete));
            CHECK(slate.picks[1].score == doctest::Approx(100.0 * static_cast<double>(alpha) + std::log(0.96)));
        }
    }
}
