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

// What MMR maximises, for BlockGreedy.
template <kernels::HostBackend Backend>
class RedundancyMeasure {
public:
    static constexpr std::size_t width = kernels::feature_block_width<Backend>();
    static constexpr bool needs_direction = false;

    RedundancyMeasure(FeatureRows features, float lambda, GreedyMemory& memory) noexcept
        : features_(features),
          lambda_(static_cast<double>(lambda)),
          factor_(1.0 - lambda_),
          error_(factor_ * ((static_cast<double>(features.rows.cols()) / 4.0 + 16.0) * 0x1p-24)),
          s_(memory) {}

    [[nodiscard]] double level(float relevance) const noexcept { return lambda_ * static_cast<double>(relevance); }

    void begin_block(std::size_t b, float highest) noexcept {
        s_.base[b] = level(highest);
        s_.bound[b] = s_.base[b] - factor_ * lowest_cosine + error_;
    }

    void open_block(std::size_t b) noexcept {
        for (std::size_t slot = b * width; slot < (b + 1) * width; ++slot) {
            // Rounded up, so that it is an upper bound: it is <= 0.
            const double below = std::max(s_.level[slot] - s_.base[b], -1e30) * (1.0 - 0x1p-22);
            s_.weight[slot] = s_.gone[slot] != 0 ? -1e30F : static_cast<float>(below);
            s_.state[slot] = static_cast<float>(lowest_cosine);
        }
    }

    void set_time(std::size_t t) noexcept { time_ = t; }

    [[nodiscard]] double evaluate(std::size_t b, MatrixView<const float> vectors) noexcept {
        const std::size_t begin = b * width;
        const float most =
            kernels::raise_to_dots<Backend>(s_.block(b, width), vectors, std::span(s_.scale).subspan(begin, width),
                                            std::span(s_.weight).subspan(begin, width), static_cast<float>(factor_),
                                            std::span(s_.state).subspan(begin, width));
        return s_.base[b] + static_cast<double>(most) + error_;
    }

    [[nodiscard]] double bound_of(std::size_t b) const noexcept {
        const std::array<double, width> all = uppers(b);
        return *std::max_element(all.begin(), all.end());
    }

    [[nodiscard]] double upper(std::size_t slot) const noexcept {
        return s_.base[slot / width] + static_cast<double>(s_.weight[slot]) -
               factor_ * static_cast<double>(s_.state[slot]) + error_;
    }

    [[nodiscard]] std::array<double, width> uppers(std::size_t b) const noexcept {
        const float* const weight = s_.weight.data() + b * width;
        const float* const state = s_.state.data() + b * width;
        const double base = s_.base[b];
        std::array<double, width> all{};
        for (std::size_t i = 0; i < width; ++i) {
            all[i] = base + static_cast<double>(weight[i]) - factor_ * static_cast<double>(state[i]) + error_;
        }
        return all;
    }

    [[nodiscard]] double lower(std::size_t slot) const noexcept {
        const double score = s_.level[slot] - factor_ * static_cast<double>(s_.state[slot]);
        return score - error_ - 2.0 * tie(score);
    }

    [[nodiscard]] double exact(std::size_t slot) noexcept {
        const std::uint32_t candidate = s_.order[slot];
        const double length = features_.lengths[candidate];
        double& redundancy = s_.exact[slot];
        for (std::uint32_t& p = s_.exact_upto[slot]; p < time_; ++p) {
            const double dot = kernels::wide_dot<Backend>(s_.wide_vector(p), features_.rows.row(candidate));
            const double cosine = length > 0.0 ? dot / length : 0.0;
            redundancy = p == 0 ? cosine : std::max(redundancy, cosine);
        }
        return s_.level[slot] - factor_ * redundancy;
    }

    [[nodiscard]] bool same(double best, double score) const noexcept { return score >= best - tie(best); }

    void remove(std::size_t slot) noexcept { s_.weight[slot] = -1e30F; }

    [[nodiscard]] bool take(std::size_t slot) noexcept {
        const std::uint32_t candidate = s_.order[slot];
        const double length = features_.lengths[candidate];
        const std::span<const float> row = features_.rows.row(candidate);
        const std::span<double> wide = s_.wide_vector(time_);
        const std::span<float> narrow = s_.vector(time_);
        const double inverse_length = length > 0.0 ? 1.0 / length : 0.0;
        for (std::size_t j = 0; j < row.size(); ++j) {
            wide[j] = static_cast<double>(row[j]) * inverse_length;
            narrow[j] = static_cast<float>(wide[j]);
        }
        return true;
    }

private:
    static constexpr double lowest_cosine = -1.001;  // below any that rounding can give

    // Scores this close to one another are equal up to rounding.
    [[nodiscard]] double tie(double score) const noexcept { return 1e-12 * (math::abs(score) + factor_); }

    FeatureRows features_;
    double lambda_;
    double factor_;
    double error_;  // of factor * similarity in float
    GreedyMemory& s_;
    std::size_t time_ = 0;
};

}  // namespace rerank::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
