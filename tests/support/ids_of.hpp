// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <cstdint>
#include <vector>

namespace funnel::testing {

using Ids = std::vector<std::uint32_t>;

[[nodiscard]] inline Ids ids_of(const pipeline::Candidates& candidates) {
    return {candidates.ids().begin(), candidates.ids().end()};
}

[[nodiscard]] inline Ids ids_of(const pipeline::Result& result) {
    Ids ids;
    for (const pipeline::Candidate& item : result) {
        ids.push_back(item.id);
    }
    return ids;
}

}  // namespace funnel::testing
