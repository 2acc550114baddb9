// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/quantise/half.hpp>

#include "support/backends.hpp"

#include <funnel/ann/codes.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/metric.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ann = funnel::ann;
namespace kernels = funnel::kernels;
using funnel::Matrix;
using funnel::Random;
using funnel::Scored;
using funnel::quantise::HalfPreparedQuery;
using funnel::quantise::HalfQuantiser;
using funnel::quantise::HalfTerms;
using kernels::Float16;
using kernels::InnerProduct;
using kernels::L2;

namespace {

Matrix<float> normals(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(34, seed);
    Matrix<float> rows(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return rows;
}

}  // namespace

TEST_CASE("HalfQuantiser: worked by hand") {
    // The mean is (1, 2). The first row minus the mean is (-254, 1): scale 2^-7, halves -32512 and 128.
    Matrix<float> rows(2, 2);
    rows(0, 0) = -253.0F;
    rows(0, 1) = 3.0F;
    rows(1, 0) = 255.0F;
    rows(1, 1) = 1.0F;
    const auto quantiser = HalfQuantiser::train(rows);
    std::vector<Float16> halves(3, Float16{9});
    const HalfTerms terms = quantiser.encode(rows.row(0), halves);
    CHECK(terms.scale == 0x1p-7F);
    CHECK(halves[0].value() == -32512.0F);
    CHECK(halves[1].value() == 128.0F);
    CHECK(halves[2] == Float16{9});
    CHECK(terms.squares == 254.0 * 254.0 + 1.0);

    HalfPreparedQuery query;
    quantiser.prepare<InnerProduct>(std::vector<float>{3.0F, -4.0F}, query);  // as it is
    CHECK(query.elements.size() == 32);
    CHECK(query.elements[1] == -4.0F);
    CHECK(query.elements[2] == 0.0F);
    CHECK(query.length == 5.0);
    CHECK(query.at_mean == -5.0);
    quantiser.prepare<L2>(std::vector<float>{4.0F, 6.0F}, query);  // minus the mean: (3, 4)
    CHECK(query.elements[0] == 3.0F);
    CHECK(query.elements[1] == 4.0F);
    CHECK(query.length == 5.0);
    CHECK(query.at_mean == 0.0);
}

TEST_CASE("HalfQuantiser: eleven digits of each element, for lengths from tiny to 2^62, and nothing becomes infinite") {
    for (const std::size_t d : {1U, 2U, 63U, 64U, 65U, 300U}) {
        Matrix<float> rows = normals(100, d, d);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (float& x : rows.row(i)) {
                x = std::ldexp(x, 2 * static_cast<int>(i) - 140);
            }
        }
        const auto quantiser = HalfQuantiser::train(Matrix<float>(1, d));  // the mean is zero
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            std::vector<Float16> halves(d);
            const HalfTerms terms = quantiser.encode(rows.row(i), halves);
            const double scale = terms.scale;
            REQUIRE(scale >= 0x1p-126);
            double largest = 0.0;
            double squares = 0.0;
            for (std::size_t j = 0; j < d; ++j) {
                const double x = rows(i, j);
                const double decoded = scale * static_cast<double>(halves[j].value());
                REQUIRE(std::abs(decoded - x) <= std::max(std::abs(x) * 0x1p-11, scale * 0x1p-25));
                largest = std::max(largest, std::abs(x) / scale);
                squares += decoded * decoded;
            }
            REQUIRE(largest < 0x1p15);
            REQUIRE((largest >= 0x1p14 || terms.scale == 0x1p-126F));
            REQUIRE(terms.squares == doctest::Approx(squares));
        }
    }
    // The largest numbers of the range, and those that round up to a power of two.
    const auto quantiser = HalfQuantiser::train(Matrix<float>(1, 1));
    for (const float x : {0x1p62F, -0x1p62F, std::nextafter(0x1p62F, 0.0F), 65520.0F, 0.0F, 0x1p-149F}) {
        std::vector<Float16> half(1);
        const HalfTerms terms = quantiser.encode(std::vector<float>{x}, half);
        CHECK(std::abs(terms.scale * half[0].value() - x) <= std::abs(x) * 0x1p-11F);
    }
}

TEST_CASE_TEMPLATE_DEFINE("CodeSequence of halves: scores are near the metric's, and stay so after removals", Backend,
                          halves_near) {
    const auto check = [](auto metric) {
        using M = decltype(metric);
        using Sequence = ann::detail::CodeSequence<ann::F16, M, std::dynamic_extent, Backend>;
        for (const std::size_t d : {1U, 7U, 64U, 100U}) {
            const Matrix<float> rows = normals(300, d, 1);
            const auto quantiser = Sequence::Quantiser::train(rows);
            Sequence codes(d);
            std::vector<std::size_t> ids;
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                codes.append(quantiser, rows.row(i));
                ids.push_back(i);
            }
            typename Sequence::Query query;
            const Matrix<float> q = normals(1, d, 2);
            quantiser.prepare(q.row(0), query);
            while (!ids.empty()) {
                REQUIRE(codes.memory_bytes() == ids.size() * Sequence::bytes_per_vector(d));
                for (std::size_t begin = 0; begin < ids.size(); begin += Sequence::block) {
                    const std::size_t end = std::min(begin + Sequence::block, ids.size());
                    std::vector<Scored<>> hits(end - begin);
                    REQUIRE(codes.above(query, begin, end, -1e30F, hits) == end - begin);
                    std::size_t reach = 0;
                    for (std::size_t i = begin; i < end; ++i) {
                        const float score = M::template score<kernels::Scalar>(q.row(0), rows.row(ids[i]));
                        const double size = 1.0 + kernels::dot<kernels::Scalar>(q.row(0), q.row(0)) +
                                            kernels::dot<kernels::Scalar>(rows.row(ids[i]), rows.row(ids[i]));
                        REQUIRE(hits[i - begin].id == i);
                        REQUIRE(std::abs(double{hits[i - begin].score} - double{score}) <= 0x1p-10 * size);
                        reach += hits[i - begin].score >= hits[0].score ? 1U : 0U;
                    }
                    std::vector<Scored<>> few(end - begin);
                    REQUIRE(codes.above(query, begin, end, hits[0].score, few) == reach);
                    REQUIRE(few[0] == hits[0]);
                }
                for (std::size_t step = 0; step < 23 && !ids.empty(); ++step) {
                    const std::size_t gap = (7 * step) % ids.size();
                    codes.remove(gap);
                    ids[gap] = ids.back();
                    ids.pop_back();
                }
            }
        }
    };
    check(L2{});
    check(InnerProduct{});
}
TEST_CASE_TEMPLATE_APPLY(halves_near, funnel::testing::HostBackends);
