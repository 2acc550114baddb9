// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/factor_scorer.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/cf/sampled_rows.hpp>
#include <funnel/cf/sgd_blocks.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/scale.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How a model of SampledFactors learns from one positive: BPRLoss, WARPLoss, LogisticLoss.
///
///     kind  name                            in files, in messages
///     Options                               with factors, epochs, learning_rate, regularisation, stddev,
///                                           fold_in_epochs, seed
///     Loss(options, items)                  items: of the log; a model keeps its loss, and threads share it
///     loss.learn(row, positive)             draws negatives by row.draw(), takes steps by row.pair_step and row.step
///     Loss::each_option(options, visit)     visit(name, option) for each further option: a float, which must be > 0,
///                                           or a std::size_t, which must lie in [1, 1000]
template <class Loss>
concept SampledLoss = std::copyable<Loss> && requires(const Loss& loss, typename Loss::Options options) {
    { Loss::kind } -> std::convertible_to<std::string_view>;
    { Loss::name } -> std::convertible_to<const char*>;
    Loss(options, std::size_t{});
    { options.factors } -> std::convertible_to<std::size_t>;
    { options.fold_in_epochs } -> std::convertible_to<std::size_t>;
};

/// The learned part of a factor model that is trained on likes against sampled negatives: one row of factors per user
/// and per item. The last column holds the bias of an item, and 1 for a user, so that a score is one inner product.
template <SampledLoss Loss, kernels::HostBackend Backend = kernels::DefaultBackend>
class SampledFactorsScorer : public FactorScorer<Backend> {
public:
    using Options = typename Loss::Options;
    static constexpr std::string_view kind = Loss::kind;
    static constexpr std::uint32_t layout_version = 2;
    static constexpr bool needs_history = true;
    static constexpr std::size_t bias_columns = 1;

    using FactorScorer<Backend>::items;
    [[nodiscard]] const Options& options() const noexcept { return options_; }

    /// The user row for a history, by descent with the item factors fixed: fold_in_epochs passes over the history from
    /// zero; the mean over the last half of the passes, which has less noise than the last step. Draws depend on the
    /// seed alone, so the same history gives the same row. fit() gives each training user this row.
    ///
    /// Shapes    history: item ids, ascending
    /// Cost      O(fold_in_epochs |history| factors), times the tries of WARP
    /// Errors    InvalidArgument if an item is unknown, or scores would not be finite
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history) const {
        this->require_history(history);
        std::vector<float> row(items_.cols());
        const std::vector<std::uint32_t> known = trained_among(history);
        if (!history.empty()) {
            row.back() = 1.0F;
            fold_in_from(row, known, trained_.size() - known.size());
        }
        return row;
    }

    template <data::InteractionLog Log, Executor E>
    static SampledFactorsScorer learn(const Log&, const CSRMatrix<float>& user_item, const Options& options,
                                      E& executor) {
        return SampledFactorsScorer().descended(user_item, options, executor);
    }

    /// From the rows at hand; those of new users and items are drawn. Negatives are those of further epochs: with the
    /// draws of fit() again, each like would be learned against the same few items.
    template <data::InteractionLog Log, Executor E>
    [[nodiscard]] SampledFactorsScorer relearn(const Log&, const CSRMatrix<float>& user_item, const Options& options,
                                               E& executor) const {
        require_same_factors(options, Loss::name);
        return descended(user_item, options, executor);
    }

    template <class Writer>
    void write(Writer& file) const {
        each_option(options_, [&](const char* option, const auto& number) {
            if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(number)>>) {
                file.value(option, number);
            } else {
                file.value(option, std::uint64_t{number});
            }
        });
        file.value("regularisation", options_.regularisation);
        file.value("seed", options_.seed);
        file.value("epochs_taken", epochs_taken_);
        this->write_factors(file);
    }

    template <class Reader>
    static SampledFactorsScorer read(const Reader& file, const Histories& histories) {
        SampledFactorsScorer scorer;
        Options& options = scorer.options_;
        each_option(options, [&](const char* option, auto& number) {
            if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(number)>>) {
                number = file.template value<float>(option);
                file.check(math::is_finite(number) && number > 0.0F, option, "must be finite and > 0");
            } else {
                number = file.template value<std::uint64_t>(option);
                file.check(number >= 1 && number <= most_repeats, option, "must lie in [1, 1000]");
            }
        });
        options.regularisation = scorer.read_regularisation(file, options.learning_rate);
        options.seed = file.template value<std::uint64_t>("seed");
        scorer.epochs_taken_ = file.template value<std::uint64_t>("epochs_taken");
        scorer.read_factors(file, histories);
        file.check(scorer.users_.cols() >= 2, "user_factors", "must have at least two columns");
        options.factors = scorer.users_.cols() - 1;
        file.check(options.factors <= most_factors(histories.users(), histories.items()), "user_factors",
                   "must have at most max(1024, users + items) + 1 columns");
        scorer.find_trained();
        scorer.loss_ = Loss(options, scorer.items());
        file.check(scorer.is_finite(), "item_factors", "must be finite and give finite scores");
        return scorer;
    }

protected:
    SampledFactorsScorer() = default;

    /// Checks the options, and sets the rows that descend() starts from: those that `known` has, others are drawn.
    /// name: of the model, in messages.
    template <Executor E>
    SampledFactorsScorer(const std::string& name, const SampledFactorsScorer& known, const CSRMatrix<float>& user_item,
                         const Options& options, E& executor)
        : options_(options), epochs_taken_(known.items() > 0 ? known.epochs_taken_ : 0) {
        require_between(options.factors, 1, most_factors(user_item.rows(), user_item.cols()),
                        (name + ": factors").c_str());
        require_positive(options.stddev, (name + ": stddev").c_str());
        require_not_negative(options.regularisation, (name + ": regularisation").c_str());
        each_option(options, [&](const char* option, const auto& number) {
            const std::string what = name + ": " + option;
            if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(number)>>) {
                require_positive(number, what.c_str());
            } else {
                require_between(number, 1, most_repeats, what.c_str());
            }
        });
        require_weight_decay(double{options.learning_rate}, double{options.regularisation},
                             (name + ": learning_rate * regularisation").c_str());
        const double stddev = static_cast<double>(options.stddev) / math::sqrt(static_cast<double>(options.factors));
        const auto draws = [&](Stream rows, std::size_t constant) {
            return Draws{options.factors + 1, options.factors, stddev, options.seed, rows, constant};
        };
        const CSRMatrix<float> item_user = user_item.transposed();
        users_ = this->started(known.users_, user_item, draws(stream("sampled_factors.users"), 1), executor);
        items_ = this->started(known.items_, item_user, draws(stream("sampled_factors.items"), 0), executor);
        for (std::size_t user = 0; user < users_.rows(); ++user) {
            users_.row(user).back() = user_item.row(user).size() > 0 ? 1.0F : 0.0F;
        }
        for (std::uint32_t item = 0; item < items_.rows(); ++item) {
            if (item_user.row(item).size() > 0) {
                trained_.push_back(item);
            }
        }
        loss_ = Loss(options, items_.rows());
    }

    void require_same_factors(const Options& options, const char* model) const {
        require_equal(options.factors, options_.factors, (std::string(model) + ": factors of an update").c_str());
    }

    /// Learns the row of a user from items that the user likes, with the item factors fixed, starting from what it
    /// holds. negatives: how many of the trained items the user does not like.
    void fold_in_from(std::vector<float>& row, std::span<const std::uint32_t> likes, std::size_t negatives) const {
        const std::span<float> user = std::span(row).first(row.size() - 1);
        std::vector<float> sum(user.size());
        std::size_t summed = 0;
        constexpr Stream draws = stream("sampled_factors.fold_in");
        Random random(options_.seed, draws);
        detail::FoldedRow<Backend> learner(items_, trained_, likes, options_.learning_rate, options_.regularisation,
                                           random);
        learner.start(row, negatives);
        for (std::size_t epoch = 0; epoch < options_.fold_in_epochs && negatives > 0; ++epoch) {
            for (const std::uint32_t item : likes) {
                loss_.learn(learner, item);
            }
            if (2 * epoch >= options_.fold_in_epochs) {
                kernels::axpy<Backend>(1.0F, user, sum);
                ++summed;
            }
        }
        if (summed > 0) {
            kernels::scale<Backend>(1.0F / static_cast<float>(summed), sum);
            std::ranges::copy(sum, user.begin());
        }
        require(gives_finite_scores(row), "fold_in: scores must be finite: learning_rate is too large");
    }

    /// The items of a history that draws may give.
    [[nodiscard]] std::vector<std::uint32_t> trained_among(std::span<const std::uint32_t> history) const {
        std::vector<std::uint32_t> known;
        std::ranges::copy_if(history, std::back_inserter(known),
                             [&](std::uint32_t item) { return std::ranges::binary_search(trained_, item); });
        return known;
    }

    // The scorer that epochs over user_item lead to, from the rows of this one.
    template <Executor E>
    [[nodiscard]] SampledFactorsScorer descended(const CSRMatrix<float>& user_item, const Options& options,
                                                 E& executor) const {
        SampledFactorsScorer scorer(Loss::name, *this, user_item, options, executor);
        scorer.descend(user_item, executor, [] {});
        scorer.find_trained();
        const std::string name = Loss::name;
        require(scorer.is_finite(), (name + ": factors must be finite: learning_rate or stddev is too large").c_str());
        parallel_for(executor, user_item.rows(), 16, [&](std::size_t user) {
            const std::vector<float> row = scorer.fold_in_factors(user_item.row(user).columns);
            std::ranges::copy(row, scorer.users_.row(user).begin());
        });
        return scorer;
    }

    // An inner product is at most the product of the norms.
    [[nodiscard]] bool gives_finite_scores(std::span<const float> row) const noexcept {
        return math::is_finite(static_cast<float>(norm(row) * longest_item_));
    }

    // Bounds what one user of a forged file costs.
    static constexpr std::size_t most_repeats = 1000;

    // The options that fold_in reads, so that a file must hold them, without regularisation and seed.
    template <class AnyOptions, class Visit>
    static void each_option(AnyOptions& options, const Visit& visit) {
        visit("learning_rate", options.learning_rate);
        visit("fold_in_epochs", options.fold_in_epochs);
        Loss::each_option(options, visit);
    }

    /// after_round() follows each round of blocks.
    template <Executor E, class AfterRound>
    void descend(const CSRMatrix<float>& user_item, E& executor, const AfterRound& after_round) {
        SGDBlocks blocks(user_item, options_.seed, stream("sampled_factors.blocks"));
        std::vector<std::vector<std::uint8_t>> is_positive(executor.concurrency(), std::vector<std::uint8_t>(items()));
        constexpr Stream draws = stream("sampled_factors.draws");
        for (std::size_t epoch = 0; epoch < options_.epochs; ++epoch) {
            report_progress(executor, "SampledFactors: epochs", epoch, options_.epochs);
            const auto learn_block = [&](const SGDBlock& block, std::size_t worker) {
                Random random(options_.seed, draws.substream(epochs_taken_), block.index);
                const std::span<std::uint8_t> marks(is_positive[worker]);
                detail::TrainedRow<Backend> row(items_, block.items, marks, options_.learning_rate,
                                                options_.regularisation, random);
                for (std::size_t begin = 0; begin < block.entries.size();) {
                    const std::uint32_t user = block.entries[begin].user;
                    std::size_t end = begin;
                    for (; end < block.entries.size() && block.entries[end].user == user; ++end) {
                        marks[block.entries[end].item] = 1;
                    }
                    const auto positives = block.entries.subspan(begin, end - begin);
                    // All positives of the user in this group are marked, so every draw from the group is verified.
                    if (positives.size() < block.items.size()) {
                        row.start(users_.row(user), trained_.size() - user_item.row(user).size());
                        for (const SGDEntry& entry : positives) {
                            loss_.learn(row, entry.item);
                        }
                    }
                    for (const SGDEntry& entry : positives) {
                        marks[entry.item] = 0;
                    }
                    begin = end;
                }
            };
            blocks.run(epochs_taken_, executor, learn_block, after_round);
            ++epochs_taken_;
        }
        report_progress(executor, "SampledFactors: epochs", options_.epochs, options_.epochs);
    }

    void find_trained() {
        trained_.clear();
        for (std::uint32_t item = 0; item < items(); ++item) {
            if (norm(std::as_const(items_).row(item)) > 0.0) {
                trained_.push_back(item);
            }
        }
        find_longest_item();
    }
    void find_longest_item() { longest_item_ = longest_row(items_); }

    // Checks all scores.
    [[nodiscard]] bool is_finite() const {
        const double longest_user = std::max(1.0, longest_row(users_));
        return math::is_finite(static_cast<float>(longest_user * longest_item_));
    }

    using typename FactorScorer<Backend>::Draws;
    using FactorScorer<Backend>::norm;
    using FactorScorer<Backend>::longest_row;
    using FactorScorer<Backend>::most_factors;
    using FactorScorer<Backend>::users_;
    using FactorScorer<Backend>::items_;

    Options options_;
    std::uint64_t epochs_taken_ = 0;  // by fit() and all updates: each epoch has draws of its own
    Loss loss_{options_, 0};
    std::vector<std::uint32_t> trained_;  // items whose row is not zero, ascending: the negatives of fold_in
    double longest_item_ = 0.0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
