// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/keyed.hpp>

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::MatrixView;
using funnel::Threads;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::Keyed;
using funnel::ann::L2;
using funnel::testing::tastes;
using funnel::testing::TempDir;

namespace {

using Named = Keyed<Flat<L2>, std::string>;

// Points 0, 1, 2, ... on a line.
Named line(const std::vector<std::string>& names) {
    std::vector<float> numbers;
    for (std::size_t i = 0; i < names.size(); ++i) {
        numbers.push_back(static_cast<float>(i));
    }
    return Named::build(names, MatrixView<const float>(numbers, names.size(), 1));
}

std::vector<std::string> names_of(const Named::Hits& hits) {
    std::vector<std::string> names;
    for (const auto& hit : hits) {
        names.push_back(hit.key);
    }
    return names;
}

using Names = std::vector<std::string>;

template <class Index>
auto state_of(const Index& index) {
    const TempDir dir;
    index.save(dir / "index.fnl");
    const std::vector<float> query(index.dimension(), 0.25F);
    return std::tuple(funnel::testing::bytes_of(dir / "index.fnl"), index.size(), index.search(query, {.k = 100}));
}

}  // namespace

TEST_CASE("Keyed: worked by hand, with add, replace and remove by key") {
    auto index = line({"a", "b", "c"});
    const std::vector<float> query{0.875F};
    CHECK(names_of(index.search(query, {.k = 2})) == Names{"b", "a"});
    index.add("d", std::vector{0.875F});
    CHECK(names_of(index.search(query, {.k = 2})) == Names{"d", "b"});
    index.replace("a", std::vector{0.625F});
    CHECK(names_of(index.search(query, {.k = 9})) == Names{"d", "b", "a", "c"});  // 0, 1/8, 1/4, 9/8 away
    CHECK(index.vector("a")[0] == 0.625F);
    CHECK(index.size() == 4);
    index.remove("d");
    CHECK_FALSE(index.contains("d"));
    CHECK(names_of(index.search(query, {.k = 1})) == Names{"b"});
    index.add("d", std::vector{5.0F});  // new again
    CHECK(index.vector("d")[0] == 5.0F);
    const auto not_b = [](std::string_view key) { return key != "b"; };
    CHECK(names_of(index.search(query, {.k = 1}, not_b)) == Names{"a"});
    CHECK(index.key(*index.find("a")) == "a");
}

TEST_CASE("Keyed: ties go to the smaller id, which a key keeps when its vector is replaced") {
    const std::vector<float> same{1.0F, 1.0F, 1.0F};
    auto index = Keyed<Flat<L2>, std::string>::build(std::vector<std::string>{"z", "m", "a"},
                                                     MatrixView<const float>(same, 3, 1));
    CHECK(names_of(index.search(std::vector{0.0F}, {.k = 3})) == Names{"z", "m", "a"});
    index.replace("z", std::vector{1.0F});
    CHECK(names_of(index.search(std::vector{0.0F}, {.k = 3})) == Names{"z", "m", "a"});
    index.remove("m");
    index.add("new", std::vector{1.0F});  // with the id of m
    CHECK(names_of(index.search(std::vector{0.0F}, {.k = 3})) == Names{"z", "new", "a"});
    CHECK(*index.find("new") == 1);
}

TEST_CASE("Keyed: unknown keys and duplicates are rejected with the key, and nothing changes") {
    auto index = line({"a", "b"});
    const auto before = state_of(index);
    const std::vector<float> point{1.0F};
    CHECK_THROWS_WITH_AS((void)line({"a", "b", "a"}), "Keyed::build: key \"a\" occurs twice", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)Named::build(Names{"a"}, MatrixView<const float>(std::span(point).first(0), 0, 1)),
                         "Keyed::build: 1 keys for 0 vectors", InvalidArgument);
    CHECK_THROWS_WITH_AS(index.add("a", point), "Keyed::add: key \"a\" is already in the index", InvalidArgument);
    CHECK_THROWS_WITH_AS(index.replace("c", point), "Keyed::replace: key \"c\" is not in the index", InvalidArgument);
    CHECK_THROWS_WITH_AS(index.remove("c"), "Keyed::remove: key \"c\" is not in the index", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)index.vector("c"), "Keyed::vector: key \"c\" is not in the index", InvalidArgument);
    CHECK_THROWS_AS(index.add("c", std::vector{1.0F, 2.0F}), InvalidArgument);
    CHECK_THROWS_AS(index.replace("a", std::vector{std::numeric_limits<float>::quiet_NaN()}), InvalidArgument);
    CHECK_THROWS_AS((void)index.key(2), InvalidArgument);
    CHECK(state_of(index) == before);
    CHECK_FALSE(index.find("c").has_value());
    auto numbers = Keyed<Flat<L2>, int>::build(std::vector{-7}, MatrixView<const float>(point, 1, 1));
    CHECK_THROWS_WITH_AS(numbers.remove(7), "Keyed::remove: key 7 is not in the index", InvalidArgument);
}

TEST_CASE("Keyed: follows a map of keys through thousands of changes") {
    const auto vectors = tastes(3000, 4, 1);
    std::vector<std::uint64_t> keys;
    for (std::uint64_t i = 0; i < 500; ++i) {
        keys.push_back(i << 32);  // the low bits are equal
    }
    auto index = Keyed<HNSW<L2>, std::uint64_t>::build(keys, MatrixView<const float>(vectors).rows_from(0, 500),
                                                       {.M = 4, .ef_construction = 10});
    std::vector<std::size_t> row_of(700, 3000);  // 3000: not in the index
    for (std::size_t i = 0; i < 500; ++i) {
        row_of[i] = i;
    }
    for (std::size_t i = 500; i < 3000; ++i) {
        const std::size_t number = i * 7919 % 700;
        const std::uint64_t key = std::uint64_t{number} << 32;
        if (row_of[number] == 3000) {
            CHECK_THROWS_AS(index.replace(key, vectors.row(i)), InvalidArgument);
            index.add(key, vectors.row(i));
            row_of[number] = i;
        } else if (i % 3 == 0) {
            index.remove(key);
            row_of[number] = 3000;
        } else {
            index.replace(key, vectors.row(i));
            row_of[number] = i;
        }
    }
    std::size_t live = 0;
    for (std::size_t number = 0; number < 700; ++number) {
        const std::uint64_t key = std::uint64_t{number} << 32;
        REQUIRE(index.contains(key) == (row_of[number] != 3000));
        if (row_of[number] != 3000) {
            ++live;
            REQUIRE(std::ranges::equal(index.vector(key), vectors.row(row_of[number])));
        }
    }
    CHECK(index.size() == live);
    CHECK(index.search(vectors.row(0), {.k = 5000}).size() == live);
}

TEST_CASE("Keyed: a key or vector of the index itself may be passed") {
    auto index = line({"first", "a key that is too long for the small buffer of a string", "c"});
    index.remove("first");
    for (int i = 0; i < 50; ++i) {
        index.add(index.key(0), index.vector("c"));
        CHECK(index.vector("first")[0] == 2.0F);
        index.remove(index.key(0));
    }
    CHECK(index.index().next_id() == 3);  // the id of the removed key is used again
}

TEST_CASE_TEMPLATE("Keyed: removing, adding and replacing keys takes no more memory with each round", Index, Flat<L2>,
                   HNSW<L2>) {
    const auto vectors = tastes(400, 4, 1);
    std::vector<int> keys(100);
    std::iota(keys.begin(), keys.end(), 0);
    auto index = Keyed<Index, int>::build(keys, MatrixView<const float>(vectors).rows_from(0, 100));
    index.replace(0, vectors.row(399));  // from here on, a graph has the tables that changes need
    const std::size_t memory = index.memory_bytes();
    std::size_t row = 100;
    for (int round = 0; round < 10; ++round) {
        for (int key = round % 3; key < 100; key += 3) {
            index.remove(100 * round + key);
        }
        for (int key = 0; key < 100; ++key) {
            const int next = 100 * (round + 1) + key;
            if (key % 3 != round % 3) {
                index.remove(100 * round + key);
            }
            index.add(next, vectors.row(row = (row + 1) % 400));
            index.replace(next, vectors.row(row = (row + 1) % 400));
        }
        CHECK(index.size() == 100);
        CHECK(index.index().next_id() == 100);
        CHECK(index.memory_bytes() == memory);
    }
}

TEST_CASE("Keyed: a batch has the lists of single searches, also over shards") {
    const auto vectors = tastes(300, 4, 1);
    std::vector<std::int16_t> keys;
    for (std::size_t i = 0; i < 300; ++i) {
        keys.push_back(static_cast<std::int16_t>(-5 * static_cast<int>(i)));
    }
    Threads pool(3);
    const auto index = Keyed<Flat<L2>, std::int16_t>::build(keys, vectors);
    const auto batch = index.search_batch(vectors, {.k = 4}, pool);
    for (std::size_t i = 0; i < 300; ++i) {
        CHECK(batch[i] == index.search(vectors.row(i), {.k = 4}));
        CHECK(batch[i][0].key == keys[i]);
    }
}

TEST_CASE("Keyed: a failed allocation changes nothing, moves and copies") {
    const auto point = std::vector{0.5F};
    const auto make = [] {
        auto index = line({"a", "b", "c"});
        index.remove("b");
        return index;
    };
    const auto state = [](const Named& index) { return state_of(index); };
    const std::string long_name(100, 'x');
    CHECK(funnel::testing::check_strong_guarantee(make, [&](Named& index) { index.add(long_name, point); }, state) > 0);
    CHECK(funnel::testing::check_strong_guarantee(make, [&](Named& index) { index.replace("a", point); }, state) > 0);
    CHECK(funnel::testing::check_strong_guarantee(make, [&](Named& index) { index.remove("a"); }, state) > 0);
    CHECK(funnel::testing::check_strong_guarantee(make, [&](Named& index) { index = line({"x"}); }, state) > 0);
    Named moved = make();
    const Named target = std::move(moved);
    CHECK(target.size() == 2);
    // NOLINTBEGIN(bugprone-use-after-move,hicpp-invalid-access-moved): what is left of it is what is tested
    CHECK(moved.size() == 0);
    CHECK_FALSE(moved.contains("a"));
    moved = target;
    CHECK(state(moved) == state(target));
    // NOLINTEND(bugprone-use-after-move,hicpp-invalid-access-moved)
}

TEST_CASE_TEMPLATE("Keyed: damaged files are rejected", Key, std::string, std::int32_t) {
    using Index = Keyed<Flat<L2>, Key>;
    const auto build = [](std::size_t rows, int from) {
        std::vector<Key> keys;
        for (std::size_t i = 0; i < rows; ++i) {
            const int number = from + static_cast<int>(i);
            if constexpr (std::same_as<Key, std::string>) {
                keys.push_back("key " + std::to_string(number));
            } else {
                keys.push_back(number);
            }
        }
        return std::pair(Index::build(keys, tastes(rows, 2, 1)), keys);
    };
    auto [index, keys] = build(12, 1);
    index.remove(keys[3]);
    index.replace(keys[5], std::vector{1.0F, 2.0F});
    index.add(keys[3], std::vector{3.0F, 2.0F});
    const auto other = build(5, 100).first;
    const auto& all = keys;
    const auto answers = [&](const Index& any) {
        std::vector<bool> contained;
        for (const Key& key : all) {
            contained.push_back(any.contains(key));
        }
        return std::tuple(state_of(any), contained, any.memory_bytes());
    };
    const auto use = [&](const Index& any) {
        if (any.dimension() == 0 || any.dimension() > 1000) {
            return;
        }
        Index changed = any;
        const std::vector<float> query(any.dimension(), 0.5F);
        for (const auto& hit : any.search(query, {.k = 5})) {
            CHECK(any.contains(hit.key));
            changed.remove(hit.key);
        }
    };
    funnel::testing::check_saved(index, other, answers, use, {.head = 300, .bit_flips = 300, .truncations = 30});
}

TEST_CASE("Keyed: files with other keys, indexes or metrics are rejected") {
    const TempDir dir;
    const auto index = line({"a", "b"});
    index.save(dir / "a.fnl");
    using Numbers = Keyed<Flat<L2>, std::uint32_t>;
    using Cosines = Keyed<Flat<funnel::ann::Cosine>, std::string>;
    using Graph = Keyed<HNSW<L2>, std::string>;
    CHECK_THROWS_AS((void)Numbers::load(dir / "a.fnl"), CorruptData);
    CHECK_THROWS_AS((void)Cosines::load(dir / "a.fnl"), CorruptData);
    CHECK_THROWS_AS((void)Graph::load(dir / "a.fnl"), CorruptData);

    const std::vector<std::uint8_t> live(2, 0);
    const std::vector<float> vectors{1.0F, 2.0F};
    const auto save_with = [&](std::uint32_t layout, const std::vector<std::string>& keys,
                               const std::vector<std::uint8_t>& is_removed) {
        funnel::io::ContainerWriter file(Named::kind, Named::layout_version);
        const std::string inside = "ann.Flat";
        const std::string metric = "L2";
        file.strings("index", std::span(&inside, 1));
        file.value("index_layout", layout);
        file.strings("keys", keys);
        file.strings("metric", std::span(&metric, 1));
        file.matrix("vectors", MatrixView<const float>(vectors, 2, 1));
        file.array("is_removed", is_removed);
        file.save(dir / "forged.fnl");
        return dir / "forged.fnl";
    };
    const std::uint32_t layout = Flat<L2>::file_layout;
    CHECK(Named::load(save_with(layout, {"a", "b"}, live)).size() == 2);
    CHECK_THROWS_AS((void)Named::load(save_with(layout, {"a", "a"}, live)), CorruptData);
    CHECK(Named::load(save_with(layout, {"a", "a"}, {0, 1})).contains("a"));  // removed, and added again under any id
    CHECK(Named::load(save_with(layout, {"a", "a"}, {1, 0})).contains("a"));
    CHECK(Named::load(save_with(layout, {"a", "a"}, {1, 1})).size() == 0);
    CHECK_THROWS_AS((void)Named::load(save_with(layout, {"a"}, live)), CorruptData);
    CHECK_THROWS_AS((void)Named::load(save_with(layout + 1, {"a", "b"}, live)), CorruptData);
    CHECK_THROWS_AS((void)Named::load(save_with(0, {"a", "b"}, live)), CorruptData);
}
