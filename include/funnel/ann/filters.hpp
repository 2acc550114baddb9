// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// A filter that reads a bitmap: id i passes if bit i % 64 of word i / 64 is set. Ids beyond the words do not pass. A
/// search then knows how many vectors pass, and skips words without a set bit. Make it once for many searches.
///
///     index.search(query, {.k = 10}, Bitmap(in_stock));
///
/// Cost      the constructor counts the bits: O(words)
class Bitmap {
public:
    /// Keeps a reference to the words.
    explicit Bitmap(std::span<const std::uint64_t> words FUNNEL_LIFETIMEBOUND) noexcept : words_(words) {
        for (const std::uint64_t word : words) {
            count_ += static_cast<std::size_t>(std::popcount(word));
        }
    }

    [[nodiscard]] bool operator()(std::uint32_t id) const noexcept {
        return id / 64 < words_.size() && (words_[id / 64] >> (id % 64) & 1) != 0;
    }

    /// The number of set bits.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::span<const std::uint64_t> words() const noexcept { return words_; }

private:
    std::span<const std::uint64_t> words_;
    std::size_t count_ = 0;
};

/// A filter that lists the ids that pass. A search scores only these, so its result is exact if the index keeps its
/// vectors. Ids that the index does not have, or that were removed, are ignored.
///
///     index.search(query, {.k = 10}, SortedIds(ids_of_the_shop));
///
/// Cost      the constructor and a search: O(list)
/// Errors    InvalidArgument if the ids do not ascend, or repeat
class SortedIds {
public:
    /// Keeps a reference to the ids.
    explicit SortedIds(std::span<const std::uint32_t> ids FUNNEL_LIFETIMEBOUND) : ids_(ids) {
        require(std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>{}) == ids.end(),
                "SortedIds: ids must ascend, each once");
    }

    /// O(log list).
    [[nodiscard]] bool operator()(std::uint32_t id) const noexcept {
        return std::binary_search(ids_.begin(), ids_.end(), id);
    }

    /// The number of ids.
    [[nodiscard]] std::size_t count() const noexcept { return ids_.size(); }
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept { return ids_; }

private:
    std::span<const std::uint32_t> ids_;
};

namespace detail {

/// for_each_id(filter, count, visit) calls visit(id) for each id below count that passes. These two filters need not be
/// asked about all ids.
template <class F>
inline constexpr bool is_id_list = std::same_as<F, SortedIds>;
template <class F>
inline constexpr bool is_bitmap = std::same_as<F, Bitmap>;

template <ItemFilter F, class Visit>
void for_each_id(const F& filter, std::size_t count, const Visit& visit) {
    for (std::uint32_t id = 0; id < count; ++id) {
        if (filter(id)) {
            visit(id);
        }
    }
}

template <class Visit>
void for_each_id(const SortedIds& list, std::size_t count, const Visit& visit) {
    const auto ids = list.ids();
    std::for_each(ids.begin(), std::lower_bound(ids.begin(), ids.end(), count), visit);
}

template <class Visit>
void for_each_id(const Bitmap& bitmap, std::size_t count, const Visit& visit) {
    const auto words = bitmap.words().first(std::min(bitmap.words().size(), (count + 63) / 64));
    for (std::size_t i = 0; i < words.size(); ++i) {
        for (std::uint64_t word = words[i]; word != 0; word &= word - 1) {
            const std::size_t id = 64 * i + static_cast<std::size_t>(std::countr_zero(word));
            if (id < count) {
                visit(static_cast<std::uint32_t>(id));
            }
        }
    }
}

}  // namespace detail

/// One filter per query of a batch: filters.size() and filters[i], such as a std::vector of a filter's type.
template <class L>
concept FilterList = requires(const L& filters, std::size_t i) {
    filters.size();
    filters[i];
} && ItemFilter<std::remove_cvref_t<decltype(std::declval<const L&>()[0])>>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
