// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/data/run.hpp>
#include <funnel/metrics/conventions.hpp>
#include <funnel/metrics/labels.hpp>
#include <funnel/metrics/report.hpp>
#include <funnel/metrics/ties.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// A cut-off for metrics of the whole list; their names have no "@".
inline constexpr std::size_t no_cutoff = std::numeric_limits<std::size_t>::max();

struct EvaluateRunOptions {
    std::vector<std::size_t> cutoffs = {10};  ///< the k of each "@k", > 0, or no_cutoff
    Conventions conventions = {};             ///< choices that libraries make differently; see compat
};

/// Result of evaluate_run(): the mean of each metric over queries, and the values of each query.
template <data::RunKey Query>
class RunReport : public Summary {
public:
    struct Counts {
        std::size_t missing = 0;           ///< queries with a relevant item, but without a list
        std::size_t without_relevant = 0;  ///< queries with judgements, none of them relevant: left out
        std::size_t unjudged = 0;          ///< queries with a list, but without judgements: left out
        std::size_t nan_scores = 0;        ///< rows whose score is NaN, in the lists of all evaluated queries
    };

    RunReport(Summary summary, std::vector<Query> queries, std::vector<std::vector<double>> columns, Counts counts)
        : Summary(std::move(summary)), queries_(std::move(queries)), columns_(std::move(columns)), counts_(counts) {}

    /// The queries that the means count, ascending.
    [[nodiscard]] std::span<const Query> queries() const noexcept FUNNEL_LIFETIMEBOUND { return queries_; }

    /// One value per query in queries(), for paired tests.
    ///
    /// Errors    InvalidArgument if there is no such figure
    [[nodiscard]] std::span<const double> per_query(std::string_view name) const FUNNEL_LIFETIMEBOUND {
        return columns_[find(name)];
    }

    [[nodiscard]] const Counts& counts() const noexcept FUNNEL_LIFETIMEBOUND { return counts_; }

private:
    std::vector<Query> queries_;
    std::vector<std::vector<double>> columns_;
    Counts counts_;
};

namespace detail {

inline constexpr std::array run_metrics{"ndcg", "precision", "recall", "capped_recall", "hit_rate", "mrr", "map"};

// Labels in the order of a run, its groups of equal scores, and the judged labels from the largest down.
struct JudgedList {
    std::vector<float> shown;
    std::vector<std::pair<std::size_t, std::size_t>> groups;  // begin and end of equal scores
    std::vector<float> judged;
};

inline std::size_t count_above(std::span<const float> labels, float bound) {
    return static_cast<std::size_t>(
        std::count_if(labels.begin(), labels.end(), [&](float label) { return label > bound; }));
}

inline double ideal_dcg(std::span<const float> judged, std::size_t k, const Conventions& conventions) {
    double sum = 0.0;
    const bool is_full = conventions.ideal == IdealList::Full && k != no_cutoff;
    const std::size_t size =
        is_full ? k : std::min(judged.size(), conventions.ideal == IdealList::Uncut ? no_cutoff : k);
    for (std::size_t i = 0; i < size; ++i) {
        sum += gain_of(conventions.gain, is_full ? 1.0F : judged[i]) * discount_of(conventions.discount, i + 1);
    }
    return sum;
}

// The metrics of one list at one cut-off, in the order of run_metrics.
inline std::array<double, run_metrics.size()> list_metrics(const JudgedList& list, std::size_t k,
                                                           const Conventions& conventions) {
    const std::span<const float> shown(list.shown);
    TiedList tied{count_above(list.judged, conventions.relevant_above), {}};
    for (const auto& [begin, end] : list.groups) {
        const std::span<const float> labels = shown.subspan(begin, end - begin);
        tied.ties.push_back({begin, labels, std::min(end, std::max(begin, k)) - begin,
                             static_cast<double>(count_above(labels, conventions.relevant_above))});
    }
    const auto gain = [&](float label) { return gain_of(conventions.gain, label); };
    const auto weight = [&](std::size_t rank) { return discount_of(conventions.discount, rank); };

    const std::size_t length = std::min(k, shown.size());
    const std::size_t possible = std::min(tied.relevant, k);
    const double hits = tied.hits();
    std::size_t places = k == no_cutoff ? length : k;
    if (conventions.precision != PrecisionDivisor::Cutoff) {
        places = conventions.precision == PrecisionDivisor::Shown ? length : possible;
    }
    const double ideal = ideal_dcg(list.judged, k, conventions);
    const double precisions = tied.precisions();
    double ap_places = hits;
    if (conventions.average_precision != APDenominator::Hits) {
        ap_places = ap_divisor({.k = k, .denominator = conventions.average_precision}, tied.relevant, shown.size());
    }
    return {
        ideal > 0.0 ? tied.gains(gain, weight) / ideal : 0.0,
        part(hits, places),
        part(hits, conventions.recall == RecallDivisor::Relevant ? tied.relevant : possible),
        part(hits, possible),
        hits > 0.0 ? 1.0 - tied.no_hit() : 0.0,
        tied.reciprocal_rank(),
        precisions > 0.0 ? precisions / ap_places : 0.0,
    };
}

// Finds the rows of each query, ascending by query.
template <class Row, class Before>
[[nodiscard]] auto rows_by_query(std::span<const Row> rows, const Before& before) {
    std::vector<const Row*> sorted(rows.size());
    std::transform(rows.begin(), rows.end(), sorted.begin(), [](const Row& row) { return &row; });
    std::sort(sorted.begin(), sorted.end(),
              [&](const Row* a, const Row* b) { return a->query != b->query ? a->query < b->query : before(*a, *b); });
    return sorted;
}

template <class Key>
[[nodiscard]] std::string key_text(const Key& key) {
    if constexpr (std::same_as<Key, std::string>) {
        return '"' + key + '"';
    } else {
        return std::to_string(key);
    }
}

}  // namespace detail

/// Evaluates a run against judgements, both by key: strings or whole numbers.
///
/// The list of a query is sorted by score, higher first; the order of the rows does not matter. Rows with a NaN score
/// rank last, as a tie, and are counted. Queries without a relevant item are left out. The metrics, each as "@k" for
/// each cut-off, or without "@" for the whole list:
///
///     ndcg precision recall capped_recall hit_rate mrr map
///
///     const auto report = evaluate_run(run, judgements, {.cutoffs = {10, no_cutoff}});
///     report.at("ndcg@10");    report.per_query("map");    report.counts().missing;
///
/// Shapes    run, judgements: rows in any order
/// Cost      O(n log n) for n rows, and O(n) per cut-off
/// Errors    InvalidArgument if a pair of query and item occurs twice in the run or in the judgements, if a label is
///           not finite, if there is no cut-off or one is 0, if relevant_above is negative or not finite, or if ties
///           are Expected and average_precision is Hits, which has no closed form
template <data::RunKey Query, data::RunKey Item>
[[nodiscard]] RunReport<Query> evaluate_run(std::span<const data::RunRow<Query, Item>> run,
                                            std::span<const data::Judgement<Query, Item>> judgements,
                                            const EvaluateRunOptions& options = {}) {
    using Row = data::RunRow<Query, Item>;
    using Judged = data::Judgement<Query, Item>;
    const Conventions& conventions = options.conventions;
    require(!options.cutoffs.empty(), "evaluate_run: cutoffs must not be empty");
    require(std::count(options.cutoffs.begin(), options.cutoffs.end(), std::size_t{0}) == 0,
            "evaluate_run: cutoffs must be > 0");
    require_not_negative(conventions.relevant_above, "evaluate_run: relevant_above");
    require(conventions.ties != TieOrder::Expected || conventions.average_precision != APDenominator::Hits,
            "evaluate_run: average_precision must not be Hits if ties are Expected");
    require(std::all_of(judgements.begin(), judgements.end(),
                        [](const Judged& judged) { return math::is_finite(judged.label); }),
            "evaluate_run: labels must be finite");

    const auto by_item = [](const auto& a, const auto& b) { return a.item < b.item; };
    const auto twice = [](const auto* a, const auto* b) { return a->query == b->query && a->item == b->item; };
    const auto reject_twice = [&](const auto& sorted, const char* where) {
        const auto found = std::adjacent_find(sorted.begin(), sorted.end(), twice);
        if (found != sorted.end()) {
            raise<InvalidArgument>("evaluate_run: " + std::string(where) + " must have each item once per query, got " +
                                   detail::key_text((*found)->item) + " twice for " +
                                   detail::key_text((*found)->query));
        }
    };
    const std::vector<const Judged*> truth = detail::rows_by_query(judgements, by_item);
    reject_twice(truth, "judgements");
    reject_twice(detail::rows_by_query(run, by_item), "run");
    const std::vector<const Row*> ranked = detail::rows_by_query(run, [&](const Row& a, const Row& b) {
        const bool a_is_nan = math::is_nan(a.score);
        const bool b_is_nan = math::is_nan(b.score);
        if (a_is_nan != b_is_nan) {
            return b_is_nan;
        }
        if (!a_is_nan && a.score != b.score) {
            return a.score > b.score;
        }
        return conventions.ties == TieOrder::LargerId ? b.item < a.item : a.item < b.item;
    });

    std::vector<Query> queries;
    std::vector<std::vector<double>> columns(options.cutoffs.size() * detail::run_metrics.size());
    std::vector<std::vector<double>> possible(options.cutoffs.size());  // by query: what pooled precision divides by
    typename RunReport<Query>::Counts counts;
    detail::JudgedList list;
    std::size_t row = 0;
    for (std::size_t begin = 0, end = 0; begin < truth.size(); begin = end) {
        const Query& query = truth[begin]->query;
        while (end < truth.size() && truth[end]->query == query) {
            ++end;
        }
        for (; row < ranked.size() && ranked[row]->query < query; ++row) {
            counts.unjudged += row == 0 || ranked[row - 1]->query != ranked[row]->query ? 1U : 0U;
        }
        list = {};
        const std::size_t first = row;
        for (; row < ranked.size() && ranked[row]->query == query; ++row) {
            const auto judged = std::lower_bound(truth.begin() + static_cast<std::ptrdiff_t>(begin),
                                                 truth.begin() + static_cast<std::ptrdiff_t>(end), ranked[row]->item,
                                                 [](const Judged* a, const Item& item) { return a->item < item; });
            const bool is_judged =
                judged != truth.begin() + static_cast<std::ptrdiff_t>(end) && (*judged)->item == ranked[row]->item;
            list.shown.push_back(is_judged ? std::max(0.0F, (*judged)->label) : 0.0F);
        }
        for (std::size_t i = begin; i < end; ++i) {
            list.judged.push_back(std::max(0.0F, truth[i]->label));
        }
        std::sort(list.judged.begin(), list.judged.end(), [](float a, float b) { return a > b; });
        const std::size_t relevant = detail::count_above(list.judged, conventions.relevant_above);
        if (relevant == 0) {
            ++counts.without_relevant;
            continue;
        }
        if (list.shown.empty()) {
            ++counts.missing;
            if (conventions.missing == MissingList::Skip) {
                continue;
            }
        }

        for (std::size_t i = 0, stop = 0; i < list.shown.size(); i = stop) {
            const double score = ranked[first + i]->score;
            const auto is_tied = [&](std::size_t at) {
                const double other = ranked[first + at]->score;
                return math::is_nan(score) ? math::is_nan(other) : score == other;
            };
            while (stop < list.shown.size() && is_tied(stop)) {
                counts.nan_scores += math::is_nan(score) ? 1U : 0U;
                ++stop;
            }
            const auto from = list.shown.begin() + static_cast<std::ptrdiff_t>(i);
            const auto to = list.shown.begin() + static_cast<std::ptrdiff_t>(stop);
            if (conventions.ties == TieOrder::Optimistic) {
                std::sort(from, to, [](float a, float b) { return a > b; });
            } else if (conventions.ties == TieOrder::Pessimistic) {
                std::sort(from, to);
            }
            if (conventions.ties == TieOrder::Expected) {
                list.groups.emplace_back(i, stop);
            } else {
                for (std::size_t at = i; at < stop; ++at) {
                    list.groups.emplace_back(at, at + 1);
                }
            }
        }
        queries.push_back(query);
        for (std::size_t cutoff = 0; cutoff < options.cutoffs.size(); ++cutoff) {
            const auto values = detail::list_metrics(list, options.cutoffs[cutoff], conventions);
            for (std::size_t metric = 0; metric < values.size(); ++metric) {
                columns[cutoff * values.size() + metric].push_back(values[metric]);
            }
            possible[cutoff].push_back(static_cast<double>(std::min(relevant, options.cutoffs[cutoff])));
        }
    }
    for (; row < ranked.size(); ++row) {
        counts.unjudged += row == 0 || ranked[row - 1]->query != ranked[row]->query ? 1U : 0U;
    }

    std::vector<Figure> figures;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const std::size_t cutoff = i / detail::run_metrics.size();
        const std::string_view metric = detail::run_metrics[i % detail::run_metrics.size()];
        const std::size_t k = options.cutoffs[cutoff];
        detail::Mean mean = detail::mean_of(columns[i], [](std::size_t) { return true; });
        if (metric == "precision" && conventions.precision == PrecisionDivisor::Pooled) {
            const double hits = std::inner_product(columns[i].begin(), columns[i].end(), possible[cutoff].begin(), 0.0);
            mean = {hits / std::accumulate(possible[cutoff].begin(), possible[cutoff].end(), 0.0),
                    std::numeric_limits<double>::quiet_NaN()};
        }
        figures.push_back({std::string(metric) + (k == no_cutoff ? std::string() : '@' + std::to_string(k)), mean.value,
                           mean.standard_error});
    }
    const std::size_t evaluated = queries.size();
    return {Summary(evaluated, std::move(figures)), std::move(queries), std::move(columns), counts};
}

/// As above, with the types of the keys taken from the vectors.
template <data::RunKey Query, data::RunKey Item>
[[nodiscard]] RunReport<Query> evaluate_run(const std::vector<data::RunRow<Query, Item>>& run,
                                            const std::vector<data::Judgement<Query, Item>>& judgements,
                                            const EvaluateRunOptions& options = {}) {
    return evaluate_run<Query, Item>(std::span(run), std::span(judgements), options);
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
