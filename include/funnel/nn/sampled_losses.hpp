// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/listwise_losses.hpp>
#include <funnel/nn/loss.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Scores of n positives, each with k negatives of its own, and where the gradients go.
template <std::floating_point T>
struct SampledScores {
    std::span<const T> positives;   ///< n
    MatrixView<const T> negatives;  ///< n x k
    std::span<T> d_positives;       ///< n, overwritten
    MatrixView<T> d_negatives;      ///< n x k, overwritten
};

namespace detail {

template <class T>
void require_shapes(const SampledScores<T>& scores, const char* function) {
    const std::size_t n = scores.positives.size();
    require_size(scores.negatives.rows(), n, function, "rows of negatives");
    require_size(scores.d_positives.size(), n, function, "size of d_positives");
    require_size(scores.d_negatives.rows(), n, function, "rows of d_negatives");
    require_size(scores.d_negatives.cols(), scores.negatives.cols(), function, "columns of d_negatives");
}

}  // namespace detail

/// BPR: a positive should score higher than each of its negatives.
///
///     loss = mean over pairs of softplus(s- - s+)
///
/// It is finite for every finite score, unlike -log(sigmoid(x) + 1e-10), which stops learning at 23.
///
/// Returns   the mean, 0 without pairs
/// Cost      O(n k)
/// Errors    InvalidArgument if a shape does not match
/// Source    Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009
template <std::floating_point T>
double bpr_loss(const SampledScores<T>& scores) {
    detail::require_shapes(scores, "bpr_loss");
    const double pairs = static_cast<double>(scores.positives.size()) * static_cast<double>(scores.negatives.cols());
    double value = 0.0;
    for (std::size_t i = 0; i < scores.positives.size(); ++i) {
        double slope = 0.0;
        for (std::size_t j = 0; j < scores.negatives.cols(); ++j) {
            const double gap = static_cast<double>(scores.negatives(i, j)) - static_cast<double>(scores.positives[i]);
            const double p = detail::sigmoid(gap);
            value += detail::softplus(gap) / pairs;
            slope += p;
            scores.d_negatives(i, j) = static_cast<T>(p / pairs);
        }
        scores.d_positives[i] = static_cast<T>(pairs > 0.0 ? -slope / pairs : 0.0);
    }
    return value;
}

/// Sampled softmax: a positive against k negatives that were drawn with known probabilities. With its correction, its
/// gradient estimates that of the full softmax.
///
///     s' = s - log Q(item);   loss = mean over rows of log(exp(s'+) + sum over negatives of exp(s'-)) - s'+
///
/// Shapes    log_q_positives: n;  log_q_negatives: n x k; both empty: no correction, as for negatives of equal
///           probability
/// Returns   the mean, 0 without rows
/// Cost      O(n k)
/// Errors    InvalidArgument if a shape does not match
/// Source    Jean et al., "On using very large target vocabulary for neural machine translation", ACL 2015
template <std::floating_point T>
double sampled_softmax_loss(const SampledScores<T>& scores, std::span<const double> log_q_positives = {},
                            MatrixView<const double> log_q_negatives = {}) {
    constexpr const char* function = "sampled_softmax_loss";
    detail::require_shapes(scores, function);
    const std::size_t n = scores.positives.size();
    const std::size_t k = scores.negatives.cols();
    const bool is_corrected = !log_q_positives.empty() || log_q_negatives.rows() > 0;
    if (is_corrected) {
        detail::require_size(log_q_positives.size(), n, function, "size of log_q_positives");
        detail::require_size(log_q_negatives.rows(), n, function, "rows of log_q_negatives");
        detail::require_size(log_q_negatives.cols(), k, function, "columns of log_q_negatives");
    }
    const double share = 1.0 / static_cast<double>(n);
    double value = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        const auto negative = [&](std::size_t j) {
            return static_cast<double>(scores.negatives(i, j)) - (is_corrected ? log_q_negatives(i, j) : 0.0);
        };
        const double positive = static_cast<double>(scores.positives[i]) - (is_corrected ? log_q_positives[i] : 0.0);
        double log_sum = positive;
        for (std::size_t j = 0; j < k; ++j) {
            log_sum = detail::log_add(log_sum, negative(j));
        }
        value += share * (log_sum - positive);
        scores.d_positives[i] = static_cast<T>(share * (math::exp(positive - log_sum) - 1.0));
        for (std::size_t j = 0; j < k; ++j) {
            scores.d_negatives(i, j) = static_cast<T>(share * math::exp(negative(j) - log_sum));
        }
    }
    return value;
}

struct GBCEOptions {
    std::size_t items = 0;      ///< of the catalogue, more than the negatives of a row
    double calibration = 0.75;  ///< t in [0, 1]; 0: plain BCE, 1: probabilities that need no correction
};

/// gBCE: binary cross-entropy of one positive and k sampled negatives, without the overconfidence that negative
/// sampling causes. The positive's term is scaled by beta.
///
///     alpha = k / (items - 1);   beta = alpha (t (1 - 1 / alpha) + 1 / alpha)
///     loss = mean over rows of beta softplus(-s+) + sum over negatives of softplus(s-)
///
/// Returns   the mean, 0 without rows
/// Cost      O(n k)
/// Errors    InvalidArgument if a shape does not match, there are no negatives, or an option is out of range
/// Source    Petrov and Macdonald, "gSASRec", RecSys 2023 (section 5)
template <std::floating_point T>
double gbce_loss(const SampledScores<T>& scores, const GBCEOptions& options) {
    detail::require_shapes(scores, "gbce_loss");
    const std::size_t k = scores.negatives.cols();
    require(k > 0 && options.items > k, "gbce_loss: items must be more than the negatives of a row, which must exist");
    require_between(options.calibration, 0.0, 1.0, "gbce_loss: calibration");
    const double alpha = static_cast<double>(k) / static_cast<double>(options.items - 1);
    const double beta = alpha * (options.calibration * (1.0 - 1.0 / alpha) + 1.0 / alpha);
    const double share = 1.0 / static_cast<double>(scores.positives.size());
    double value = 0.0;
    for (std::size_t i = 0; i < scores.positives.size(); ++i) {
        const auto positive = static_cast<double>(scores.positives[i]);
        value += share * beta * detail::softplus(-positive);
        scores.d_positives[i] = static_cast<T>(-share * beta * detail::sigmoid(-positive));
        for (std::size_t j = 0; j < k; ++j) {
            const auto negative = static_cast<double>(scores.negatives(i, j));
            value += share * detail::softplus(negative);
            scores.d_negatives(i, j) = static_cast<T>(share * detail::sigmoid(negative));
        }
    }
    return value;
}

/// Distillation: the student's scores of a list should have the softmax of the teacher's, at temperature T.
///
///     loss = T^2 KL(softmax(teacher / T) || softmax(student / T))
///     gradient = T (softmax(student / T) - softmax(teacher / T))
///
/// Shapes    teacher, student, gradient: n; gradient is overwritten
/// Returns   0 for an empty list
/// Cost      O(n)
/// Errors    InvalidArgument if a shape does not match or temperature is out of range
/// Source    Hinton et al., "Distilling the knowledge in a neural network", 2015
template <std::floating_point T>
double distillation_loss(std::type_identity_t<std::span<const T>> teacher,
                         std::type_identity_t<std::span<const T>> student, double temperature, std::span<T> gradient) {
    detail::require_size(teacher.size(), student.size(), "distillation_loss", "size of teacher");
    detail::require_size(gradient.size(), student.size(), "distillation_loss", "size of gradient");
    require_positive(temperature, "distillation_loss: temperature");
    if (student.empty()) {
        return 0.0;
    }
    const auto log_sum = [&](std::span<const T> scores) {
        double sum = static_cast<double>(scores[0]) / temperature;
        for (const T& score : scores.subspan(1)) {
            sum = detail::log_add(sum, static_cast<double>(score) / temperature);
        }
        return sum;
    };
    const double teacher_sum = log_sum(teacher);
    const double student_sum = log_sum(student);
    double value = 0.0;
    for (std::size_t i = 0; i < student.size(); ++i) {
        const double log_p = static_cast<double>(teacher[i]) / temperature - teacher_sum;
        const double log_q = static_cast<double>(student[i]) / temperature - student_sum;
        const double p = math::exp(log_p);
        value += temperature * temperature * p * (log_p - log_q);
        gradient[i] = static_cast<T>(temperature * (math::exp(log_q) - p));
    }
    return value;
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
