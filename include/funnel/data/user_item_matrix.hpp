// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>

#include <cstddef>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// The users x items matrix of values. If several rows have the same pair, the last one in the log is used.
///
/// Errors    InvalidArgument if a row of the log has an id that is not below users() or items()
template <InteractionLog Log>
[[nodiscard]] CSRMatrix<float> user_item_matrix(const Log& log) {
    std::vector<Triplet<float>> entries(log.size());
    for (std::size_t row = 0; row < entries.size(); ++row) {
        const auto& interaction = log[row];
        entries[row] = {interaction.user, interaction.item, interaction.value};
    }
    return {{entries.data(), entries.size()}, log.users(), log.items()};
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
