// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "support/index_contract.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using funnel::AcceptAll;
using funnel::ItemFilter;
using funnel::MatrixView;
using funnel::Scored;
using funnel::ann::FlatSearchOptions;
using funnel::ann::L2;
using funnel::testing::Hits;

enum class Defect : std::uint8_t {
    None,
    LargerIdFirst,
    FiltersLast,
    Allocates,
    CountsTooSoon,
    BatchOfOne,
    TakesAnyQuery,
    StaysRemoved
};

Defect defect = Defect::None;

// An exact index with at most one defect, of which there is one at a time.
class Toy {
    using Flat = funnel::ann::Flat<L2>;

public:
    using Scratch = Flat::Scratch;

    template <funnel::Executor E>
    static Toy build(MatrixView<const float> vectors, E& executor) {
        return Toy(Flat::build(vectors, executor));
    }

    Toy(const Toy&) = default;
    Toy(Toy&& other) noexcept : flat_(std::move(other.flat_)), bytes_(std::exchange(other.bytes_, 0)) {}
    Toy& operator=(const Toy& other) { return *this = Toy(other); }
    Toy& operator=(Toy&& other) noexcept {
        Toy taken(std::move(other));
        std::swap(flat_, taken.flat_);
        std::swap(bytes_, taken.bytes_);
        return *this;
    }
    ~Toy() = default;

    [[nodiscard]] std::size_t size() const noexcept { return flat_.size(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return flat_.dimension(); }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return bytes_; }

    [[nodiscard]] Hits search(std::span<const float> query, const FlatSearchOptions& options) const {
        return search(query, options, AcceptAll{});
    }
    template <ItemFilter F>
    [[nodiscard]] Hits search(std::span<const float> query, const FlatSearchOptions& options, const F& filter) const {
        if (defect == Defect::TakesAnyQuery && query.size() > dimension()) {
            query = query.first(dimension());
        }
        Hits hits;
        if (defect == Defect::FiltersLast) {
            hits = flat_.search(query, options);
            std::erase_if(hits, [&](const Scored<>& hit) { return !filter(hit.id); });
        } else {
            hits = flat_.search(query, options, filter);
        }
        if (defect == Defect::LargerIdFirst) {
            std::sort(hits.begin(), hits.end(), [](const Scored<>& a, const Scored<>& b) {
                return a.score != b.score ? a.score > b.score : a.id > b.id;
            });
        }
        return hits;
    }
    std::size_t search(std::span<const float> query, const FlatSearchOptions& options, Scratch& scratch,
                       std::span<Scored<>> out) const noexcept {
        return search(query, options, AcceptAll{}, scratch, out);
    }
    template <ItemFilter F>
    std::size_t search(std::span<const float> query, const FlatSearchOptions& options, const F& filter,
                       Scratch& scratch, std::span<Scored<>> out) const noexcept(funnel::is_nothrow_filter<F>) {
        if (defect == Defect::Allocates) {
            std::size_t found = 0;
            const auto error = funnel::detail::exception_of([&] {
                const Hits hits = flat_.search(query, options, filter);
                found = std::min(hits.size(), out.size());
                std::copy_n(hits.begin(), found, out.begin());
            });
            return error ? 0 : found;
        }
        return flat_.search(query, options, filter, scratch, out);
    }
    [[nodiscard]] Scratch scratch(const FlatSearchOptions& options) const { return flat_.scratch(options); }

    template <funnel::Executor E = funnel::Serial>
    [[nodiscard]] std::vector<Hits> search_batch(MatrixView<const float> queries, const FlatSearchOptions& options,
                                                 E&& executor = E{}) const {
        auto lists = flat_.search_batch(queries, options, executor);
        if (defect == Defect::BatchOfOne && executor.concurrency() > 2) {
            std::swap(lists.front(), lists.back());
        }
        return lists;
    }

    std::uint32_t add(std::span<const float> vector) {
        if (defect == Defect::CountsTooSoon) {
            bytes_ += 1;
        }
        const std::uint32_t id = flat_.add(vector);
        bytes_ = flat_.memory_bytes();
        return id;
    }
    bool remove(std::uint32_t id) { return flat_.remove(id); }
    void replace(std::uint32_t id, std::span<const float> vector) {
        const bool was_removed = id < flat_.next_id() && !flat_.contains(id);
        flat_.replace(id, vector);
        if (defect == Defect::StaysRemoved && was_removed) {
            flat_.remove(id);
        }
    }
    [[nodiscard]] std::size_t next_id() const noexcept { return flat_.next_id(); }
    [[nodiscard]] std::span<const float> vector(std::uint32_t id) const& { return flat_.vector(id); }
    void save(const std::string& path) const { flat_.save(path); }
    [[nodiscard]] static Toy load(const std::string& path) { return Toy(Flat::load(path)); }

private:
    explicit Toy(Flat flat) : flat_(std::move(flat)), bytes_(flat_.memory_bytes()) {}

    Flat flat_;
    std::size_t bytes_;
};

void check_toy(Defect its_defect) {
    defect = its_defect;
    const auto build = [](MatrixView<const float> vectors, auto& executor) { return Toy::build(vectors, executor); };
    funnel::testing::check_index<L2>(build, FlatSearchOptions{},
                                     {.damage = {.head = 64, .bit_flips = 50, .truncations = 5}});
}

}  // namespace

TEST_CASE("index contract: passes for a sound index") {
    check_toy(Defect::None);
}

TEST_CASE("index contract: fails where ties go to the larger id" * doctest::should_fail()) {
    check_toy(Defect::LargerIdFirst);
}

TEST_CASE("index contract: fails where a filter leaves fewer than k hits" * doctest::should_fail()) {
    check_toy(Defect::FiltersLast);
}

TEST_CASE("index contract: fails where a search with a scratch allocates" * doctest::should_fail()) {
    check_toy(Defect::Allocates);
}

TEST_CASE("index contract: fails where a failed add leaves a trace" * doctest::should_fail()) {
    check_toy(Defect::CountsTooSoon);
}

TEST_CASE("index contract: fails where the lists of a batch depend on the threads" * doctest::should_fail()) {
    check_toy(Defect::BatchOfOne);
}

TEST_CASE("index contract: fails where a query of another dimension is taken" * doctest::should_fail()) {
    check_toy(Defect::TakesAnyQuery);
}

TEST_CASE("index contract: fails where an id that was removed cannot be used again" * doctest::should_fail()) {
    check_toy(Defect::StaysRemoved);
}
