// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

using funnel::Matrix;
using funnel::Scored;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::IVFFlat;
using funnel::ann::IVFPQIndex;
using funnel::ann::L2;
using funnel::testing::allocated_bytes_of;
using funnel::testing::allocations_of;
using funnel::testing::check_strong_guarantee;
using funnel::testing::FailingAllocation;
using funnel::testing::Hits;
using funnel::testing::signs;
using funnel::testing::tastes;

namespace {

constexpr std::size_t most = std::numeric_limits<std::size_t>::max();

// All that a caller can see of an index: its file, its sizes, a search, and the id that the next vector gets.
template <class Index>
auto state_of(const Index& index) {
    const funnel::testing::TempDir dir;
    index.save(dir / "index.fnl");
    std::vector<float> query(index.dimension(), 0.25F);
    Index grown = index;
    const std::uint32_t next_id = grown.add(query);
    return std::tuple(funnel::testing::bytes_of(dir / "index.fnl"), index.size(), index.memory_bytes(),
                      index.search(query, {.k = 20}), next_id);
}

template <class Index>
void check_mutators(const Index& index, std::span<const float> vector) {
    const auto make = [&] { return index; };
    const auto state = [](const Index& changed) { return state_of(changed); };
    CHECK(check_strong_guarantee(make, [&](Index& changed) { changed.add(vector); }, state) > 0);
    const auto make_with_room = [&] {  // the first vector added leaves room for some more
        Index grown = index;
        grown.add(vector);
        return grown;
    };
    check_strong_guarantee(make_with_room, [&](Index& changed) { changed.add(vector); }, state);
    check_strong_guarantee(make_with_room, [](Index& changed) { changed.remove(0); }, state);
    for (const std::uint32_t id : {0U, 3U}) {
        if (id < index.size()) {
            const auto replaces = [&](Index& changed) { changed.replace(id, vector); };
            CHECK(check_strong_guarantee(make, replaces, state) > 0);
            CHECK(check_strong_guarantee(make_with_room, replaces, state) > 0);  // an equal vector is there
            CHECK(check_strong_guarantee(
                      make, [&](Index& changed) { changed.replace(id, changed.vector(0)); }, state) > 0);
        }
    }
    const Index other = Index::build(signs(40, 9));
    CHECK(check_strong_guarantee(make, [&](Index& changed) { changed = other; }, state) > 0);
}

// Searches with every allocation failing in turn: as many hits as without a failure, or none.
template <class Index, class Search>
void check_failing_searches(const Index&, const Search& search, std::size_t hits) {
    std::size_t failures = 0;
    for (bool has_failed = true; has_failed; ++failures) {
        typename Index::Scratch scratch;
        {
            const FailingAllocation failing(failures);
            const std::size_t found = search(scratch);
            has_failed = failing.has_failed();
            REQUIRE(found == (has_failed ? 0 : hits));
        }
        REQUIRE(search(scratch) == hits);  // the scratch serves again
    }
    CHECK(failures > 1);
}

}  // namespace

TEST_CASE("search: the form for hot paths allocates nothing once its scratch is warm") {
    const auto vectors = tastes(2000, 8, 1);
    auto hnsw = HNSW<Cosine>::build(vectors, {.M = 8, .ef_construction = 40});
    const auto flat = Flat<Cosine>::build(vectors);
    decltype(hnsw)::Scratch hnsw_scratch;
    std::remove_const_t<decltype(flat)>::Scratch flat_scratch;
    std::array<Scored<>, 10> out{};
    const auto half = [](std::uint32_t id) { return id % 2 == 0; };
    const auto few = [](std::uint32_t id) { return id % 97 == 0; };
    const auto search_all = [&] {
        for (std::size_t i = 0; i < 50; ++i) {
            hnsw.search(vectors.row(i), {.k = 10, .ef = 64}, hnsw_scratch, out);
            hnsw.search(vectors.row(i), {.k = 10, .ef = 16}, half, hnsw_scratch, out);
            hnsw.search(vectors.row(i), {.k = 10, .ef = 16}, few, hnsw_scratch, out);
            flat.search(vectors.row(i), {.k = 10}, flat_scratch, out);
            flat.search(vectors.row(i), {.k = 10}, few, flat_scratch, out);
        }
    };
    CHECK(allocations_of(search_all) > 0);  // the first searches make the scratch
    CHECK(allocations_of(search_all) == 0);
}

TEST_CASE("search: a scratch made for an index allocates nothing from the first search on, with any filter") {
    const auto vectors = tastes(2000, 8, 1);
    for (const std::size_t M : {2U, 16U}) {
        auto hnsw = HNSW<Cosine>::build(vectors, {.M = M, .ef_construction = 20});
        auto flat = Flat<Cosine>::build(vectors);
        std::array<Scored<>, 10> out{};
        const auto check = [&] {
            for (const std::uint32_t divisor : {1U, 2U, 3U, 5U, 8U, 13U, 21U, 97U, 1999U}) {
                const auto some = [&](std::uint32_t id) { return id % divisor == 0; };
                for (const std::size_t ef : {std::size_t{1}, std::size_t{64}, std::size_t{700}, most}) {
                    auto hnsw_scratch = hnsw.scratch({.k = 10, .ef = ef});
                    auto flat_scratch = flat.scratch({.k = 10});
                    CHECK(allocations_of([&] {
                              hnsw.search(vectors.row(1), {.k = 10, .ef = ef}, some, hnsw_scratch, out);
                              hnsw.search(vectors.row(2), {.k = 10, .ef = ef}, hnsw_scratch, out);
                              flat.search(vectors.row(2), {.k = 10}, some, flat_scratch, out);
                          }) == 0);
                }
            }
        };
        check();
        for (std::uint32_t id = 0; id < 2000; id += 3) {
            hnsw.remove(id);
            flat.remove(id);
        }
        check();
    }
}

TEST_CASE("search: the noexcept form gives no hits where memory ends, and does not terminate") {
    const auto vectors = tastes(500, 8, 1);
    const auto hnsw = HNSW<L2>::build(vectors, {.M = 4, .ef_construction = 20});
    const auto flat = Flat<L2>::build(vectors);
    std::array<Scored<>, 10> out{};
    const auto third = [](std::uint32_t id) noexcept { return id % 3 == 0; };
    const auto check = [&](const auto& index) {
        check_failing_searches(
            index, [&](auto& scratch) { return index.search(vectors.row(1), {}, scratch, out); }, 10);
        check_failing_searches(
            index, [&](auto& scratch) { return index.search(vectors.row(1), {}, third, scratch, out); }, 10);
    };
    check(hnsw);
    check(flat);
    check(IVFFlat<L2>::build(vectors));
    check(IVFFlat<L2, std::dynamic_extent, Int8>::build(vectors));
    check(IVFPQIndex<8, 4>::build(vectors));
    // The forms that return a list say so instead.
    const FailingAllocation failing(3);
    CHECK_THROWS_AS((void)hnsw.search(vectors.row(1)), std::bad_alloc);
}

TEST_CASE("search: a pool smaller than that of the upper levels allocates nothing, and does not terminate") {
    const auto vectors = tastes(1000, 8, 1);
    for (const std::size_t n : {8U, 17U, 1000U}) {
        const auto index = HNSW<InnerProduct>::build(vectors.view().rows_from(0, n), {.M = 4});
        for (const std::size_t ef : {1U, 2U, 3U}) {
            std::array<Scored<>, 1> out{};
            auto scratch = index.scratch({.k = 1, .ef = ef});
            CHECK(allocations_of([&] { index.search(vectors.row(0), {.k = 1, .ef = ef}, scratch, out); }) == 0);
            check_failing_searches(
                index, [&](auto& empty) { return index.search(vectors.row(0), {.k = 1, .ef = ef}, empty, out); }, 1);
        }
    }
}

TEST_CASE("search: a filter that throws comes out of the form for hot paths, and the scratch serves again") {
    const auto vectors = tastes(500, 8, 1);
    const auto check = [&](const auto& index) {
        auto scratch = index.scratch();
        std::array<Scored<>, 10> out{};
        const auto expected = index.search(vectors.row(1), {}, scratch, out);
        for (const std::size_t calls : {0U, 1U, 100U, 127U}) {
            std::size_t asked = 0;
            const auto breaks = [&](std::uint32_t) {
                return asked++ < calls ? true : throw std::runtime_error("filter");
            };
            static_assert(!noexcept(index.search(vectors.row(1), {}, breaks, scratch, out)));
            CHECK_THROWS_AS(index.search(vectors.row(1), {}, breaks, scratch, out), std::runtime_error);
            CHECK(index.search(vectors.row(1), {}, scratch, out) == expected);
        }
        const auto odd = [](std::uint32_t id) noexcept { return id % 2 == 1; };
        static_assert(noexcept(index.search(vectors.row(1), {}, odd, scratch, out)));
    };
    check(HNSW<L2>::build(vectors, {.M = 4, .ef_construction = 20}));
    check(Flat<L2>::build(vectors));
    check(IVFFlat<L2>::build(vectors));
    check(IVFPQIndex<8, 4>::build(vectors));
}

TEST_CASE("HNSW: a failed allocation in add(), replace() or a copy leaves the index as it was") {
    const Matrix<float> vectors = signs(70, 1);
    const auto check = [&]<class M>(M, std::initializer_list<std::size_t> sizes) {
        for (const std::size_t built : sizes) {
            CAPTURE(built);
            // Two links a node and equal vectors: most lists are full, so that links are replaced.
            auto index = HNSW<M>::build(vectors.view().rows_from(0, built), {.M = 2, .ef_construction = 10});
            if (built > 2) {
                index.remove(1);
            }
            check_mutators(index, vectors.row(66));
            index.add(vectors.row(65));  // now it also has the tree that add() keeps
            check_mutators(index, vectors.row(66));
        }
    };
    check(InnerProduct{}, {0, 1, 5, 32, 64});  // keeps more about its vectors than the others do
    check(L2{}, {64});
    check(Cosine{}, {64});
}

TEST_CASE("Flat: a failed allocation in add(), replace() or a copy leaves the index as it was") {
    const Matrix<float> vectors = signs(70, 1);
    for (const std::size_t built : {0U, 1U, 32U, 64U}) {
        auto index = Flat<Cosine>::build(vectors.view().rows_from(0, built));
        check_mutators(index, vectors.row(66));
        index.add(vectors.row(65));
        check_mutators(index, vectors.row(66));
    }
}

TEST_CASE("HNSW: what add() refuses changes nothing, not even the memory it takes") {
    auto index = HNSW<L2>::build(signs(20, 1), {.M = 4});
    const auto before = state_of(index);
    std::vector<float> vector(16, std::numeric_limits<float>::quiet_NaN());
    CHECK_THROWS_AS(index.add(vector), funnel::InvalidArgument);
    CHECK_THROWS_AS(index.add({}), funnel::InvalidArgument);
    CHECK_THROWS_AS(index.remove(20), funnel::InvalidArgument);
    CHECK(state_of(index) == before);
}

TEST_CASE("add: many vectors one by one allocate about as many bytes as they take, not more with each") {
    const Matrix<float> vectors = signs(4000, 1);
    auto flat = Flat<L2>::build(vectors.view().rows_from(0, 1));
    const std::size_t bytes = allocated_bytes_of([&] {
        for (std::size_t i = 1; i < 4000; ++i) {
            flat.add(vectors.row(i));
        }
    });
    CHECK(bytes < 4 * flat.memory_bytes());  // doubling: twice what is there in the end, and then some

    const auto bytes_of_adding = [&](std::size_t count) {
        auto hnsw = HNSW<InnerProduct>::build(vectors.view().rows_from(0, 100), {.M = 2, .ef_construction = 1});
        return allocated_bytes_of([&] {
            for (std::size_t i = 100; i < count; ++i) {
                hnsw.add(vectors.row(i));
            }
        });
    };
    CHECK(bytes_of_adding(2000) < 3 * bytes_of_adding(1000));  // but for one bit per node in each walk: twice
}

TEST_CASE("HNSW: sizes far beyond the number of vectors take the memory and give the results of that number") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = tastes(40, 8, 1);
    const auto bytes_of = [&](std::size_t ef) {
        const std::size_t bytes = allocated_bytes_of([&] {
            auto index = HNSW<L2>::build(vectors.view().rows_from(0, 35), {.M = 4, .ef_construction = ef});
            for (std::size_t i = 35; i < 40; ++i) {
                index.add(vectors.row(i));
            }
            CHECK(index.options().ef_construction == ef);
            CHECK(index.search(vectors.row(7), {.k = ef, .ef = ef}).size() == 40);
            CHECK(index.search(vectors.row(7), {.k = ef, .ef = ef}, [](std::uint32_t) { return true; }).size() == 40);
            CHECK(index.search_batch(vectors, {.k = 1, .ef = ef})[7][0].id == 7);
            auto scratch = index.scratch({.k = ef, .ef = ef});
            std::array<Scored<>, 50> out{};
            CHECK(index.search(vectors.row(7), {.k = ef, .ef = ef}, scratch, out) == 40);
        });
        return bytes;
    };
    const std::size_t enough = bytes_of(40);
    for (const std::size_t ef : {std::size_t{100'000'000}, most / 2, most - 1, most}) {
        CAPTURE(ef);
        CHECK(bytes_of(ef) <= enough);
    }
    const auto file_of = [&](std::size_t ef) {
        HNSW<L2>::build(vectors, {.M = 4, .ef_construction = ef}).save(dir / "index.fnl");
        const funnel::io::ContainerReader file(dir / "index.fnl", "ann.HNSW", 1);
        return file.matrix<std::uint32_t>("links");
    };
    const Matrix<std::uint32_t> expected = file_of(40);
    const Matrix<std::uint32_t> found = file_of(most);
    for (std::size_t i = 0; i < 40; ++i) {
        CHECK(std::equal(found.row(i).begin(), found.row(i).end(), expected.row(i).begin()));
    }
}

TEST_CASE("HNSW: a file with ef_construction of SIZE_MAX loads, grows and takes no more memory than others") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = tastes(6, 8, 1);
    const auto bytes_of = [&](std::size_t ef) {
        HNSW<L2>::build(vectors.view().rows_from(0, 5), {.ef_construction = ef}).save(dir / "index.fnl");
        return allocated_bytes_of([&] {
            auto index = HNSW<L2>::load(dir / "index.fnl");
            CHECK(index.add(vectors.row(5)) == 5);
            CHECK(index.unreachable() == 0);
            CHECK(index.search(vectors.row(5), {.k = 6}).size() == 6);
        });
    };
    CHECK(bytes_of(most) <= bytes_of(6));
}

TEST_CASE("load: an index without vectors takes no memory for the dimension that its file claims") {
    const funnel::testing::TempDir dir;
    constexpr std::size_t huge = 65'536;  // no file may claim more
    const auto check = [&]<class Index>(const Index& built) {
        built.save(dir / "index.fnl");
        const std::size_t bytes = allocated_bytes_of([&] {
            auto index = Index::load(dir / "index.fnl");
            CHECK(index.dimension() == huge);
            auto scratch = index.scratch();
            std::array<Scored<>, 4> out{};
            CHECK(index.search({}, {}, scratch, out) == 0);
            CHECK_THROWS_AS(index.add({}), funnel::InvalidArgument);
        });
        CHECK(bytes < 100'000);
    };
    check(Flat<L2>::build(funnel::MatrixView<const float>({}, 0, huge)));
    check(HNSW<L2>::build(funnel::MatrixView<const float>({}, 0, huge), {.M = 4096}));
}

TEST_CASE("load: memory is at most what rows of one element need, times a constant, for every shape of a file") {
    const funnel::testing::TempDir dir;
    const auto check = [&]<class Index>(const Index& built) {
        built.save(dir / "index.fnl");
        const std::size_t size = funnel::testing::bytes_of(dir / "index.fnl").size();
        std::size_t kept = 0;
        const std::size_t bytes = allocated_bytes_of([&] {
            const auto index = Index::load(dir / "index.fnl");
            kept = index.memory_bytes();
        });
        CHECK(kept <= 16 * size);  // a row of one float is padded to a cache line
        CHECK(bytes <= 40 * size);
    };
    for (const std::size_t n : {0U, 1U, 300U}) {
        for (const std::size_t d : {1U, 100U}) {
            check(Flat<InnerProduct>::build(Matrix<float>(n, d)));
            check(HNSW<InnerProduct>::build(Matrix<float>(n, d), {.M = 2, .ef_construction = 5}));
        }
    }
    check(HNSW<InnerProduct>::build(Matrix<float>(3, 1), {.M = 4096}));
}
