// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/index.hpp>

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/keyed.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/file.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::IVFFlat;
using funnel::ann::IVFPQIndex;
using funnel::ann::Keyed;
using funnel::ann::L2;
using funnel::ann::Sharded;
using funnel::testing::allocated_bytes_of;
using funnel::testing::allocations_are_counted;
using funnel::testing::allocations_of;
using funnel::testing::bytes_of;
using funnel::testing::check_damage;
using funnel::testing::check_forgeries;
using funnel::testing::check_strong_guarantee;
using funnel::testing::Hits;
using funnel::testing::put_bytes;
using funnel::testing::tastes;
using funnel::testing::TempDir;

namespace {

// A width that fills no whole cache lines: rows of a file have no padding.
constexpr std::size_t width = 12;

#define FUNNEL_MAPPED_INDEXES                                                                                   \
    Flat<L2>, Flat<Cosine>, Flat<InnerProduct, width, Int8>, HNSW<L2>, HNSW<InnerProduct, width>, HNSW<Cosine>, \
        HNSW<L2, std::dynamic_extent, Int8>, IVFFlat<Cosine>, IVFFlat<L2, std::dynamic_extent, Int8>,           \
        IVFPQIndex<width, 4, L2>

template <class Index>
Index sample(std::size_t n, std::size_t d = width) {
    auto index = Index::build(tastes(n, d, 1));
    index.remove(3);
    return index;
}

// What a caller sees of an index, but for its memory.
template <class Index>
auto answers(const Index& index) {
    const TempDir dir;
    index.save(dir / "index.fnl");
    const auto queries = tastes(5, index.dimension(), 2);
    return std::tuple(bytes_of(dir / "index.fnl"), index.size(), index.next_id(),
                      index.search_batch(queries, {.k = 20}),
                      index.search(queries.row(0), {.k = 20}, [](std::uint32_t id) { return id % 3 == 0; }));
}

}  // namespace

TEST_CASE_TEMPLATE("map: answers as load does, before and after changes", Index, FUNNEL_MAPPED_INDEXES) {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    for (const std::size_t n : {0U, 1U, 5U, 300U}) {
        CAPTURE(n);
        auto built = Index::build(tastes(n, width, 1));
        if (n > 3) {
            built.remove(3);
        }
        built.save(path);
        auto loaded = Index::load(path);
        auto mapped = Index::map(path);
        CHECK(answers(mapped) == answers(loaded));
        const auto more = tastes(4, width, 9);
        for (std::size_t i = 0; i < more.rows(); ++i) {
            CHECK(mapped.add(more.row(i)) == loaded.add(more.row(i)));
            CHECK(answers(mapped) == answers(loaded));
        }
        CHECK(mapped.remove(0) == loaded.remove(0));
        CHECK(answers(mapped) == answers(loaded));
        CHECK(mapped.memory_bytes() == loaded.memory_bytes());
    }
}

TEST_CASE_TEMPLATE("map: neither the vectors nor the links of level 0 are copied", Index, Flat<L2>, HNSW<L2>) {
    constexpr std::size_t n = 2000;
    constexpr std::size_t d = 64;
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    sample<Index>(n, d).save(path);
    const std::size_t links = Index::file_kind == "ann.HNSW" ? 32 * sizeof(std::uint32_t) : 0;
    const std::size_t in_file = n * (d * sizeof(float) + links);
    const auto loaded = Index::load(path);
    std::optional<Index> mapped;
    const std::size_t bytes = allocated_bytes_of([&] { mapped.emplace(Index::map(path)); });
    CHECK(loaded.memory_bytes() == mapped->memory_bytes() + in_file);
    CHECK(mapped->memory_bytes() < n * 20);
    if (allocations_are_counted) {
        // Flags of removed vectors; a graph also sorts equal vectors and checks that all nodes are reached.
        CHECK(bytes < 10000 + n * (links > 0 ? 100 : 2));
        CHECK(allocated_bytes_of([&] { static_cast<void>(Index::load(path)); }) > 2 * in_file);
    }
}

TEST_CASE("map: codes and lists are made in memory; the vectors stay in the file") {
    constexpr std::size_t n = 500;
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    const auto saved = [&](const auto& index) {
        using Index = std::remove_cvref_t<decltype(index)>;
        index.save(path);
        return Index::load(path).memory_bytes() - Index::map(path).memory_bytes();
    };
    constexpr std::size_t vectors = n * 64 * sizeof(float);
    CHECK(saved(sample<Flat<L2, 64, Int8>>(n, 64)) == vectors);
    CHECK(saved(sample<IVFFlat<L2>>(n, 64)) == vectors);
    CHECK(saved(sample<IVFPQIndex<64, 8, L2>>(n, 64)) == vectors);
    CHECK(saved(sample<HNSW<L2, 64, Int8>>(n, 64)) == vectors + n * 32 * sizeof(std::uint32_t));
}

TEST_CASE_TEMPLATE("map: copies share the file, which lives as long as one of them", Index, Flat<L2>, HNSW<L2>) {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    const auto built = sample<Index>(300);
    built.save(path);
    const auto expected = answers(built);
    std::optional<Index> first(Index::map(path));
    std::filesystem::remove(path);
    Index second = *first;
    CHECK(second.vector(5).data() == first->vector(5).data());
    Index third = std::move(*first);
    first.reset();
    CHECK(third.vector(5).data() == second.vector(5).data());
    CHECK(answers(second) == expected);
    second.add(second.vector(5));  // lets go of the file, in which the argument is
    CHECK(second.vector(5).data() != third.vector(5).data());
    CHECK(std::ranges::equal(second.vector(300), third.vector(5)));
    CHECK(answers(third) == expected);
    second = third;
    third = built;
    CHECK(answers(second) == expected);
    CHECK(answers(third) == expected);
    third = std::move(second);
    CHECK(answers(third) == expected);
}

TEST_CASE_TEMPLATE("map: remove copies nothing", Index, Flat<L2>, HNSW<L2>, IVFFlat<L2>) {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    sample<Index>(300).save(path);
    auto mapped = Index::map(path);
    const float* const place = mapped.vector(5).data();
    CHECK(allocations_of([&] { mapped.remove(7); }) == 0);
    CHECK_FALSE(mapped.contains(7));
    CHECK(mapped.vector(5).data() == place);
}

TEST_CASE_TEMPLATE("map: a failed add changes nothing", Index, Flat<L2>, HNSW<L2>, HNSW<InnerProduct>, IVFFlat<L2>) {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    sample<Index>(40).save(path);
    const auto vector = tastes(1, width, 4);
    CHECK(check_strong_guarantee([&] { return Index::map(path); }, [&](Index& index) { index.add(vector.row(0)); },
                                 [](const Index& index) { return answers(index); }) > 0);
    auto mapped = Index::map(path);
    const float* const place = mapped.vector(5).data();
    CHECK_THROWS_AS(mapped.add(std::vector<float>(width + 1)), InvalidArgument);
    CHECK_THROWS_AS(mapped.remove(1000), InvalidArgument);
    CHECK(mapped.vector(5).data() == place);
}

TEST_CASE_TEMPLATE("map: an index saves over its own file", Index, Flat<L2>, HNSW<L2>, IVFPQIndex<width, 4, L2>) {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    sample<Index>(300).save(path);
    auto mapped = Index::map(path);
    mapped.remove(9);
    const auto expected = answers(mapped);
    mapped.save(path);
    CHECK(answers(mapped) == expected);
    CHECK(answers(Index::load(path)) == expected);
    auto again = Index::map(path);
    CHECK(answers(again) == expected);
    again.add(tastes(1, width, 4).row(0));
    again.save(path);
    CHECK(answers(mapped) == expected);
    CHECK(answers(Index::map(path)) == answers(again));
}

TEST_CASE("map: the shards of Sharded and the vectors of Keyed stay in the file, too") {
    constexpr std::size_t n = 301;
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    const auto vectors = tastes(n, width, 1);
    const auto queries = tastes(5, width, 2);

    using Shards = Sharded<HNSW<L2>>;
    Shards::build(vectors, 3).save(path);
    auto shards = Shards::map(path);
    const auto loaded = Shards::load(path);
    CHECK((shards.search_batch(queries, {.k = 10}) == loaded.search_batch(queries, {.k = 10})));
    CHECK(loaded.memory_bytes() > shards.memory_bytes() + n * width * sizeof(float));
    CHECK(shards.add(queries.row(0)) == n);
    CHECK(shards.search(queries.row(0), {.k = 1})[0].id == n);

    std::vector<std::string> names;
    for (std::size_t i = 0; i < n; ++i) {
        names.push_back("item " + std::to_string(i));
    }
    using Names = Keyed<Flat<L2>, std::string>;
    Names::build(names, vectors).save(path);
    auto mapped = Names::map(path);
    CHECK((mapped.search(queries.row(0), {.k = 10}) == Names::load(path).search(queries.row(0), {.k = 10})));
    CHECK(Names::load(path).memory_bytes() > mapped.memory_bytes() + n * width * sizeof(float));
    mapped.replace("item 7", queries.row(0));
    CHECK(mapped.search(queries.row(0), {.k = 1})[0].key == "item 7");
}

TEST_CASE_TEMPLATE("map: each damaged or forged file is rejected as load rejects it", Index, FUNNEL_MAPPED_INDEXES) {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    sample<Index>(60).save(path);
    const auto bytes = bytes_of(path);
    const auto report = check_damage(
        bytes, [](const std::string& damaged) { return Index::map(damaged).search(std::vector<float>(width, 1.0F)); },
        {.bit_flips = 8500});
    CHECK(report.cases > 10000);
    check_forgeries(bytes, [](const std::string& forged) {
        auto index = Index::map(forged);
        if (index.dimension() == 0 || index.dimension() > 1000) {
            return;
        }
        const std::vector<float> query(index.dimension(), 0.5F);
        const Hits hits = index.search(query, {.k = 20});
        REQUIRE(hits.size() == std::min<std::size_t>(20, index.size()));
        REQUIRE(std::ranges::all_of(hits, [&](const auto& hit) { return index.contains(hit.id); }));
        const std::uint32_t id = index.add(query);
        CHECK(index.remove(id));
    });
}

TEST_CASE("map: a missing, an empty and another kind of file are errors") {
    const TempDir dir;
    const std::string path = dir / "index.fnl";
    CHECK_THROWS_AS(static_cast<void>(Flat<L2>::map(path)), IOError);
    CHECK_THROWS_AS(static_cast<void>(Flat<L2>::map(dir.path())), IOError);
    funnel::io::write_file(path, {});
    CHECK_THROWS_AS(static_cast<void>(Flat<L2>::map(path)), CorruptData);
    sample<Flat<L2>>(9).save(path);
    CHECK_THROWS_AS(static_cast<void>(HNSW<L2>::map(path)), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(Flat<Cosine>::map(path)), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(Sharded<Flat<L2>>::map(path)), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(Keyed<Flat<L2>>::map(path)), CorruptData);
}
