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
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

struct FFMOptions {
    std::vector<std::uint32_t> fields{};  ///< the field of each feature, from 0; empty: each feature is its own field
    std::size_t factors = 4;              ///< length of each vector, < 2^32; 0 gives a linear model
    std::size_t epochs = 10;      ///< passes over all rows; 0 gives the initial model; many overfit, so hold rows out
    float learning_rate = 0.05F;  ///< > 0
    float l2 = 2e-5F;             ///< L2 penalty on the weights and vectors that a row uses
    float init_scale = 0.1F;      ///< standard deviation of the initial vectors
    std::uint64_t seed = 1;       ///< seed of the initial vectors and of the row order
};

/// Field-aware factorization machine: each feature has one vector per field, and meets a feature of a field with the
/// vector that it has for this field. FM has one vector for all.
///
///     logit(x) = b + sum_j w_j x_j + sum over pairs i < j of <v_i,field(j), v_j,field(i)> x_i x_j
///
/// A field is a group of features of which a row has few, such as the countries or the items in one-hot form. Features
/// are not standardized: bring dense features to a common scale, about [-1, 1].
///
/// Cost      O(m^2 factors) per row with m nonzero features; O(d fields factors) memory
/// Source    Juan et al., "Field-aware factorization machines for CTR prediction", RecSys 2016 (eq. 4); the linear part
///           is that of FM
class FFM {
public:
    /// Learns from rows and labels by gradient descent, one step per row and epoch, on the loss
    ///
    ///     logloss(logit(x), y) + l2 / 2 (squares of the weights and vectors that logit(x) reads, but b)
    ///
    /// Each step depends on the previous one, so fit uses one thread. executor receives the progress and can stop fit.
    /// Rule is that of the steps, such as nn::SGDRule; options hold its learning rate.
    ///
    /// Shapes    rows: n x d, a MatrixView<const float> or a CSRMatrix<float>;  labels: n, each 0 or 1
    /// Errors    InvalidArgument if the shapes do not match, a label is neither 0 nor 1, a feature is not finite, an
    ///           option is out of range, there is not one field below d per feature, or training diverges
    template <nn::UpdateRule Rule = nn::AdagradRule, Executor E = Serial>
    [[nodiscard]] static FFM fit(features::FeatureRows rows, std::span<const float> labels,
                                 const FFMOptions& options = {}, E&& executor = E{}) {
        detail::require_trainable(rows, labels, options, "FFM");
        std::vector<std::uint32_t> fields = options.fields;
        if (fields.empty()) {
            fields.resize(rows.cols());
            std::iota(fields.begin(), fields.end(), std::uint32_t{0});
        }
        require(are_fields(fields, rows.cols()),
                "FFM::fit: fields must have one number below d for each of d features");

        FFM model(std::move(fields), options.factors);
        for (std::size_t j = 0; j < model.features(); ++j) {
            Random random(options.seed, stream("ffm.vectors"), j);
            for (float& v : model.vectors_.row(j)) {
                v = options.init_scale * static_cast<float>(random.normal());
            }
        }
        auto optimiser = detail::optimiser_of<Rule>(1 + model.features() * model.of_feature(), options.learning_rate);
        Row row;
        Gradients gradients;
        detail::for_each_row(rows.rows(), options, stream("ffm.order"), "FFM", executor, [&](std::size_t i) {
            model.read(rows, i, row);
            model.learn(row, labels[i], static_cast<double>(options.l2), optimiser, gradients);
        });
        require(model.is_finite(), "FFM::fit: training diverged; try a smaller learning_rate or init_scale");
        return model;
    }

    FFM(const FFM&) = default;
    FFM(FFM&&) noexcept = default;
    FFM& operator=(const FFM& other) { return *this = FFM(other); }  // strong guarantee
    FFM& operator=(FFM&& other) noexcept {
        FFM taken(std::move(other));
        std::swap(bias_, taken.bias_);
        std::swap(factors_, taken.factors_);
        fields_.swap(taken.fields_);
        weights_.swap(taken.weights_);
        std::swap(vectors_, taken.vectors_);
        return *this;
    }
    ~FFM() = default;

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
    [[nodiscard]] std::size_t factors() const noexcept { return factors_; }
    [[nodiscard]] float bias() const noexcept { return bias_; }
    /// The field of each feature.
    [[nodiscard]] std::span<const std::uint32_t> fields() const noexcept FUNNEL_LIFETIMEBOUND {
        return {fields_.data(), fields_.size()};
    }
    [[nodiscard]] std::span<const float> weights() const noexcept FUNNEL_LIFETIMEBOUND {
        return {weights_.data(), weights_.size()};
    }
    /// The vector with which a feature meets features of a field.
    ///
    /// Errors    InvalidArgument if there is no such feature or field
    [[nodiscard]] std::span<const float> vector(std::size_t feature, std::size_t field) const FUNNEL_LIFETIMEBOUND {
        require(feature < features() && field < field_count(fields_),
                "FFM::vector: feature and field must be those of the model");
        return vector_of(feature, field);
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("factors", std::uint64_t{factors_});
        file.value("bias", bias_);
        file.array("fields", fields_);
        file.array("weights", weights_);
        if (has_vectors()) {
            file.matrix("vectors", vectors_);
        }
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static FFM load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        const auto factors = file.value<std::uint64_t>("factors");
        file.check(factors <= std::numeric_limits<std::uint32_t>::max(), "factors", "must be below 2^32");
        FFM model({}, 0);
        model.factors_ = factors;
        model.bias_ = file.value<float>("bias");
        model.fields_ = file.array<std::uint32_t>("fields");
        model.weights_ = file.array<float>("weights", model.fields_.size());
        file.check(are_fields(model.fields_, model.features()), "fields", "must be below the number of features");
        if (model.has_vectors()) {
            model.vectors_ = file.matrix<float>("vectors", model.features(), field_count(model.fields_) * factors);
        }
        file.check(model.is_finite(), "vectors", "bias, weights and vectors must be finite");
        return model;
    }

private:
    static constexpr std::string_view kind = "ranking.FFM";
    static constexpr std::uint32_t layout_version = 1;

    // The features of a row that are not 0.
    struct Row {
        struct Entry {
            std::size_t feature;
            double x;
            std::size_t place;  // of its field in `fields`
        };
        std::vector<Entry> entries{};
        std::vector<std::uint32_t> fields{};  // ascending
        std::vector<std::size_t> counts{};    // how many entries each of them has
    };

    FFM(std::vector<std::uint32_t> fields, std::size_t factors)
        : factors_(factors),
          fields_(std::move(fields)),
          weights_(fields_.size(), 0.0F),
          vectors_(fields_.size(), field_count(fields_) * factors) {}

    [[nodiscard]] static std::size_t field_count(const std::vector<std::uint32_t>& fields) noexcept {
        return fields.empty() ? 0 : std::size_t{*std::max_element(fields.begin(), fields.end())} + 1;
    }
    [[nodiscard]] static bool are_fields(const std::vector<std::uint32_t>& fields, std::size_t features) noexcept {
        return fields.size() == features && field_count(fields) <= features;
    }
    [[nodiscard]] bool has_vectors() const noexcept { return features() > 0 && factors_ > 0; }
    /// Parameters of one feature: its weight and its vectors.
    [[nodiscard]] std::size_t of_feature() const noexcept { return 1 + vectors_.cols(); }

    [[nodiscard]] std::span<const float> vector_of(std::size_t feature, std::size_t field) const {
        return vectors_.row(feature).subspan(field * factors_, factors_);
    }
    [[nodiscard]] std::span<float> vector_of(std::size_t feature, std::size_t field) {
        return vectors_.row(feature).subspan(field * factors_, factors_);
    }

    [[nodiscard]] bool is_finite() const noexcept {
        bool is_finite = math::is_finite(bias_) && math::all_finite(weights_);
        for (std::size_t j = 0; j < vectors_.rows(); ++j) {
            is_finite = is_finite && math::all_finite(vectors_.row(j));
        }
        return is_finite;
    }

    void read(const features::FeatureRows& rows, std::size_t i, Row& row) const {
        row.entries.clear();
        row.fields.clear();
        rows.for_each(i, [&](std::size_t j, float x) {
            row.entries.push_back({j, static_cast<double>(x), 0});
            row.fields.push_back(fields_[j]);
        });
        std::sort(row.fields.begin(), row.fields.end());
        row.fields.erase(std::unique(row.fields.begin(), row.fields.end()), row.fields.end());
        row.counts.assign(row.fields.size(), 0);
        for (auto& entry : row.entries) {
            const auto at = std::lower_bound(row.fields.begin(), row.fields.end(), fields_[entry.feature]);
            entry.place = static_cast<std::size_t>(at - row.fields.begin());
            ++row.counts[entry.place];
        }
    }

    [[nodiscard]] double logit(const Row& row) const {
        auto sum = static_cast<double>(bias_);
        for (std::size_t a = 0; a < row.entries.size(); ++a) {
            const auto& [i, x, place] = row.entries[a];
            sum += static_cast<double>(weights_[i]) * x;
            for (std::size_t b = a + 1; b < row.entries.size() && factors_ > 0; ++b) {
                const std::size_t j = row.entries[b].feature;
                const auto left = vector_of(i, fields_[j]);
                const auto right = vector_of(j, fields_[i]);
                double inner = 0.0;
                for (std::size_t f = 0; f < factors_; ++f) {
                    inner += static_cast<double>(left[f]) * static_cast<double>(right[f]);
                }
                sum += inner * x * row.entries[b].x;
            }
        }
        return sum;
    }

    struct Gradients {
        std::vector<double> sums;      // of the vectors of a row
        std::vector<float> of_vector;  // one of them
    };

    // One step: d logit / d b = 1,  / d w_i = x_i,  / d v_i,g = x_i (sum over j != i of field g of x_j v_j,field(i)).
    // All gradients are computed before the first vector changes.
    template <class Optimiser>
    void learn(const Row& row, float label, double l2, Optimiser& optimiser, Gradients& gradients) {
        const double error = detail::logistic(logit(row)) - static_cast<double>(label);
        const std::size_t width = row.fields.size() * factors_;
        gradients.sums.assign(row.entries.size() * width, 0.0);
        for (std::size_t a = 0; a < row.entries.size() && factors_ > 0; ++a) {
            for (std::size_t b = 0; b < row.entries.size(); ++b) {
                const auto& other = row.entries[b];
                const double slope = error * row.entries[a].x * other.x;
                const auto vector = vector_of(other.feature, fields_[row.entries[a].feature]);
                for (std::size_t f = 0; f < factors_ && b != a; ++f) {
                    gradients.sums[a * width + other.place * factors_ + f] += slope * static_cast<double>(vector[f]);
                }
            }
        }
        optimiser.begin_step();
        const auto of_bias = static_cast<float>(error);
        optimiser.update(0, std::span(&bias_, 1), std::span(&of_bias, 1));
        for (std::size_t a = 0; a < row.entries.size(); ++a) {
            const auto& [i, x, place] = row.entries[a];
            const std::size_t parameter = 1 + i * of_feature();
            const auto of_weight = static_cast<float>(error * x + l2 * static_cast<double>(weights_[i]));
            optimiser.update(parameter, std::span(&weights_[i], 1), std::span(&of_weight, 1));
            for (std::size_t g = 0; g < row.fields.size() && factors_ > 0; ++g) {
                if (g == place && row.counts[g] == 1) {
                    continue;  // no other feature of its own field
                }
                const std::size_t field = row.fields[g];
                const std::span<float> vector = vector_of(i, field);
                const auto sums = std::span(gradients.sums).subspan(a * width + g * factors_, factors_);
                gradients.of_vector.resize(factors_);
                for (std::size_t f = 0; f < factors_; ++f) {
                    gradients.of_vector[f] = static_cast<float>(sums[f] + l2 * static_cast<double>(vector[f]));
                }
                optimiser.update(parameter + 1 + field * factors_, vector, gradients.of_vector);
            }
        }
    }

    template <class Link>
    [[nodiscard]] std::vector<float> each(const features::FeatureRows& rows, Link&& link) const {
        Row row;
        return detail::score_rows(
            rows, features(), "FFM",
            [&](std::size_t i) {
                read(rows, i, row);
                return logit(row);
            },
            link);
    }

    float bias_ = 0.0F;
    std::size_t factors_ = 0;
    std::vector<std::uint32_t> fields_;
    std::vector<float> weights_;
    Matrix<float> vectors_;  // features x (fields x factors)
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
