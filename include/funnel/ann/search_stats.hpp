// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// What one search did. The scratch of a search has those of the last one: scratch.stats().
struct SearchStats {
    std::uint64_t distances = 0;  ///< vectors compared with the query; a scan compares all that it goes through
    std::uint64_t hops = 0;       ///< nodes of a graph that were expanded, or lists that were read
    bool scanned = false;         ///< whether the answer comes from a scan: it is exact, if the index keeps vectors

    friend bool operator==(const SearchStats&, const SearchStats&) = default;
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
