// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>
#include <funnel/nn/optimiser_state.hpp>
#include <funnel/nn/sparse_gradient.hpp>
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

/// An optimiser of a table of embeddings. A step changes only the rows with a gradient, and costs as much as its batch,
/// whatever the size of the table. Steps are counted for the table, not for each row. The state of other rows does not
/// decay, so LazyAdam differs from Adam with zeros as the gradients of these rows.
///
/// SparseGradient merges the uses of a row in a batch. Two updates of a row instead of one would be a wrong step.
///
/// Cost      step: O(ids x width);  memory: 4 bytes per parameter and array of the rule; a row-wise rule has one number
///           per row instead
template <UpdateRule Rule>
class RowOptimiser {
public:
    using Options = typename Rule::Options;

    /// Errors    InvalidArgument if an option is out of range
    RowOptimiser(std::size_t rows, std::size_t width, const Options& options = {})
        : options_(options), rows_(rows), width_(width) {
        Rule::check(options);
        for (Matrix<float>& matrix : state_) {
            matrix = detail::is_row_wise<Rule>() ? Matrix<float>(1, rows) : Matrix<float>(rows, width);
        }
    }

    /// Shapes    table: rows x width, as the constructor was told
    /// Errors    InvalidArgument if a shape does not match, or the gradient has an id that is not below rows
    template <Executor E = Serial>
    void step(MatrixView<float> table, const SparseGradient<float>& gradient, E&& executor = E{}) {
        require(table.rows() == rows_ && table.cols() == width_ &&
                    (gradient.ids().empty() || gradient.rows().cols() == width_),
                "RowOptimiser::step: table and gradient must have the shape that the optimiser was made for");
        if (!gradient.ids().empty()) {
            require_below(gradient.ids().back(), rows_, "RowOptimiser::step: id of the gradient");
        }
        const Rule rule(options_, ++steps_);
        constexpr std::size_t id_grain = 64;
        executor.for_range(gradient.ids().size(), id_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const std::uint32_t id = gradient.ids()[i];
                std::array<std::span<float>, Rule::arrays> parts;
                for (std::size_t j = 0; j < Rule::arrays; ++j) {
                    parts[j] = detail::is_row_wise<Rule>() ? state_[j].row(0).subspan(id, 1) : state_[j].row(id);
                }
                rule.apply(table.row(id), gradient.rows().row(i), parts);
            }
        });
    }

    [[nodiscard]] double learning_rate() const noexcept { return options_.learning_rate; }
    /// Sets the learning rate of the next step, for example from a schedule.
    ///
    /// Errors    InvalidArgument if it is not finite or below 0
    void set_learning_rate(double rate) {
        require_not_negative(rate, "RowOptimiser: learning_rate");
        options_.learning_rate = rate;
    }

    /// The shape of the table that it was made for.
    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t width() const noexcept { return width_; }
    /// Steps so far.
    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
    /// One matrix of the state: rows x width, or 1 x rows if the rule is row-wise.
    ///
    /// Shapes    i < Rule::arrays (not checked)
    [[nodiscard]] MatrixView<const float> state(std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND { return state_[i]; }

    [[nodiscard]] const Options& options() const noexcept FUNNEL_LIFETIMEBOUND { return options_; }

    /// Adds the state to a file: rule, steps, learning rate and matrices, in sections that begin with `name`. The
    /// optimiser must not change until it is saved.
    void write(io::ContainerWriter& file, const std::string& name = "optimiser") const {
        detail::write_head<Rule>(file, name, {.steps = steps_, .rate = options_.learning_rate});
        for (std::size_t i = 0; i < Rule::arrays; ++i) {
            if constexpr (detail::is_row_wise<Rule>()) {
                file.array(detail::state_section(name, i), state_[i].row(0));
            } else {
                file.matrix(detail::state_section(name, i), state_[i].view());
            }
        }
    }

    /// The optimiser of a file, for a table of that shape. Other options than the learning rate are those given.
    ///
    /// Errors    CorruptData if the file has the state of another optimiser or of other sizes, or none
    [[nodiscard]] static RowOptimiser read(const io::ContainerReader& file, std::size_t rows, std::size_t width,
                                           const Options& options, const std::string& name = "optimiser") {
        RowOptimiser optimiser(rows, width, detail::without_rate(options));
        const detail::OptimiserHead head = detail::read_head<Rule>(file, name);
        optimiser.steps_ = head.steps;
        optimiser.options_.learning_rate = head.rate;
        for (std::size_t i = 0; i < Rule::arrays; ++i) {
            const std::string section = detail::state_section(name, i);
            if constexpr (detail::is_row_wise<Rule>()) {
                const std::vector<float> numbers = file.array<float>(section, rows);
                detail::check_state<Rule>(file, name, i, numbers);
                std::copy(numbers.begin(), numbers.end(), optimiser.state_[i].row(0).begin());
            } else {
                optimiser.state_[i] = file.matrix<float>(section, rows, width);
                for (std::size_t row = 0; row < rows; ++row) {
                    detail::check_state<Rule>(file, name, i, optimiser.state_[i].row(row));
                }
            }
        }
        return optimiser;
    }

private:
    Options options_;
    std::size_t rows_;
    std::size_t width_;
    std::uint64_t steps_ = 0;
    std::array<Matrix<float>, Rule::arrays> state_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
