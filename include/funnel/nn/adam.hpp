// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/sparse_gradient.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct AdamOptions {
    double learning_rate = 1e-3;  ///< > 0
    double beta1 = 0.9;           ///< in [0, 1): decay of the mean of the gradients
    double beta2 = 0.999;         ///< in [0, 1): decay of the mean of their squares
    double epsilon = 1e-8;        ///< > 0; added after the bias correction, as in PyTorch
};

namespace detail {

inline void require_adam(const AdamOptions& options) {
    require_positive(options.learning_rate, "Adam: learning_rate");
    require(options.beta1 >= 0.0 && options.beta1 < 1.0, "Adam: beta1 must lie in [0, 1)");
    require(options.beta2 >= 0.0 && options.beta2 < 1.0, "Adam: beta2 must lie in [0, 1)");
    require_positive(options.epsilon, "Adam: epsilon");
}

/// What Adam needs of a step: it is the same for all parameters.
struct AdamStep {
    float beta1;
    float beta2;
    float rate;           // learning_rate / (1 - beta1^t)
    float square_factor;  // 1 / (1 - beta2^t)
    float epsilon;

    AdamStep(const AdamOptions& options, std::uint64_t t)
        : beta1(static_cast<float>(options.beta1)),
          beta2(static_cast<float>(options.beta2)),
          rate(static_cast<float>(options.learning_rate / (1.0 - power(options.beta1, t)))),
          square_factor(static_cast<float>(1.0 / (1.0 - power(options.beta2, t)))),
          epsilon(static_cast<float>(options.epsilon)) {}

    void apply(std::span<float> values, std::span<const float> gradient, std::span<float> means,
               std::span<float> squares) const noexcept {
        for (std::size_t i = 0; i < values.size(); ++i) {
            const float g = gradient[i];
            means[i] += (1.0F - beta1) * (g - means[i]);
            squares[i] += (1.0F - beta2) * (g * g - squares[i]);
            values[i] -= rate * means[i] / (math::sqrt(squares[i] * square_factor) + epsilon);
        }
    }

private:
    [[nodiscard]] static double power(double base, std::uint64_t exponent) noexcept {
        double result = 1.0;
        for (; exponent > 0; exponent >>= 1, base *= base) {
            result *= (exponent & 1) != 0 ? base : 1.0;
        }
        return result;
    }
};

}  // namespace detail

/// Adam: steps that adapt to the mean and the spread of the gradients of each parameter.
///
///     m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///     p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
///
/// Cost      8 bytes per parameter
/// Source    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015
class Adam {
public:
    /// Errors    InvalidArgument if an option is out of range
    explicit Adam(std::size_t parameters, const AdamOptions& options = {})
        : options_(options), means_(parameters), squares_(parameters) {
        detail::require_adam(options);
    }

    /// Shapes    parameters, gradient: as many numbers as the constructor was told
    /// Errors    InvalidArgument if a size does not match
    void step(std::span<float> parameters, std::span<const float> gradient) {
        require(parameters.size() == means_.size() && gradient.size() == means_.size(),
                "Adam::step: parameters and gradient must have the size that Adam was made for");
        detail::AdamStep(options_, ++steps_).apply(parameters, gradient, means_, squares_);
    }

private:
    AdamOptions options_;
    std::uint64_t steps_ = 0;
    std::vector<float> means_;
    std::vector<float> squares_;
};

/// Adam for tables of embeddings: a step changes only the rows with a gradient. The means of other rows do not decay,
/// so it differs from Adam with zeros as their gradients; a step costs as much as its batch, whatever the size of the
/// table.
class LazyAdam {
public:
    /// Errors    InvalidArgument if an option is out of range
    LazyAdam(std::size_t rows, std::size_t width, const AdamOptions& options = {})
        : options_(options), means_(rows, width), squares_(rows, width) {
        detail::require_adam(options);
    }

    /// Shapes    table: rows x width, as the constructor was told
    /// Errors    InvalidArgument if a shape does not match, or the gradient has an id that is not below rows
    template <Executor E = Serial>
    void step(MatrixView<float> table, const SparseGradient<float>& gradient, E&& executor = E{}) {
        require(table.rows() == means_.rows() && table.cols() == means_.cols() &&
                    (gradient.ids().empty() || gradient.rows().cols() == means_.cols()),
                "LazyAdam::step: table and gradient must have the shape that LazyAdam was made for");
        if (!gradient.ids().empty()) {
            require_below(gradient.ids().back(), table.rows(), "LazyAdam::step: id of the gradient");
        }
        const detail::AdamStep step(options_, ++steps_);
        constexpr std::size_t id_grain = 64;
        executor.for_range(gradient.ids().size(), id_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const std::uint32_t id = gradient.ids()[i];
                step.apply(table.row(id), gradient.rows().row(i), means_.row(id), squares_.row(id));
            }
        });
    }

private:
    AdamOptions options_;
    std::uint64_t steps_ = 0;
    Matrix<float> means_;
    Matrix<float> squares_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
