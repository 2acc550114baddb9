// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/codes.hpp>
#include <funnel/quantise/int8.hpp>

#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using namespace funnel;
using funnel::ann::Int8;
using funnel::kernels::InnerProduct;
using funnel::kernels::L2;
using funnel::quantise::Int8PreparedQuery;
using funnel::quantise::Int8Quantiser;
using funnel::quantise::Int8Terms;

namespace {

Matrix<float> normals(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(33, seed);
    Matrix<float> rows(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return rows;
}

Int8Terms encode(const Int8Quantiser& quantiser, std::span<const float> row, std::vector<int>& bytes) {
    bytes.assign(row.size(), 999);
    return quantiser.encode(row, [&](std::size_t j, int byte) { bytes[j] = byte; });
}

}  // namespace

TEST_CASE("Int8Quantiser: worked by hand") {
    // The mean is (1, 2). The first row minus the mean is (-254, 1): scale 2, bytes -127 and 0.5, rounded away from 0.
    Matrix<float> rows(2, 2);
    rows(0, 0) = -253.0F;
    rows(0, 1) = 3.0F;
    rows(1, 0) = 255.0F;
    rows(1, 1) = 1.0F;
    const auto quantiser = Int8Quantiser::train(rows);
    CHECK(quantiser.mean()[0] == 1.0F);
    CHECK(quantiser.mean()[1] == 2.0F);
    std::vector<int> bytes;
    const Int8Terms terms = encode(quantiser, rows.row(0), bytes);
    CHECK(terms.scale == 2.0F);
    CHECK(bytes == std::vector<int>{-127, 1});
    CHECK(terms.squares == 254.0 * 254.0 + 1.0);
    CHECK(terms.byte_length == doctest::Approx(std::sqrt(127.0 * 127.0 + 1.0)));
    CHECK(terms.error == doctest::Approx(0.5));  // (0, -1) in units of 2

    Int8PreparedQuery query;
    const std::vector<float> q{127.0F, -63.4F};
    quantiser.prepare<InnerProduct>(q, query);  // as it is
    CHECK(query.step == 1.0F);
    CHECK(query.bytes == std::vector<std::int8_t>{127, -63, 0, 0});
    CHECK(query.sum == 64);
    CHECK(query.error == doctest::Approx(0.4));
    CHECK(query.at_mean == doctest::Approx(127.0 - 126.8));
    quantiser.prepare<L2>(std::vector<float>{128.0F, 2.0F}, query);  // minus the mean: (127, 0)
    CHECK(query.bytes == std::vector<std::int8_t>{127, 0, 0, 0});
    CHECK(query.length == 127.0);
    CHECK(query.error == 0.0);
}

TEST_CASE("Int8Quantiser: errors are at most half a step per element, for lengths from tiny to huge") {
    for (const std::size_t d : {1U, 2U, 63U, 64U, 65U, 300U}) {
        Matrix<float> rows = normals(60, d, d);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (float& x : rows.row(i)) {
                x = std::ldexp(x, 2 * static_cast<int>(i) - 60);
            }
        }
        const auto quantiser = Int8Quantiser::train(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            std::vector<int> bytes;
            const Int8Terms terms = encode(quantiser, rows.row(i), bytes);
            double errors = 0.0;
            double squares = 0.0;
            for (std::size_t j = 0; j < d; ++j) {
                REQUIRE(std::abs(bytes[j]) <= 127);
                const double x = double{rows(i, j)} - double{quantiser.mean()[j]};
                errors += std::pow(x - double{terms.scale} * bytes[j], 2);
                squares += x * x;
            }
            REQUIRE(terms.error * double{terms.scale} == doctest::Approx(std::sqrt(errors)));
            REQUIRE(terms.error <= 0.5001 * std::sqrt(static_cast<double>(d)));
            REQUIRE(terms.squares == doctest::Approx(squares));
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("CodeSequence of int8: scores are near the metric's, and stay so after removals", Backend,
                          codes_near) {
    const auto check = [](auto metric) {
        using M = decltype(metric);
        using Sequence = ann::detail::CodeSequence<Int8, M, std::dynamic_extent, Backend>;
        for (const std::size_t d : {1U, 7U, 64U}) {
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
                REQUIRE(codes.size() == ids.size());
                REQUIRE(codes.memory_bytes() == (ids.size() + 15) / 16 * 16 * Sequence::bytes_per_vector(d));
                for (std::size_t begin = 0; begin < ids.size(); begin += Sequence::block) {
                    const std::size_t end = std::min(begin + Sequence::block, ids.size());
                    std::vector<Scored<>> hits(end - begin);
                    REQUIRE(codes.above(query, begin, end, -1e30F, hits) == end - begin);
                    for (std::size_t i = begin; i < end; ++i) {
                        const float score = M::template score<kernels::Scalar>(q.row(0), rows.row(ids[i]));
                        const double size = 1.0 + kernels::dot<kernels::Scalar>(q.row(0), q.row(0)) +
                                            kernels::dot<kernels::Scalar>(rows.row(ids[i]), rows.row(ids[i]));
                        REQUIRE(hits[i - begin].id == i);
                        REQUIRE(std::abs(double{hits[i - begin].score} - double{score}) <= 0.02 * size);
                    }
                    std::vector<Scored<>> few(end - begin);
                    const std::size_t count = codes.above(query, begin, end, hits[0].score - 1e-3F, few);
                    REQUIRE(count >= 1);
                    REQUIRE(few[0].id == begin);
                    for (const Scored<>& hit : std::span(few).first(count)) {
                        REQUIRE(hit.score >= hits[0].score - 2e-3F);
                    }
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
TEST_CASE_TEMPLATE_APPLY(codes_near, funnel::testing::HostBackends);
