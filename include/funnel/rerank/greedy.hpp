// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/rerank/slate.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_rule.hpp>
#include <funnel/rerank/slate_scratch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>

// The greedy core of mmr.hpp and dpp.hpp.
//
// The score of a candidate only falls as picks are added. A score that is out of date is therefore an upper bound, and
// a candidate whose bound is below the best score so far need not be brought up to date. Candidates are sorted by
// falling relevance and grouped into blocks of the width of a vector register; a block is brought up to date as a
// whole, by all picks that it has missed at once. A block is packed (transposed) when it is first needed.
//
// Blocks are evaluated in float, with a bound on the rounding error. If more than one candidate may be the best, their
// scores are computed in double. So the picks are those of a greedy selection in double, on every backend.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank::detail {

inline constexpr double never = std::numeric_limits<double>::lowest();

// Measure: what a selection maximises. It reads and writes the scratch.
//   level(relevance)          the part of a score that does not depend on the picks, in double
//   begin_block(b)            sets weight and state of the slots of b, and base and bound of b
//   evaluate(b, vectors)      applies vectors to block b; returns the bound of b
//   bound_of(b)               the bound of b from weight and state
//   upper(slot), lower(slot)  bounds of a score at the current time; lower may be `never`
//   set_time(t)               t picks have been made
//   exact(slot)               the score in double, or `never` if the candidate adds nothing
//   same(a, b)                whether b is as good as a, the best score, up to rounding
//   remove(slot)              no longer counts
//   take(slot)                makes the vector of pick t; false if the candidate turns out to add nothing
template <kernels::HostBackend Backend, class Measure>
class BlockGreedy {
public:
    static constexpr std::size_t width = kernels::feature_block_width<Backend>();

    BlockGreedy(FeatureRows features, std::span<const float> relevance, Measure& measure, GreedyMemory& memory)
        : features_(features), relevance_(relevance), measure_(measure), s_(memory), alive_(relevance.size()) {
        s_.begin(relevance.size(), features.rows.cols());
        sort_by_relevance();
        for (std::size_t slot = 0; slot < s_.slots; ++slot) {
            const bool is_real = slot < relevance.size();
            s_.gone[slot] = is_real ? 0 : 1;
            if (Measure::needs_direction && is_real && features.lengths[s_.order[slot]] == 0.0) {
                s_.gone[slot] = 1;
                --alive_;
            }
            s_.level[slot] = is_real ? measure.level(relevance[s_.order[slot]]) : never;
            s_.scale[slot] = 0.0F;
            s_.exact_upto[slot] = 0;
        }
        for (std::size_t b = 0; b < blocks(); ++b) {
            s_.upto[b] = unpacked;
            measure.begin_block(b);
        }
    }

    // The slot of the next pick, or nothing.
    template <SlateRule Rule>
    [[nodiscard]] std::optional<std::size_t> next(std::size_t t, const Rule& rule) {
        measure_.set_time(t);
        while (true) {
            contested_ = 0;
            double threshold = never;
            // The block with the highest bound comes first: its best candidate rules out most other blocks.
            const double* const highest = std::max_element(s_.bound.data(), s_.bound.data() + blocks());
            const auto start = static_cast<std::size_t>(highest - s_.bound.data());
            visit(start, t, rule, threshold);
            for (std::size_t b = 0; b < blocks(); ++b) {
                if (s_.bound[b] >= threshold && b != start) {
                    visit(b, t, rule, threshold);
                }
            }
            const auto best = best_of_contested(threshold);
            if (!best) {
                return std::nullopt;
            }
            if (*best == nothing_new) {
                continue;  // all of them have been removed
            }
            if (measure_.take(*best)) {
                return best;
            }
            drop(*best);
        }
    }

    // The slot is picked, or can never be picked.
    void drop(std::size_t slot) noexcept {
        s_.gone[slot] = 1;
        --alive_;
        measure_.remove(slot);
        const std::size_t b = slot / width;
        const auto gone = std::span(s_.gone).subspan(b * width, width);
        s_.bound[b] = std::find(gone.begin(), gone.end(), 0) == gone.end() ? never : measure_.bound_of(b);
    }

    // Candidates that can still be picked.
    [[nodiscard]] std::size_t alive() const noexcept { return alive_; }

private:
    static constexpr std::uint32_t unpacked = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::size_t nothing_new = std::numeric_limits<std::size_t>::max();

    [[nodiscard]] std::size_t blocks() const noexcept { return s_.slots / width; }

    // By the highest 16 bits of the distance from the highest relevance, in two passes of a radix sort. An approximate
    // order is enough: it decides how many blocks are evaluated, not what is picked.
    void sort_by_relevance() noexcept {
        const std::size_t n = relevance_.size();
        const float highest = n > 0 ? *std::max_element(relevance_.begin(), relevance_.end()) : 0.0F;
        const auto key = [&](std::size_t i) { return std::bit_cast<std::uint32_t>(highest - relevance_[i]) >> 16U; };
        std::array<std::array<std::uint32_t, 256>, 2> starts{};
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint32_t k = key(i);
            ++starts[0][k & 255U];
            ++starts[1][k >> 8U];
        }
        for (auto& digit : starts) {
            std::uint32_t sum = 0;
            for (std::uint32_t& start : digit) {
                sum += std::exchange(start, sum);
            }
        }
        for (std::size_t i = 0; i < n; ++i) {
            s_.contested[starts[0][key(i) & 255U]++] = static_cast<std::uint32_t>(i);
        }
        for (std::size_t at = 0; at < n; ++at) {
            const std::uint32_t i = s_.contested[at];
            s_.order[starts[1][key(i) >> 8U]++] = i;
        }
    }

    // Four rows at a time: a store of four neighbouring floats takes as long as a store of one.
    void pack(std::size_t b) noexcept {
        static_assert(width % 4 == 0);
        const std::size_t d = features_.rows.cols();
        float* const block = s_.block(b, width).data();
        for (std::size_t lane = 0; lane < width; lane += 4) {
            std::array<const float*, 4> rows{};
            for (std::size_t r = 0; r < 4; ++r) {
                // Slots behind the last candidate repeat the first one; they are gone from the start.
                const std::size_t slot = b * width + lane + r;
                const std::size_t candidate = slot < relevance_.size() ? s_.order[slot] : s_.order[0];
                const double length = features_.lengths[candidate];
                s_.scale[slot] = length > 0.0 ? static_cast<float>(1.0 / length) : 0.0F;
                rows[r] = features_.rows.row(candidate).data();
            }
            float* out = block + lane;
            for (std::size_t j = 0; j < d; ++j, out += width) {
                const std::array<float, 4> column{rows[0][j], rows[1][j], rows[2][j], rows[3][j]};
                std::copy_n(column.data(), 4, out);
            }
        }
    }

    template <SlateRule Rule>
    void visit(std::size_t b, std::size_t t, const Rule& rule, double& threshold) {
        if (s_.bound[b] == never) {
            return;
        }
        if (t > 0 && s_.upto[b] != t) {
            if (s_.upto[b] == unpacked) {
                pack(b);
                s_.upto[b] = 0;
            }
            s_.bound[b] = measure_.evaluate(b, s_.vectors(s_.upto[b], t));
            s_.upto[b] = static_cast<std::uint32_t>(t);
            if (s_.bound[b] < threshold) {
                return;
            }
        }
        for (std::size_t slot = b * width; slot < (b + 1) * width; ++slot) {
            if (s_.gone[slot] == 0 && measure_.upper(slot) >= threshold && rule.allows(s_.order[slot])) {
                s_.contested[contested_++] = static_cast<std::uint32_t>(slot);
                threshold = std::max(threshold, measure_.lower(slot));
            }
        }
    }

    // The best of the contested slots, nothing if there are none, or nothing_new if none of them adds anything.
    [[nodiscard]] std::optional<std::size_t> best_of_contested(double threshold) noexcept {
        const auto contested = std::span(s_.contested).first(contested_);
        const auto last = std::remove_if(contested.begin(), contested.end(),
                                         [&](std::uint32_t slot) { return measure_.upper(slot) < threshold; });
        const auto kept = contested.first(static_cast<std::size_t>(last - contested.begin()));
        if (kept.empty()) {
            return std::nullopt;
        }
        if (kept.size() == 1) {
            return kept[0];
        }
        double best_score = never;
        for (const std::uint32_t slot : kept) {
            s_.score[slot] = measure_.exact(slot);
            best_score = std::max(best_score, s_.score[slot]);
        }
        std::size_t best = nothing_new;
        for (const std::uint32_t slot : kept) {
            if (s_.score[slot] == never) {
                drop(slot);
            } else if (measure_.same(best_score, s_.score[slot]) &&
                       (best == nothing_new || s_.order[slot] < s_.order[best])) {
                best = slot;
            }
        }
        return best;
    }

    FeatureRows features_;
    std::span<const float> relevance_;
    Measure& measure_;
    GreedyMemory& s_;
    std::size_t contested_ = 0;
    std::size_t alive_;
};

}  // namespace rerank::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
