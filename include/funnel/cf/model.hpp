// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/folded_user.hpp>
#include <funnel/cf/histories.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/cf/similar.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
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

/// A scorer that can be learned from a log, saved and loaded. Its further members are those of Scorer (cf/scorer.hpp):
/// items, needs_history, score_all, score_one and, optional, keep_known_zeros.
///
///     kind                                            name of the model in its files, such as "cf.EASE"
///     Options                                         options of fit()
///     learn(log, user_item, options, executor)        -> S
///     write(file)  read(file, histories)              write and read its sections of a file; read -> S
///
/// user_item is users x items and stores the value of each liked item of a user, or with reads_values that of each item
/// (see Profile); all are finite. The log has all rows, and may have no rows, users or items. file is an
/// io::ContainerWriter or io::ContainerReader. read calls file.check(...) for every size, id and number that it uses;
/// with reads_values, it may rely on a finite value for each item of histories.
/// Optional members:
///
///     layout_version                                  of the sections that write adds, 1 if it is missing
///     explain_for(profile, item, k)                   enables explain() of the model
///     score_some(profile, items, scores)              same bits as score_one for each item, but cheaper
///     similar_items_for(item, k)                      similar_items() of the model, if there are no item_factors()
///     item_factors()                                  similar_items() of the model compares these rows
///     bias_columns                                    how many last columns of the factors hold biases;
///                                                     similar_items() and similar_users() leave them out
///     relearn(log, user_item, options, executor)      enables update() of the model: as learn, but starts from the
///                                                     state of the scorer; -> S
///     forget_user(user)                               noexcept: empties what is stored about a known user; needed if
///                                                     there are user_factors() or anything else per user
///     user_factors()  fold_in_factors(history)        Profile::factors of training users and of new users; the history
///                                                     ascends, or is as it was given if reads_histories_in_order
///                                                     exists. With reads_values: fold_in_factors(history, values)
///     neighbours()  fold_in_neighbours(row)           Profile::neighbours of training users (a users x users matrix,
///                                                     whose columns stay when a user is forgotten) and of a new user
///                                                     with this row of user_item
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

namespace detail {

template <class S>
constexpr std::uint32_t layout_version() {
    if constexpr (requires { S::layout_version; }) {
        return S::layout_version;
    } else {
        return 1;
    }
}

}  // namespace detail

/// A recommender: a scorer plus everything that is the same for all algorithms. To add a model, write its scorer.
/// cf/popularity.hpp is the shortest example; tests/support/model_contract.hpp tests what holds for every model.
///
/// A user >= users(), such as one who registered after training, has an empty history. A moved-from model has no users
/// and no items.
template <LearnedScorer S>
class Model : public S {
    static_assert(
        detail::TellsZerosApart<S> || !requires { &S::keep_known_zeros; },
        "a scorer with keep_known_zeros needs: keep_known_zeros(const Profile&, std::span<float>) const noexcept");

    static constexpr bool has_factors = requires(const S& scorer) { scorer.user_factors(); };
    static constexpr bool has_neighbours = requires(const S& scorer) { scorer.neighbours(); };
    static constexpr bool has_item_factors = requires(const S& scorer) { scorer.item_factors(); };

public:
    using Options = typename S::Options;

    /// If a user has several rows with an item, the value of the last one counts.
    ///
    /// Errors    InvalidArgument if an option is outside the range that its comment gives, or a value is not finite
    template <data::InteractionLog Log = data::Interactions, Executor E = Serial>
    [[nodiscard]] static Model fit(const Log& train, const Options& options = {}, E&& executor = E{}) {
        return learned(train, [&](const CSRMatrix<float>& used) { return S::learn(train, used, options, executor); });
    }

    /// Learns from a log that has grown, starting from what the model knows. Users and items may have been added; those
    /// that the model knows must have the same ids as before (not checked). If this throws, the model is as it was.
    ///
    /// Errors    as fit;  InvalidArgument if the log has fewer users or items than the model
    template <data::InteractionLog Log, Executor E = Serial>
    void update(const Log& train, const Options& options = {}, E&& executor = E{})
        requires requires(const S& scorer, const CSRMatrix<float>& user_item) {
            scorer.relearn(train, user_item, options, executor);
        }
    {
        require_at_least(train.users(), users(), "update: number of users in the log");
        require_at_least(train.items(), items(), "update: number of items in the log");
        *this =
            learned(train, [&](const CSRMatrix<float>& used) { return S::relearn(train, used, options, executor); });
    }

    Model(const Model&) = default;
    Model(Model&&) noexcept = default;
    Model& operator=(const Model& other) { return *this = Model(other); }  // strong guarantee
    Model& operator=(Model&& other) noexcept {
        Model taken(std::move(other));
        S::operator=(static_cast<S&&>(taken));
        histories_ = std::move(taken.histories_);
        fingerprint_ = taken.fingerprint_;
        return *this;
    }
    ~Model() = default;

    [[nodiscard]] std::size_t users() const noexcept { return histories_.users(); }
    [[nodiscard]] std::size_t items() const noexcept { return histories_.items(); }

    /// The k items with the highest scores for a user, best first. Only items with evidence (see Scorer) are listed, so
    /// the list may be shorter than k. It is empty if the scorer needs a history and the user has none.
    template <ItemFilter Filter = AcceptAll>
    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const RecommendOptions& options = {},
                                                  const Filter& filter = {}) const {
        return recommend_for(scorer(), profile(user), options, filter);
    }

    /// The same in the caller's memory: see recommend_for. Allocates nothing.
    template <ItemFilter Filter = AcceptAll>
    std::span<Scored<>> recommend(std::size_t user, const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out FUNNEL_LIFETIMEBOUND, const Filter& filter = {}) const
        noexcept(is_nothrow_filter<Filter>) {
        return recommend_for(scorer(), profile(user), options, filter, scratch, out);
    }

    /// The lists of many users, each the same as recommend() gives. There is never a matrix of users x items.
    ///
    /// Returns   one list per given user, for any number of threads the same
    template <Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> recommend_batch(std::span<const std::uint32_t> users,
                                                                     const RecommendOptions& options = {},
                                                                     E&& executor = E{}) const {
        return recommend_batch(users, options, AcceptAll{}, executor);
    }

    /// The same with one filter for all users. Threads call it at the same time.
    template <ItemFilter Filter, Executor E = Serial>
    [[nodiscard]] std::vector<std::vector<Scored<>>> recommend_batch(std::span<const std::uint32_t> users,
                                                                     const RecommendOptions& options,
                                                                     const Filter& filter, E&& executor = E{}) const {
        const auto profile_of = [&](std::size_t i) noexcept { return profile(users[i]); };
        return recommend_batch_for(scorer(), users.size(), profile_of, options, filter, executor);
    }

    /// The k items most similar to an item, with similarities above 0, best first: by the cosine of their factors or by
    /// the weights of a linear model (the items to whose scores this item adds most).
    ///
    /// Cost      O(items x factors), or one row of weights
    /// Errors    InvalidArgument if the item is unknown
    [[nodiscard]] std::vector<Scored<>> similar_items(std::uint32_t item, std::size_t k) const
        requires(has_item_factors || requires(const S& scorer) { scorer.similar_items_for(item, k); })
    {
        require_below(item, items(), "similar_items: item");
        if constexpr (has_item_factors) {
            return most_similar_rows(detail::without_biases<S>(S::item_factors()), item, k);
        } else {
            return S::similar_items_for(item, k);
        }
    }

    /// The k users most similar to a user, with similarities above 0, best first: by the cosine of their factors, or by
    /// that of their histories if the model has no factors. A model of neighbours knows no others than these. If the
    /// scorer needs a history, users without one are not similar to anybody.
    ///
    /// Returns   an empty list if the user is unknown
    /// Cost      O(users x factors), or O(items in all histories)
    [[nodiscard]] std::vector<Scored<>> similar_users(std::size_t user, std::size_t k) const {
        if constexpr (has_neighbours) {
            return user < users() ? most_similar(S::neighbours().row(user), k) : std::vector<Scored<>>{};
        } else if constexpr (has_factors) {
            const auto is_known = [&](std::size_t id) {
                return id < users() && (!S::needs_history || !histories_.of(id).empty());
            };
            return is_known(user) ? most_similar_rows(detail::without_biases<S>(S::user_factors()), user, k, is_known)
                                  : std::vector<Scored<>>{};
        } else {
            return users_with_similar_histories(histories_, user, k);
        }
    }

    /// Deletes what the model stores about a user: history, values, dislikes and factors. The id stays, with an empty
    /// history; other users keep theirs. What the items learned from the user's rows stays until the model is fitted
    /// again. Does nothing if the user is unknown.
    ///
    /// Cost      O(users + items in all histories)
    void forget_user(std::size_t user) noexcept
        requires(!has_factors || requires(S& scorer) { scorer.forget_user(user); })
    {
        if constexpr (requires(S& scorer) { scorer.forget_user(user); }) {
            static_assert(noexcept(S::forget_user(user)));
            if (user < users()) {
                S::forget_user(user);
            }
        }
        histories_.forget(user);
    }

    /// One score per given item. All are 0 if the scorer needs a history and the user has none.
    ///
    /// Errors    InvalidArgument if an item is unknown
    [[nodiscard]] std::vector<float> score(std::size_t user, std::span<const std::uint32_t> items) const {
        return score_for(scorer(), profile(user), items);
    }

    /// Explains a score: the k items of the user's history with the largest shares in the score of the item.
    ///
    /// Returns   history items and their shares, largest first; see explain_for of the scorer
    /// Errors    InvalidArgument if the item is unknown, or a share is not finite: a value is too large
    [[nodiscard]] std::vector<Scored<>> explain(std::size_t user, std::uint32_t item, std::size_t k) const
        requires requires(const S& scorer, const Profile& profile) { scorer.explain_for(profile, item, k); }
    {
        return S::explain_for(profile(user), item, k);
    }

    /// Creates a user who is not in the training log. The results are those of a training user with this history. The
    /// returned object refers to this model; if this model is a temporary, the object owns it.
    ///
    /// Shapes    values: one per item of the history, as in the log; see Profile. Without values, each is 1
    /// Errors    InvalidArgument if an item is unknown or occurs twice, a value is not finite, or there are more or
    ///           fewer values than items
    [[nodiscard]] FoldedUser<S> fold_in(std::span<const std::uint32_t> history,
                                        std::span<const float> values) const& FUNNEL_LIFETIMEBOUND {
        return fold_into(scorer(), history, values);
    }
    [[nodiscard]] FoldedUser<S> fold_in(std::span<const std::uint32_t> history, std::span<const float> values) && {
        FoldedUser<S> folded = fold_into(static_cast<S&&>(*this), history, values);
        const Histories taken(std::move(histories_));  // a model without its scorer is moved-from
        return folded;
    }
    [[nodiscard]] FoldedUser<S> fold_in(std::span<const std::uint32_t> history) const& FUNNEL_LIFETIMEBOUND {
        return fold_into(scorer(), history, std::vector<float>(history.size(), 1.0F));
    }
    [[nodiscard]] FoldedUser<S> fold_in(std::span<const std::uint32_t> history) && {
        return std::move(*this).fold_in(history, std::vector<float>(history.size(), 1.0F));
    }

    /// Errors    IOError;  InvalidArgument if the model is moved-from
    void save(const std::string& path) const {
        require(!histories_.is_moved_from(), "save: the model must not be moved-from");
        io::ContainerWriter file(S::kind, layout_version);
        file.value("log_fingerprint", fingerprint_);
        histories_.write(file);
        S::write(file);
        file.save(path);
    }

    /// Reads a model that save() wrote. The file stores dense ids, not keys. To map ids to keys, use the log that the
    /// model was fitted on, or one with the same keys; the overload that takes the log checks this.
    ///
    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static Model load(const std::string& path) {
        const io::ContainerReader file(path, S::kind, layout_version);
        Histories histories = Histories::read(file);
        file.check(histories.has_values() == detail::ReadsValues<S> || histories.is_empty(), "history_values",
                   detail::ReadsValues<S> ? "must be there" : "must not be there");
        S scorer = S::read(file, histories);
        return {std::move(scorer), std::move(histories), file.value<std::uint64_t>("log_fingerprint")};
    }

    /// As above, and checks that the log fits the model.
    ///
    /// Errors    as above;  InvalidArgument if the users or items of the log, or their ids, differ from those of the
    ///           log that the model was fitted on
    template <data::InteractionLog Log>
    [[nodiscard]] static Model load(const std::string& path, const Log& log) {
        Model model = load(path);
        if (model.users() != log.users() || model.items() != log.items()) {
            raise<InvalidArgument>(path + ": the log must have " + std::to_string(model.users()) + " users and " +
                                   std::to_string(model.items()) + " items, as in training, got " +
                                   std::to_string(log.users()) + " and " + std::to_string(log.items()));
        }
        if (model.fingerprint_ != data::fingerprint(log)) {
            raise<InvalidArgument>(path + ": the log must have the same user and item keys as in training");
        }
        return model;
    }

private:
    // Not part of the public interface of a model.
    using S::learn;
    using S::read;
    using S::write;

    static constexpr std::uint32_t layout_version = detail::layout_version<S>();

    Model(S scorer, Histories histories, std::uint64_t fingerprint)
        : S(std::move(scorer)), histories_(std::move(histories)), fingerprint_(fingerprint) {
        FUNNEL_ASSERT(S::items() == histories_.items());
    }

    // learn(user_item) -> S
    template <class Log, class Learn>
    static Model learned(const Log& train, const Learn& learn) {
        const CSRMatrix<float> user_item = data::user_item_matrix(train);
        require(math::all_finite(user_item.values()), "fit: every value in the log must be finite");
        if constexpr (detail::ReadsValues<S>) {
            return {learn(user_item), Histories::with_values(user_item), data::fingerprint(train)};
        } else {
            Histories histories(user_item);
            S scorer = histories.has_dislikes() ? learn(detail::liked_part(user_item)) : learn(user_item);
            return {std::move(scorer), std::move(histories), data::fingerprint(train)};
        }
    }

    [[nodiscard]] const S& scorer() const noexcept { return *this; }

    [[nodiscard]] Profile profile(std::size_t user) const noexcept {
        Profile profile{.history = histories_.of(user),
                        .values = histories_.values_of(user),
                        .disliked = histories_.disliked_by(user)};
        if constexpr (has_factors) {
            profile.factors = user < users() ? S::user_factors().row(user) : std::span<const float>{};
        }
        if constexpr (has_neighbours) {
            profile.neighbours = user < users() ? S::neighbours().row(user) : SparseRow<float>{};
        }
        return profile;
    }

    template <class ThisScorer>
    [[nodiscard]] FoldedUser<S> fold_into(ThisScorer&& scorer, std::span<const std::uint32_t> history,
                                          std::span<const float> values) const {
        require_equal(values.size(), history.size(), "fold_in: number of values");
        require(math::all_finite(values), "fold_in: every value must be finite");
        const std::vector<std::uint32_t> sorted = checked_history(history, items());
        std::vector<float> value_of(sorted.size());
        for (std::size_t i = 0; i < history.size(); ++i) {
            const auto at = std::lower_bound(sorted.begin(), sorted.end(), history[i]) - sorted.begin();
            value_of[static_cast<std::size_t>(at)] = values[i];
        }
        FoldedHistory folded;
        if constexpr (detail::ReadsValues<S>) {
            folded = {sorted, std::move(value_of)};
        } else {
            for (std::size_t i = 0; i < sorted.size(); ++i) {
                (value_of[i] > 0.0F ? folded.items : folded.disliked).push_back(sorted[i]);
            }
            if constexpr (has_neighbours) {
                std::erase_if(value_of, [](float value) { return !(value > 0.0F); });
                folded.keep_neighbours(scorer.fold_in_neighbours({folded.items, value_of}));
            }
        }
        std::vector<float> factors;
        if constexpr (has_factors && detail::ReadsValues<S>) {
            factors = scorer.fold_in_factors(folded.items, folded.values);
        } else if constexpr (has_factors && requires { S::reads_histories_in_order; }) {
            std::vector<std::uint32_t> liked(history.begin(), history.end());
            std::erase_if(liked, [&](std::uint32_t item) { return !std::ranges::binary_search(folded.items, item); });
            factors = scorer.fold_in_factors(liked);
        } else if constexpr (has_factors) {
            factors = scorer.fold_in_factors(folded.items);
        }
        return {std::forward<ThisScorer>(scorer), std::move(folded), std::move(factors)};
    }

    Histories histories_;
    std::uint64_t fingerprint_;  // of the training log
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
