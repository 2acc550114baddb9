// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/nn/update_rule.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

/// (1 + cos(pi x)) / 2 = cos(pi x / 2)^2 for x in [0, 1], with the same bits on every machine.
[[nodiscard]] inline double cosine_decay(double x) noexcept {
    constexpr std::array series = [] {  // 1, -1 / 2!, 1 / 4!, ...
        std::array<double, 12> terms{1.0};
        for (std::size_t k = 1; k < terms.size(); ++k) {
            terms[k] = -terms[k - 1] / static_cast<double>((2 * k - 1) * (2 * k));
        }
        return terms;
    }();
    const double angle = 0.5 * std::numbers::pi * x;
    const double cosine = funnel::detail::polynomial(series, angle * angle);
    return cosine * cosine;
}

}  // namespace detail

// Learning rates of step t, which counts from 0, as in PyTorch and Hugging Face. A schedule is a callable:
//
//     optimiser.set_learning_rate(schedule(step));

/// The same rate in each step.
struct ConstantRate {
    double rate = 1e-3;

    [[nodiscard]] double operator()(std::uint64_t /*step*/) const noexcept { return rate; }
};

/// Rises in a line from 0 for `warm_up` steps, then falls along half a cosine to 0 at step `total`, and stays there.
///
///     rate t / warm_up                                                             before warm_up
///     rate (1 + cos(pi (t - warm_up) / (total - warm_up))) / 2                     from warm_up to total
///
/// Source    Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017; Hugging Face
///           get_cosine_schedule_with_warmup
class WarmUpCosine {
public:
    /// Errors    InvalidArgument if rate < 0 or total < warm_up
    WarmUpCosine(double rate, std::uint64_t warm_up, std::uint64_t total)
        : rate_(rate), warm_up_(warm_up), total_(total) {
        require_not_negative(rate, "WarmUpCosine: rate");
        require(total >= warm_up, "WarmUpCosine: total must be at least warm_up");
    }

    [[nodiscard]] double operator()(std::uint64_t step) const noexcept {
        if (step < warm_up_) {
            return rate_ * static_cast<double>(step) / static_cast<double>(warm_up_);
        }
        if (step >= total_) {
            return 0.0;
        }
        const double done = static_cast<double>(step - warm_up_) / static_cast<double>(total_ - warm_up_);
        return rate_ * detail::cosine_decay(done);
    }

private:
    double rate_;
    std::uint64_t warm_up_;
    std::uint64_t total_;
};

/// Multiplies the rate by `factor` after every `every` steps.
///
///     rate factor^floor(t / every)
class StepRate {
public:
    /// Errors    InvalidArgument if rate < 0, factor is not in (0, 1], or every is 0
    StepRate(double rate, std::uint64_t every, double factor) : rate_(rate), every_(every), factor_(factor) {
        require_not_negative(rate, "StepRate: rate");
        require(every > 0, "StepRate: every must be at least 1");
        require(factor > 0.0 && factor <= 1.0, "StepRate: factor must lie in (0, 1]");
    }

    [[nodiscard]] double operator()(std::uint64_t step) const noexcept {
        return rate_ * detail::whole_power(factor_, step / every_);
    }

private:
    double rate_;
    std::uint64_t every_;
    double factor_;
};

/// Rises in a line from 0 for `warm_up` steps, then falls with the root of the step.
///
///     rate t / warm_up before warm_up, then rate sqrt(warm_up / t)
///
/// Source    Vaswani et al., "Attention is all you need", NeurIPS 2017 (section 5.3)
class InverseSquareRoot {
public:
    /// Errors    InvalidArgument if rate < 0 or warm_up is 0
    InverseSquareRoot(double rate, std::uint64_t warm_up) : rate_(rate), warm_up_(warm_up) {
        require_not_negative(rate, "InverseSquareRoot: rate");
        require(warm_up > 0, "InverseSquareRoot: warm_up must be at least 1");
    }

    [[nodiscard]] double operator()(std::uint64_t step) const noexcept {
        const auto t = static_cast<double>(step);
        const auto w = static_cast<double>(warm_up_);
        return step < warm_up_ ? rate_ * t / w : rate_ * math::sqrt(w / t);
    }

private:
    double rate_;
    std::uint64_t warm_up_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
