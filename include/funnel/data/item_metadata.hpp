// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// Metadata of one item.
struct ItemInfo {
    std::string title{};                  ///< UTF-8; empty if unknown
    std::optional<int> year{};            ///< of release
    std::vector<std::uint16_t> genres{};  ///< positions in ItemMetadata::genre_names(), ascending
};

/// The ItemInfo of each item of a log, by dense id.
class ItemMetadata {
public:
    ItemMetadata() = default;

    /// Errors    InvalidArgument if the genres of an item do not ascend or are not below genre_names.size()
    ItemMetadata(std::vector<ItemInfo> items, std::vector<std::string> genre_names)
        : items_(std::move(items)), genre_names_(std::move(genre_names)) {
        for (const ItemInfo& item : items_) {
            for (std::size_t i = 0; i < item.genres.size(); ++i) {
                require(item.genres[i] < genre_names_.size() && (i == 0 || item.genres[i - 1] < item.genres[i]),
                        "ItemMetadata: genres must ascend and be below the number of genre names");
            }
        }
    }

    ItemMetadata(const ItemMetadata&) = default;
    ItemMetadata(ItemMetadata&&) noexcept = default;
    ItemMetadata& operator=(const ItemMetadata& other) { return *this = ItemMetadata(other); }  // strong guarantee
    ItemMetadata& operator=(ItemMetadata&&) noexcept = default;
    ~ItemMetadata() = default;

    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
    /// Item < size() (not checked).
    [[nodiscard]] const ItemInfo& operator[](std::size_t item) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(item < items_.size());
        return items_[item];
    }
    [[nodiscard]] std::span<const std::string> genre_names() const noexcept FUNNEL_LIFETIMEBOUND {
        return {genre_names_.data(), genre_names_.size()};
    }

private:
    std::vector<ItemInfo> items_;
    std::vector<std::string> genre_names_;
};

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
