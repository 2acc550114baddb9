// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/data/interaction_log.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// The items of each user in the order of time, as sequence models and towers with a history read them. Rows of the
/// same time are ordered by item id, so the result does not depend on the order of the log. Rows with a value <= 0 are
/// dislikes (see cf::Profile) and left out.
///
/// Cost      O(rows log rows); 4 bytes per row and 8 per user
class Sequences {
public:
    /// Errors    InvalidArgument if an id in the log is unknown, or the time of a row with a value > 0 is not finite
    template <data::InteractionLog Log>
    explicit Sequences(const Log& log) : starts_(log.users() + 1) {
        data::require_known_ids(log, "Sequences");
        std::vector<std::size_t> rows(log.size());
        std::iota(rows.begin(), rows.end(), std::size_t{0});
        std::erase_if(rows, [&](std::size_t row) { return !(log[row].value > 0.0F); });
        for (const std::size_t row : rows) {
            const double time = log[row].time;
            if (!math::is_finite(time)) {
                require_finite(time, ("Sequences: the time of row " + std::to_string(row)).c_str());
            }
        }
        const auto place = [&](std::size_t row) { return std::tuple(log[row].user, log[row].time, log[row].item); };
        std::sort(rows.begin(), rows.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
        items_.resize(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            items_[i] = log[rows[i]].item;
            ++starts_[log[rows[i]].user + 1];
        }
        std::partial_sum(starts_.begin(), starts_.end(), starts_.begin());
    }

    [[nodiscard]] std::size_t users() const noexcept { return starts_.empty() ? 0 : starts_.size() - 1; }
    /// Where the items of each user start in items(), and the end: users() + 1 numbers.
    [[nodiscard]] std::span<const std::size_t> starts() const noexcept FUNNEL_LIFETIMEBOUND { return starts_; }
    /// The items of all users, one user after the other.
    [[nodiscard]] std::span<const std::uint32_t> items() const noexcept FUNNEL_LIFETIMEBOUND { return items_; }
    /// The items of a user < users() (not checked), oldest first.
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(user < users());
        return items().subspan(starts_[user], starts_[user + 1] - starts_[user]);
    }

private:
    std::vector<std::size_t> starts_;
    std::vector<std::uint32_t> items_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
