// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

#include <cstddef>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

namespace detail {

// Cosines of floats need squared norms in the range of float.
inline void require_finite_norms(MatrixView<const float> rows, const char* what) {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        double squared = 0.0;
        for (const float x : rows.row(i)) {
            squared += static_cast<double>(x) * static_cast<double>(x);
        }
        if (!math::is_finite(squared) || squared > 3.24e38) {
            raise<InvalidArgument>(std::string(what) + ": row " + std::to_string(i) +
                                   " must be finite and have a norm of at most 1.8e19");
        }
    }
}

}  // namespace detail

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
