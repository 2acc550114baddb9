// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>
#include <funnel/nn/optimiser_state.hpp>
#include <funnel/nn/update_rule.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// An optimiser of parameters that all have a gradient in each step: SGD, Adagrad, Adam, AdamW, FTRL.
///
///     Adam adam(tower.parameters().size(), {.learning_rate = 1e-3});
///     adam.step(tower.parameters(), gradient);
///
/// Cost      step: O(parameters);  memory: 4 bytes per parameter and array of the rule
template <UpdateRule Rule>
    requires(!detail::is_row_wise<Rule>())
class DenseOptimiser {
public:
    using Options = typename Rule::Options;

    /// Errors    InvalidArgument if an option is out of range
    explicit DenseOptimiser(std::size_t parameters, const Options& options = {})
        : options_(options), parameters_(parameters) {
        Rule::check(options);
        for (Array& array : state_) {
            array.resize(parameters);
        }
    }

    /// Changes the parameters against their gradient.
    ///
    /// Shapes    parameters, gradient: as many numbers as the constructor was told
    /// Errors    InvalidArgument if a size does not match
    void step(std::span<float> parameters, std::span<const float> gradient) {
        require(parameters.size() == parameters_ && gradient.size() == parameters_,
                "DenseOptimiser::step: parameters and gradient must have the size that the optimiser was made for");
        begin_step();
        update(0, parameters, gradient);
    }

    /// Starts a step in parts: one call of begin_step, then update for each part. step() does both. Parts that do not
    /// overlap may be updated by several threads.
    void begin_step() noexcept { ++steps_; }

    /// Updates the parameters first, first + 1, ... in the current step.
    ///
    /// Shapes    values, gradient: one number per parameter of the part
    /// Errors    InvalidArgument if no step has begun, the sizes differ, or the part ends after the last parameter
    void update(std::size_t first, std::span<float> values, std::span<const float> gradient) {
        require(steps_ > 0, "DenseOptimiser::update: begin_step must come first");
        require(values.size() == gradient.size(), "DenseOptimiser::update: values and gradient must have one size");
        require(first <= parameters_ && values.size() <= parameters_ - first,
                "DenseOptimiser::update: the part must end before the last parameter");
        std::array<std::span<float>, Rule::arrays> parts;
        for (std::size_t i = 0; i < Rule::arrays; ++i) {
            parts[i] = std::span(state_[i]).subspan(first, values.size());
        }
        Rule(options_, steps_).apply(values, gradient, parts);
    }

    [[nodiscard]] double learning_rate() const noexcept { return options_.learning_rate; }
    /// Sets the learning rate of the next step, for example from a schedule.
    ///
    /// Errors    InvalidArgument if it is not finite or below 0, or too large for the weight decay
    void set_learning_rate(double rate) {
        require_not_negative(rate, "DenseOptimiser: learning_rate");
        if constexpr (requires { options_.weight_decay; }) {
            require_weight_decay(rate, options_.weight_decay, "DenseOptimiser: learning_rate * weight_decay");
        }
        options_.learning_rate = rate;
    }

    /// Steps so far.
    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
    /// How many parameters it was made for.
    [[nodiscard]] std::size_t parameters() const noexcept { return parameters_; }
    /// One array of the state: the mean of gradients of Adam, for example.
    ///
    /// Shapes    i < Rule::arrays (not checked); one number per parameter
    [[nodiscard]] std::span<const float> state(std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND { return state_[i]; }

    /// Adds the state to a file: rule, steps, learning rate and arrays, in sections that begin with `name`. The
    /// optimiser must not change until it is saved.
    void write(io::ContainerWriter& file, const std::string& name = "optimiser") const {
        detail::write_head<Rule>(file, name, {.steps = steps_, .rate = options_.learning_rate});
        for (std::size_t i = 0; i < Rule::arrays; ++i) {
            file.array(detail::state_section(name, i), state_[i]);
        }
    }

    /// The optimiser of a file, for that many parameters. Other options than the learning rate are those given.
    ///
    /// Errors    CorruptData if the file has the state of another optimiser or of other sizes, or none, or a learning
    ///           rate that is too large for the weight decay
    [[nodiscard]] static DenseOptimiser read(const io::ContainerReader& file, std::size_t parameters,
                                             const Options& options, const std::string& name = "optimiser") {
        DenseOptimiser optimiser(parameters, detail::without_rate(options));
        const detail::OptimiserHead head = detail::read_head<Rule>(file, name);
        optimiser.steps_ = head.steps;
        if constexpr (requires { options.weight_decay; }) {
            file.check(is_weight_decay(head.rate, options.weight_decay), name + ".rate",
                       "must be below 1 / weight_decay");
        }
        optimiser.options_.learning_rate = head.rate;
        for (std::size_t i = 0; i < Rule::arrays; ++i) {
            const std::vector<float> numbers = file.array<float>(detail::state_section(name, i), parameters);
            detail::check_state<Rule>(file, name, i, numbers);
            std::copy(numbers.begin(), numbers.end(), optimiser.state_[i].begin());
        }
        return optimiser;
    }

    [[nodiscard]] const Options& options() const noexcept FUNNEL_LIFETIMEBOUND { return options_; }

private:
    using Array = std::vector<float, funnel::detail::RowAllocator<float>>;

    Options options_;
    std::size_t parameters_;
    std::uint64_t steps_ = 0;
    std::array<Array, Rule::arrays> state_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
