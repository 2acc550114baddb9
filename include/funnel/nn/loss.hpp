// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// The value of a loss, and its derivative with respect to each score.
struct LossGradient {
    double value = 0.0;
    std::vector<double> gradient;
};

/// Memory that losses reuse between calls. It grows to what the longest list needs.
struct LossScratch {
    std::vector<std::size_t> positions;
    std::vector<double> numbers;
};

/// One list of items that a loss is asked for, and where its answer goes.
struct LossList {
    std::span<const double> scores;
    std::span<const float> labels;
    std::size_t number = 0;      ///< position of the list: the index of its random numbers
    std::span<double> gradient;  ///< one per score, overwritten
    std::span<double> hessian;   ///< second derivatives, one per score, overwritten; empty if not wanted
};

/// A loss of a list of scored items, such as ListNet: a struct of settings.
///
///     double operator()(list, scratch)    writes the derivatives, and returns the value
///     name                                 for messages
///     is_label(y), label_rule              which labels it accepts, and the same in words: "must be finite"
///     has_hessian                          whether it fills LossList::hessian
///
/// Scores and labels that it is called with are valid.
template <class L>
concept Loss = requires(const L& loss, const LossList& list, LossScratch& scratch, const float& label) {
    { loss(list, scratch) } -> std::same_as<double>;
    { L::is_label(label) } -> std::same_as<bool>;
    { L::name } -> std::convertible_to<const char*>;
    { L::label_rule } -> std::convertible_to<const char*>;
    { L::has_hessian } -> std::convertible_to<bool>;
};

namespace detail {

/// The first n elements of memory, which grows if it has fewer.
template <class T>
[[nodiscard]] std::span<T> first_of(std::vector<T>& memory, std::size_t n) {
    if (memory.size() < n) {
        memory.resize(n);
    }
    return std::span(memory).first(n);
}

/// 1 / (1 + exp(-x)). For very negative x, exp(-x) is infinite and the result is 0, as intended.
template <std::floating_point T>
[[nodiscard]] T sigmoid(T x) noexcept {
    return T{1} / (T{1} + math::exp(-x));
}

/// log(1 + exp(x)), without overflow.
[[nodiscard]] inline double softplus(double x) noexcept {
    return std::max(x, 0.0) + math::log1p(math::exp(-math::abs(x)));
}

/// log(exp(a) + exp(b)), without overflow.
[[nodiscard]] inline double log_add(double a, double b) noexcept {
    return std::max(a, b) + math::log1p(math::exp(-math::abs(a - b)));
}

// Messages are put together only if something is wrong, so that a check allocates nothing.

inline void require_size(std::size_t size, std::size_t expected, const char* function, const char* what) {
    if (size != expected) [[unlikely]] {
        raise<InvalidArgument>(std::string(function) + ": " + what + " must be " + std::to_string(expected) + ", got " +
                               std::to_string(size));
    }
}

// where: which labels they are, if the name of the loss does not say so: "LambdaMART::fit: training rows: "
template <Loss L>
void require_labels(std::span<const float> labels, std::size_t scores, const char* where = "") {
    if (labels.size() != scores) [[unlikely]] {
        require_size(labels.size(), scores, (std::string(where) + L::name).c_str(), "number of labels");
    }
    const auto wrong = std::find_if(labels.begin(), labels.end(), [](const float& y) { return !L::is_label(y); });
    if (wrong != labels.end()) {
        raise<InvalidArgument>(std::string(where) + L::name + ": the label at position " +
                               std::to_string(wrong - labels.begin()) + " " + L::label_rule + ", got " +
                               std::to_string(*wrong));
    }
}

inline void require_groups(std::span<const std::size_t> group_sizes, std::size_t scores, const char* function) {
    std::size_t sum = group_sizes.empty() ? scores : 0;
    for (const std::size_t size : group_sizes) {
        sum = math::saturating_add(sum, size);
    }
    require_size(sum, scores, function, "sum of group_sizes");
}

}  // namespace detail

/// The value and the gradient of a loss, without allocation once the scratch memory has grown.
///
/// Shapes    gradient: n, overwritten;  hessian: n, overwritten with the second derivatives, or empty;  others as below
/// Returns   the value
/// Errors    as below; also if gradient or hessian has another size, or hessian is wanted of a loss that has none
template <Loss L>
double loss(const L& kind, std::span<const double> scores, std::span<const float> labels,
            std::span<const std::size_t> group_sizes, LossScratch& scratch, std::span<double> gradient,
            std::span<double> hessian = {}) {
    detail::require_labels<L>(labels, scores.size());
    const auto wrong = std::find_if(scores.begin(), scores.end(), [](const double& s) { return !math::is_finite(s); });
    if (wrong != scores.end()) {
        raise<InvalidArgument>(std::string(L::name) + ": the score at position " +
                               std::to_string(wrong - scores.begin()) + " must be finite");
    }
    detail::require_groups(group_sizes, scores.size(), L::name);
    detail::require_size(gradient.size(), scores.size(), L::name, "size of gradient");
    require(hessian.empty() || L::has_hessian, "loss: hessian must be empty, because this loss has none");
    require(hessian.empty() || hessian.size() == scores.size(), "loss: hessian must have one element per score");

    const std::size_t whole = scores.size();
    const auto sizes = group_sizes.empty() ? std::span(&whole, 1) : group_sizes;
    double value = 0.0;
    std::size_t begin = 0;
    for (std::size_t g = 0; g < sizes.size(); ++g) {
        if (sizes[g] > 0) {
            value += kind(LossList{.scores = scores.subspan(begin, sizes[g]),
                                   .labels = labels.subspan(begin, sizes[g]),
                                   .number = g,
                                   .gradient = gradient.subspan(begin, sizes[g]),
                                   .hessian = hessian.empty() ? hessian : hessian.subspan(begin, sizes[g])},
                          scratch);
        }
        begin += sizes[g];
    }
    return value;
}

/// The value and the gradient of a loss.
///
///     const auto [value, gradient] = nn::loss(nn::ListNet{}, scores, labels, group_sizes);
///
/// Shapes    scores, labels: n, one per item;  group_sizes: number of items of each list, in order, 0 for an empty one;
///           without group_sizes, all items form one list
/// Returns   the sum over all lists (not the mean) and its derivatives
/// Errors    InvalidArgument if the sizes do not match, a score is NaN or infinite, or the loss does not accept a label
template <Loss L>
[[nodiscard]] LossGradient loss(const L& kind, std::span<const double> scores, std::span<const float> labels,
                                std::span<const std::size_t> group_sizes = {}) {
    LossGradient result{.gradient = std::vector<double>(scores.size())};
    LossScratch scratch;
    result.value = loss(kind, scores, labels, group_sizes, scratch, result.gradient);
    return result;
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
