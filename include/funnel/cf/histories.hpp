// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/sparse.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

namespace detail {

/// Ascending ids per user, one list after another. A moved-from object has no users.
class UserLists {
public:
    UserLists() = default;

    /// The columns of each row whose value is accepted.
    template <class T, class Accept>
    UserLists(const CSRMatrix<T>& user_item, const Accept& accept) {
        offsets_.reserve(user_item.rows() + 1);
        for (std::size_t user = 0; user < user_item.rows(); ++user) {
            const SparseRow<T> row = user_item.row(user);
            for (std::size_t i = 0; i < row.size(); ++i) {
                if (accept(row.values[i])) {
                    ids_.push_back(row.columns[i]);
                }
            }
            offsets_.push_back(ids_.size());
        }
    }

    UserLists(const UserLists&) = default;
    UserLists(UserLists&&) noexcept = default;
    UserLists& operator=(const UserLists& other) { return *this = UserLists(other); }  // strong guarantee
    UserLists& operator=(UserLists&& other) noexcept {
        UserLists taken(std::move(other));
        offsets_.swap(taken.offsets_);
        ids_.swap(taken.ids_);
        return *this;
    }
    ~UserLists() = default;

    [[nodiscard]] bool is_moved_from() const noexcept { return offsets_.empty(); }
    [[nodiscard]] std::size_t users() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept { return {ids_.data(), ids_.size()}; }

    /// Where the list of a user lies in ids(): first position and length. Nothing for a user >= users().
    [[nodiscard]] std::pair<std::size_t, std::size_t> place_of(std::size_t user) const noexcept {
        if (user >= users()) {
            return {0, 0};
        }
        return {offsets_[user], offsets_[user + 1] - offsets_[user]};
    }
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const noexcept {
        const auto [first, count] = place_of(user);
        return ids().subspan(first, count);
    }

    /// Empties a list. The user must be known (not checked).
    void clear(std::size_t user) noexcept {
        const auto [first, count] = place_of(user);
        const auto begin = ids_.begin() + static_cast<std::ptrdiff_t>(first);
        ids_.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        for (std::size_t next = user + 1; next < offsets_.size(); ++next) {
            offsets_[next] -= count;
        }
    }

    template <class Writer>
    void write(Writer& file, const std::string& name) const {
        file.array(name + "_offsets", offsets_);
        file.array(name + "_items", ids_);
    }

    template <class Reader>
    static UserLists read(const Reader& file, const std::string& name, std::size_t items) {
        const std::string offsets_name = name + "_offsets";
        const std::string items_name = name + "_items";
        UserLists result;
        result.offsets_ = file.template array<std::uint64_t>(offsets_name);
        result.ids_ = file.template array<std::uint32_t>(items_name);
        const std::vector<std::uint64_t>& offsets = result.offsets_;
        file.check(!offsets.empty() && offsets.front() == 0 && offsets.back() == result.ids_.size(), offsets_name,
                   "must start at 0 and end at the number of items");
        for (std::size_t user = 0; user + 1 < offsets.size(); ++user) {
            file.check(offsets[user] <= offsets[user + 1] && offsets[user + 1] <= result.ids_.size(), offsets_name,
                       "must not decrease");
            const std::span<const std::uint32_t> list = result.of(user);
            for (std::size_t i = 0; i < list.size(); ++i) {
                file.check(list[i] < items && (i == 0 || list[i - 1] < list[i]), items_name,
                           "must ascend for each user and be below the number of items");
            }
        }
        return result;
    }

private:
    std::vector<std::uint64_t> offsets_ = {0};  // empty after a move
    std::vector<std::uint32_t> ids_;
};

/// The entries of a matrix that are > 0.
[[nodiscard]] inline CSRMatrix<float> liked_part(const CSRMatrix<float>& user_item) {
    std::vector<std::size_t> offsets{0};
    std::vector<std::uint32_t> columns;
    std::vector<float> values;
    for (std::size_t user = 0; user < user_item.rows(); ++user) {
        const SparseRow<float> row = user_item.row(user);
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (row.values[i] > 0.0F) {
                columns.push_back(row.columns[i]);
                values.push_back(row.values[i]);
            }
        }
        offsets.push_back(columns.size());
    }
    return CSRMatrix<float>::from_parts(std::move(offsets), std::move(columns), std::move(values), user_item.cols());
}

}  // namespace detail

/// The items of each user in the training log. recommend() excludes them, and linear models compute scores from them.
///
/// Without values, a history holds the items with a value > 0. Items with another value are disliked: recommend()
/// excludes them as well, and nothing is learned from them. With values, a history holds all items.
///
/// A user >= users() has an empty history. A moved-from object has no users.
///
/// Cost      8 bytes per user, 4 bytes per item of a history, 4 more per value; 8 more per user if there are dislikes
class Histories {
public:
    Histories() = default;

    /// From a users x items matrix, without values.
    template <class T>
    explicit Histories(const CSRMatrix<T>& user_item)
        : lists_(user_item, [](T value) { return value > T{0}; }), catalogue_(user_item.cols()) {
        if (lists_.ids().size() != user_item.nonzeros()) {
            disliked_ = detail::UserLists(user_item, [](T value) { return !(value > T{0}); });
        }
    }

    /// With the values of the matrix.
    [[nodiscard]] static Histories with_values(const CSRMatrix<float>& user_item) {
        Histories result;
        result.lists_ = detail::UserLists(user_item, [](float) { return true; });
        result.values_.assign(user_item.values().begin(), user_item.values().end());
        result.catalogue_ = user_item.cols();
        return result;
    }

    Histories(const Histories&) = default;
    Histories(Histories&& other) noexcept
        : lists_(std::move(other.lists_)),
          disliked_(std::move(other.disliked_)),
          values_(std::move(other.values_)),
          catalogue_(std::exchange(other.catalogue_, 0)) {}
    Histories& operator=(const Histories& other) { return *this = Histories(other); }  // strong guarantee
    Histories& operator=(Histories&& other) noexcept {
        Histories taken(std::move(other));
        std::swap(lists_, taken.lists_);
        std::swap(disliked_, taken.disliked_);
        values_.swap(taken.values_);
        std::swap(catalogue_, taken.catalogue_);
        return *this;
    }
    ~Histories() = default;

    [[nodiscard]] std::size_t users() const noexcept { return lists_.users(); }
    [[nodiscard]] std::size_t items() const noexcept { return catalogue_; }
    [[nodiscard]] bool is_moved_from() const noexcept { return lists_.is_moved_from(); }
    [[nodiscard]] bool has_values() const noexcept { return !values_.empty(); }
    [[nodiscard]] bool has_dislikes() const noexcept { return !disliked_.ids().empty(); }
    [[nodiscard]] bool is_empty() const noexcept { return lists_.ids().empty(); }

    /// The user's items, ascending.
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const& noexcept FUNNEL_LIFETIMEBOUND {
        return lists_.of(user);
    }
    /// One value per item of the history; none if values were not kept.
    [[nodiscard]] std::span<const float> values_of(std::size_t user) const& noexcept FUNNEL_LIFETIMEBOUND {
        const auto [first, count] = lists_.place_of(user);
        return values_.empty() ? std::span<const float>{}
                               : std::span(values_.data(), values_.size()).subspan(first, count);
    }
    /// The items that the user dislikes, ascending; none if values were kept.
    [[nodiscard]] std::span<const std::uint32_t> disliked_by(std::size_t user) const& noexcept FUNNEL_LIFETIMEBOUND {
        return disliked_.of(user);
    }
    void of(std::size_t user) const&& = delete;
    void values_of(std::size_t user) const&& = delete;
    void disliked_by(std::size_t user) const&& = delete;

    /// Removes what is stored about a user, who then has an empty history. Does nothing if the user is unknown.
    ///
    /// Cost      O(users + items in all histories)
    void forget(std::size_t user) noexcept {
        if (user >= users()) {
            return;
        }
        if (has_values()) {
            const auto [first, count] = lists_.place_of(user);
            const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(first);
            values_.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
        }
        lists_.clear(user);
        if (has_dislikes()) {
            disliked_.clear(user);
        }
    }

    /// Adds the sections to a file. This object must outlive the call of file.save().
    template <class Writer>
    void write(Writer& file) const {
        file.value("items", std::uint64_t{catalogue_});
        lists_.write(file, "history");
        if (!values_.empty()) {
            file.array("history_values", values_);
        }
        if (!disliked_.ids().empty()) {
            disliked_.write(file, "disliked");
        }
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
        result.lists_ = detail::UserLists::read(file, "history", items);
        if (file.has("history_values")) {
            result.values_ = file.template array<float>("history_values", result.lists_.ids().size());
            file.check(!result.values_.empty() && math::all_finite(result.values_), "history_values",
                       "must not be empty, and must be finite");
        }
        if (file.has("disliked_items")) {
            result.disliked_ = detail::UserLists::read(file, "disliked", items);
            file.check(
                result.disliked_.users() == result.users() && !result.disliked_.ids().empty() && result.values_.empty(),
                "disliked_items", "must have one list per user, not all empty, and no history_values beside it");
            for (std::size_t user = 0; user < result.users(); ++user) {
                for (const std::uint32_t item : result.disliked_.of(user)) {
                    file.check(!std::ranges::binary_search(result.of(user), item), "disliked_items",
                               "must not be in the history of the user");
                }
            }
        }
        return result;
    }

private:
    detail::UserLists lists_;
    detail::UserLists disliked_;  // without users if nobody dislikes anything
    std::vector<float> values_;
    std::size_t catalogue_ = 0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
