// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/features/feature_rows.hpp>
#include <funnel/io/container.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/dense_optimiser.hpp>
#include <funnel/nn/update_rule.hpp>
#include <funnel/ranking/binary_labels.hpp>
#include <funnel/ranking/row_descent.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

struct FMOptions {
    std::size_t factors = 8;      ///< length of each feature's vector, < 2^32; 0 gives a linear model
    std::size_t epochs = 20;      ///< passes over all rows; 0 gives the initial model
    float learning_rate = 0.05F;  ///< > 0
    float l2 = 1e-5F;             ///< L2 penalty on the weights and vectors of a row's features
    float init_scale = 0.01F;     ///< standard deviation of the initial vectors
    std::uint64_t seed = 1;       ///< seed of the initial vectors and of the row order
};

/// Factorization machine: a linear model plus an interaction for each pair of features, the inner product of their
/// vectors. It can predict interactions of pairs that do not occur together in training, as in sparse user x item data.
///
///     logit(x) = b + sum_j w_j x_j + sum over pairs i < j of <v_i, v_j> x_i x_j
///              = b + sum_j w_j x_j + 1/2 sum over factors f of (sum_j v_jf x_j)^2 - sum_j (v_jf x_j)^2
///
/// Features are not standardized: bring dense features to a common scale, about [-1, 1].
///
/// Cost      O(m factors) per row with m nonzero features; O(d factors) memory
/// Source    Rendle, "Factorization machines", ICDM 2010 (lemma 3.1)
class FM {
public:
    /// Learns from rows and labels by gradient descent, one step per row and epoch, on the loss
    ///
    ///     logloss(logit(x), y) + l2 / 2 (sum over features j of x of w_j^2 + |v_j|^2)
    ///
    /// Each step depends on the previous one, so fit uses one thread. executor receives the progress and can stop fit.
    /// Rule is that of the steps, such as nn::SGDRule; options hold its learning rate.
    ///
    /// Shapes    rows: n x d, a MatrixView<const float> or a CSRMatrix<float>;  labels: n, each 0 or 1
    /// Errors    InvalidArgument if the shapes do not match, a label is neither 0 nor 1, a feature is not finite, an
    ///           option is out of range, or training diverges
    template <nn::UpdateRule Rule = nn::AdagradRule, Executor E = Serial>
    [[nodiscard]] static FM fit(features::FeatureRows rows, std::span<const float> labels,
                                const FMOptions& options = {}, E&& executor = E{}) {
        detail::require_trainable(rows, labels, options, "FM");

        FM model(rows.cols(), options.factors);
        constexpr Stream vector_stream = stream("fm.vectors");
        for (std::size_t j = 0; j < model.features(); ++j) {
            Random random(options.seed, vector_stream, j);
            for (float& v : model.vectors_.row(j)) {
                v = options.init_scale * static_cast<float>(random.normal());
            }
        }

        auto optimiser =
            detail::optimiser_of<Rule>(1 + model.features() * (1 + options.factors), options.learning_rate);
        std::vector<double> sums(model.sums_size());
        std::vector<float> gradients(model.sums_size());
        detail::for_each_row(rows.rows(), options, stream("fm.order"), "FM", executor, [&](std::size_t i) {
            model.learn(rows, i, labels[i], static_cast<double>(options.l2), optimiser, sums, gradients);
        });
        require(model.is_finite(), "FM::fit: training diverged; try a smaller learning_rate or init_scale");
        return model;
    }

    FM(const FM&) = default;
    FM(FM&&) noexcept = default;
    FM& operator=(const FM& other) { return *this = FM(other); }  // strong guarantee
    FM& operator=(FM&& other) noexcept {
        FM taken(std::move(other));
        std::swap(bias_, taken.bias_);
        weights_.swap(taken.weights_);
        std::swap(vectors_, taken.vectors_);
        return *this;
    }
    ~FM() = default;

    /// The logits of n rows; higher means more likely.
    ///
    /// Returns   finite numbers: logits are clamped to the range of float
    /// Errors    InvalidArgument if the number of features differs from training, or a feature is not finite
    [[nodiscard]] std::vector<float> score(features::FeatureRows rows) const {
        return each(rows, [](double logit) { return logit; });
    }

    /// The probabilities, in [0, 1].
    ///
    /// Errors    as score()
    [[nodiscard]] std::vector<float> predict(features::FeatureRows rows) const { return each(rows, detail::logistic); }

    [[nodiscard]] std::size_t features() const noexcept { return weights_.size(); }
    [[nodiscard]] std::size_t factors() const noexcept { return vectors_.cols(); }
    [[nodiscard]] float bias() const noexcept { return bias_; }
    [[nodiscard]] std::span<const float> weights() const noexcept FUNNEL_LIFETIMEBOUND {
        return {weights_.data(), weights_.size()};
    }
    /// One row per feature.
    [[nodiscard]] MatrixView<const float> vectors() const noexcept FUNNEL_LIFETIMEBOUND { return vectors_; }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("factors", std::uint64_t{factors()});
        file.value("bias", bias_);
        file.array("weights", weights_);
        if (factors() > 0) {
            file.matrix("vectors", vectors_);
        }
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static FM load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const auto factors = file.value<std::uint64_t>("factors");
        FM model(0, 0);
        model.bias_ = file.value<float>("bias");
        model.weights_ = file.array<float>("weights");
        model.vectors_ = factors == 0 ? Matrix<float>(model.features(), 0)
                                      : file.matrix<float>("vectors", model.features(), factors);
        file.check(model.is_finite(), "vectors", "bias, weights and vectors must be finite");
        return model;
    }

private:
    static constexpr std::string_view kind = "ranking.FM";
    static constexpr std::uint32_t layout_version = 1;

    FM(std::size_t features, std::size_t factors) : weights_(features, 0.0F), vectors_(features, factors) {}

    // Without features no sums are needed, even if a file states a large number of factors.
    [[nodiscard]] std::size_t sums_size() const noexcept { return features() > 0 ? factors() : 0; }

    [[nodiscard]] bool is_finite() const noexcept {
        bool is_finite = math::is_finite(bias_) && math::all_finite(weights_);
        for (std::size_t j = 0; j < features(); ++j) {
            is_finite = is_finite && math::all_finite(vectors_.row(j));
        }
        return is_finite;
    }

    // The logit of row i. Writes sum_j v_jf x_j for each factor f to sums.
    [[nodiscard]] double logit(const features::FeatureRows& rows, std::size_t i, std::span<double> sums) const {
        std::fill(sums.begin(), sums.end(), 0.0);
        auto linear = static_cast<double>(bias_);
        double squares = 0.0;
        rows.for_each(i, [&](std::size_t j, float value) {
            const auto x = static_cast<double>(value);
            linear += static_cast<double>(weights_[j]) * x;
            const auto vector = vectors_.row(j);
            double so_far = squares;  // a local, so that it stays in a register
            for (std::size_t f = 0; f < sums.size(); ++f) {
                const double share = static_cast<double>(vector[f]) * x;
                sums[f] += share;
                so_far += share * share;
            }
            squares = so_far;
        });
        double square_of_sums = 0.0;
        for (const double sum : sums) {
            square_of_sums += sum * sum;
        }
        return linear + 0.5 * (square_of_sums - squares);
    }

    // One step: d logit / d b = 1,  / d w_j = x_j,  / d v_jf = x_j (sum_f - v_jf x_j).
    template <class Optimiser>
    void learn(const features::FeatureRows& rows, std::size_t i, float label, double l2, Optimiser& optimiser,
               std::span<double> sums, std::span<float> gradients) {
        const double error = detail::logistic(logit(rows, i, sums)) - static_cast<double>(label);
        optimiser.begin_step();
        const auto of_bias = static_cast<float>(error);
        optimiser.update(0, std::span(&bias_, 1), std::span(&of_bias, 1));
        rows.for_each(i, [&](std::size_t j, float value) {
            const auto x = static_cast<double>(value);
            const std::size_t parameter = 1 + j * (1 + factors());
            const auto of_weight = static_cast<float>(error * x + l2 * static_cast<double>(weights_[j]));
            optimiser.update(parameter, std::span(&weights_[j], 1), std::span(&of_weight, 1));
            const auto vector = vectors_.row(j);
            for (std::size_t f = 0; f < sums.size(); ++f) {
                const auto v = static_cast<double>(vector[f]);
                gradients[f] = static_cast<float>(error * x * (sums[f] - v * x) + l2 * v);
            }
            optimiser.update(parameter + 1, vector, gradients);
        });
    }

    template <class Link>
    [[nodiscard]] std::vector<float> each(const features::FeatureRows& rows, Link&& link) const {
        std::vector<double> sums(sums_size());
        return detail::score_rows(rows, features(), "FM", [&](std::size_t i) { return logit(rows, i, sums); }, link);
    }

    float bias_ = 0.0F;
    std::vector<float> weights_;
    Matrix<float> vectors_;  // features x factors
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
