// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/feature_blocks.hpp>
#include <funnel/kernels/wide_dot.hpp>
#include <funnel/rerank/greedy.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_scratch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank::detail {

// What a DPP maximises, for BlockGreedy: level + log(residual), the logarithm of the gain of the determinant.
//
// The residual of a candidate is the squared distance of its unit vector from the span of the picks: in [0, 1], and
// without a unit. Below `tolerance`, a candidate counts as a combination of the picks.
template <kernels::HostBackend Backend>
class VolumeMeasure {
public:
    static constexpr std::size_t width = kernels::feature_block_width<Backend>();
    static constexpr bool needs_direction = true;

    // levels are relative to the highest relevance: only differences decide, and no exponential overflows
    VolumeMeasure(FeatureRows features, double alpha, double highest_relevance, GreedyMemory& memory) noexcept
        : features_(features),
          alpha_(alpha),
          highest_(highest_relevance),
          tolerance_(direction_tolerance(features)),
          s_(memory) {}

    [[nodiscard]] double level(float relevance) const noexcept {
        return 2.0 * alpha_ * (static_cast<double>(relevance) - highest_);
    }

    void begin_block(std::size_t b, float highest) noexcept {
        s_.base[b] = level(highest);
        s_.base_quality[b] = math::exp(std::max(s_.base[b], lowest_level));
        s_.bound[b] = s_.base_quality[b] * (1.0 + 0x1p-10);
    }

    void open_block(std::size_t b) noexcept {
        for (std::size_t slot = b * width; slot < (b + 1) * width; ++slot) {
            const double below = std::max(s_.level[slot] - s_.base[b], -60.0);  // an upper bound where it is far below
            s_.weight[slot] = s_.gone[slot] != 0 ? 0.0F : math::exp(static_cast<float>(below)) * (1.0F + 0x1p-16F);
            s_.state[slot] = 1.0F;
        }
    }

    void set_time(std::size_t t) noexcept {
        time_ = t;
        const auto picks = static_cast<double>(t);
        const double dot_error = (static_cast<double>(features_.rows.cols()) / 4.0 + 16.0) * 0x1p-24;
        error_ = 2.0 * dot_error * math::sqrt(picks) + picks * dot_error * dot_error + (picks + 2.0) * 0x1p-23;
    }

    [[nodiscard]] double evaluate(std::size_t b, MatrixView<const float> vectors) noexcept {
        const std::size_t begin = b * width;
        const float most = kernels::subtract_squared_dots<Backend>(
            s_.block(b, width), vectors, std::span(s_.scale).subspan(begin, width),
            std::span(s_.weight).subspan(begin, width), std::span(s_.state).subspan(begin, width));
        return s_.base_quality[b] * (static_cast<double>(most) + 1.001 * error_);
    }

    [[nodiscard]] double bound_of(std::size_t b) const noexcept {
        const std::array<double, width> all = uppers(b);
        return *std::max_element(all.begin(), all.end());
    }

    [[nodiscard]] double upper(std::size_t slot) const noexcept {
        return s_.base_quality[slot / width] * static_cast<double>(s_.weight[slot]) *
               (static_cast<double>(s_.state[slot]) + 1.001 * error_);
    }

    [[nodiscard]] std::array<double, width> uppers(std::size_t b) const noexcept {
        const float* const weight = s_.weight.data() + b * width;
        const float* const state = s_.state.data() + b * width;
        const double quality = s_.base_quality[b];
        const double error = 1.001 * error_;
        std::array<double, width> all{};
        for (std::size_t i = 0; i < width; ++i) {
            all[i] = quality * static_cast<double>(weight[i]) * (static_cast<double>(state[i]) + error);
        }
        return all;
    }

    [[nodiscard]] double lower(std::size_t slot) const noexcept {
        const double residual = static_cast<double>(s_.state[slot]) - error_;
        const double below = s_.level[slot] - s_.base[slot / width];
        if (residual <= tolerance_ || below < -8.0 || s_.base[slot / width] < lowest_level) {
            return never;
        }
        return s_.base_quality[slot / width] * static_cast<double>(s_.weight[slot]) * residual * (1.0 - 0x1p-14);
    }

    [[nodiscard]] double exact(std::size_t slot) noexcept {
        const std::uint32_t candidate = s_.order[slot];
        double& residual = s_.exact[slot];
        if (s_.exact_upto[slot] == 0) {
            residual = 1.0;
        }
        for (std::uint32_t& p = s_.exact_upto[slot]; p < time_; ++p) {
            const double dot = kernels::wide_dot<Backend>(s_.wide_vector(p), features_.rows.row(candidate)) /
                               features_.lengths[candidate];
            residual -= dot * dot;
        }
        return residual > tolerance_ ? s_.level[slot] + math::log(residual) : never;
    }

    [[nodiscard]] bool same(double best, double score) const noexcept { return score >= best - 1e-9; }

    void remove(std::size_t slot) noexcept { s_.weight[slot] = 0.0F; }

    // Gram-Schmidt. Where it takes more than half of the squared length, a second pass makes the vector orthogonal to
    // rounding; where it takes less, one pass does (Kahan's criterion).
    [[nodiscard]] bool take(std::size_t slot) noexcept {
        const std::uint32_t candidate = s_.order[slot];
        const std::span<const float> row = features_.rows.row(candidate);
        const std::span<double> wide = s_.wide_vector(time_);
        const std::span<float> narrow = s_.vector(time_);
        const double inverse_length = 1.0 / features_.lengths[candidate];
        for (std::size_t j = 0; j < row.size(); ++j) {
            wide[j] = static_cast<double>(row[j]) * inverse_length;
        }
        double residual = subtract_earlier(wide);
        if (residual < 0.5) {
            residual = subtract_earlier(wide);
        }
        if (!(residual > tolerance_)) {
            return false;
        }
        const double inverse = 1.0 / math::sqrt(residual);
        for (std::size_t j = 0; j < wide.size(); ++j) {
            wide[j] *= inverse;
            narrow[j] = static_cast<float>(wide[j]);
        }
        s_.gains[time_] = math::log(residual);
        return true;
    }

private:
    // Subtracts the projections on the vectors of earlier picks; returns the squared length of the rest. Four vectors
    // at a time, which reads and writes `wide` once for four.
    [[nodiscard]] double subtract_earlier(std::span<double> wide) noexcept {
        const std::span<const double> rest(wide);
        const std::size_t d = wide.size();
        std::size_t p = 0;
        for (; p + 4 <= time_; p += 4) {
            const std::array<const double*, 4> rows{s_.wide_vector(p).data(), s_.wide_vector(p + 1).data(),
                                                    s_.wide_vector(p + 2).data(), s_.wide_vector(p + 3).data()};
            std::array<double, 4> dots{};
            for (std::size_t r = 0; r < 4; ++r) {
                dots[r] = kernels::wide_dot<Backend>(std::span(rows[r], d), rest);
            }
            double* const out = wide.data();
            for (std::size_t j = 0; j < d; ++j) {
                out[j] -= (dots[0] * rows[0][j] + dots[1] * rows[1][j]) + (dots[2] * rows[2][j] + dots[3] * rows[3][j]);
            }
        }
        for (; p < time_; ++p) {
            const std::span<const double> earlier = s_.wide_vector(p);
            const double dot = kernels::wide_dot<Backend>(earlier, rest);
            for (std::size_t j = 0; j < d; ++j) {
                wide[j] -= dot * earlier[j];
            }
        }
        return kernels::wide_dot<Backend>(rest, rest);
    }

    static constexpr double lowest_level = -600.0;

    FeatureRows features_;
    double alpha_;
    double highest_;
    double tolerance_;
    double error_ = 0.0;
    GreedyMemory& s_;
    std::size_t time_ = 0;
};

}  // namespace rerank::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
