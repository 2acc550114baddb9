// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <time.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// How one stage went.
struct StageTrace {
    std::string name;
    std::size_t in;             ///< candidates that went in
    std::size_t out;            ///< candidates that came out
    std::uint64_t nanoseconds;  ///< of a steady clock
};

/// How a request went.
struct Trace {
    std::vector<StageTrace> stages;             ///< in the order they ran
    std::vector<std::string> sources;           ///< name of source s: those of retrieve, then the levels of fallback
    std::optional<std::size_t> fallback_level;  ///< the last level that gave an item, if any did
};

namespace detail {

// Thousandths of a millisecond, rounded; from whole numbers, so that no locale turns the point into a comma.
[[nodiscard]] inline std::string milliseconds(std::uint64_t nanoseconds) {
    const std::uint64_t microseconds = nanoseconds / 1000 + (nanoseconds % 1000 >= 500 ? 1U : 0U);
    const std::string fraction = std::to_string(microseconds % 1000);
    return std::to_string(microseconds / 1000) + '.' + std::string(3 - fraction.size(), '0') + fraction;
}

// How many columns a name takes: continuation bytes of UTF-8 take none.
[[nodiscard]] inline std::size_t columns_of(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// A clock that never goes back. The system's own, because <chrono> costs as much to parse as the rest of this header.
[[nodiscard]] inline std::uint64_t steady_nanoseconds() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// Runs work, which returns how many candidates came out, and writes down how it went.
template <std::invocable Work>
void traced(Trace& trace, const std::string& name, std::size_t in, Work&& work) {
    const std::uint64_t start = steady_nanoseconds();
    const std::size_t out = work();
    trace.stages.push_back({name, in, out, steady_nanoseconds() - start});
}

}  // namespace detail

/// A trace as a table for people: one line per stage with the candidates in, the candidates out, and milliseconds; then
/// the fallback level that was reached.
///
///     stage     in  out     ms
///     ease       0  200  0.412
///     popular    0  200  0.008
///     merge    400  331  0.031
///     fallback level: none
///
/// Returns   lines that end in '\n'; columns are aligned for names in UTF-8
[[nodiscard]] inline std::string to_string(const Trace& trace) {
    std::vector<std::array<std::string, 4>> rows{{"stage", "in", "out", "ms"}};
    for (const StageTrace& stage : trace.stages) {
        rows.push_back(
            {stage.name, std::to_string(stage.in), std::to_string(stage.out), detail::milliseconds(stage.nanoseconds)});
    }
    std::array<std::size_t, 4> widths{};
    for (const auto& row : rows) {
        for (std::size_t column = 0; column < widths.size(); ++column) {
            widths[column] = std::max(widths[column], detail::columns_of(row[column]));
        }
    }
    std::string table;
    for (const auto& row : rows) {
        table += row[0] + std::string(widths[0] - detail::columns_of(row[0]), ' ');
        for (std::size_t column = 1; column < widths.size(); ++column) {
            table += std::string(2 + widths[column] - row[column].size(), ' ') + row[column];
        }
        table += '\n';
    }
    return table + "fallback level: " + (trace.fallback_level ? std::to_string(*trace.fallback_level) : "none") + '\n';
}

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
