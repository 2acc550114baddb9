// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/features/feature_rows.hpp>
#include <funnel/nn/dense_optimiser.hpp>
#include <funnel/nn/update_rule.hpp>
#include <funnel/ranking/binary_labels.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Checks the options, rows and labels of a factorization machine.
template <class Options>
void require_trainable(const features::FeatureRows& rows, std::span<const float> labels, const Options& options,
                       const std::string& model) {
    const std::string function = model + "::fit";
    if (options.factors > std::numeric_limits<std::uint32_t>::max()) {
        raise<InvalidArgument>(function + ": factors must be below 2^32, got " + std::to_string(options.factors));
    }
    require_positive(options.learning_rate, (function + ": learning_rate").c_str());
    require_not_negative(options.l2, (function + ": l2").c_str());
    require_not_negative(options.init_scale, (function + ": init_scale").c_str());
    require_binary_labels(labels, rows.rows(), function.c_str());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        features::detail::require_finite_row(rows, i, function.c_str());
    }
}

/// The optimiser of a rule with this learning rate, and the defaults of the rule for its other options.
template <nn::UpdateRule Rule>
[[nodiscard]] nn::DenseOptimiser<Rule> optimiser_of(std::size_t parameters, float learning_rate) {
    typename Rule::Options options;
    options.learning_rate = static_cast<double>(learning_rate);
    return nn::DenseOptimiser<Rule>(parameters, options);
}

/// Calls learn(i) for each row of each epoch, in an order that is drawn from the seed and the stream.
template <class Options, class E, class Learn>
void for_each_row(std::size_t rows, const Options& options, Stream order_stream, const char* model, E& executor,
                  Learn&& learn) {
    std::vector<std::size_t> order(rows);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t epoch = 0; epoch < options.epochs; ++epoch) {
        Random(options.seed, order_stream, epoch).shuffle(std::span(order));
        for (const std::size_t i : order) {
            learn(i);
        }
        report_progress(executor, model, epoch + 1, options.epochs);
    }
}

/// link(logit(i)) of each row, as finite floats.
template <class Logit, class Link>
[[nodiscard]] std::vector<float> score_rows(const features::FeatureRows& rows, std::size_t features, const char* model,
                                            Logit&& logit, Link&& link) {
    require_equal(rows.cols(), features, (std::string(model) + ": number of columns of rows").c_str());
    std::vector<float> out(rows.rows());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        features::detail::require_finite_row(rows, i, model);
        out[i] = finite_score(link(logit(i)));
    }
    return out;
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
