// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/key_numbers.hpp>
#include <funnel/core/math.hpp>
#include <funnel/data/interactions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// Collects rows with the keys of the source. Dense ids are assigned in build(), when all keys are known.
class InteractionsBuilder {
public:
    InteractionsBuilder() = default;
    InteractionsBuilder(const InteractionsBuilder&) = default;
    InteractionsBuilder(InteractionsBuilder&&) noexcept = default;
    InteractionsBuilder& operator=(const InteractionsBuilder& other) {
        return *this = InteractionsBuilder(other);
    }  // strong guarantee
    InteractionsBuilder& operator=(InteractionsBuilder&&) noexcept = default;
    ~InteractionsBuilder() = default;

    /// A call that throws changes nothing.
    ///
    /// Errors    InvalidArgument if value or time is not finite
    void add(std::string_view user, std::string_view item, float value = 1.0F, double time = 0.0) {
        require(math::is_finite(value) && math::is_finite(time), "InteractionsBuilder: value and time must be finite");
        if (rows_.size() == rows_.capacity()) {
            rows_.reserve(std::max<std::size_t>(16, 2 * rows_.size()));
        }
        auto user_key = users_.prepare(user);
        auto item_key = items_.prepare(item);
        rows_.push_back({users_.commit(std::move(user_key)), items_.commit(std::move(item_key)), value, time});
    }

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

    /// Returns the log; its rows are in the order of the calls of add. The builder is empty afterwards and can be used
    /// again. If the call throws, the builder is unchanged.
    ///
    /// Cost      sorts the keys; then O(rows). The rows are moved, not copied
    [[nodiscard]] Interactions build() && {
        auto [users, user_ids] = ids_of(users_);
        auto [items, item_ids] = ids_of(items_);
        InteractionsBuilder taken(std::move(*this));
        *this = InteractionsBuilder();
        for (Interaction& row : taken.rows_) {
            row.user = user_ids[row.user];
            row.item = item_ids[row.item];
        }
        return {std::move(taken.rows_), std::move(users), std::move(items)};
    }

private:
    // The key map, and the dense id for each key number.
    [[nodiscard]] static std::pair<KeyMap, std::vector<std::uint32_t>> ids_of(
        const funnel::detail::KeyNumbers& numbers) {
        KeyMap map(numbers.keys());
        std::vector<std::uint32_t> ids(numbers.size());
        for (std::uint32_t id = 0; id < ids.size(); ++id) {
            ids[numbers.known_number_of(map.key(id))] = id;
        }
        return {std::move(map), std::move(ids)};
    }

    std::vector<Interaction> rows_;
    funnel::detail::KeyNumbers users_;
    funnel::detail::KeyNumbers items_;
};

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
