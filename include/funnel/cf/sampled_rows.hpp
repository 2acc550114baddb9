// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// The rows that a step of a SampledLoss (cf/sampled_factors.hpp) changes: in training, and of a folded-in user.

#include <funnel/core/matrix.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/scale.hpp>
#include <funnel/kernels/sgd_steps.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

namespace detail {

/// 1 / (1 + exp(-x)) with the same bits on every machine; a score that is not a number gives a number.
[[nodiscard]] inline float portable_sigmoid(float x) noexcept {
    const double bounded = x > -80.0F ? (x < 80.0F ? double{x} : 80.0) : -80.0;
    return static_cast<float>(1.0 / (1.0 + funnel::detail::portable_exp(-bounded)));
}

/// Draws from `items` until `accept(item)`. Nothing after 64 tries: then nearly all items are positives of the user.
template <class Accept>
[[nodiscard]] std::optional<std::uint32_t> draw_negative(std::span<const std::uint32_t> items, Random& random,
                                                         const Accept& accept) {
    for (int attempt = 0; attempt < 64; ++attempt) {
        const std::uint32_t item = items[random.below(items.size())];
        if (accept(item)) {
            return item;
        }
    }
    return {};
}

/// The row of a user, of which the last column stays 1: the last column of an item is its bias.
template <class Backend, class Items>
class SampledRow {
public:
    /// negatives: the number of items that draws may give.
    void start(std::span<float> user, std::size_t negatives) noexcept {
        user_ = user.first(user.size() - 1);
        negatives_ = negatives;
    }
    [[nodiscard]] std::size_t negatives() const noexcept { return negatives_; }
    [[nodiscard]] float score(std::uint32_t item) const noexcept {
        const std::span<const float> row = std::as_const(*items_).row(item);
        return kernels::dot<Backend>(user_, row.first(user_.size())) + row[user_.size()];
    }

protected:
    SampledRow(Items& items, float rate, float regularisation, Random& random)
        : items_(&items), rate_(rate), decay_(1.0F - rate * regularisation), random_(&random) {}

    Items* items_;
    float rate_;
    float decay_;
    Random* random_;
    std::span<float> user_;
    std::size_t negatives_ = 0;
};

/// A user in training: steps change the user and the items.
template <class Backend>
class TrainedRow : public SampledRow<Backend, Matrix<float>> {
    using Base = SampledRow<Backend, Matrix<float>>;
    using Base::decay_;
    using Base::items_;
    using Base::random_;
    using Base::rate_;
    using Base::user_;

public:
    TrainedRow(Matrix<float>& items, std::span<const std::uint32_t> group, std::span<const std::uint8_t> is_positive,
               float rate, float regularisation, Random& random)
        : Base(items, rate, regularisation, random), group_(group), is_positive_(is_positive) {}

    [[nodiscard]] std::optional<std::uint32_t> draw() {
        return draw_negative(group_, *random_, [&](std::uint32_t item) { return is_positive_[item] == 0; });
    }
    void pair_step(std::uint32_t positive, std::uint32_t negative, float gradient) noexcept {
        const std::span<float> a = items_->row(positive);
        const std::span<float> b = items_->row(negative);
        const std::size_t factors = user_.size();
        kernels::sgd_pair_step<Backend>(rate_ * gradient, decay_, user_, a.first(factors), b.first(factors));
        a[factors] = decay_ * a[factors] + rate_ * gradient;
        b[factors] = decay_ * b[factors] - rate_ * gradient;
    }
    void step(std::uint32_t item, float gradient) noexcept {
        const std::span<float> a = items_->row(item);
        const std::size_t factors = user_.size();
        kernels::sgd_step<Backend>(rate_ * gradient, decay_, user_, a.first(factors));
        a[factors] = decay_ * a[factors] + rate_ * gradient;
    }

private:
    std::span<const std::uint32_t> group_;
    std::span<const std::uint8_t> is_positive_;
};

/// A user whose row is learned for items that stay as they are.
template <class Backend>
class FoldedRow : public SampledRow<Backend, const Matrix<float>> {
    using Base = SampledRow<Backend, const Matrix<float>>;
    using Base::decay_;
    using Base::items_;
    using Base::random_;
    using Base::rate_;
    using Base::user_;

public:
    FoldedRow(const Matrix<float>& items, std::span<const std::uint32_t> candidates,
              std::span<const std::uint32_t> history, float rate, float regularisation, Random& random)
        : Base(items, rate, regularisation, random), candidates_(candidates), history_(history) {}

    [[nodiscard]] std::optional<std::uint32_t> draw() {
        return draw_negative(candidates_, *random_,
                             [&](std::uint32_t item) { return !std::ranges::binary_search(history_, item); });
    }
    void pair_step(std::uint32_t positive, std::uint32_t negative, float gradient) noexcept {
        step(positive, gradient);
        kernels::axpy<Backend>(-rate_ * gradient, items_->row(negative).first(user_.size()), user_);
    }
    void step(std::uint32_t item, float gradient) noexcept {
        kernels::scale<Backend>(decay_, user_);
        kernels::axpy<Backend>(rate_ * gradient, items_->row(item).first(user_.size()), user_);
    }

private:
    std::span<const std::uint32_t> candidates_;
    std::span<const std::uint32_t> history_;
};

}  // namespace detail

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
