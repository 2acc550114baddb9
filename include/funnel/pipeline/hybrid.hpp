// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/merge.hpp>
#include <funnel/pipeline/named.hpp>
#include <funnel/pipeline/stage.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// The hybrids of the textbooks. Each is a source itself: it takes models or callables (see Retriever), answers
/// recommend(user, {.k = 10}) and (request, n), and so goes into a Funnel, into evaluate(), and into another hybrid.
///
///     weighted(weights, a, b)        sums of scaled scores
///     switching(choose, a, b)        one of them, chosen per request
///     cascade(a, b)                  b orders what a found
///     stacked(combine, a, b)         a learned function of all scores; see source_scores for its training
///
/// The fifth, feature augmentation, gives the scores of one model to another as features: source_scores.
///
/// Source    Burke, "Hybrid recommender systems: survey and experiments", UMUAI 2002

/// How many items recommend() of a hybrid returns.
struct HybridListOptions {
    std::size_t k = 10;
};

/// How weighted() makes the scores of a list comparable.
enum class ListScale : std::uint8_t {
    MinMax,         ///< (score - lowest) / (highest - lowest) of the list; 1 if all are equal
    ReciprocalRank  ///< 1 / (60 + rank), rank from 1
};

struct HybridOptions {
    std::size_t depth = 100;  ///< items that each source is asked for, at least; more if the answer is to be longer
    ListScale scale = ListScale::MinMax;  ///< of weighted()
};

namespace detail {

// What all hybrids share: recommend() by way of (request, n).
template <class Hybrid>
struct HybridBase {
    [[nodiscard]] std::vector<Scored<>> recommend(std::uint32_t user, const HybridListOptions& options = {}) const {
        return static_cast<const Hybrid&>(*this)(Request{.user = user, .k = options.k}, options.k);
    }
};

// Default names are "source 0", "source 1" and so on.
template <class... Sources>
[[nodiscard]] std::tuple<NamedFor<Sources>...> named_sources(Sources&&... sources) {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple<NamedFor<Sources>...>(with_name("source", I, std::forward<Sources>(sources))...);
    }(std::index_sequence_for<Sources...>());
}

// The list of a source, with numbers only.
template <class N, class R>
[[nodiscard]] std::vector<Scored<>> checked_list(const N& named, const R& request, std::size_t n) {
    std::vector<Scored<>> list = ask(named, request, n);
    for (const Scored<>& item : list) {
        if (!math::is_finite(item.score)) {
            raise<InvalidArgument>(named.name + " gave item " + std::to_string(item.id) +
                                   " a score that is not finite");
        }
    }
    return list;
}

[[nodiscard]] inline std::vector<Scored<>> best_of(std::span<const std::uint32_t> ids, std::span<const double> scores,
                                                   std::size_t n) {
    std::vector<Scored<>> best(std::min(n, ids.size()));
    TopK<> top(best);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        top.push(ids[i], plain_score(scores[i], "hybrid"));
    }
    funnel::detail::keep_first(best, top.finish().size());
    return best;
}

// The ids of several lists, each once, in the order in which they first appear.
class UnionOfIds {
public:
    // The place of an id.
    std::size_t operator()(std::uint32_t id) {
        const std::size_t place = number_of_(id);
        if (place == ids_.size()) {
            ids_.push_back(id);
        }
        return place;
    }
    [[nodiscard]] const std::vector<std::uint32_t>& ids() const noexcept { return ids_; }

private:
    IdNumbers number_of_{0};
    std::vector<std::uint32_t> ids_;
};

// The scores of a list, best first, on the common scale.
[[nodiscard]] inline std::vector<double> scaled(ListScale scale, std::span<const Scored<>> list) {
    std::vector<double> result(list.size());
    double low = list.empty() ? 0.0 : static_cast<double>(list[0].score);
    double high = low;
    for (const Scored<>& item : list) {
        low = std::min(low, static_cast<double>(item.score));
        high = std::max(high, static_cast<double>(item.score));
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (scale == ListScale::ReciprocalRank) {
            result[i] = 1.0 / (61.0 + static_cast<double>(i));
        } else {
            result[i] = high > low ? (static_cast<double>(list[i].score) - low) / (high - low) : 1.0;
        }
    }
    return result;
}

}  // namespace detail

/// See weighted().
template <class Weights, class... Sources>
class WeightedHybrid : public detail::HybridBase<WeightedHybrid<Weights, Sources...>> {
public:
    WeightedHybrid(Weights weights, std::tuple<Sources...> sources, const HybridOptions& options)
        : weights_(std::move(weights)), sources_(std::move(sources)), options_(options) {
        require(options.scale == ListScale::MinMax || options.scale == ListScale::ReciprocalRank,
                "weighted: scale must be MinMax or ReciprocalRank");
    }

    template <RecommendationRequest R>
    [[nodiscard]] std::vector<Scored<>> operator()(const R& request, std::size_t n) const {
        const std::array<double, sizeof...(Sources)> weights = weights_of(request);
        detail::UnionOfIds place_of;
        std::vector<double> sums;
        std::size_t source = 0;
        const auto add = [&](const auto& named) {
            const double weight = weights[source++];
            if (!math::is_finite(weight) || weight < 0.0) {
                raise<InvalidArgument>("weighted: the weight of " + named.name + " must be finite and >= 0, got " +
                                       std::to_string(weight));
            }
            if (weight == 0.0) {
                return;  // it need not be asked
            }
            const std::vector<Scored<>> list = detail::checked_list(named, request, std::max(n, options_.depth));
            const std::vector<double> scores = detail::scaled(options_.scale, list);
            for (std::size_t i = 0; i < list.size(); ++i) {
                const std::size_t place = place_of(list[i].id);
                sums.resize(place_of.ids().size());
                sums[place] += weight * scores[i];
            }
        };
        std::apply([&](const auto&... each) { (add(each), ...); }, sources_);
        return detail::best_of(place_of.ids(), sums, n);
    }

private:
    template <class R>
    [[nodiscard]] std::array<double, sizeof...(Sources)> weights_of(const R& request) const {
        if constexpr (requires { weights_(request); }) {
            return weights_(request);
        } else {
            return weights_;
        }
    }

    Weights weights_;
    std::tuple<Sources...> sources_;
    HybridOptions options_;
};

/// The weighted hybrid: score = sum over sources of weight x scaled score. An item that a source does not list gets 0
/// from it.
///
///     const auto blend = weighted(std::array{0.7, 0.3}, ease, content);
///     const auto blend = weighted([&](const Request& r) { return weights_for(r.user); }, popular, content);
///
/// weights is an array with a number >= 0 per source, or a callable (request) that returns one: weights that change as
/// a user's interactions arrive. A source of weight 0 is not asked.
///
/// Errors    of a call: InvalidArgument if a weight is negative or not finite, or a score is not finite
template <class Weights, class... Sources>
    requires(sizeof...(Sources) > 0)
[[nodiscard]] auto weighted(Weights weights, const HybridOptions& options, Sources&&... sources) {
    return WeightedHybrid<Weights, detail::NamedFor<Sources>...>(
        std::move(weights), detail::named_sources(std::forward<Sources>(sources)...), options);
}
template <class Weights, class First, class... Others>
    requires(!std::same_as<std::remove_cvref_t<First>, HybridOptions>)
[[nodiscard]] auto weighted(Weights weights, First&& first, Others&&... others) {
    return weighted(std::move(weights), HybridOptions{}, std::forward<First>(first), std::forward<Others>(others)...);
}

/// See switching().
template <class Choose, class... Sources>
class SwitchingHybrid : public detail::HybridBase<SwitchingHybrid<Choose, Sources...>> {
public:
    SwitchingHybrid(Choose choose, std::tuple<Sources...> sources)
        : choose_(std::move(choose)), sources_(std::move(sources)) {}

    template <RecommendationRequest R>
    [[nodiscard]] std::vector<Scored<>> operator()(const R& request, std::size_t n) const {
        const auto chosen = static_cast<std::size_t>(choose_(request));
        if (chosen >= sizeof...(Sources)) {
            raise<InvalidArgument>("switching: the choice must be below " + std::to_string(sizeof...(Sources)) +
                                   ", got " + std::to_string(chosen));
        }
        std::vector<Scored<>> list;
        std::size_t number = 0;
        const auto ask_chosen = [&](const auto& named) {
            if (number++ == chosen) {
                list = detail::checked_list(named, request, n);
            }
        };
        std::apply([&](const auto&... each) { (ask_chosen(each), ...); }, sources_);
        return list;
    }

private:
    Choose choose_;
    std::tuple<Sources...> sources_;
};

/// The switching hybrid: choose(request) returns the number of the source that answers, from 0.
///
///     const auto hybrid = switching([&](const Request& r) { return history_of(r.user) < 5 ? 0 : 1; }, content, ease);
///
/// Errors    of a call: InvalidArgument if there is no source of that number, or a score is not finite
template <class Choose, class... Sources>
    requires(sizeof...(Sources) > 0)
[[nodiscard]] auto switching(Choose choose, Sources&&... sources) {
    return SwitchingHybrid<Choose, detail::NamedFor<Sources>...>(
        std::move(choose), detail::named_sources(std::forward<Sources>(sources)...));
}

/// The scores that several models give to the same items: what stacked() combines, and features for any other model
/// (feature augmentation).
///
/// Shapes    result: ids x sources
/// Errors    InvalidArgument if a model returns another number of scores, or one that is not finite;  what a model
///           raises for unknown ids
template <RecommendationRequest R, class... Sources>
[[nodiscard]] Matrix<float> source_scores(const R& request, std::span<const std::uint32_t> ids,
                                          const Named<Sources>&... sources) {
    Candidates candidates(1);
    for (const std::uint32_t id : ids) {
        candidates.append(id, 0.0F);
    }
    Matrix<float> scores(ids.size(), sizeof...(Sources));
    std::size_t column = 0;
    const auto fill = [&](const auto& named) {
        const std::vector<float> column_scores = detail::score(named, request, candidates);
        if (column_scores.size() != ids.size()) {
            raise<InvalidArgument>(named.name + " must give a score per item, " + std::to_string(ids.size()) +
                                   ", got " + std::to_string(column_scores.size()));
        }
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (!math::is_finite(column_scores[i])) {
                raise<InvalidArgument>(named.name + " gave item " + std::to_string(ids[i]) +
                                       " a score that is not finite");
            }
            scores(i, column) = column_scores[i];
        }
        ++column;
    };
    (fill(sources), ...);
    return scores;
}

/// See cascade().
template <class First, class Second>
class CascadeHybrid : public detail::HybridBase<CascadeHybrid<First, Second>> {
public:
    CascadeHybrid(First first, Second second, const HybridOptions& options)
        : first_(std::move(first)), second_(std::move(second)), options_(options) {}

    template <RecommendationRequest R>
    [[nodiscard]] std::vector<Scored<>> operator()(const R& request, std::size_t n) const {
        detail::UnionOfIds place_of;
        for (const Scored<>& item : detail::checked_list(first_, request, std::max(n, options_.depth))) {
            place_of(item.id);
        }
        const Matrix<float> scores = source_scores(request, place_of.ids(), second_);
        std::vector<double> of_second;
        of_second.reserve(scores.rows());
        for (std::size_t i = 0; i < scores.rows(); ++i) {
            of_second.push_back(static_cast<double>(scores(i, 0)));
        }
        return detail::best_of(place_of.ids(), of_second, n);
    }

private:
    First first_;
    Second second_;
    HybridOptions options_;
};

/// The cascade: the second model orders what the first one found, and cannot add to it.
///
///     const auto hybrid = cascade(ease, content, {.depth = 200});
///
/// Errors    of a call: InvalidArgument if a score is not finite, or the second gives another number of scores
template <class First, class Second>
[[nodiscard]] auto cascade(First&& first, Second&& second, const HybridOptions& options = {}) {
    return CascadeHybrid<detail::NamedFor<First>, detail::NamedFor<Second>>(
        detail::with_name("source", 0, std::forward<First>(first)),
        detail::with_name("source", 1, std::forward<Second>(second)), options);
}

/// See stacked().
template <class Combine, class... Sources>
class StackedHybrid : public detail::HybridBase<StackedHybrid<Combine, Sources...>> {
public:
    StackedHybrid(Combine combine, std::tuple<Sources...> sources, const HybridOptions& options)
        : combine_(std::move(combine)), sources_(std::move(sources)), options_(options) {}

    template <RecommendationRequest R>
    [[nodiscard]] std::vector<Scored<>> operator()(const R& request, std::size_t n) const {
        detail::UnionOfIds place_of;
        const auto collect = [&](const auto& named) {
            for (const Scored<>& item : detail::checked_list(named, request, std::max(n, options_.depth))) {
                place_of(item.id);
            }
        };
        std::apply([&](const auto&... each) { (collect(each), ...); }, sources_);
        const Matrix<float> scores =
            std::apply([&](const auto&... each) { return source_scores(request, place_of.ids(), each...); }, sources_);
        std::vector<double> combined;
        combined.reserve(scores.rows());
        for (std::size_t i = 0; i < scores.rows(); ++i) {
            combined.push_back(static_cast<double>(combine_(std::span<const float>(scores.row(i)))));
            if (!math::is_finite(combined.back())) {
                raise<InvalidArgument>("stacked: the combined score of item " + std::to_string(place_of.ids()[i]) +
                                       " is not finite");
            }
        }
        return detail::best_of(place_of.ids(), combined, n);
    }

private:
    Combine combine_;
    std::tuple<Sources...> sources_;
    HybridOptions options_;
};

/// The stacked hybrid: combine(scores) makes one score of the scores of all sources, for each item that one of them
/// listed. Sources need recommend and score, as all models of this library.
///
///     const auto hybrid = stacked([&](std::span<const float> s) { return model.predict_one(s); }, {}, ease, content);
///
/// The combiner must be trained on scores of models that did not see the labels: rows of source_scores() for held-out
/// interactions. On the rows that the models were trained on, it would learn to trust the one that overfits most.
///
/// Errors    of a call: InvalidArgument if a score is not finite, or a source gives another number of scores
/// Source    Wolpert, "Stacked generalization", Neural Networks 1992
template <class Combine, class... Sources>
    requires(sizeof...(Sources) > 0)
[[nodiscard]] auto stacked(Combine combine, const HybridOptions& options, Sources&&... sources) {
    return StackedHybrid<Combine, detail::NamedFor<Sources>...>(
        std::move(combine), detail::named_sources(std::forward<Sources>(sources)...), options);
}

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel
