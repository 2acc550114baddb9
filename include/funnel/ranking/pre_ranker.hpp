// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/fm_interaction.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/ranking/binary_labels.hpp>
#include <funnel/ranking/field_ranker.hpp>
#include <funnel/ranking/task_losses.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

// Layer L on the user's part of a row. In service, it is computed once for all candidates.
template <std::size_t In, nn::Layer L>
struct UserTower : nn::Sequential<nn::Columns<In, 0, L::in>, L> {
    static constexpr const char* name = "UserTower";

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t /*rows*/) noexcept { return L::scratch(1); }

    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
        requires(Head == L::in)
    static void infer_split(std::span<const T> trained, std::span<const T> collected, std::span<const T> head,
                            MatrixView<const T> /*tail*/, MatrixView<T> y, std::span<T> scratch) noexcept {
        if (y.rows() == 0) {
            return;
        }
        L::template infer<Backend, T>(trained, collected, MatrixView<const T>(head, 1, Head), y.rows_from(0, 1),
                                      scratch);
        for (std::size_t i = 1; i < y.rows(); ++i) {
            std::copy_n(y.row(0).begin(), L::out, y.row(i).begin());
        }
    }
};

template <class Schema, std::size_t Width, std::size_t... Hidden>
struct PreRankerNetwork {
    static constexpr std::size_t item_columns = Schema::columns - Schema::user_columns;
    static_assert(Schema::user_columns > 0 && item_columns > 0,
                  "PreRanker: there must be features of the user and of the item");
    using User = UserTower<Schema::columns, nn::MLP<Schema::user_columns, Hidden..., Width>>;
    using Item = nn::Sequential<nn::Columns<Schema::columns, Schema::user_columns, item_columns>,
                                nn::MLP<item_columns, Hidden..., Width>>;
    using type = nn::Sequential<nn::Parallel<User, Item>, nn::FMInteraction<2, Width>>;
};

}  // namespace detail

/// A pre-ranker: a tower of the user, a tower of the item, and the inner product of their vectors. It is cheap enough
/// for the thousands of candidates of retrieval, of which it leaves some hundreds to a deep ranker.
///
///     logit = linear(ids) + <MLP(user's features), MLP(item's features)>
///
///     using Student = PreRanker<Features, 16, 32>;  // vectors of 16 numbers, one hidden layer of 32
///
/// Labels may be those of a teacher: see taught_labels.
///
/// Cost      per candidate the tower of the item; that of the user once per request
template <class Schema, std::size_t Width, std::size_t... Hidden>
using PreRanker =
    FieldRanker<Schema, typename detail::PreRankerNetwork<Schema, Width, Hidden...>::type, true, SoftLoglossPerTask>;

/// Labels for a student that is taught by a teacher: with them, its logloss is
///
///     (1 - teacher_weight) logloss(s, y) + teacher_weight logloss(s, sigmoid(teacher logit))
///     label = (1 - teacher_weight) y + teacher_weight sigmoid(teacher logit)
///
/// Candidates of retrieval that were never shown have no label: let the teacher label them alone, with the second form.
/// Train on both, because a student that sees only what was shown is asked about what was not.
///
/// Shapes    labels: n, each in [0, 1];  teacher_logits: n
/// Returns   n labels in [0, 1]
/// Errors    InvalidArgument if a shape does not match, or a number is out of range or not finite
/// Source    Hinton et al., "Distilling the knowledge in a neural network", 2015 (for two classes)
[[nodiscard]] inline std::vector<float> taught_labels(std::span<const float> labels,
                                                      std::span<const float> teacher_logits, float teacher_weight) {
    require_equal(teacher_logits.size(), labels.size(), "taught_labels: number of teacher_logits");
    require_between(teacher_weight, 0.0, 1.0, "taught_labels: teacher_weight");
    std::vector<float> taught(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i) {
        require_between(labels[i], 0.0, 1.0, "taught_labels: a label");
        require_finite(teacher_logits[i], "taught_labels: a teacher logit");
        const double probability = detail::logistic(static_cast<double>(teacher_logits[i]));
        const auto weight = static_cast<double>(teacher_weight);
        taught[i] = static_cast<float>((1.0 - weight) * static_cast<double>(labels[i]) + weight * probability);
    }
    return taught;
}

/// The labels of a teacher alone.
[[nodiscard]] inline std::vector<float> taught_labels(std::span<const float> teacher_logits) {
    return taught_labels(std::vector<float>(teacher_logits.size()), teacher_logits, 1.0F);
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
