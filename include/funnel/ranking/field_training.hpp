// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/ranking/binary_labels.hpp>
#include <funnel/ranking/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

struct FieldRankerOptions {
    std::size_t epochs = 1;             ///< passes over all rows; such models often overfit in the second pass
    std::size_t batch = 1024;           ///< rows per step, at least 1
    float learning_rate = 1e-3F;        ///< of the network, by Adam, > 0
    float table_learning_rate = 1e-2F;  ///< of the embeddings, by LazyAdam, > 0
    float l2 = 0.0F;                    ///< L2 penalty on the embeddings that a batch uses, >= 0
    float init_scale = 0.01F;           ///< standard deviation of the initial embeddings, > 0
    std::uint64_t seed = 1;
};

namespace detail {

/// Checks the options of a model with this name.
inline FieldRankerOptions checked(const FieldRankerOptions& options, const std::string& model) {
    require_at_least(options.batch, 1, (model + ": batch").c_str());
    require_positive(options.learning_rate, (model + ": learning_rate").c_str());
    require_positive(options.table_learning_rate, (model + ": table_learning_rate").c_str());
    require_not_negative(options.l2, (model + ": l2").c_str());
    require_positive(options.init_scale, (model + ": init_scale").c_str());
    return options;
}

inline void require_finite_features(MatrixView<const float> features, const std::string& function) {
    const std::string what = function + ": a dense feature";
    for (std::size_t i = 0; i < features.rows(); ++i) {
        for (const float& x : features.row(i)) {
            require_finite(x, what.c_str());
        }
    }
}

/// Checks that rows have the fields of a schema and dense features that are finite.
template <class Schema>
void require_rows(const FieldRows& rows, const std::string& function) {
    if (rows.ids.cols() != Schema::fields || rows.dense.cols() != Schema::dense ||
        (Schema::dense > 0 && rows.dense.rows() != rows.ids.rows())) {
        raise<InvalidArgument>(function + ": rows must have " + std::to_string(Schema::fields) + " ids and " +
                               std::to_string(Schema::dense) + " dense features each, got " +
                               std::to_string(rows.ids.rows()) + " x " + std::to_string(rows.ids.cols()) + " ids and " +
                               std::to_string(rows.dense.rows()) + " x " + std::to_string(rows.dense.cols()) +
                               " dense features");
    }
    require_finite_features(rows.dense, function);
}

/// Labels per row that a loss takes for so many logits: one each, if the loss says nothing else.
template <class Loss>
[[nodiscard]] constexpr std::size_t labels_of(std::size_t logits) noexcept {
    if constexpr (requires { Loss::label_columns; }) {
        return Loss::label_columns;
    } else {
        return logits;
    }
}

/// Checks that each label is one that a loss allows: 0 or 1 if the loss has no rule of its own.
template <class Loss>
void require_labels(MatrixView<const float> labels, const std::string& function) {
    for (std::size_t i = 0; i < labels.rows(); ++i) {
        for (const float& y : labels.row(i)) {
            if constexpr (requires { Loss::is_label(y); }) {
                if (!Loss::is_label(y)) {
                    raise<InvalidArgument>(function + ": a label of row " + std::to_string(i) + " " + Loss::label_rule +
                                           ", got " + std::to_string(y));
                }
            } else {
                require_binary_label(y, i, function);
            }
        }
    }
}

/// Adds the gradient of an L2 penalty on the used rows of a table.
inline void add_penalty(float l2, MatrixView<const float> table, nn::SparseGradient<float>& gradient) {
    for (std::size_t u = 0; l2 > 0.0F && u < gradient.ids().size(); ++u) {
        const std::span<const float> values = table.row(gradient.ids()[u]);
        const std::span<float> sums = gradient.rows().row(u);
        for (std::size_t k = 0; k < values.size(); ++k) {
            sums[k] += l2 * values[k];
        }
    }
}

/// Whether a request, of a user and candidates, has the fields and dense features of a schema.
template <class Schema, class Request>
[[nodiscard]] bool fits(const Request& request) noexcept {
    return request.user_ids.size() == Schema::user_fields && request.user_dense.size() == Schema::user_dense &&
           request.item_ids.cols() == Schema::item_fields && request.item_dense.cols() == Schema::item_dense &&
           (Schema::item_dense == 0 || request.item_dense.rows() == request.item_ids.rows());
}

/// Checks that, and that the dense features are finite.
template <class Schema, class Request>
void require_request(const Request& request, const std::string& function) {
    require(fits<Schema>(request),
            (function + ": the request must have the fields and dense features of the schema").c_str());
    require_finite_features(MatrixView<const float>(request.user_dense, 1, Schema::user_dense), function);
    require_finite_features(request.item_dense, function);
}

inline void require_finite_logits(MatrixView<const float> logits, const std::string& function) {
    const std::string what = function + ": a logit";
    for (std::size_t i = 0; i < logits.rows(); ++i) {
        for (const float& logit : logits.row(i)) {
            require_finite(logit, what.c_str());
        }
    }
}

[[nodiscard]] inline Matrix<float> probabilities(Matrix<float> logits) {
    for (std::size_t i = 0; i < logits.rows(); ++i) {
        for (float& p : logits.row(i)) {
            p = static_cast<float>(logistic(static_cast<double>(p)));
        }
    }
    return logits;
}

}  // namespace detail

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
