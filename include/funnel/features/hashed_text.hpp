// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/features/tokens.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace features {

/// Texts as bags of hashed words, without a vocabulary: a word of a new text has an id at once. Different words may
/// share an id; nn::HashedIds reports how many do.
///
///     HashedText titles(1 << 14);
///     for (const std::string& title : ...) { titles.add(title); }
///     const nn::Bags bags{.ids = titles.ids(), .starts = titles.starts()};
///     auto model = TwoTower<>::fit(log, {.item_text = {.bags = bags, .rows = titles.rows()}});
///
/// Words are the tokens of for_each_token: two characters or more, in small letters. The same word has the same id on
/// every machine.
///
/// Cost      add: O(characters)
/// Source    Weinberger et al., "Feature hashing for large scale multitask learning", ICML 2009 (without signs)
class HashedText {
public:
    /// Errors    InvalidArgument if rows is 0 or above 2^32
    explicit HashedText(std::size_t rows, std::uint64_t seed = 1) : rows_(rows), seed_(seed) {
        require(rows > 0 && rows - 1 <= std::numeric_limits<std::uint32_t>::max(),
                "HashedText: rows must lie in [1, 2^32]");
    }

    /// Adds the bag of a text, which may be empty.
    void add(std::string_view text) {
        for_each_token(text, [&](std::string_view word) { ids_.push_back(id(word)); });
        starts_.push_back(ids_.size());
    }

    /// The ids of the words of a text, in their order, for example of a new item.
    [[nodiscard]] std::vector<std::uint32_t> words(std::string_view text) const {
        std::vector<std::uint32_t> ids;
        for_each_token(text, [&](std::string_view word) { ids.push_back(id(word)); });
        return ids;
    }

    /// Ids are below it.
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    /// The words of all texts that were added, one text after the other.
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept FUNNEL_LIFETIMEBOUND { return ids_; }
    /// Where the words of each text start in ids(), and the end.
    [[nodiscard]] std::span<const std::size_t> starts() const noexcept FUNNEL_LIFETIMEBOUND { return starts_; }

private:
    [[nodiscard]] std::uint32_t id(std::string_view word) const noexcept {
        const std::uint64_t hash = funnel::detail::hash_word(seed_, funnel::detail::hash_name(word));
        return static_cast<std::uint32_t>((hash >> 32) * rows_ >> 32);
    }

    std::size_t rows_;
    std::uint64_t seed_;
    std::vector<std::uint32_t> ids_;
    std::vector<std::size_t> starts_{0};
};

}  // namespace features
}  // namespace FUNNEL_ABI
}  // namespace funnel
