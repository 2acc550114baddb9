// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/embedding/cross_domain_trainer.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

/// An item of one of several domains, such as a video, a product or an article.
struct DomainItem {
    std::size_t domain;
    std::uint32_t item;
};

/// A cross-domain model with networks of your own: see CrossDomain.
template <std::size_t Width, kernels::HostBackend Backend, nn::Layer UserNetwork, nn::Layer... ItemNetworks>
class BasicCrossDomain {
public:
    using Trainer = CrossDomainTrainer<Width, Backend, UserNetwork, ItemNetworks...>;
    using Weights = typename Trainer::Weights;
    static constexpr std::size_t domains = Weights::domains;

    /// Learns from one log per domain.
    ///
    /// Shapes    logs: the same users, with the same ids and one clock; each has its own items
    /// Errors    InvalidArgument if the logs have different numbers of users, an id or a time in a log is not valid, an
    ///           option is out of range, features do not have the shape that the networks want, or training diverges
    template <data::InteractionLog Log, Executor E = Serial>
    [[nodiscard]] static BasicCrossDomain fit(const std::array<Log, domains>& logs,
                                              const CrossDomainOptions& options = {}, E&& executor = E{}) {
        Trainer trainer(logs, options);
        for (std::size_t epoch = 0; epoch < options.training.epochs; ++epoch) {
            const double loss = trainer.epoch(executor);
            require(math::is_finite(loss), "CrossDomain: training diverged; try a smaller learning_rate");
            report_progress(executor, "CrossDomain", epoch + 1, options.training.epochs);
        }
        return BasicCrossDomain(trainer, options);
    }

    /// The vectors of the present weights of a trainer.
    ///
    /// Shapes    options: those of the trainer
    BasicCrossDomain(const Trainer& trainer, const CrossDomainOptions& options)
        : weights_(trainer.weights()), history_(options.training.history) {
        const Sequences& sequences = trainer.sequences();
        std::vector<std::uint8_t> is_known(weights_.histories.rows());
        for (const std::uint32_t item : sequences.items()) {
            is_known[item] = 1;
        }
        Weights::each([&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
            constexpr std::size_t features = Weights::item_features[D];
            const std::size_t count = weights_.ids[D].rows();
            Matrix<float> rows(count, Width + features);
            for (std::size_t i = 0; i < count; ++i) {
                // Nothing has trained the id of an item that nobody took: only its features describe it.
                if (is_known[weights_.offsets[D] + i] != 0) {
                    std::copy_n(weights_.ids[D].row(i).begin(), Width, rows.row(i).begin());
                }
                if constexpr (features > 0) {
                    std::copy_n(options.item_features[D].row(i).begin(), features, rows.row(i).begin() + Width);
                }
            }
            items_[D] = std::get<D>(weights_.item).template infer<Backend>(rows);
            for (std::size_t i = 0; i < count && features == 0; ++i) {
                if (is_known[weights_.offsets[D] + i] == 0) {
                    std::fill(items_[D].row(i).begin(), items_[D].row(i).end(), 0.0F);  // nothing is known about it
                }
            }
        });
        users_ = Matrix<float>(sequences.users(), UserNetwork::out);
        for (std::size_t user = 0; user < users_.rows(); ++user) {
            const auto features =
                Weights::user_features > 0 ? options.training.user_features.row(user) : std::span<const float>{};
            const std::vector<float> vector = pass(sequences.of(user), features);
            std::copy(vector.begin(), vector.end(), users_.row(user).begin());
        }
    }

    /// One row per training user: the vector of the user's last items, of all domains.
    [[nodiscard]] MatrixView<const float> user_factors() const& noexcept FUNNEL_LIFETIMEBOUND { return users_.view(); }
    /// One row per item of a domain. With these rows in an index, search(user vector) finds items of that domain.
    ///
    /// Errors    InvalidArgument if there is no such domain
    [[nodiscard]] MatrixView<const float> item_factors(std::size_t domain) const& FUNNEL_LIFETIMEBOUND {
        require_below(domain, domains, "CrossDomain::item_factors: domain");
        return items_[domain].view();
    }
    void user_factors() const&& = delete;
    void item_factors(std::size_t domain) const&& = delete;

    /// The vector of a user with this history, oldest item first, and these features. It serves all domains.
    ///
    /// Cost      one pass of the user network
    /// Errors    InvalidArgument if a domain or an item is unknown, or there are too few or too many features
    [[nodiscard]] std::vector<float> user_vector(std::span<const DomainItem> history,
                                                 std::span<const float> features = {}) const {
        std::vector<std::uint32_t> items;
        for (const DomainItem& taken : history) {
            require_below(taken.domain, domains, "CrossDomain::user_vector: domain of the history");
            require_below(taken.item, weights_.ids[taken.domain].rows(),
                          "CrossDomain::user_vector: item of the history");
            items.push_back(static_cast<std::uint32_t>(weights_.offsets[taken.domain] + taken.item));
        }
        nn::detail::require_size(features.size(), Weights::user_features, "CrossDomain::user_vector",
                                 "number of features");
        const std::vector<float> vector = pass(items, features);
        for (const float& x : vector) {
            require_finite(x, "CrossDomain::user_vector: a number of the vector");
        }
        return vector;
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("history", std::uint64_t{history_});
        weights_.user.write(file, "user");
        file.matrix("histories", weights_.histories.view());
        file.matrix("user_factors", users_.view());
        Weights::each([&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
            std::get<D>(weights_.item).write(file, name("item", D));
            file.matrix(name("ids", D), weights_.ids[D].view());
            file.matrix(name("item_factors", D), items_[D].view());
        });
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicCrossDomain load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        BasicCrossDomain model;
        model.history_ = file.template value<std::uint64_t>("history");
        file.check(model.history_ > 0, "history", "must be at least 1");
        const auto matrix = [&](const std::string& section, std::size_t width) {
            Matrix<float> numbers = file.template matrix<float>(section, {}, width);
            for (std::size_t i = 0; i < numbers.rows(); ++i) {
                file.check(math::all_finite(numbers.row(i)), section, "must be finite");
            }
            return numbers;
        };
        model.weights_.user = nn::Tower<UserNetwork>::read(file, "user");
        Weights::each([&]<std::size_t D>(std::integral_constant<std::size_t, D>) {
            auto& tower = std::get<D>(model.weights_.item);
            tower = std::remove_reference_t<decltype(tower)>::read(file, name("item", D));
            model.weights_.ids[D] = matrix(name("ids", D), Width);
            model.items_[D] = matrix(name("item_factors", D), UserNetwork::out);
            file.check(model.items_[D].rows() == model.weights_.ids[D].rows(), name("item_factors", D).c_str(),
                       "must have one row per item");
            model.weights_.offsets[D + 1] = model.weights_.offsets[D] + model.weights_.ids[D].rows();
        });
        model.weights_.histories = matrix("histories", Width);
        file.check(model.weights_.histories.rows() == model.weights_.offsets[domains], "histories",
                   "must have one row per item of all domains");
        model.users_ = matrix("user_factors", UserNetwork::out);
        return model;
    }

private:
    static constexpr std::string_view kind = "embedding.CrossDomain";
    static constexpr std::uint32_t layout_version = 1;

    BasicCrossDomain() = default;

    [[nodiscard]] static std::string name(const char* section, std::size_t domain) {
        return std::string(section) + "_" + std::to_string(domain);
    }

    [[nodiscard]] std::vector<float> pass(std::span<const std::uint32_t> history,
                                          std::span<const float> features) const {
        Matrix<float> row(1, UserNetwork::in);
        detail::pool_last<Backend>(weights_.histories, history_, history, row.row(0));
        std::copy_n(features.begin(), Weights::user_features, row.row(0).begin() + Width);
        const Matrix<float> vector = weights_.user.template infer<Backend>(row);
        return {vector.row(0).begin(), vector.row(0).end()};
    }

    Weights weights_;
    std::uint64_t history_ = 1;
    Matrix<float> users_;
    std::array<Matrix<float>, domains> items_;
};

namespace detail {

template <std::size_t Features>
using CrossDomainNetwork =
    nn::Sequential<nn::Dense<64 + Features, 128>, nn::ReLU, nn::Dense<128, 64>, nn::L2Normalize<64>>;

}  // namespace detail

/// Retrieval in several domains with one tower of users: videos, products and articles whose users are the same. Each
/// domain has a network and embeddings of its own for its items; a user's history is that of all domains.
///
///     loss = sum over domains d of weight_d (in-batch softmax over the items of d)
///
///     auto model = CrossDomain<18, 0>::fit(logs, {.item_features = features});   // videos with 18 features; products
///     auto products = ann::HNSW<Cosine>::build(model.item_factors(1));
///     auto hits = products.search(model.user_vector(history), {.k = 100});
///
/// Every step has a batch of each domain, and each loss is a mean, so a large domain does not outvote a small one. A
/// domain with few interactions gains if its tastes are those of the others. If they are not, the shared history is
/// noise, and a TwoTower model of its own is better: measure both.
///
/// Cost      fit: as TwoTower, per step one batch of each domain
/// Source    TwoTower, with one tower of items per domain
template <std::size_t... ItemFeatures>
using CrossDomain = BasicCrossDomain<64, kernels::DefaultBackend, detail::CrossDomainNetwork<0>,
                                     detail::CrossDomainNetwork<ItemFeatures>...>;

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
