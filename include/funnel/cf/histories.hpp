// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/sparse.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The items of each user in the training log. recommend() excludes them, and linear models compute scores from them.
///
/// A user >= users() has an empty history. A moved-from object has no users.
///
/// Cost      8 bytes per user, 4 bytes per item of a history
class Histories {
public:
    Histories() = default;

    /// From a users x items matrix; its values are ignored.
    template <class T>
    explicit Histories(const CSRMatrix<T>& user_item)
        : offsets_(user_item.offsets().begin(), user_item.offsets().end()),
          items_(user_item.columns().begin(), user_item.columns().end()),
          catalogue_(user_item.cols()) {}

    Histories(const Histories&) = default;
    Histories(Histories&& other) noexcept
        : offsets_(std::move(other.offsets_)),
          items_(std::move(other.items_)),
          catalogue_(std::exchange(other.catalogue_, 0)) {}
    Histories& operator=(const Histories& other) { return *this = Histories(other); }  // strong guarantee
    Histories& operator=(Histories&& other) noexcept {
        Histories taken(std::move(other));
        offsets_.swap(taken.offsets_);
        items_.swap(taken.items_);
        std::swap(catalogue_, taken.catalogue_);
        return *this;
    }
    ~Histories() = default;

    [[nodiscard]] std::size_t users() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }
    [[nodiscard]] std::size_t items() const noexcept { return catalogue_; }

    /// The user's items, ascending.
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const& noexcept FUNNEL_LIFETIMEBOUND {
        return user < users() ? between(offsets_[user], offsets_[user + 1]) : std::span<const std::uint32_t>{};
    }
    void of(std::size_t user) const&& = delete;

    /// Adds the sections to a file. This object must outlive the call of file.save().
    template <class Writer>
    void write(Writer& file) const {
        file.value("items", std::uint64_t{catalogue_});
        file.array("history_offsets", offsets_);
        file.array("history_items", items_);
    }

    /// Reads the sections that write() added.
    ///
    /// Errors    CorruptData if the sections are missing or invalid
    template <class Reader>
    static Histories read(const Reader& file) {
        Histories result;
        const auto items = file.template value<std::uint64_t>("items");
        file.check(items <= 0xFFFFFFFF, "items", "must be at most 2^32 - 1");
        result.catalogue_ = items;
        result.offsets_ = file.template array<std::uint64_t>("history_offsets");
        result.items_ = file.template array<std::uint32_t>("history_items");

        const std::vector<std::uint64_t>& offsets = result.offsets_;
        file.check(!offsets.empty() && offsets.front() == 0 && offsets.back() == result.items_.size(),
                   "history_offsets", "must start at 0 and end at the number of history items");
        for (std::size_t user = 0; user + 1 < offsets.size(); ++user) {
            file.check(offsets[user] <= offsets[user + 1] && offsets[user + 1] <= result.items_.size(),
                       "history_offsets", "must not decrease");
            const std::span<const std::uint32_t> history = result.between(offsets[user], offsets[user + 1]);
            for (std::size_t i = 0; i < history.size(); ++i) {
                file.check(history[i] < items && (i == 0 || history[i - 1] < history[i]), "history_items",
                           "must ascend for each user and be below the number of items");
            }
        }
        return result;
    }

private:
    [[nodiscard]] std::span<const std::uint32_t> between(std::uint64_t begin, std::uint64_t end) const noexcept {
        return {items_.data() + begin, end - begin};
    }

    std::vector<std::uint64_t> offsets_ = {0};  // empty after a move
    std::vector<std::uint32_t> items_;
    std::size_t catalogue_ = 0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
