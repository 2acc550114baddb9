// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/coverage.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/labels.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/novelty.hpp>
#include <funnel/metrics/recommender.hpp>
#include <funnel/metrics/report.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics::detail {

// The metrics at each cut-off: first those with one value per user, then those over all lists together.
inline constexpr std::array user_metrics{"ndcg", "precision", "recall", "capped_recall", "hit_rate",
                                         "mrr",  "map",       "rbp",    "err",           "novelty"};
inline constexpr std::array catalogue_metrics{"coverage", "gini", "entropy"};

struct ListEvaluationOptions {
    GainKind gain = GainKind::Linear;
    double persistence = 0.8;
    bool has_threads = true;  // add() is called from several threads
};

// Collects one list per user, in any order and from several threads. One pass over a list computes all metrics at all
// cut-offs.
class ListEvaluation {
public:
    // What add() needs for one item of the catalogue, all zero before and after a call.
    struct Scratch {
        std::vector<unsigned char> marks;
        std::vector<float> labels;
    };

    ListEvaluation(const GroundTruth& truth FUNNEL_LIFETIMEBOUND, std::vector<std::size_t> cutoffs,
                   const ListEvaluationOptions& options = {})
        : truth_(truth),
          cutoffs_(std::move(cutoffs)),
          gain_(options.gain),
          has_threads_(options.has_threads),
          is_graded_(truth.is_graded()),
          largest_label_(truth.largest_label()),
          ideal_dcg_{0.0} {
        require_inside(options.persistence, 0.0, 1.0, "evaluate: persistence");
        if (gain_ == GainKind::Exponential) {
            static_cast<void>(ExponentialGain{}(truth.largest_label()));  // throws if it is too large
        }
        require(!cutoffs_.empty(), "evaluate: cutoffs must not be empty");
        std::sort(cutoffs_.begin(), cutoffs_.end());
        cutoffs_.erase(std::unique(cutoffs_.begin(), cutoffs_.end()), cutoffs_.end());

        for (std::size_t rank = 1; rank <= std::min(cutoffs_.back(), truth_.items()); ++rank) {
            discounts_.push_back(discount(rank));
            ideal_dcg_.push_back(ideal_dcg_.back() + discounts_.back());
            persistence_.push_back(rank == 1 ? 1.0 - options.persistence : persistence_.back() * options.persistence);
        }
        for (const std::uint32_t users : truth_.users_of_item()) {
            information_.push_back(truth_.train_users() > 0 ? self_information(users, truth_.train_users())
                                                            : std::numeric_limits<double>::quiet_NaN());
        }
        values_.assign(cutoffs_.size() * user_metrics.size(), std::vector<double>(truth_.size()));
        shown_.assign(2 * cutoffs_.size() * truth_.items(), 0);
    }

    [[nodiscard]] std::size_t longest() const noexcept { return cutoffs_.back(); }

    [[nodiscard]] Scratch scratch() const {
        return {std::vector<unsigned char>(truth_.items(), 0), std::vector<float>(is_graded_ ? truth_.items() : 0)};
    }

    // Adds the list of the user at this position (not checked). The scratch is one of scratch() (not checked).
    template <ScoredList L>
    void add(std::size_t position, const L& list, Scratch& scratch) {
        if (is_graded_) {
            add_list<true>(position, list, scratch);
        } else {
            add_list<false>(position, list, scratch);
        }
    }
    [[nodiscard]] Report report() && {
        const auto everybody = [](std::size_t) { return true; };
        const auto is_warm = [&](std::size_t position) { return truth_.is_warm(position); };
        const auto is_cold = [&](std::size_t position) { return !truth_.is_warm(position); };
        std::size_t warm = 0;
        for (std::size_t position = 0; position < truth_.size(); ++position) {
            warm += is_warm(position) ? 1U : 0U;
        }

        Summary all_users = summary(truth_.size(), everybody, {true, false});
        Summary warm_users = warm == truth_.size() ? all_users : summary(warm, is_warm, {true});
        Summary cold_users = warm == 0 ? all_users : summary(truth_.size() - warm, is_cold, {false});

        std::vector<std::vector<double>> columns;  // an empty column for each metric over all lists
        for (std::size_t i = 0; i < values_.size(); ++i) {
            columns.push_back(std::move(values_[i]));
            if ((i + 1) % user_metrics.size() == 0) {
                columns.resize(columns.size() + catalogue_metrics.size());
            }
        }
        return {std::move(all_users),  std::move(warm_users),
                std::move(cold_users), {truth_.user_ids().begin(), truth_.user_ids().end()},
                std::move(columns),    truth_.skipped_users()};
    }

private:
    template <bool IsGraded, ScoredList L>
    void add_list(std::size_t position, const L& list, Scratch& scratch) {
        const std::span<unsigned char> marks(scratch.marks);
        FUNNEL_ASSERT(position < truth_.size() && marks.size() == truth_.items());
        constexpr unsigned char relevant_mark = 1;
        constexpr unsigned char shown_mark = 2;
        const std::span<const std::uint32_t> relevant = truth_.relevant(position);
        for (const std::uint32_t item : relevant) {
            marks[item] = relevant_mark;
        }
        const std::span<const float> labels = truth_.labels(position);
        if constexpr (IsGraded) {
            for (std::size_t i = 0; i < relevant.size(); ++i) {
                scratch.labels[relevant[i]] = labels[i];
            }
        }

        Walk walk;
        std::size_t cutoff = 0;
        for (const auto& entry : list) {
            if (walk.rank == longest()) {
                reject(position, "more than k = " + std::to_string(longest()) + " items");
            }
            while (cutoffs_[cutoff] == walk.rank) {
                write(position, cutoff++, walk, relevant.size());
            }
            if (static_cast<std::uint64_t>(entry.id) >= marks.size()) {
                reject(position, "item " + std::to_string(entry.id) + ", which is not in the catalogue");
            }
            if (is_nan(entry.score)) {
                reject(position, "item " + std::to_string(entry.id) + " with the score NaN");
            }
            const auto item = static_cast<std::uint32_t>(entry.id);
            if ((marks[item] & shown_mark) != 0) {
                reject(position, "item " + std::to_string(item) + " twice");
            }
            walk.information += information_[item];
            if ((marks[item] & relevant_mark) != 0) {
                if constexpr (IsGraded) {
                    const float label = scratch.labels[item];
                    walk.hit(gain(label), satisfies(label), discounts_[walk.rank], persistence_[walk.rank]);
                } else {
                    walk.hit(1.0, 0.5, discounts_[walk.rank], persistence_[walk.rank]);
                }
            }
            ++walk.rank;
            marks[item] |= shown_mark;
            // Count the item at the first cut-off that includes this rank; summary() sums counts up to each cut-off.
            // Integer counts do not depend on the order in which threads add. A plain addition is faster.
            std::uint32_t& count = shown_[row_of(truth_.is_warm(position), cutoff) + item];
            if (has_threads_) {
                __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
            } else {
                ++count;
            }
        }
        for (; cutoff < cutoffs_.size(); ++cutoff) {
            write(position, cutoff, walk, relevant.size());
        }

        for (const auto& entry : list) {
            marks[static_cast<std::size_t>(entry.id)] = 0;
        }
        for (const std::uint32_t item : relevant) {
            marks[item] = 0;
        }
    }

    [[nodiscard]] double gain(float label) const {
        return gain_ == GainKind::Exponential ? ExponentialGain{}(label) : LinearGain{}(label);
    }

    // Probability that an item with this label ends the search, for the expected reciprocal rank:
    // (2^label - 1) / 2^(largest label).
    [[nodiscard]] double satisfies(float label) const noexcept {
        return math::exp2(static_cast<double>(label) - largest_label_) - math::exp2(-largest_label_);
    }

    template <class Score>
    [[nodiscard]] static bool is_nan(const Score& score) noexcept {
        if constexpr (std::floating_point<Score> && sizeof(Score) <= sizeof(double)) {
            return math::is_nan(score);  // unconverted: -ffast-math misses a converted NaN
        } else {
            return math::is_nan(static_cast<double>(score));
        }
    }

    // State of the pass over a list, up to some rank.
    struct Walk {
        std::size_t rank = 0;
        std::size_t hits = 0;
        double dcg = 0.0;
        double precisions = 0.0;  // sum of the precision at the ranks of the hits
        double reciprocal_rank = 0.0;
        double rank_biased = 0.0;
        double expected_reciprocal_rank = 0.0;
        double still_searching = 1.0;  // probability that no item so far ended the search
        double information = 0.0;

        // The next item is a hit; rank is that of the item before.
        void hit(double gain_here, double satisfies_here, double discount_here, double persistence_here) {
            const double inverse_rank = ratio(1, rank + 1);
            ++hits;
            dcg += gain_here * discount_here;
            precisions += ratio(hits, rank + 1);
            reciprocal_rank = hits == 1 ? inverse_rank : reciprocal_rank;
            rank_biased += persistence_here;
            expected_reciprocal_rank += still_searching * satisfies_here * inverse_rank;
            still_searching *= 1.0 - satisfies_here;
        }
    };

    void write(std::size_t position, std::size_t cutoff, const Walk& walk, std::size_t relevant) {
        const std::size_t possible = std::min(relevant, cutoffs_[cutoff]);  // hits in a perfect list
        const bool is_hit = walk.hits > 0;
        const std::array<double, user_metrics.size()> values{
            is_hit ? walk.dcg / ideal_dcg(position, possible) : 0.0,
            ratio(walk.hits, cutoffs_[cutoff]),
            ratio(walk.hits, relevant),
            ratio(walk.hits, possible),
            is_hit ? 1.0 : 0.0,
            walk.reciprocal_rank,
            is_hit ? walk.precisions / static_cast<double>(possible) : 0.0,
            walk.rank_biased,
            walk.expected_reciprocal_rank,
            walk.rank > 0 ? walk.information / static_cast<double>(walk.rank)
                          : std::numeric_limits<double>::quiet_NaN(),
        };
        for (std::size_t metric = 0; metric < values.size(); ++metric) {
            values_[cutoff * values.size() + metric][position] = values[metric];
        }
    }

    // The DCG of the best `possible` relevant items, in the best order.
    [[nodiscard]] double ideal_dcg(std::size_t position, std::size_t possible) const {
        if (!is_graded_) {
            return ideal_dcg_[possible];
        }
        const std::span<const float> labels = truth_.labels(position);
        double sum = 0.0;
        for (std::size_t i = 0; i < possible; ++i) {
            sum += gain(labels[i]) * discounts_[i];
        }
        return sum;
    }

    template <class IsMember>
    [[nodiscard]] Summary summary(std::size_t users, const IsMember& is_member,
                                  std::initializer_list<bool> groups) const {
        std::vector<Figure> figures;
        std::vector<std::uint64_t> counts(truth_.items(), 0);
        for (std::size_t cutoff = 0; cutoff < cutoffs_.size(); ++cutoff) {
            const std::string at = '@' + std::to_string(cutoffs_[cutoff]);
            for (std::size_t metric = 0; metric < user_metrics.size(); ++metric) {
                const Mean mean =
                    users > 0 ? mean_of(values_[cutoff * user_metrics.size() + metric], is_member) : Mean{};
                figures.push_back({user_metrics[metric] + at, mean.value, mean.standard_error});
            }
            for (const bool is_warm : groups) {
                for (std::size_t item = 0; item < counts.size(); ++item) {
                    counts[item] += shown_[row_of(is_warm, cutoff) + item];
                }
            }
            constexpr double none = std::numeric_limits<double>::quiet_NaN();
            figures.push_back({catalogue_metrics[0] + at, users > 0 ? coverage(counts) : none, none});
            figures.push_back({catalogue_metrics[1] + at, gini(counts), none});
            figures.push_back({catalogue_metrics[2] + at, entropy(counts), none});
        }
        return {users, std::move(figures)};
    }

    [[nodiscard]] std::size_t row_of(bool is_warm, std::size_t cutoff) const noexcept {
        return ((is_warm ? 1 : 0) * cutoffs_.size() + cutoff) * truth_.items();
    }

    [[noreturn]] void reject(std::size_t position, const std::string& what) const {
        raise<InvalidArgument>("evaluate: recommend(user " + std::to_string(truth_.user_ids()[position]) +
                               ") returned " + what);
    }

    const GroundTruth& truth_;
    std::vector<std::size_t> cutoffs_;  // ascending
    GainKind gain_;
    bool has_threads_;
    bool is_graded_;
    double largest_label_;
    std::vector<double> discounts_;            // by rank - 1
    std::vector<double> persistence_;          // weights of rank-biased precision, by rank - 1
    std::vector<double> ideal_dcg_;            // by number of hits, all at the top ranks
    std::vector<double> information_;          // self-information, by item
    std::vector<std::vector<double>> values_;  // (cut-off, metric): one value per user
    std::vector<std::uint32_t> shown_;         // (cold or warm, cut-off, item): how often shown
};

}  // namespace metrics::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
