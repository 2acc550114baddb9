// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/options.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

class Interactions;

/// The input of models: rows of user, item, value and time, with dense ids. Interactions is a model of this concept.
/// Your own type can be another, if the rows are already stored elsewhere.
///
///     log.users()  log.items()       ids are below them
///     log.size()   log[row]          row -> {.user, .item, .value, .time}
///     log.fingerprint()              optional: equal for two logs if, and in practice only if, their ids agree
template <class L>
concept InteractionLog = requires(const L& log, std::size_t row) {
    { log.users() } -> std::convertible_to<std::size_t>;
    { log.items() } -> std::convertible_to<std::size_t>;
    { log.size() } -> std::convertible_to<std::size_t>;
    { log[row].user } -> std::convertible_to<std::uint32_t>;
    { log[row].item } -> std::convertible_to<std::uint32_t>;
    { log[row].value } -> std::convertible_to<float>;
    { log[row].time } -> std::convertible_to<double>;
};

/// The fingerprint of a log, 0 if it has none.
template <InteractionLog Log>
[[nodiscard]] std::uint64_t fingerprint(const Log& log) {
    if constexpr (requires { log.fingerprint(); }) {
        return log.fingerprint();
    } else {
        return 0;
    }
}

/// For functions that use the ids of a log as positions: a log of your own type may hold any.
///
/// Errors    InvalidArgument if a row has an id that is not below users() or items(); function is its name in the
///           message
template <InteractionLog Log>
void require_known_ids(const Log& log, const std::string& function) {
    const std::string user = function + ": every user in the log";
    const std::string item = function + ": every item in the log";
    for (std::size_t row = 0; row < log.size(); ++row) {
        require_below(log[row].user, log.users(), user.c_str());
        require_below(log[row].item, log.items(), item.c_str());
    }
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
