// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/folded_user.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// A scorer that can be learned from a log and saved.
///
///     kind                                            what its files hold, such as "cf.EASE"
///     Options                                         what fit() takes beside the log
///     learn(log, user_item, options, executor)        -> S
///     write(file)  read(file, histories)              its sections of a file; read -> S
///
/// user_item has a row of ones for each user. Optional members:
///
///     explain_for(profile, item, k)                   gives the model explain()
///     score_some(profile, items, scores)              cheaper than score_one for each, with the same bits
///     user_factors()  fold_in_factors(history)        rows for Profile::factors, of known and of new users
template <class S>
concept LearnedScorer = Scorer<S> && std::default_initializable<typename S::Options> &&
                        requires(const S& scorer, const data::Interactions& log, const CSRMatrix<float>& user_item,
                                 const typename S::Options& options, Serial& executor, const Histories& histories,
                                 io::ContainerWriter& writer, const io::ContainerReader& reader) {
                            { S::kind } -> std::convertible_to<std::string_view>;
                            { S::learn(log, user_item, options, executor) } -> std::same_as<S>;
                            { S::read(reader, histories) } -> std::same_as<S>;
                            scorer.write(writer);
                        };

/// A recommender: a scorer, and everything that does not depend on what it learned. To add a model, write its scorer;
/// cf/popularity.hpp is the shortest example, and tests/support/model_contract.hpp checks what every model promises.
///
/// A user >= users(), such as one who registered after training, is a user without a history. A model that was moved
/// from has no users and no items.
template <LearnedScorer S>
class Model : public S {
public:
    using Options = typename S::Options;

    /// Errors    InvalidArgument if an option is not what its comment asks for
    template <data::InteractionLog Log = data::Interactions, Executor E = Serial>
    [[nodiscard]] static Model fit(const Log& train, const Options& options = {}, E&& executor = E{}) {
        const CSRMatrix<float> user_item = data::user_item_matrix(train);
        return {S::learn(train, user_item, options, executor), Histories(user_item), data::fingerprint(train)};
    }

    Model(const Model&) = default;
    Model(Model&&) noexcept = default;
    Model& operator=(Model other) noexcept {  // copied before anything changes: a copy may run out of memory
        S::operator=(static_cast<S&&>(other));
        histories_ = std::move(other.histories_);
        fingerprint_ = other.fingerprint_;
        return *this;
    }
    ~Model() = default;

    [[nodiscard]] std::size_t users() const noexcept { return histories_.users(); }
    [[nodiscard]] std::size_t items() const noexcept { return histories_.items(); }

    /// The best items for a user, best first. Only items that there is evidence for, so the list may be shorter than k;
    /// empty for a user without a history, if the scorer needs one.
    template <ItemFilter Filter = AcceptAll>
    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const RecommendOptions& options = {},
                                                  const Filter& filter = {}) const {
        return recommend_for(scorer(), profile(user), options, filter);
    }

    /// The same in memory of the caller: see recommend_for. Allocates nothing.
    template <ItemFilter Filter = AcceptAll>
    std::span<Scored<>> recommend(std::size_t user, const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out FUNNEL_LIFETIMEBOUND, const Filter& filter = {}) const
        noexcept(is_nothrow_filter<Filter>) {
        return recommend_for(scorer(), profile(user), options, filter, scratch, out);
    }

    /// One score for each of the given items. Zeros for a user without a history, if the scorer needs one.
    ///
    /// Errors    InvalidArgument if there is no such item
    [[nodiscard]] std::vector<float> score(std::size_t user, std::span<const std::uint32_t> items) const {
        return score_for(scorer(), profile(user), items);
    }

    /// Why the item has its score: the k items of the user's history with the largest share in it.
    ///
    /// Returns   history items and their shares, largest first; see explain_for of the scorer
    /// Errors    InvalidArgument if there is no such item
    [[nodiscard]] std::vector<Scored<>> explain(std::size_t user, std::uint32_t item, std::size_t k) const
        requires requires(const S& scorer, const Profile& profile) { scorer.explain_for(profile, item, k); }
    {
        return S::explain_for(profile(user), item, k);
    }

    /// A user who was not there in training: gets what a training user with this history gets. Refers to this model; if
    /// this model is a temporary, keeps it.
    ///
    /// Errors    InvalidArgument if an item is unknown or named twice
    [[nodiscard]] FoldedUser<S> fold_in(std::span<const std::uint32_t> history) const& FUNNEL_LIFETIMEBOUND {
        return fold_into(scorer(), history);
    }
    [[nodiscard]] FoldedUser<S> fold_in(std::span<const std::uint32_t> history) && {
        return fold_into(static_cast<S&&>(*this), history);
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(S::kind, 1);
        file.value("log_fingerprint", fingerprint_);
        histories_.write(file);
        S::write(file);
        file.save(path);
    }

    /// What save wrote. Users and items come back as dense ids: only the log that the model was fitted on, or one with
    /// the same keys, knows what they stand for. Pass the log to have that checked.
    ///
    /// Errors    IOError;  CorruptData if the file is not what save wrote
    [[nodiscard]] static Model load(const std::string& path) {
        const io::ContainerReader file(path, S::kind, 1);
        Histories histories = Histories::read(file);
        S scorer = S::read(file, histories);
        return {std::move(scorer), std::move(histories), file.value<std::uint64_t>("log_fingerprint")};
    }

    /// The same, to be used with a log.
    ///
    /// Errors    also InvalidArgument if the log has other users or items, or gives them other ids, than the log that
    ///           the model was fitted on
    template <data::InteractionLog Log>
    [[nodiscard]] static Model load(const std::string& path, const Log& log) {
        Model model = load(path);
        if (model.users() != log.users() || model.items() != log.items()) {
            raise<InvalidArgument>(path +
                                   ": was fitted on a log with other users or items: " + std::to_string(model.users()) +
                                   " users and " + std::to_string(model.items()) + " items; here are " +
                                   std::to_string(log.users()) + " and " + std::to_string(log.items()));
        }
        if (model.fingerprint_ != data::fingerprint(log)) {
            raise<InvalidArgument>(path + ": was fitted on a log whose users or items have other keys");
        }
        return model;
    }

private:
    // What only this class calls is no part of a model.
    using S::learn;
    using S::read;
    using S::write;

    static constexpr bool has_factors = requires(const S& scorer) { scorer.user_factors(); };

    Model(S scorer, Histories histories, std::uint64_t fingerprint)
        : S(std::move(scorer)), histories_(std::move(histories)), fingerprint_(fingerprint) {
        FUNNEL_ASSERT(S::items() == histories_.items());
    }

    [[nodiscard]] const S& scorer() const noexcept { return *this; }

    [[nodiscard]] Profile profile(std::size_t user) const noexcept {
        if constexpr (has_factors) {
            return user < users() ? Profile{histories_.of(user), S::user_factors().row(user)} : Profile{};
        } else {
            return {histories_.of(user)};
        }
    }

    template <class ThisScorer>
    [[nodiscard]] FoldedUser<S> fold_into(ThisScorer&& scorer, std::span<const std::uint32_t> history) const {
        std::vector<std::uint32_t> observed = checked_history(history, items());
        std::vector<float> factors;
        if constexpr (has_factors) {
            factors = scorer.fold_in_factors(observed);
        }
        return {std::forward<ThisScorer>(scorer), std::move(observed), std::move(factors)};
    }

    Histories histories_;
    std::uint64_t fingerprint_;  // of the log
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
