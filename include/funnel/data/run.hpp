// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <concepts>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// A name of a query, a user or an item: a string or a whole number.
template <class K>
concept RunKey = std::integral<K> || std::same_as<K, std::string>;

/// An item that a system returned for a query. A run is a list of such rows, in any order.
template <RunKey Query = std::string, RunKey Item = Query>
struct RunRow {
    Query query;
    Item item;
    double score;  ///< higher is better; NaN ranks last

    friend bool operator==(const RunRow&, const RunRow&) = default;
};

/// The label of an item for a query. Labels <= 0 are not relevant.
template <RunKey Query = std::string, RunKey Item = Query>
struct Judgement {
    Query query;
    Item item;
    float label;

    friend bool operator==(const Judgement&, const Judgement&) = default;
};

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
