// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>
#include <funnel/nn/update_rule.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn::detail {

/// What files hold of an optimiser beside its arrays.
struct OptimiserHead {
    std::uint64_t steps;
    double rate;
};

/// The section of an array of the state.
[[nodiscard]] inline std::string state_section(const std::string& name, std::size_t i) {
    return name + ".state" + std::to_string(i);
}

template <UpdateRule Rule>
void write_head(io::ContainerWriter& file, const std::string& name, const OptimiserHead& head) {
    const std::array rule{std::string(Rule::name)};
    file.strings(name, rule);
    file.value(name + ".steps", head.steps);
    file.value(name + ".rate", head.rate);
}

/// Errors    CorruptData if the file has another optimiser or none, or numbers that no optimiser has
template <UpdateRule Rule>
[[nodiscard]] OptimiserHead read_head(const io::ContainerReader& file, const std::string& name) {
    file.check(file.strings(name, 1).front() == Rule::name, name, std::string("must be ") + Rule::name);
    const OptimiserHead head{.steps = file.value<std::uint64_t>(name + ".steps"),
                             .rate = file.value<double>(name + ".rate")};
    file.check(head.steps < std::numeric_limits<std::uint64_t>::max(), name + ".steps", "must be smaller");
    file.check(math::is_finite(head.rate) && head.rate >= 0.0, name + ".rate", "must be finite and >= 0");
    return head;
}

/// Errors    CorruptData if array i of a state, which a file has, is not finite, or holds a negative sum of squares
template <UpdateRule Rule>
void check_state(const io::ContainerReader& file, const std::string& name, std::size_t i,
                 std::span<const float> numbers) {
    const std::string section = state_section(name, i);
    file.check(math::all_finite(numbers), section, "must be finite");
    file.check(i < Rule::squares_from || std::all_of(
                                             numbers.begin(), numbers.end(), [](float x) { return x >= 0.0F; }),
               section, "must be >= 0");
}

/// Options for reading an optimiser, whose learning rate the file has: a schedule may have brought it to 0, where
/// options are invalid.
template <class Options>
[[nodiscard]] Options without_rate(Options options) noexcept {
    options.learning_rate = std::numeric_limits<double>::min();  // valid, for any weight decay
    return options;
}

}  // namespace nn::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
