// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_copies.hpp>

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

using funnel::Matrix;
using funnel::Random;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::ann::detail::Copies;
using Ids = std::vector<std::uint32_t>;

namespace {

constexpr std::size_t dim = 8;

void draw(std::uint64_t seed, std::uint64_t id, std::span<float> row) {
    Random random(seed, id);
    std::generate(row.begin(), row.end(), [&] { return static_cast<float>(random.normal()); });
}

struct Sample {
    const char* name;
    Matrix<float> vectors;
    std::vector<bool> is_ordinary;
};

// Rows that are all different, but for those that is_placeholder names: they equal one vector.
template <class F>
Sample with_placeholders(const char* name, std::size_t n, float placeholder, const F& is_placeholder) {
    Sample sample{name, Matrix<float>(n, dim), std::vector<bool>(n)};
    for (std::size_t i = 0; i < n; ++i) {
        sample.is_ordinary[i] = !is_placeholder(i);
        draw(1, i, sample.vectors.row(i));
        if (is_placeholder(i)) {
            std::fill(sample.vectors.row(i).begin(), sample.vectors.row(i).end(), placeholder);
        }
    }
    return sample;
}

// Many points, each with as many copies, which follow each other or come one of each in turn.
Sample groups(const char* name, std::size_t points, std::size_t copies, bool in_turn) {
    Sample sample{name, Matrix<float>(points * copies, dim), std::vector<bool>(points * copies, true)};
    for (std::size_t i = 0; i < points * copies; ++i) {
        draw(2, in_turn ? i % points : i / copies, sample.vectors.row(i));
    }
    return sample;
}

std::vector<Sample> catalogues(float placeholder) {
    constexpr std::size_t n = 500;
    std::vector<Sample> all;
    all.push_back(with_placeholders("every tenth", n, placeholder, [](std::size_t i) { return i % 10 == 0; }));
    all.push_back(with_placeholders("every second", n, placeholder, [](std::size_t i) { return i % 2 == 0; }));
    all.push_back(with_placeholders("nine of ten", n, placeholder, [](std::size_t i) { return i % 10 != 0; }));
    all.push_back(with_placeholders("half, first", n, placeholder, [](std::size_t i) { return i < n / 2; }));
    all.push_back(with_placeholders("half, last", n, placeholder, [](std::size_t i) { return i >= n / 2; }));
    all.push_back(with_placeholders("half, far away", n, 1000.0F, [](std::size_t i) { return i % 2 == 0; }));
    all.push_back(groups("10 x 50", 10, 50, false));
    all.push_back(groups("10 x 50 in turn", 10, 50, true));
    all.push_back(groups("100 x 5", 100, 5, true));
    return all;
}

template <class M>
void check_ordinary_found(const HNSW<M>& index, const Sample& sample) {
    CAPTURE(sample.name);
    CAPTURE(M::name);
    CHECK(index.unreachable() == 0);
    const auto flat = Flat<M>::build(sample.vectors);
    std::size_t asked = 0;
    std::size_t found = 0;
    for (std::size_t i = 0; i < sample.vectors.rows(); i += 1 + i % 5) {
        if (sample.is_ordinary[i]) {
            ++asked;
            found += index.search(sample.vectors.row(i), {.k = 1}) == flat.search(sample.vectors.row(i), {.k = 1});
        }
    }
    CHECK(static_cast<double>(found) >= 0.99 * static_cast<double>(asked));
}

template <class M>
void check_catalogues(float placeholder) {
    for (const Sample& sample : catalogues(placeholder)) {
        check_ordinary_found(HNSW<M>::build(sample.vectors, {.ef_construction = 40}), sample);
        auto grown = HNSW<M>::build(Matrix<float>(0, dim), {.ef_construction = 40});
        for (std::size_t i = 0; i < sample.vectors.rows(); ++i) {
            grown.add(sample.vectors.row(i));
        }
        check_ordinary_found(grown, sample);
    }
}

Ids group_of(const Copies& copies, std::uint32_t node) {
    Ids group;
    copies.for_each(node, [&](std::uint32_t id) {
        group.push_back(id);
        return true;
    });
    return group;
}

}  // namespace

TEST_CASE("Copies: groups equal rows, smaller ids first; zeros of both signs are equal") {
    Matrix<float> rows(7, 2);
    rows(1, 0) = 1.0F;
    rows(2, 0) = -0.0F;
    rows(4, 0) = 1.0F;
    rows(5, 1) = 1.0F;
    rows(6, 1) = -0.0F;  // 0, 2, 3, 6 are zeros
    const Copies copies(rows);
    CHECK(copies.count() == 4);
    CHECK(copies.memory_bytes() == 7 * sizeof(std::uint32_t));
    CHECK(group_of(copies, 0) == Ids{0, 2, 3, 6});
    CHECK(group_of(copies, 1) == Ids{1, 4});
    CHECK(group_of(copies, 5) == Ids{5});
    CHECK(copies.flags() == std::vector<std::uint8_t>{0, 0, 1, 1, 1, 0, 1});
    Ids first_two;
    copies.for_each(0, [&](std::uint32_t id) {
        first_two.push_back(id);
        return first_two.size() < 2;
    });
    CHECK(first_two == Ids{0, 2});
}

TEST_CASE("Copies: rows of different denormal numbers differ, also where a processor takes those for zeros") {
    Matrix<float> rows(3, 1);
    rows(0, 0) = std::bit_cast<float>(std::uint32_t{1});
    rows(1, 0) = std::bit_cast<float>(std::uint32_t{2});
#if defined(__SSE__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040U);  // denormals are zeros, results too
    const Copies copies(rows);
    _mm_setcsr(before);
#else
    const Copies copies(rows);
#endif
    CHECK(copies.count() == 0);
}

TEST_CASE("Copies: takes no memory while all rows differ") {
    Matrix<float> rows(100, 1);
    for (std::size_t i = 0; i < 100; ++i) {
        rows(i, 0) = static_cast<float>(i);
    }
    const Copies copies(rows);
    CHECK(copies.count() == 0);
    CHECK(copies.memory_bytes() == 0);
    CHECK(copies.flags().empty());
    CHECK(group_of(copies, 42) == Ids{42});
}

TEST_CASE("Copies: rows that come one by one are grouped as all at a time") {
    const Matrix<float> rows = funnel::testing::small_integers(300, 2, 1);
    const Copies expected(rows);
    for (const std::size_t built : {0U, 1U, 100U}) {
        Copies copies(rows.view().rows_from(0, built));
        for (std::size_t i = built; i < 300; ++i) {
            copies.reserve(rows.view().rows_from(0, i + 1));
            copies.append(rows.view().rows_from(0, i + 1));
        }
        CHECK(copies.count() == expected.count());
        CHECK(copies.flags() == expected.flags());
        for (std::uint32_t id = 0; id < 300; ++id) {
            CHECK(group_of(copies, id) == group_of(expected, id));
        }
    }
}

TEST_CASE("Copies: append gets no memory, so that it cannot fail") {
    const Matrix<float> rows = funnel::testing::small_integers(300, 2, 1);
    for (const std::size_t built : {0U, 1U, 2U, 3U, 64U, 100U}) {
        Copies copies(rows.view().rows_from(0, built));
        for (std::size_t i = built; i < 300; ++i) {
            const auto first = rows.view().rows_from(0, i + 1);
            copies.reserve(first);
            REQUIRE(funnel::testing::allocations_of([&] { copies.append(first); }) == 0);
        }
    }
}

TEST_CASE("HNSW: ordinary vectors are found however many placeholders there are, by distance") {
    check_catalogues<L2>(0.0F);
}

TEST_CASE("HNSW: ordinary vectors are found however many placeholders there are, by inner product") {
    check_catalogues<InnerProduct>(0.0F);
}

TEST_CASE("HNSW: ordinary vectors are found however many placeholders there are, by cosine") {
    check_catalogues<Cosine>(1.0F);
}

TEST_CASE("HNSW: of equal vectors the smaller ids come first, removed and filtered ones not at all") {
    const Matrix<float> rows = funnel::testing::small_integers(400, 2, 1);  // 49 different ones
    const auto check = [&]<class M>(M) {
        auto index = HNSW<M>::build(rows, {.M = 4, .ef_construction = 20});
        auto flat = Flat<M>::build(rows);
        const auto check_alike = [&] {
            for (std::size_t i = 0; i < 20; ++i) {
                for (const std::size_t k : {1U, 3U, 30U, 400U}) {
                    CHECK(index.search(rows.row(i), {.k = k}) == flat.search(rows.row(i), {.k = k}));
                    const auto passes = [](std::uint32_t id) { return id % 3 == 1; };
                    CHECK(index.search(rows.row(i), {.k = k}, passes) == flat.search(rows.row(i), {.k = k}, passes));
                }
            }
        };
        check_alike();
        for (std::uint32_t id = 0; id < 400; id += 2) {
            CHECK(index.remove(id) == flat.remove(id));
        }
        check_alike();
        for (std::size_t i = 0; i < 50; ++i) {
            CHECK(index.add(rows.row(i)) == flat.add(rows.row(i)));
        }
        check_alike();
    };
    check(L2{});
    check(InnerProduct{});
}

TEST_CASE("HNSW: a copy of a removed vector is found") {
    const Matrix<float> rows = funnel::testing::tastes(300, 4, 1);
    auto index = HNSW<L2>::build(rows, {.M = 4, .ef_construction = 20});
    index.remove(7);
    CHECK(index.add(rows.row(7)) == 300);
    CHECK(index.search(rows.row(7), {.k = 1})[0].id == 300);
    CHECK(index.unreachable() == 0);
}
