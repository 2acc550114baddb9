// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A rule: some places belong to another list, such as new items to explore, or surprising ones (serendipity). Only its
/// candidates take them, and they take no others.
///
/// The selection chooses among the candidates of the list. If the list itself decides which one is shown, as a bandit
/// does whose propensities are logged, pin its choice instead: pin_in_order().
///
///     soft("explore", ReservedPlaces(n, {{4, 9}}, new_items))
///
/// Shapes    n: number of candidates;  places: 0 is the first;  list: positions of candidates
/// Cost      allows: O(log p) for p places
/// Errors    InvalidArgument if the list has a position that is not below n
class ReservedPlaces {
public:
    ReservedPlaces(std::size_t n, std::vector<std::size_t> places, std::span<const std::size_t> list)
        : places_(std::move(places)), is_listed_(n, false) {
        std::sort(places_.begin(), places_.end());
        for (const std::size_t candidate : list) {
            require_below(candidate, n, "ReservedPlaces: position in the list");
            is_listed_[candidate] = true;
        }
    }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept {
        return is_listed_[candidate] == std::binary_search(places_.begin(), places_.end(), next_);
    }
    void place(std::size_t) noexcept { ++next_; }

private:
    std::vector<std::size_t> places_;  // ascending
    std::vector<bool> is_listed_;
    std::size_t next_ = 0;
};

/// Serendipity of candidates: relevant, but unlike what the user took before.
///
///     serendipity(i) = relevance(i) * (1 - mean over history h of cosine(i, h))
///
/// Its best candidates, top_k of the result, make a list for ReservedPlaces. Without a history, it is the relevance.
///
/// Shapes    relevance: n, >= 0;  embeddings: n x d;  history: m x d
/// Returns   n scores, by position
/// Cost      O(n m d) in vector kernels
/// Errors    InvalidArgument if the shapes differ, or a relevance is negative or not finite, or an embedding is not
///           finite or has a norm above 1.8e19
/// Source    Zhang et al., "Auralist: introducing serendipity into music recommendation", WSDM 2012
template <kernels::HostBackend Backend = kernels::DefaultBackend>
[[nodiscard]] std::vector<float> serendipity(std::span<const float> relevance, MatrixView<const float> embeddings,
                                             MatrixView<const float> history) {
    require_equal(embeddings.rows(), relevance.size(), "serendipity: rows of embeddings");
    require(history.rows() == 0 || history.cols() == embeddings.cols(),
            "serendipity: history and embeddings must have equally many columns");
    std::vector<double> sums(relevance.size(), 0.0);
    std::vector<float> cosines(relevance.size());
    for (std::size_t h = 0; h < history.rows(); ++h) {
        kernels::score_rows<kernels::Cosine, Backend>(history.row(h), embeddings, cosines);
        for (std::size_t i = 0; i < sums.size(); ++i) {
            require(math::is_finite(cosines[i]), "serendipity: embeddings must be finite, with norms below 1.8e19");
            sums[i] += static_cast<double>(cosines[i]);
        }
    }
    std::vector<float> scores(relevance.size());
    const auto m = static_cast<double>(std::max<std::size_t>(history.rows(), 1));
    for (std::size_t i = 0; i < scores.size(); ++i) {
        require_not_negative(relevance[i], "serendipity: relevance");
        scores[i] = static_cast<float>(static_cast<double>(relevance[i]) * (1.0 - sums[i] / m));
    }
    return scores;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
