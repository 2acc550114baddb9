// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/kernels/reduce.hpp>
#include <funnel/kernels/softmax.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/loss.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

/// The score of a column that is left out of a softmax: its probability is exactly 0. Unlike minus infinity, it also
/// works under -ffast-math.
template <class T>
inline constexpr T left_out_score = std::numeric_limits<T>::lowest() / 2;

/// Replaces a row of scores by its softmax.
///
/// Returns   the logarithm of the sum of the exponentials of the scores
template <kernels::HostBackend Backend, std::floating_point T>
double softmax_row(std::span<T> row) noexcept {
    std::size_t largest = 0;
    if constexpr (std::same_as<T, float>) {
        // As kernels::argmax without its check for NaN: a training that diverges ends with an error of its own.
        largest = argmax(Backend{}, std::span<const float>(row));
    } else {
        largest = static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    }
    const auto score = static_cast<double>(row[largest]);
    if constexpr (std::same_as<T, float>) {
        kernels::softmax<Backend>(row);
    } else {
        double sum = 0.0;
        for (T& x : row) {
            x = math::exp(x - score);
            sum += x;
        }
        for (T& x : row) {
            x /= sum;
        }
    }
    return score -
           math::log(static_cast<double>(row[largest]));  // the largest probability is 1 / sum of exp(score - largest)
}

/// The sum of body(row) over all rows. Partial sums belong to chunks of rows, so the result does not depend on threads.
template <Executor E, class Body>
double sum_over_rows(std::size_t rows, E& executor, const Body& body) {
    std::vector<double> partial_sums((rows + row_grain - 1) / row_grain);
    executor.for_range(rows, row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t i = begin; i < end; ++i) {
            partial_sums[begin / row_grain] += body(i);
        }
    });
    double sum = 0.0;
    for (const double part : partial_sums) {
        sum += part;
    }
    return sum;
}

// Replaces a row of scores by the gradient of the cross-entropy; returns its value.
template <kernels::HostBackend Backend, std::floating_point T>
double cross_entropy_row(std::span<T> row, std::size_t target, double smoothing, double scale) noexcept {
    const auto m = static_cast<double>(row.size());
    double mean = 0.0;
    if (smoothing > 0.0) {
        for (const T& score : row) {
            mean += static_cast<double>(score) / m;
        }
    }
    const auto wanted = static_cast<double>(row[target]);
    const double log_sum = softmax_row<Backend>(row);
    for (T& p : row) {
        p = static_cast<T>(scale) * (p - static_cast<T>(smoothing / m));
    }
    row[target] -= static_cast<T>(scale * (1.0 - smoothing));
    return log_sum - (1.0 - smoothing) * wanted - smoothing * mean;
}

}  // namespace detail

struct CrossEntropyOptions {
    double smoothing = 0.0;  ///< in [0, 1): the share of the target that is spread evenly over all classes
};

/// Full softmax cross-entropy: each row of scores should put its target first. The right loss for a catalogue of up to
/// some 20,000 items: exact, and without a sampler.
///
///     loss = mean over rows of (log sum over j of exp(s_j)) - s_target;   gradient = (softmax(s) - onehot(target)) / n
///
/// Shapes    scores: n x m;  targets: n, each below m;  gradient: n x m, overwritten; it may be scores itself
/// Returns   the mean, 0 for no rows
/// Cost      O(n m)
/// Errors    InvalidArgument if a shape does not match, a target is not below m, or smoothing is out of range
/// Source    smoothing: Szegedy et al., "Rethinking the inception architecture for computer vision", CVPR 2016 (7)
template <kernels::HostBackend Backend = kernels::DefaultBackend, std::floating_point T, Executor E = Serial>
double cross_entropy(std::type_identity_t<MatrixView<const T>> scores, std::span<const std::uint32_t> targets,
                     MatrixView<T> gradient, const CrossEntropyOptions& options = {}, E&& executor = E{}) {
    detail::require_size(targets.size(), scores.rows(), "cross_entropy", "number of targets");
    require(gradient.rows() == scores.rows() && gradient.cols() == scores.cols(),
            "cross_entropy: gradient must have the shape of scores");
    require(options.smoothing >= 0.0 && options.smoothing < 1.0, "cross_entropy: smoothing must lie in [0, 1)");
    for (const std::uint32_t target : targets) {
        require_below(target, scores.cols(), "cross_entropy: target");
    }
    if (scores.rows() == 0) {
        return 0.0;
    }
    const double share = 1.0 / static_cast<double>(scores.rows());
    return share * detail::sum_over_rows(scores.rows(), executor, [&](std::size_t i) {
               const std::span<T> row = gradient.row(i);
               if (row.data() != scores.row(i).data()) {
                   std::copy(scores.row(i).begin(), scores.row(i).end(), row.begin());
               }
               return detail::cross_entropy_row<Backend>(row, targets[i], options.smoothing, share);
           });
}

/// The vectors of a batch of (user, item) pairs.
template <std::floating_point T>
struct InBatch {
    MatrixView<const T> users;        ///< n x d
    MatrixView<const T> items;        ///< m x d, m >= n: item i < n was taken by user i; others are negatives only
    std::span<const double> log_q{};  ///< m: logarithm of the probability that the item is in a batch; empty: no
                                      ///< correction
    std::span<const std::uint32_t> item_ids{};  ///< m: equal ids are the same item; empty: all differ
    /// Further columns that are left out: those of user i are left_out[left_out_starts[i]] and on, below m. The own
    /// item of a user stays. Empty: none
    std::span<const std::size_t> left_out_starts{};  ///< n + 1, ascending from 0
    std::span<const std::uint32_t> left_out{};
};

struct InBatchOptions {
    double temperature = 0.07;  ///< > 0; for unit vectors 0.05 - 0.1 is usual, for inner products 1
    bool in_batch = true;       ///< whether the items of other users are negatives; else only the items from n on are
};

/// Memory that in_batch_softmax reuses between calls.
template <std::floating_point T>
struct InBatchScratch {
    Matrix<T> scores;
};

namespace detail {

inline void require_left_out(std::span<const std::size_t> starts, std::span<const std::uint32_t> columns, std::size_t n,
                             std::size_t m) {
    require(starts.size() == n + 1 && starts.front() == 0 && starts.back() == columns.size() &&
                std::is_sorted(starts.begin(), starts.end()),
            "in_batch_softmax: left_out_starts must ascend from 0 to the number of columns that are left out, with one "
            "number per user and one more");
    for (const std::uint32_t column : columns) {
        require_below(column, m, "in_batch_softmax: column that is left out");
    }
}

}  // namespace detail

/// In-batch softmax of a two-tower model: among all items of the batch, each user should find the own one.
///
///     s_ij = <u_i, v_j> / temperature - log Q_j
///     loss = mean over users i of (log sum over j of exp(s_ij)) - s_ii
///
/// Q_j is how likely item j is in a batch. Popular items occur in many batches as negatives; subtracting log Q_j, also
/// for the own item, makes up for that. In service, there is no log Q.
///
/// An item that occurs twice in a batch would be a negative of the user who took it. If item_ids are given, such
/// columns are left out: their probability is exactly 0. So are those of left_out, such as items that the user took at
/// another time, and without options.in_batch the items of all other users: then the loss is a sampled softmax, whose
/// negatives all users share.
///
/// Shapes    d_users: n x d, d_items: m x d, overwritten with the gradients
/// Returns   the mean, 0 for no users
/// Cost      O(n m d) time, n m numbers of scratch memory
/// Errors    InvalidArgument if a shape does not match, temperature is out of range, or a log_q is not finite
/// Source    Yi et al., "Sampling-bias-corrected neural modeling for large corpus item recommendations", RecSys 2019
template <kernels::HostBackend Backend = kernels::DefaultBackend, std::floating_point T, Executor E = Serial>
double in_batch_softmax(const InBatch<T>& batch, const InBatchOptions& options, InBatchScratch<T>& scratch,
                        std::type_identity_t<MatrixView<T>> d_users, std::type_identity_t<MatrixView<T>> d_items,
                        E&& executor = E{}) {
    const std::size_t n = batch.users.rows();
    const std::size_t m = batch.items.rows();
    require(m >= n && batch.users.cols() == batch.items.cols(),
            "in_batch_softmax: there must be an item for each user, of the same dimension");
    require(d_users.rows() == n && d_users.cols() == batch.users.cols(),
            "in_batch_softmax: d_users must have the shape of users");
    require(d_items.rows() == m && d_items.cols() == batch.items.cols(),
            "in_batch_softmax: d_items must have the shape of items");
    require(batch.log_q.empty() || batch.log_q.size() == m, "in_batch_softmax: log_q must have one number per item");
    require(batch.item_ids.empty() || batch.item_ids.size() == m,
            "in_batch_softmax: item_ids must have one id per item");
    require_positive(options.temperature, "in_batch_softmax: temperature");
    const bool has_left_out = !batch.left_out_starts.empty();
    if (has_left_out) {
        detail::require_left_out(batch.left_out_starts, batch.left_out, n, m);
    }
    for (const double& log_q : batch.log_q) {
        require_finite(log_q, "in_batch_softmax: log_q");
    }
    for (std::size_t j = 0; j < m; ++j) {
        std::fill(d_items.row(j).begin(), d_items.row(j).end(), T{0});
    }
    if (n == 0) {
        return 0.0;
    }
    if (scratch.scores.rows() < n || scratch.scores.cols() != m) {
        scratch.scores = Matrix<T>(n, m);
    }
    const MatrixView<T> scores = scratch.scores.view().rows_from(0, n);
    executor.for_range(n, detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        kernels::gemm_nt<Backend>(batch.users.rows_from(begin, end - begin), batch.items, {},
                                  scores.rows_from(begin, end - begin));
    });
    const double share = 1.0 / static_cast<double>(n);
    const auto inverse = static_cast<T>(1.0 / options.temperature);
    const double loss = detail::sum_over_rows(n, executor, [&](std::size_t i) {
        const std::span<T> row = scores.row(i);
        for (std::size_t j = 0; j < m; ++j) {
            row[j] *= inverse;
        }
        for (std::size_t j = 0; j < batch.log_q.size(); ++j) {
            row[j] -= static_cast<T>(batch.log_q[j]);
        }
        const T own = row[i];
        for (std::size_t j = 0; j < batch.item_ids.size(); ++j) {
            if (batch.item_ids[j] == batch.item_ids[i]) {
                row[j] = detail::left_out_score<T>;
            }
        }
        for (std::size_t at = has_left_out ? batch.left_out_starts[i] : 0;
             has_left_out && at < batch.left_out_starts[i + 1]; ++at) {
            row[batch.left_out[at]] = detail::left_out_score<T>;
        }
        if (!options.in_batch) {
            std::fill(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(n), detail::left_out_score<T>);
        }
        row[i] = own;
        return detail::cross_entropy_row<Backend>(row, i, 0.0, share / options.temperature);
    });
    executor.for_range(n, detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        kernels::gemm_nn<Backend>(scores.rows_from(begin, end - begin), batch.items,
                                  d_users.rows_from(begin, end - begin));
    });
    executor.for_range(m, detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        kernels::gemm_tn<Backend>(scores.columns_from(begin, end - begin), batch.users,
                                  d_items.rows_from(begin, end - begin));
    });
    return share * loss;
}

/// InfoNCE in both directions, as CLIP trains a shared space: each row of a should find its row of b, and the other way
/// round. The mean of both in-batch softmax losses.
///
/// Shapes    a, b: n x d;  da, db: n x d, overwritten with the gradients
/// Returns   the mean, 0 for no rows
/// Cost      O(n^2 d) time, n^2 + 2 n d numbers of memory
/// Errors    InvalidArgument as in_batch_softmax
/// Source    Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021
///           (figure 3)
template <kernels::HostBackend Backend = kernels::DefaultBackend, std::floating_point T, Executor E = Serial>
double info_nce(std::type_identity_t<MatrixView<const T>> a, std::type_identity_t<MatrixView<const T>> b,
                const InBatchOptions& options, InBatchScratch<T>& scratch, MatrixView<T> da, MatrixView<T> db,
                E&& executor = E{}) {
    require(a.rows() == b.rows(), "info_nce: a and b must have the same number of rows");
    const double forth = in_batch_softmax<Backend, T>({.users = a, .items = b}, options, scratch, da, db, executor);
    Matrix<T> da_back(a.rows(), a.cols());
    Matrix<T> db_back(b.rows(), b.cols());
    const double back = in_batch_softmax<Backend, T>({.users = b, .items = a}, options, scratch, db_back.view(),
                                                     da_back.view(), executor);
    const auto average = [](MatrixView<T> first, const Matrix<T>& second) {
        for (std::size_t i = 0; i < first.rows(); ++i) {
            for (std::size_t j = 0; j < first.cols(); ++j) {
                first(i, j) = (first(i, j) + second(i, j)) / 2;
            }
        }
    };
    average(da, da_back);
    average(db, db_back);
    return (forth + back) / 2.0;
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
