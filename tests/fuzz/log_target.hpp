// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "fuzz/fuzz.hpp"

#include <funnel/data/interactions.hpp>

namespace funnel::fuzz {

/// What every log that was read promises.
inline void check_log(const data::Interactions& log) {
    check(!log.empty(), "a log that was read has rows");
    for (const data::Interaction& row : log) {
        check(log.find_user(log.user_key(row.user)) == row.user, "a user is found by its key");
        check(log.find_item(log.item_key(row.item)) == row.item, "an item is found by its key");
        check(math::is_finite(row.value) && math::is_finite(row.time), "values and times are finite");
    }
}

}  // namespace funnel::fuzz
