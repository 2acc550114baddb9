// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>

#include <vector>

namespace funnel::inline FUNNEL_ABI::data {

/// Users x items: what each user did with which item. Of several rows of one pair, the last in the log counts.
[[nodiscard]] inline CSRMatrix<float> user_item_matrix(const Interactions& log) {
    std::vector<Triplet<float>> entries;
    entries.reserve(log.size());
    for (const Interaction& row : log) {
        entries.push_back({row.user, row.item, row.value});
    }
    return {entries, log.users(), log.items()};
}

}  // namespace funnel::data
