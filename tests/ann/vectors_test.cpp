// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/vectors.hpp>

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <vector>

using funnel::Matrix;
using funnel::ann::Cosine;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::ann::detail::defect_of;
using funnel::ann::detail::Vectors;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

auto state_of(const Vectors<L2>& vectors) {
    std::vector<float> elements;
    std::vector<bool> is_live;
    for (std::size_t id = 0; id < vectors.count(); ++id) {
        const auto row = vectors.rows().row(id);
        elements.insert(elements.end(), row.begin(), row.end());
        is_live.push_back(vectors.is_live(id));
    }
    return std::tuple(elements, is_live, vectors.live(), vectors.dimension(), vectors.memory_bytes());
}

}  // namespace

TEST_CASE("defect_of: NaN, infinities, too long and zero vectors, wherever the number is") {
    for (const std::size_t d : {1U, 4U, 17U, 64U}) {
        for (std::size_t at = 0; at < d; ++at) {
            std::vector<float> vector(d, 0.5F);
            CHECK(defect_of<L2>(vector) == nullptr);
            for (const float bad : {not_a_number, -not_a_number, infinity, -infinity}) {
                vector[at] = bad;
                CHECK(defect_of<L2>(vector) == std::string("holds a NaN or an infinity"));
                CHECK(defect_of<Cosine>(vector) == std::string("holds a NaN or an infinity"));
            }
            vector[at] = 5e18F;
            CHECK(defect_of<L2>(vector) == std::string("is too long: its length must be at most 2^62"));
            CHECK(defect_of<InnerProduct>(vector) == std::string("is too long: its length must be at most 2^62"));
            vector[at] = 3e38F;
            CHECK(defect_of<Cosine>(vector) == nullptr);
            CHECK(defect_of<Cosine>(std::vector<float>(d)) ==
                  std::string("is the zero vector, which has no direction"));
            CHECK(defect_of<InnerProduct>(std::vector<float>(d)) == nullptr);
        }
    }
}

TEST_CASE("Vectors: an append that fails changes nothing") {
    const std::vector<float> vector{1.0F, 2.0F, 3.0F};
    for (const std::size_t before : {0U, 1U, 4U, 5U}) {
        const auto make = [&] {
            Vectors<L2> vectors(Matrix<float>(before, 3), "make");
            if (before == 5) {
                vectors.append(vector, "make");  // leaves room
                vectors.remove(2, "make");
            }
            return vectors;
        };
        const auto append = [&](Vectors<L2>& vectors) { vectors.append(vector, "append"); };
        funnel::testing::check_strong_guarantee(make, append, state_of);
        auto vectors = make();
        const auto expected = state_of(vectors);
        const std::size_t count = vectors.count();
        append(vectors);
        append(vectors);
        CHECK(vectors.remove(count, "remove"));
        vectors.keep_first(count);
        CHECK(state_of(vectors) == expected);
        vectors.keep_first(count + 1);
        CHECK(state_of(vectors) == expected);
    }
}

TEST_CASE("Vectors: without rows, ids, removals and the dimension remain") {
    Vectors<L2> vectors(Matrix<float>(3, 5), "make");
    vectors.remove(1, "remove");
    CHECK(vectors.memory_bytes() == Vectors<L2>::memory_estimate(3, 5, true));
    vectors.drop_rows();
    CHECK_FALSE(vectors.has_rows());
    CHECK(vectors.memory_bytes() == Vectors<L2>::memory_estimate(3, 5, false));
    CHECK(vectors.memory_bytes() == 3);
    CHECK(vectors.count() == 3);
    CHECK(vectors.live() == 2);
    CHECK(vectors.dimension() == 5);
    const std::vector<float> vector{1.0F, 2.0F, 3.0F, 4.0F, 5.0F};
    CHECK(vectors.append(vector, "append") == 3);
    CHECK(std::equal(vector.begin(), vector.end(), vectors.last().begin()));
    vectors.keep_first(3);  // as after an append of the structure that failed
    CHECK(vectors.append(vector, "append") == 3);
    vectors.drop_rows();
    CHECK(vectors.count() == 4);
    CHECK(vectors.rows().rows() == 0);

    funnel::io::ContainerWriter writer("test", 1);
    vectors.write(writer);
    const funnel::io::ContainerReader reader(writer.bytes(), "test", 1);
    const auto again = Vectors<L2>::read(reader, false);
    CHECK(again.count() == 4);
    CHECK(again.live() == 3);
    CHECK(again.dimension() == 5);
    CHECK_FALSE(again.has_rows());
    CHECK_FALSE(again.is_live(1));
    CHECK_THROWS_AS((void)Vectors<L2>::read(reader, true), funnel::CorruptData);
    for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{1} << 28, std::uint64_t{1} << 63}) {
        funnel::io::ContainerWriter forged("test", 1);
        const std::string metric = "L2";
        forged.strings("metric", std::span(&metric, 1));
        forged.value("dimension", wrong);
        const std::vector<std::uint8_t> flags(2);
        forged.array("is_removed", flags);
        const funnel::io::ContainerReader file(forged.bytes(), "test", 1);
        CHECK_THROWS_AS((void)Vectors<L2>::read(file, false), funnel::CorruptData);
    }
}

TEST_CASE("Vectors: appended one by one, memory is asked for a few times only") {
    Vectors<L2> vectors(Matrix<float>(1, 3), "make");
    const std::vector<float> vector{1.0F, 2.0F, 3.0F};
    const std::size_t allocations = funnel::testing::allocations_of([&] {
        for (int i = 0; i < 5000; ++i) {
            vectors.append(vector, "append");
        }
    });
    CHECK(allocations <= 2 * 13 + 2);  // two lists that double up to 2^13, and the name in messages
}
