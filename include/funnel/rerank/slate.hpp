// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Why a selection ended.
enum class SlateEnd {
    Complete,            ///< k candidates, or all of them, have been picked
    NoCandidateAllowed,  ///< the rule forbids all remaining candidates at the next place
    NothingNew,          ///< DPP: each remaining candidate lies in the span of the picks (a duplicate, a full rank)
    NoGain,              ///< DPP with only_gains: no candidate would raise the determinant
    OutOfTime,           ///< the time budget was spent; the picks so far are those of a selection without a budget
    NotSymmetric,        ///< DPP of a raw kernel: L(i, j) differs from L(j, i) for the two candidates in `witness`
    NotPositiveSemidefinite,  ///< DPP of a raw kernel: the matrix is no kernel; `witness` proves it
};

/// One pick and its reasons: score = relevance + diversity.
struct SlatePick {
    std::size_t position = 0;              ///< of the candidate
    double score = 0.0;                    ///< what the pick maximised
    double relevance = 0.0;                ///< the part of the score that comes from relevance
    double diversity = 0.0;                ///< the part that depends on earlier picks; <= 0 for DPP
    std::optional<std::size_t> nearest{};  ///< position of the most similar earlier pick; empty for the first pick
    double similarity = 0.0;               ///< to `nearest`; 0 for the first pick
};

/// The result of the functions that explain: the picks, in the order of the slate, and why there are no more.
struct Slate {
    std::vector<SlatePick> picks;
    SlateEnd end = SlateEnd::Complete;
    std::vector<std::size_t> witness;  ///< NotPositiveSemidefinite: their submatrix has a negative determinant

    [[nodiscard]] std::vector<std::size_t> positions() const {
        std::vector<std::size_t> all;
        all.reserve(picks.size());
        for (const SlatePick& pick : picks) {
            all.push_back(pick.position);
        }
        return all;
    }
};

/// The result of the forms that fill the caller's memory.
struct SlateCount {
    std::size_t picks = 0;  ///< how many positions were written
    SlateEnd end = SlateEnd::Complete;
};

namespace detail {

// A point in time, from a budget in milliseconds. Not <chrono>, which takes long to parse.
class Deadline {
public:
    explicit Deadline(const std::optional<double>& budget_ms) noexcept
        : is_set_(budget_ms.has_value()), end_ms_(is_set_ ? now_ms() + *budget_ms : 0.0) {}

    [[nodiscard]] bool has_passed() const noexcept { return is_set_ && now_ms() >= end_ms_; }

private:
    [[nodiscard]] static double now_ms() noexcept {
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
    }

    bool is_set_;
    double end_ms_;
};

}  // namespace detail

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
