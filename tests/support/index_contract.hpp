// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel::testing {

struct IndexContractOptions {
    double min_recall = 1.0;  ///< mean recall of each group of searches; 1: lists equal the definition, ties included
    bool scores_are_exact = true;  ///< false if vectors are stored with loss; then min_recall is below 1
    DamageOptions damage = {.head = 300, .bit_flips = 300, .truncations = 30};
};

namespace detail {

// The vectors of an index and which of them are still in it. Scores of these vectors are exact on every backend.
template <ann::Metric M>
struct IndexSample {
    static constexpr std::size_t n = 240;

    Matrix<float> vectors = make(n, 1);
    Matrix<float> queries = make(5, 2);
    std::vector<std::uint8_t> is_live = std::vector<std::uint8_t>(n, 1);

    IndexSample() {
        std::copy(vectors.row(0).begin(), vectors.row(0).end(), vectors.row(n - 1).begin());  // equal vectors
    }

    static Matrix<float> make(std::size_t rows, std::uint64_t seed) {
        return M::normalises ? signs(rows, seed) : small_integers(rows, 9, seed);
    }
    [[nodiscard]] std::size_t live() const {
        return static_cast<std::size_t>(std::count(is_live.begin(), is_live.end(), 1));
    }
};

template <class SearchOptions>
SearchOptions with_k(SearchOptions options, std::size_t k) {
    options.k = k;
    return options;
}

// All that a caller can see of an index with a dimension: its file, its sizes, a search, and what the next vector makes
// of it.
template <class Index, class SearchOptions>
auto state_of_index(const Index& index, const SearchOptions& options) {
    const TempDir dir;
    index.save(dir / "index.fnl");
    const std::vector<float> query(index.dimension(), 0.25F);
    Index grown = index;
    const std::uint32_t next_id = grown.add(query);
    grown.save(dir / "grown.fnl");
    return std::tuple(bytes_of(dir / "index.fnl"), index.size(), index.dimension(), index.memory_bytes(),
                      index.search(query, with_k(options, 20)), next_id, bytes_of(dir / "grown.fnl"));
}

// The four forms of search, with one filter: the same lists, of the right length, of vectors that are live and pass.
template <ann::Metric M, class Index, class SearchOptions, class Passes>
void check_searches(const Index& index, const IndexSample<M>& sample, const SearchOptions& search_options,
                    const IndexContractOptions& contract, const Passes& filter) {
    constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();
    const auto passes = [&](std::uint32_t id) { return sample.is_live[id] == 1 && filter(id); };
    const std::size_t count = sample.is_live.size();
    double recalls = 0.0;
    double lists = 0.0;
    for (std::size_t i = 0; i < sample.queries.rows(); ++i) {
        const auto query = sample.queries.row(i);
        const Hits all = nearest_by_definition<M>(sample.vectors, query, count, passes);
        for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{10}, count - 1, count + 5, size_max}) {
            CAPTURE(i);
            CAPTURE(k);
            const SearchOptions options = with_k(search_options, k);
            const Hits hits = index.search(query, options, filter);
            const std::size_t length = std::min(k, all.size());
            REQUIRE(hits.size() == length);
            REQUIRE(std::is_sorted(hits.begin(), hits.end(), ranks_before));  // ties by id
            std::vector<bool> seen(count, false);
            std::size_t good = 0;
            for (const Scored<>& hit : hits) {
                REQUIRE(hit.id < count);
                REQUIRE(passes(hit.id));
                REQUIRE(!seen[hit.id]);
                REQUIRE(math::is_finite(hit.score));
                seen[hit.id] = true;
                const auto score = static_cast<float>(score_by_definition<M>(query, sample.vectors.row(hit.id)));
                if (contract.scores_are_exact) {
                    REQUIRE(hit.score == score);
                }
                good += score >= all[length - 1].score ? 1 : 0;
            }
            if (contract.min_recall >= 1.0) {
                REQUIRE(hits == Hits(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(length)));
            }
            if (length > 0) {
                recalls += static_cast<double>(good) / static_cast<double>(length);
                lists += 1.0;
            }
            const Scored<> untouched{77, 7.0F};
            for (const std::size_t room : {std::size_t{0}, std::size_t{4}, count + 5}) {
                Hits out(room, untouched);
                typename Index::Scratch scratch;
                const std::size_t found = index.search(query, options, filter, scratch, out);
                REQUIRE(found == std::min(length, room));
                REQUIRE(std::all_of(out.begin() + static_cast<std::ptrdiff_t>(found), out.end(),
                                    [&](const Scored<>& rest) { return rest == untouched; }));
                if (contract.min_recall >= 1.0 ||
                    room >= length) {  // an approximate search may look less far for fewer
                    out.resize(found);
                    REQUIRE(std::equal(out.begin(), out.end(), hits.begin()));
                }
            }
        }
    }
    if (lists > 0.0) {
        CHECK(recalls / lists >= contract.min_recall);
    }
}

// The four forms with filters that pass none, one, few, half and all, search_batch, and any number of threads.
template <ann::Metric M, class Index, class SearchOptions>
void check_all_searches(const Index& index, const IndexSample<M>& sample, const SearchOptions& search_options,
                        const IndexContractOptions& contract) {
    constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();
    CHECK(index.size() == sample.live());
    check_searches(index, sample, search_options, contract, AcceptAll{});
    check_searches(index, sample, search_options, contract, [](std::uint32_t) { return true; });
    check_searches(index, sample, search_options, contract, [](std::uint32_t) { return false; });
    check_searches(index, sample, search_options, contract, [](std::uint32_t id) { return id == 7; });
    check_searches(index, sample, search_options, contract, [](std::uint32_t id) { return id % 41 == 5; });
    check_searches(index, sample, search_options, contract, [](std::uint32_t id) { return id % 2 == 0; });

    for (const std::size_t k : {std::size_t{0}, std::size_t{10}, size_max}) {
        const SearchOptions options = with_k(search_options, k);
        std::vector<Hits> expected;
        for (std::size_t i = 0; i < sample.queries.rows(); ++i) {
            const auto query = sample.queries.row(i);
            expected.push_back(index.search(query, options));
            CHECK(expected.back() == index.search(query, options, AcceptAll{}));
            typename Index::Scratch scratch;
            Hits out(sample.is_live.size());
            out.resize(index.search(query, options, scratch, out));
            CHECK(out == expected.back());
        }
        CHECK(index.search_batch(sample.queries, options) == expected);
    }
    const auto batch = index.search_batch(sample.vectors, search_options);
    REQUIRE(batch.size() == sample.vectors.rows());
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        CHECK(index.search_batch(sample.vectors, search_options, pool) == batch);
    }
}

// Searches into memory of the caller: no allocation with the scratch of the index, nor an exception but from the filter.
template <ann::Metric M, class Index, class SearchOptions>
void check_scratch(const Index& index, const IndexSample<M>& sample, const SearchOptions& options) {
    const auto query = sample.queries.row(0);
    Hits out(10);
    const auto third = [](std::uint32_t id) noexcept { return id % 3 == 1; };
    const auto few = [](std::uint32_t id) { return id % 41 == 5; };
    {
        auto fresh = index.scratch(options);
        static_assert(std::is_same_v<decltype(fresh), typename Index::Scratch>);
        static_assert(noexcept(index.search(query, options, fresh, out)));
        static_assert(noexcept(index.search(query, options, third, fresh, out)));
        static_assert(!noexcept(index.search(query, options, few, fresh, out)));
        CHECK(allocations_of([&] { index.search(query, options, third, fresh, out); }) == 0);
        CHECK(allocations_of([&] { index.search(query, options, few, fresh, out); }) == 0);
        CHECK(allocations_of([&] { index.search(query, options, fresh, out); }) == 0);
    }
    typename Index::Scratch warm;
    index.search(query, options, few, warm, out);
    index.search(query, options, warm, out);
    CHECK(allocations_of([&] { index.search(query, options, warm, out); }) == 0);

    // A scratch that cannot grow: no hits.
    const std::size_t expected = index.search(query, options, warm, out);
    REQUIRE(expected > 0);
    if (allocations_are_counted) {
        bool has_failed = true;
        for (std::size_t n = 0; has_failed; ++n) {
            typename Index::Scratch scratch;
            {
                const FailingAllocation failing(n);
                const std::size_t found = index.search(query, options, third, scratch, out);
                has_failed = failing.has_failed();
                REQUIRE((found == 0) == has_failed);
            }
            REQUIRE(index.search(query, options, scratch, out) == expected);  // and it serves again
        }
    }
    const Hits hits = index.search(query, options);
    for (const std::size_t calls : {0U, 1U, 50U}) {
        std::size_t asked = 0;
        const auto breaks = [&](std::uint32_t) { return asked++ < calls ? true : throw std::runtime_error("filter"); };
        CHECK_THROWS_AS(index.search(query, options, breaks, warm, out), std::runtime_error);
        const std::size_t found = index.search(query, options, warm, out);
        CHECK(Hits(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(found)) ==
              Hits(hits.begin(), hits.begin() + static_cast<std::ptrdiff_t>(std::min(hits.size(), out.size()))));
    }
}

// Vectors that no index takes, in each place that takes vectors.
template <ann::Metric M, class Build, class Index, class SearchOptions>
void check_index_errors(const Build& build, const Index& index, const IndexSample<M>& sample,
                        const SearchOptions& options) {
    const std::size_t d = index.dimension();
    const auto before = state_of_index(index, options);
    Index changed = index;
    Serial serial;
    std::vector<float> out_of_range(d, M::normalises ? 0.0F : 0x1p62F);
    std::vector<std::vector<float>> wrong;
    for (const float number : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                               -std::numeric_limits<float>::infinity()}) {
        for (const std::size_t at : {std::size_t{0}, d - 1}) {
            wrong.emplace_back(d, 1.0F);
            wrong.back()[at] = number;
        }
    }
    wrong.push_back(out_of_range);
    const auto check_query = [&](std::span<const float> vector) {
        CHECK_THROWS_AS((void)index.search(vector, options), InvalidArgument);
        CHECK_THROWS_AS((void)index.search(vector, options, [](std::uint32_t) { return true; }), InvalidArgument);
        CHECK_THROWS_AS((void)index.search_batch(MatrixView<const float>(vector, 1, vector.size()), options),
                        InvalidArgument);
        typename Index::Scratch scratch;
        Hits out(10);
        CHECK(index.search(vector, options, scratch, out) == 0);
        CHECK(index.search(vector, options, [](std::uint32_t) { return true; }, scratch, out) == 0);
        CHECK_THROWS_AS((void)changed.add(vector), InvalidArgument);
        CHECK_THROWS_AS(changed.replace(3, vector), InvalidArgument);
    };
    for (const auto& vector : wrong) {
        check_query(vector);
        for (const std::size_t row : {std::size_t{0}, std::size_t{3}}) {
            Matrix<float> vectors = sample.vectors;
            std::copy(vector.begin(), vector.end(), vectors.row(row).begin());
            CHECK_THROWS_AS((void)build(MatrixView<const float>(vectors), serial), InvalidArgument);
        }
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, d - 1, d + 1, 2 * d}) {
        check_query(std::vector<float>(size, 1.0F));
    }
    for (const std::size_t id : {sample.is_live.size(), sample.is_live.size() + 1, std::size_t{0xFFFFFFFFU}}) {
        CHECK_THROWS_AS((void)changed.remove(static_cast<std::uint32_t>(id)), InvalidArgument);
        CHECK_THROWS_AS(changed.replace(static_cast<std::uint32_t>(id), sample.vectors.row(0)), InvalidArgument);
    }
    CHECK_THROWS_AS((void)build(MatrixView<const float>({}, 3, 0), serial), InvalidArgument);
    CHECK(state_of_index(changed, options) == before);
    if (!M::normalises) {
        CHECK(index.search(std::vector<float>(d), options).size() == std::min(options.k, index.size()));
    }
}

// Ids are given once, in order, whatever was removed; a failed allocation changes nothing.
template <ann::Metric M, class Index, class SearchOptions>
void check_index_changes(Index index, IndexSample<M> sample, const SearchOptions& options,
                         const IndexContractOptions& contract) {
    const auto state = [&](const Index& changed) { return state_of_index(changed, options); };
    const auto make = [&] { return index; };
    const auto vector = IndexSample<M>::make(1, 3);
    CHECK(check_strong_guarantee(make, [&](Index& changed) { changed.add(vector.row(0)); }, state) > 0);
    check_strong_guarantee(make, [](Index& changed) { changed.remove(5); }, state);
    CHECK(check_strong_guarantee(make, [&](Index& changed) { changed.replace(5, vector.row(0)); }, state) > 0);
    if (contract.scores_are_exact) {  // else the index has no vectors
        CHECK(check_strong_guarantee(make, [&](Index& changed) { changed.replace(5, changed.vector(7)); }, state) > 0);
    }
    {
        Index grown = index;  // with room for some more
        grown.add(vector.row(0));
        check_strong_guarantee([&] { return grown; }, [&](Index& changed) { changed.add(vector.row(0)); }, state);
        check_strong_guarantee([&] { return grown; }, [&](Index& changed) { changed.replace(9, vector.row(0)); },
                               state);
    }

    for (std::uint32_t id = 0; id < sample.is_live.size(); id += 3) {
        CHECK(index.remove(id));
        CHECK_FALSE(index.remove(id));
        sample.is_live[id] = 0;
    }
    check_all_searches(index, sample, options, contract);
    check_scratch(index, sample, options);

    const auto more = IndexSample<M>::make(12, 4);
    for (std::size_t i = 0; i < more.rows(); ++i) {
        const std::size_t id = sample.is_live.size();
        if (i % 2 == 0) {  // the last id is not used again either
            index.remove(static_cast<std::uint32_t>(id - 1));
            sample.is_live[id - 1] = 0;
        }
        REQUIRE(index.add(more.row(i)) == id);
        sample.vectors.resize_rows(id + 1);
        std::copy(more.row(i).begin(), more.row(i).end(), sample.vectors.row(id).begin());
        sample.is_live.push_back(1);
    }
    check_all_searches(index, sample, options, contract);

    const auto others = IndexSample<M>::make(60, 5);
    const std::size_t ids = sample.is_live.size();
    for (std::size_t i = 0; i < others.rows(); ++i) {  // of vectors that are there, and of removed ones
        const std::size_t id = i * 5 % ids;
        index.replace(static_cast<std::uint32_t>(id), others.row(i));
        std::copy(others.row(i).begin(), others.row(i).end(), sample.vectors.row(id).begin());
        sample.is_live[id] = 1;
    }
    CHECK(index.next_id() == ids);
    check_all_searches(index, sample, options, contract);
    check_scratch(index, sample, options);

    for (std::uint32_t id = 0; id < sample.is_live.size(); ++id) {
        CHECK(index.remove(id) == (sample.is_live[id] == 1));
    }
    CHECK(index.size() == 0);
    CHECK(index.search(sample.queries.row(0), options).empty());
    CHECK(index.search_batch(sample.queries, options) == std::vector<Hits>(sample.queries.rows()));
    const std::size_t next = sample.is_live.size();
    CHECK(index.add(more.row(0)) == next);
    const Hits hits = index.search(more.row(0), with_k(options, 3));
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].id == next);
    index.remove(static_cast<std::uint32_t>(next));
    index.replace(2, more.row(1));
    CHECK(index.size() == 1);
    CHECK(index.search(more.row(1), with_k(options, 3)).at(0).id == 2);
}

template <ann::Metric M, class Index, class SearchOptions, class State>
void check_index_values(const Index& index, const Index& other, std::span<const float> query,
                        const SearchOptions& options, const State& state) {
    static_assert(std::is_nothrow_move_constructible_v<Index> && std::is_nothrow_move_assignable_v<Index>);
    const TempDir dir;
    const auto expected = state(index);
    Index source = index;
    Index target = std::move(source);
    CHECK(state(target) == expected);
    // NOLINTBEGIN(bugprone-use-after-move,hicpp-invalid-access-moved): what is left of it is what is tested
    CHECK(source.size() == 0);
    CHECK(source.dimension() == 0);
    CHECK(source.memory_bytes() == 0);
    CHECK_THROWS_AS((void)source.search(query, options), InvalidArgument);
    if (!M::normalises) {  // else {} is a zero vector
        CHECK(source.search({}, options).empty());
        CHECK(source.search_batch(Matrix<float>(2, 0), options) == std::vector<Hits>(2));
    }
    auto scratch = source.scratch(options);
    Hits out(3);
    CHECK(source.search({}, options, scratch, out) == 0);
    CHECK_THROWS_AS((void)source.add(query), InvalidArgument);
    CHECK_THROWS_AS((void)source.add({}), InvalidArgument);
    CHECK_THROWS_AS((void)source.remove(0), InvalidArgument);
    source.save(dir / "moved.fnl");
    CHECK(Index::load(dir / "moved.fnl").size() == 0);
    const Index copy = source;
    CHECK(copy.size() == 0);
    source = target;
    CHECK(state(source) == expected);
    source = std::move(target);
    CHECK(target.size() == 0);
    CHECK(state(source) == expected);
    // NOLINTEND(bugprone-use-after-move,hicpp-invalid-access-moved)
    source = static_cast<const Index&>(source);  // itself
    CHECK(state(source) == expected);
    Index changed = source;
    changed.add(query);
    changed.remove(1);
    changed.replace(2, query);
    CHECK(state(source) == expected);  // a copy is a value of its own
    CHECK(check_strong_guarantee([&] { return index; }, [&](Index& assigned) { assigned = other; }, state) > 0);
}

// Asks an index of any size, which a forged file may have given: known ids and finite scores.
template <class Index, class SearchOptions>
void use_index(const Index& index, const SearchOptions& options) {
    if (index.dimension() == 0 || index.dimension() > 1000) {
        return;  // a file without vectors may state any dimension
    }
    const std::vector<float> query(index.dimension(), 0.5F);
    const auto check = [](const Hits& hits, std::size_t size) {
        REQUIRE(hits.size() == size);
        REQUIRE(std::all_of(hits.begin(), hits.end(), [](const Scored<>& hit) { return math::is_finite(hit.score); }));
    };
    check(index.search(query, options), std::min(options.k, index.size()));
    (void)index.search(query, options, [](std::uint32_t id) { return id % 2 == 0; });
    Index changed = index;
    const std::uint32_t id = changed.add(query);
    check(changed.search(query, options), std::min(options.k, changed.size()));
    CHECK(changed.remove(id));
    changed.replace(id / 2, query);
    check(changed.search(query, options), std::min(options.k, changed.size()));
}

}  // namespace detail

/// The part of check_index that depends on the options of a search: lists, scratches, and both while the index changes. For
/// an index that passes check_index, with other options.
template <ann::Metric M, class Build, class SearchOptions>
void check_index_searches(const Build& build, const SearchOptions& options, const IndexContractOptions& contract = {}) {
    const detail::IndexSample<M> sample;
    Serial serial;
    const auto index = build(MatrixView<const float>(sample.vectors), serial);
    detail::check_all_searches(index, sample, options, contract);
    detail::check_scratch(index, sample, options);
    detail::check_index_changes(index, sample, options, contract);
}

/// What every index of ann/ promises: lists by score with ties by id, in all four forms of search and for any k; k hits
/// if k vectors pass the filter; add, remove, replace and ids; the same index and lists for any number of threads; files; moves
/// and copies; a failed allocation changes nothing; no allocation with a scratch of the index; errors; empty indexes.
///
/// Needs: copies and moves, size, dimension, memory_bytes, add, remove, replace, the four forms of search, search_batch, the type
/// Scratch, scratch, save and load, each as ann/flat.hpp documents it. detail::Vectors (ann/vectors.hpp) provides the
/// checks, ids, removal and sections of a file.
///
/// build       build(vectors, executor) -> index
/// options     of a search; k of at least 1 and less than 100 is used where the contract does not set one
///
///     check_index<L2>([](MatrixView<const float> vectors, auto& executor) { return Flat<L2>::build(vectors, executor); },
///                     FlatSearchOptions{});
template <ann::Metric M, class Build, class SearchOptions>
void check_index(const Build& build, const SearchOptions& options, const IndexContractOptions& contract = {}) {
    check_index_searches<M>(build, options, contract);
    const detail::IndexSample<M> sample;
    Serial serial;
    const auto index = build(MatrixView<const float>(sample.vectors), serial);
    using Index = std::remove_const_t<decltype(index)>;
    const auto state = [&](const Index& any) { return detail::state_of_index(any, options); };
    CHECK(index.dimension() == sample.vectors.cols());
    detail::check_index_errors(build, index, sample, options);

    const auto expected = state(index);
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        CHECK(state(build(MatrixView<const float>(sample.vectors), pool)) == expected);
    }

    // A small one, which is fast to damage.
    Index small = build(MatrixView<const float>(sample.vectors).rows_from(0, 40), serial);
    small.remove(3);
    const Index other = build(MatrixView<const float>(sample.vectors).rows_from(40, 30), serial);
    detail::check_index_values<M>(small, other, sample.queries.row(0), options, state);
    check_saved(small, other, state, [&](const Index& any) { detail::use_index(any, options); }, contract.damage);

    // Without vectors, and without a dimension.
    for (const std::size_t d : {sample.vectors.cols(), std::size_t{0}}) {
        const TempDir dir;
        Index empty = build(MatrixView<const float>({}, 0, d), serial);
        empty.save(dir / "empty.fnl");
        for (Index any : {empty, Index::load(dir / "empty.fnl")}) {
            CHECK(any.size() == 0);
            CHECK(any.dimension() == d);
            const std::vector<float> query(d, 1.0F);
            typename Index::Scratch scratch;
            Hits out(3);
            CHECK(any.search(query, options, scratch, out) == 0);
            if (d > 0 || !M::normalises) {
                CHECK(any.search(query, options).empty());
            }
            if (d > 0) {
                CHECK(any.search(query, options, [](std::uint32_t) { return true; }).empty());
                CHECK(any.search_batch(sample.queries, options) == std::vector<Hits>(sample.queries.rows()));
                CHECK(any.add(query) == 0);
                const Hits hits = any.search(query, options);
                REQUIRE(hits.size() == 1);
                CHECK(hits[0].id == 0);
            } else {
                CHECK_THROWS_AS((void)any.add(query), InvalidArgument);
                CHECK_THROWS_AS((void)any.add(std::vector<float>{1.0F}), InvalidArgument);
            }
        }
    }
}

}  // namespace funnel::testing
