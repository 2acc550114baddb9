// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/frozen_steps.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>

#include <cstddef>
#include <limits>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// What a network for service must reach, or it is not made.
struct QualityGate {
    MatrixView<const float> rows;  ///< n x in, n > 0: inputs as they will be served, not those of training
    double tolerance = 0.01;       ///< largest relative_error of the outputs
};

/// How far outputs are from those that are expected.
///
///     sqrt(sum (y - expected)^2 / sum expected^2),  over all numbers of all rows
///
/// Shapes    y, expected: n x out
/// Returns   0 if both are zeros; infinity if only `expected` is; not finite if one of the numbers is not
/// Errors    InvalidArgument if the shapes differ
[[nodiscard]] inline double relative_error(MatrixView<const float> y, MatrixView<const float> expected) {
    require(y.rows() == expected.rows() && y.cols() == expected.cols(),
            "relative_error: both must have the same number of rows and columns");
    double errors = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < y.rows(); ++i) {
        for (std::size_t j = 0; j < y.cols(); ++j) {
            const auto number = static_cast<double>(expected(i, j));
            const double error = static_cast<double>(y(i, j)) - number;
            errors += error * error;
            squares += number * number;
        }
    }
    if (squares == 0.0) {
        return errors == 0.0 ? 0.0 : std::numeric_limits<double>::infinity();
    }
    return math::sqrt(errors / squares);
}

/// A network for service whose weights take few bytes, if its outputs are near those of freeze(tower).
///
///     const auto frozen = freeze<kernels::ScaledInt8>(tower, {.rows = sample, .tolerance = 0.01});
///
/// Cost      that of both networks for all rows of the gate
/// Errors    InvalidArgument if the error is above the tolerance, with the error; if rows are missing, have another
///           width or are not finite; if the tolerance is not positive
template <kernels::StoredWeight Storage, class... Layers>
[[nodiscard]] Frozen<Storage, Layers...> freeze(const Tower<Layers...>& tower, const QualityGate& gate) {
    detail::require_width(gate.rows.cols(), Tower<Layers...>::in, "freeze: rows of the gate");
    require(gate.rows.rows() > 0, "freeze: the gate must have at least one row");
    for (std::size_t i = 0; i < gate.rows.rows(); ++i) {
        require(math::all_finite(gate.rows.row(i)), "freeze: rows of the gate must be finite");
    }
    require_positive(gate.tolerance, "freeze: tolerance of the gate");
    Frozen<Storage, Layers...> frozen(detail::Measured{}, tower.parameters(), tower.statistics());
    const Matrix<float> y = frozen.infer(gate.rows);
    const Matrix<float> expected = freeze(tower).infer(gate.rows);
    const double error = relative_error(y, expected);
    if (!math::is_finite(error) || error > gate.tolerance) {
        raise<InvalidArgument>("freeze: the relative error on the rows of the gate must be at most " +
                               funnel::detail::shortest(gate.tolerance) + ", got " + funnel::detail::shortest(error));
    }
    return frozen;
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
