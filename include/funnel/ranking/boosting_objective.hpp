// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/mean_ndcg.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/nn/listwise_losses.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/pairwise_losses.hpp>
#include <funnel/nn/pointwise_losses.hpp>
#include <funnel/ranking/binary_labels.hpp>
#include <funnel/ranking/tree_growth.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// What boosted trees minimize: the losses of nn/ that have second derivatives.
enum class BoostingObjective : std::uint8_t {
    LambdaRank,    ///< NDCG, through weighted pairs; graded labels
    XENDCG,        ///< NDCG, through a softmax; graded labels
    Logloss,       ///< probability of a label 1
    SquaredError,  ///< mean of the label
};

namespace detail {

/// The labels, lists and weights of some rows under an objective.
class Objective {
public:
    /// where: what the rows are, for messages: "LambdaMART::fit: training rows"
    ///
    /// Errors    InvalidArgument if the shapes do not match, the loss does not accept a label, or weights are negative
    ///           or all 0
    Objective(BoostingObjective kind, const nn::LambdaRank& lambda_rank, std::uint64_t seed,
              std::span<const float> labels, std::span<const std::size_t> group_sizes, std::span<const float> weights,
              std::size_t rows, const std::string& where)
        : kind_(kind),
          lambda_rank_(lambda_rank),
          seed_(seed),
          labels_(labels),
          group_sizes_(group_sizes),
          weights_(weights) {
        (void)with_loss(0, [&]<class L>(const L&) {
            nn::detail::require_labels<L>(labels, rows, (where + ": ").c_str());
            return 0.0;
        });
        nn::detail::require_groups(group_sizes, rows, where.c_str());
        require_equal(weights.size(), weights.empty() ? 0 : rows, (where + ": number of weights").c_str());
        const std::string each_weight = where + ": each weight";
        for (std::size_t i = 0; i < rows; ++i) {
            if (!weights.empty()) {
                require_not_negative(weights[i], each_weight.c_str());
            }
            weight_sum_ += weight(i);
        }
        require(rows == 0 || weight_sum_ > 0.0, (where + ": at least one weight must be > 0").c_str());
        begins_.push_back(0);
        if (ranks() && !group_sizes.empty()) {
            for (const std::size_t size : group_sizes) {
                begins_.push_back(begins_.back() + size);
            }
        } else {
            // The sum over rows needs no lists; parts of it can be computed by different threads.
            const std::size_t part = ranks() ? rows : 1024;
            while (begins_.back() < rows) {
                begins_.push_back(begins_.back() + std::min(part, rows - begins_.back()));
            }
        }
    }

    [[nodiscard]] bool ranks() const noexcept {
        return kind_ == BoostingObjective::LambdaRank || kind_ == BoostingObjective::XENDCG;
    }

    /// The score with the smallest loss, if all rows have the same; 0 for losses of lists, which ignore it.
    [[nodiscard]] double best_constant() const {
        double sum = 0.0;
        for (std::size_t i = 0; i < labels_.size(); ++i) {
            sum += weight(i) * static_cast<double>(labels_[i]);
        }
        double mean = sum / weight_sum_;
        if (kind_ == BoostingObjective::Logloss) {
            mean = std::clamp(mean, 1e-15, 1.0 - 1e-15);
            return math::log(mean / (1.0 - mean));
        }
        return ranks() ? 0.0 : mean;
    }

    /// Writes the derivatives for each row, times its weight. epoch: of the random numbers of the loss.
    ///
    /// Returns   the mean loss per row, without weights
    template <Executor E>
    double derive(std::span<const double> scores, std::uint64_t epoch, std::span<RowGradient> gradients,
                  E& executor) const {
        const double sum = with_loss(epoch, [&](const auto& loss) {
            return sum_over_lists(executor, [&](std::size_t list, Memory& memory) {
                const std::size_t begin = begins_[list];
                const std::size_t size = begins_[list + 1] - begin;
                const auto derivatives = nn::detail::first_of(memory.derivatives, 2 * size);
                const nn::LossList part{.scores = scores.subspan(begin, size),
                                        .labels = labels_.subspan(begin, size),
                                        .number = list,
                                        .gradient = derivatives.first(size),
                                        .hessian = derivatives.last(size)};
                const double value = loss(part, memory.scratch);
                for (std::size_t i = 0; i < size; ++i) {
                    gradients[begin + i] = {finite_score(weight(begin + i) * part.gradient[i]),
                                            finite_score(weight(begin + i) * part.hessian[i])};
                }
                return value;
            });
        });
        return sum / static_cast<double>(scores.size());
    }

    /// Whether judge() has something to go by: a row, and for losses of lists a list that counts.
    [[nodiscard]] bool can_judge() const {
        for (std::size_t list = 0; list + 1 < begins_.size(); ++list) {
            const auto labels = labels_.subspan(begins_[list], begins_[list + 1] - begins_[list]);
            const bool counts = std::any_of(labels.begin(), labels.end(), [](const float& y) { return y > 0.0F; });
            if (!ranks() || (counts && mean_weight(list) > 0.0)) {
                return true;
            }
        }
        return false;
    }

    /// How good scores are, higher is better: the mean NDCG of the lists with a label above 0, or minus the mean loss.
    /// Rows have their weights, and lists the mean weight of their rows. can_judge() must hold (not checked).
    template <Executor E>
    [[nodiscard]] double judge(std::span<const double> scores, std::size_t ndcg_at, E& executor) const {
        if (!ranks()) {
            return -mean_loss(scores, executor);
        }
        const auto values = metrics::detail::ndcg_of_lists(scores, labels_, group_sizes_, ndcg_at,
                                                           metrics::ExponentialGain{}, executor);
        double sum = 0.0;
        double weights = 0.0;
        for (std::size_t list = 0; list < values.size(); ++list) {
            const double weight = values[list] >= 0.0 ? mean_weight(list) : 0.0;
            sum += weight * values[list];
            weights += weight;
        }
        return sum / weights;
    }

private:
    struct Memory {
        nn::LossScratch scratch;
        std::vector<double> derivatives;
    };

    [[nodiscard]] double weight(std::size_t row) const noexcept {
        return weights_.empty() ? 1.0 : static_cast<double>(weights_[row]);
    }

    [[nodiscard]] double mean_weight(std::size_t list) const noexcept {
        double sum = 0.0;
        for (std::size_t row = begins_[list]; row < begins_[list + 1]; ++row) {
            sum += weight(row);
        }
        return sum / static_cast<double>(begins_[list + 1] - begins_[list]);
    }

    // Of a loss of rows.
    template <Executor E>
    [[nodiscard]] double mean_loss(std::span<const double> scores, E& executor) const {
        const double sum = with_loss(0, [&](const auto& loss) {
            return sum_over_lists(executor, [&](std::size_t list, Memory& memory) {
                const auto derivatives = nn::detail::first_of(memory.derivatives, 2);
                double of_list = 0.0;
                for (std::size_t row = begins_[list]; row < begins_[list + 1]; ++row) {
                    of_list += weight(row) * loss({.scores = scores.subspan(row, 1),
                                                   .labels = labels_.subspan(row, 1),
                                                   .number = row,
                                                   .gradient = derivatives.first(1),
                                                   .hessian = derivatives.last(1)},
                                                  memory.scratch);
                }
                return of_list;
            });
        });
        return sum / weight_sum_;
    }

    template <class Visit>
    [[nodiscard]] double with_loss(std::uint64_t epoch, const Visit& visit) const {
        switch (kind_) {
            case BoostingObjective::XENDCG:
                return visit(nn::XENDCG{.seed = seed_, .epoch = epoch, .corrects = true});
            case BoostingObjective::Logloss:
                return visit(nn::Logloss{});
            case BoostingObjective::SquaredError:
                return visit(nn::SquaredError{});
            case BoostingObjective::LambdaRank:
                break;
        }
        return visit(lambda_rank_);
    }

    // value(list, memory), summed in the order of the lists, whatever thread computes it.
    template <Executor E, class Value>
    double sum_over_lists(E& executor, const Value& value) const {
        std::vector<Memory> memories(executor.concurrency());
        std::vector<double> values(begins_.size() - 1, 0.0);
        executor.for_range(values.size(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            for (std::size_t list = begin; list < end; ++list) {
                if (begins_[list] < begins_[list + 1]) {
                    values[list] = value(list, memories[worker]);
                }
            }
        });
        double sum = 0.0;
        for (const double x : values) {
            sum += x;
        }
        return sum;
    }

    BoostingObjective kind_;
    nn::LambdaRank lambda_rank_;
    std::uint64_t seed_;
    std::span<const float> labels_;
    std::span<const std::size_t> group_sizes_;
    std::span<const float> weights_;  // empty if all are 1
    double weight_sum_ = 0.0;
    std::vector<std::size_t> begins_;  // of each list, and the end of the last one
};

}  // namespace detail
}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
