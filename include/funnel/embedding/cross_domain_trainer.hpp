// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/embedding/two_tower_negatives.hpp>
#include <funnel/embedding/two_tower_options.hpp>
#include <funnel/embedding/two_tower_sides.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

struct CrossDomainOptions {
    TwoTowerOptions training{};  ///< batch and negatives are per domain, and there are no hard ones; item_features and
                                 ///< texts must be empty
    std::span<const double> domain_weights{};                  ///< of the loss of each domain, >= 0; empty: all are 1
    std::span<const MatrixView<const float>> item_features{};  ///< one matrix per domain; empty: no features
};

/// The numbers of a cross-domain model. Items have a number among those of all domains: offsets[d] + item.
template <nn::Layer UserNetwork, std::size_t Width, nn::Layer... ItemNetworks>
struct CrossDomainWeights {
    static constexpr std::size_t domains = sizeof...(ItemNetworks);
    static_assert(domains > 0, "CrossDomain: there must be at least one domain");
    static_assert(((UserNetwork::out == ItemNetworks::out) && ...),
                  "CrossDomain: all networks must give vectors of the same length");
    static_assert(UserNetwork::in >= Width && ((ItemNetworks::in >= Width) && ...),
                  "CrossDomain: the input of a network starts with an embedding of Width numbers");
    static constexpr std::size_t user_features = UserNetwork::in - Width;
    static constexpr std::array<std::size_t, domains> item_features{(ItemNetworks::in - Width)...};

    std::array<std::size_t, domains + 1> offsets{};
    nn::Tower<UserNetwork> user;
    Matrix<float> histories;  // an embedding per item of all domains, for the histories of users
    std::tuple<nn::Tower<ItemNetworks>...> item;
    std::array<Matrix<float>, domains> ids;  // an embedding per item of a domain, for its network

    CrossDomainWeights() = default;

    CrossDomainWeights(const std::array<std::size_t, domains>& items, float init_scale, std::uint64_t seed)
        : user(stream("cross_domain.user").substream(seed).id) {
        for (std::size_t d = 0; d < domains; ++d) {
            offsets[d + 1] = offsets[d] + items[d];
            ids[d] = Matrix<float>(items[d], Width);
            detail::draw(ids[d], init_scale, seed, stream("cross_domain.ids").substream(d));
        }
        histories = Matrix<float>(offsets[domains], Width);
        detail::draw(histories, init_scale, seed, stream("cross_domain.histories"));
        each([&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
            using Tower = std::tuple_element_t<D, decltype(item)>;
            std::get<D>(item) = Tower(stream("cross_domain.item").substream(D).substream(seed).id);
        });
    }

    /// Calls visit(integral_constant of each domain).
    template <class Visit>
    static void each(const Visit& visit) {
        [&]<std::size_t... D>(std::index_sequence<D...>) {
            (visit(std::integral_constant<std::size_t, D>{}), ...);
        }(std::make_index_sequence<domains>{});
    }
};

/// Trains a cross-domain model epoch by epoch, for programs that decide themselves when to stop.
///
/// Each step draws one batch per domain. A domain with fewer pairs begins again earlier, so an epoch is one pass over
/// the domain with most batches.
///
/// Results do not depend on the number of threads.
template <std::size_t Width, kernels::HostBackend Backend, nn::Layer UserNetwork, nn::Layer... ItemNetworks>
class CrossDomainTrainer {
public:
    using Weights = CrossDomainWeights<UserNetwork, Width, ItemNetworks...>;
    static constexpr std::size_t domains = Weights::domains;

    /// Shapes    logs: one per domain; the same users, with the same ids and one clock
    /// Errors    InvalidArgument if the logs have different numbers of users, an id or a time in a log is not valid, an
    ///           option is out of range, or features do not have the shape that the networks want
    template <data::InteractionLog Log>
    CrossDomainTrainer(const std::array<Log, domains>& logs, const CrossDomainOptions& options)
        : options_(checked(options, logs)),
          weights_(sizes(logs), options.training.init_scale, options.training.seed),
          sequences_(joined(logs, weights_.offsets)),
          user_side_(weights_.histories.rows(), 0, adam(options)),
          item_sides_(item_sides(sizes(logs), options, std::make_index_sequence<domains>{})) {
        for (std::size_t d = 0; d < domains; ++d) {
            domain_weights_[d] = options.domain_weights.empty() ? 1.0F : static_cast<float>(options.domain_weights[d]);
            features_[d] = options.item_features.empty() ? MatrixView<const float>{} : options.item_features[d];
        }
        std::array<std::vector<std::uint64_t>, domains> counts;
        for (std::size_t d = 0; d < domains; ++d) {
            counts[d].resize(logs[d].items());
        }
        for (std::uint32_t user = 0; user < sequences_.users(); ++user) {
            const std::span<const std::uint32_t> items = sequences_.of(user);
            for (std::size_t t = Weights::user_features > 0 ? 0 : 1; t < items.size(); ++t) {
                const std::size_t d = domain_of(items[t]);
                pairs_[d].push_back({.user = user, .position = sequences_.starts()[user] + t});
                ++counts[d][items[t] - weights_.offsets[d]];
            }
        }
        Weights::each([&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
            next_[D] = pairs_[D].size();  // the first step shuffles
            if (!pairs_[D].empty()) {
                std::get<D>(item_sides_).count(counts[D], batch_of(D), options.training.negatives);
            }
        });
    }

    /// Training pairs of a domain: items that a user took, of any domain before it.
    ///
    /// Errors    InvalidArgument if there is no such domain
    [[nodiscard]] std::size_t pairs(std::size_t domain) const {
        require_below(domain, domains, "CrossDomain::pairs: domain");
        return pairs_[domain].size();
    }
    [[nodiscard]] const Weights& weights() const noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    /// The items of each user, of all domains in the order of time.
    [[nodiscard]] const Sequences& sequences() const noexcept FUNNEL_LIFETIMEBOUND { return sequences_; }

    /// One pass over the pairs of the domain with most batches.
    ///
    /// Returns   the mean over the steps of the weighted sum of the losses, 0 without pairs
    template <Executor E = Serial>
    double epoch(E&& executor = E{}) {
        std::size_t steps = 0;
        for (std::size_t d = 0; d < domains; ++d) {
            steps = std::max(steps, pairs_[d].empty() ? 0 : pairs_[d].size() / batch_of(d));
        }
        double loss = 0.0;
        for (std::size_t s = 0; s < steps; ++s) {
            loss += step(executor) / static_cast<double>(steps);
        }
        return loss;
    }

private:
    template <class Log>
    [[nodiscard]] static CrossDomainOptions checked(const CrossDomainOptions& options,
                                                    const std::array<Log, domains>& logs) {
        detail::check(options.training, "CrossDomain");
        require(options.training.item_features.cols() == 0,
                "CrossDomain: item_features are given per domain, not in the options of training");
        require(options.training.item_text.rows == 0 && options.training.user_text.rows == 0,
                "CrossDomain: there must be no texts in the options of training");
        require(options.training.negatives.hard == 0, "CrossDomain: negatives.hard must be 0");
        for (const Log& log : logs) {
            require_equal(log.users(), logs[0].users(), "CrossDomain: the number of users of each log");
            data::require_known_ids(log, "CrossDomain");
        }
        detail::require_features(options.training.user_features, logs[0].users(), Weights::user_features,
                                 "CrossDomain: user_features");
        if (!options.domain_weights.empty()) {
            require_equal(options.domain_weights.size(), domains, "CrossDomain: the number of domain_weights");
        }
        for (const double& weight : options.domain_weights) {
            require_not_negative(weight, "CrossDomain: a domain weight");
        }
        if (!options.item_features.empty()) {
            require_equal(options.item_features.size(), domains, "CrossDomain: the number of item_features");
        }
        for (std::size_t d = 0; d < domains; ++d) {
            detail::require_features(
                options.item_features.empty() ? MatrixView<const float>{} : options.item_features[d], logs[d].items(),
                Weights::item_features[d], "CrossDomain: item_features of domain " + std::to_string(d));
        }
        return options;
    }

    template <class Log>
    [[nodiscard]] static std::array<std::size_t, domains> sizes(const std::array<Log, domains>& logs) {
        std::array<std::size_t, domains> items{};
        for (std::size_t d = 0; d < domains; ++d) {
            items[d] = logs[d].items();
        }
        return items;
    }

    // One log of all domains.
    template <class Log>
    [[nodiscard]] static data::Interactions joined(const std::array<Log, domains>& logs,
                                                   const std::array<std::size_t, domains + 1>& offsets) {
        std::vector<data::Interaction> rows;
        for (std::size_t d = 0; d < domains; ++d) {
            for (std::size_t row = 0; row < logs[d].size(); ++row) {
                const auto& from = logs[d][row];
                rows.push_back({.user = from.user,
                                .item = static_cast<std::uint32_t>(offsets[d] + from.item),
                                .value = from.value,
                                .time = from.time});
            }
        }
        return data::Interactions::from_ids(rows, logs[0].users(), offsets[domains]);
    }

    [[nodiscard]] static nn::AdamOptions adam(const CrossDomainOptions& options) {
        return {.learning_rate = static_cast<double>(options.training.learning_rate)};
    }

    template <std::size_t... D>
    [[nodiscard]] static auto item_sides(const std::array<std::size_t, domains>& items,
                                         const CrossDomainOptions& options, std::index_sequence<D...> /*domains*/) {
        return std::tuple(detail::ItemSide<ItemNetworks, Width, Backend>(
            items[D], 0, adam(options),
            stream("cross_domain.items").substream(D).substream(options.training.seed).id)...);
    }

    [[nodiscard]] std::size_t domain_of(std::uint32_t item) const {
        const auto after = std::upper_bound(weights_.offsets.begin(), weights_.offsets.end(), std::size_t{item});
        return static_cast<std::size_t>(after - weights_.offsets.begin()) - 1;
    }

    [[nodiscard]] std::size_t batch_of(std::size_t d) const {
        return std::min(options_.training.batch, pairs_[d].size());
    }

    template <Executor E>
    double step(E& executor) {
        const TwoTowerOptions& training = options_.training;
        const nn::Step step{.seed = training.seed, .number = steps_, .layer = stream("cross_domain.layers")};
        batch_.clear();
        taken_.clear();
        for (std::size_t d = 0; d < domains; ++d) {
            const std::size_t count = batch_of(d);
            if (next_[d] + count > pairs_[d].size() || next_[d] == pairs_[d].size()) {
                Random(training.seed, stream("cross_domain.order").substream(d), rounds_[d]++)
                    .shuffle(std::span(pairs_[d]));
                next_[d] = 0;
            }
            for (std::size_t i = 0; i < count; ++i) {
                batch_.push_back(pairs_[d][next_[d]++]);
                taken_.push_back(
                    static_cast<std::uint32_t>(sequences_.items()[batch_.back().position] - weights_.offsets[d]));
            }
        }
        const auto users = user_side_.forward(weights_.user, weights_.histories, no_words_, sequences_, batch_,
                                              training, step.of(0), executor);
        detail::grow(d_users_, batch_.size(), UserNetwork::out);
        const MatrixView<float> d_users = d_users_.view().rows_from(0, batch_.size());
        double loss = 0.0;
        std::size_t first = 0;
        Weights::each([&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
            const std::size_t count = batch_of(D);
            if (count > 0) {
                const detail::ItemBatch items{
                    .taken = std::span<const std::uint32_t>(taken_).subspan(first, count),
                    .pairs = std::span<const detail::TrainingPair>(batch_).subspan(first, count),
                    .sequences = sequences_,
                    .first_item = weights_.offsets[D]};
                const double of_domain =
                    std::get<D>(item_sides_)
                        .step(std::get<D>(weights_.item), weights_.ids[D], no_words_, items, features_[D],
                              users.rows_from(first, count), d_users.rows_from(first, count), training,
                              domain_weights_[D], steps_, step.of(1 + D), executor);
                loss += static_cast<double>(domain_weights_[D]) * of_domain;
            }
            first += count;
        });
        user_side_.backward(weights_.user, weights_.histories.view(), no_words_.view(), d_users, executor);
        ++steps_;
        return loss;
    }

    CrossDomainOptions options_;
    Weights weights_;
    Sequences sequences_;
    detail::UserSide<UserNetwork, Width, Backend> user_side_;
    std::tuple<detail::ItemSide<ItemNetworks, Width, Backend>...> item_sides_;
    std::array<float, domains> domain_weights_{};
    std::array<MatrixView<const float>, domains> features_{};
    std::array<std::vector<detail::TrainingPair>, domains> pairs_;
    std::array<std::size_t, domains> next_{};  // the pair of each domain with which its next batch begins
    std::array<std::uint64_t, domains> rounds_{};
    std::uint64_t steps_ = 0;
    Matrix<float> no_words_{0, Width};
    std::vector<detail::TrainingPair> batch_;
    std::vector<std::uint32_t> taken_;
    Matrix<float> d_users_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
