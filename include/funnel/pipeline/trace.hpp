// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>

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

/// Measurements of one stage.
struct StageTrace {
    std::string name;
    std::size_t in;             ///< number of candidates before the stage
    std::size_t out;            ///< number of candidates after the stage
    std::uint64_t nanoseconds;  ///< duration, from a steady clock
};

/// An item of the answer that was drawn at random. With the reward that came of it, it is a logged decision, from which
/// other policies can be evaluated.
struct Explored {
    std::string stage;
    std::uint32_t item;
    std::size_t place;  ///< in the answer, 0 is the first; while stages run, the place that it was drawn for
    double propensity;  ///< probability that the item was drawn, in (0, 1]

    friend bool operator==(const Explored&, const Explored&) = default;
};

/// A rule that a stage set aside, and the item for which it did.
struct SetAside {
    std::string stage;
    std::string rule;
    std::size_t place;  ///< in the list of that stage, 0 is the first
    std::uint32_t item;

    friend bool operator==(const SetAside&, const SetAside&) = default;
};

/// Measurements and decisions of one request.
struct Trace {
    std::vector<StageTrace> stages;             ///< in the order they ran
    std::vector<std::string> sources;           ///< name of source s: those of retrieve, then the levels of fallback
    std::optional<std::size_t> fallback_level;  ///< the last level that added an item, if any
    std::vector<Explored> explored;             ///< by explore(); items that a later stage removed are not here
    std::vector<SetAside> set_aside;            ///< by rerank(), if its rules report it
};

namespace detail {

// Milliseconds, rounded to three decimals. Integer arithmetic, so no locale can turn the point into a comma.
[[nodiscard]] inline std::string milliseconds(std::uint64_t nanoseconds) {
    const std::uint64_t microseconds = nanoseconds / 1000 + (nanoseconds % 1000 >= 500 ? 1U : 0U);
    const std::string fraction = std::to_string(microseconds % 1000);
    return std::to_string(microseconds / 1000) + '.' + std::string(3 - fraction.size(), '0') + fraction;
}

// A probability, rounded to six decimals.
[[nodiscard]] inline std::string six_decimals(double probability) {
    const auto millionths = static_cast<std::uint64_t>(math::round(probability * 1e6));
    const std::string fraction = std::to_string(millionths % 1'000'000);
    return std::to_string(millionths / 1'000'000) + '.' + std::string(6 - fraction.size(), '0') + fraction;
}

// Number of columns that a name occupies; UTF-8 continuation bytes occupy none.
[[nodiscard]] inline std::size_t columns_of(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

// A monotonic clock. Not <chrono>, because it costs as much to parse as the rest of this header.
[[nodiscard]] inline std::uint64_t steady_nanoseconds() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// Runs work, which returns the number of candidates after the stage, and records the measurements.
template <std::invocable Work>
void traced(Trace& trace, const std::string& name, std::size_t in, Work&& work) {
    const std::uint64_t start = steady_nanoseconds();
    const std::size_t out = work();
    trace.stages.push_back({name, in, out, steady_nanoseconds() - start});
}

}  // namespace detail

/// Formats a trace as a table: one line per stage with the candidates before and after it, and milliseconds; then the
/// last fallback level used, the items that were drawn at random, and the rules that were set aside.
///
///     stage     in  out     ms
///     ease       0  200  0.412
///     popular    0  200  0.008
///     merge    400  331  0.031
///     fallback level: none
///     explored by new films: item 7 at place 4, propensity 0.250000
///     set aside by slate: genres at place 9 for item 12
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
    table += "fallback level: " + (trace.fallback_level ? std::to_string(*trace.fallback_level) : "none") + '\n';
    for (const Explored& drawn : trace.explored) {
        table += "explored by " + drawn.stage + ": item " + std::to_string(drawn.item) + " at place " +
                 std::to_string(drawn.place) + ", propensity " + detail::six_decimals(drawn.propensity) + '\n';
    }
    for (const SetAside& aside : trace.set_aside) {
        table += "set aside by " + aside.stage + ": " + aside.rule + " at place " + std::to_string(aside.place) +
                 " for item " + std::to_string(aside.item) + '\n';
    }
    return table;
}

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
