// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/recommend.hpp>
#include <funnel/cf/row_age.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/data/interaction_log.hpp>
#include <funnel/io/container.hpp>
#include <funnel/io/sparse_sections.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
namespace content {

struct CohortOptions {
    cf::PopularityOptions age = {};  ///< how rows count by their age: window, half_life, now
    /// Weight of the broader cohort, >= 0, in rows: a cohort with as few rows goes half by its own counts. The rows of
    /// one user are alike, so this should be the rows of some dozen users.
    float prior = 2000.0F;
};

/// Most popular items per cohort of users, such as region, age band and gender, for users about whom nothing else is
/// known. A cohort with few rows goes by the broader one, and that by the next, up to all users:
///
///     p(i | a) = (count(a, i) + prior p(i | a without its last attribute)) / (count(a) + prior)
///     p(i | )  = count(i) / count
///
/// count(a, i) is the sum of the weights of the rows of item i by users whose attributes begin with a; only values > 0
/// count. So the first attribute should be the one that says most, and the last is the first to be dropped.
///
///     const auto popular = CohortPopularity::fit(log, attributes);      // per user: region, age band, gender
///     popular.top(std::array{region, band, gender}, 10);
///     popular.top(std::array{region}, 10);                              // all that is known
///     const auto source = pipeline::named("cohort", [&](const auto& request, std::size_t n) {
///         return popular.top(attributes_of(request.user), n);
///     });
///
/// An attribute may be any number; `unknown` ends the attributes of a user. A cohort that fit() did not see is its
/// broader one. For one attribute and dense scores, cf::GroupedPopularity is simpler.
///
/// Cost      fit: O(rows attributes log rows);  memory: 8 bytes per pair of cohort and item with rows;  top: O(items)
/// Source    shrinkage to a parent: Jelinek & Mercer, "Interpolated estimation of Markov source parameters from sparse
///           data", 1980
class CohortPopularity {
public:
    static constexpr std::string_view kind = "content.Cohorts";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr std::uint32_t unknown = std::numeric_limits<std::uint32_t>::max();

    /// Shapes    attributes: users of the log x attributes, the broadest first
    /// Errors    InvalidArgument if a shape does not match, an option is out of range, or an id in the log is unknown
    template <data::InteractionLog Log>
    [[nodiscard]] static CohortPopularity fit(const Log& log, MatrixView<const std::uint32_t> attributes,
                                              const CohortOptions& options = {}) {
        require_equal(attributes.rows(), log.users(), "CohortPopularity: number of rows of attributes");
        require_not_negative(options.prior, "CohortPopularity: prior");
        data::require_known_ids(log, "CohortPopularity");
        const cf::RowAge age(log, options.age, "CohortPopularity");
        CohortPopularity result;
        result.prior_ = options.prior;
        // Level by level, each user moves from a cohort to a narrower one, and the rows count in each.
        std::vector<std::uint32_t> cohort_of(log.users(), 0);  // 0 is that of all users
        std::vector<std::map<std::uint32_t, double>> counts(1);
        const auto count_rows = [&] {
            for (std::size_t row = 0; row < log.size(); ++row) {
                const std::uint32_t cohort = cohort_of[log[row].user];
                if (log[row].value > 0.0F && cohort != unknown) {
                    counts[cohort][log[row].item] += age.weight(log[row].time);
                }
            }
        };
        count_rows();
        for (std::size_t level = 0; level < attributes.cols(); ++level) {
            std::map<Cohort, std::uint32_t> narrower;  // ascending, as find() needs them
            for (std::size_t user = 0; user < log.users(); ++user) {
                if (cohort_of[user] != unknown && attributes.row(user)[level] != unknown) {
                    narrower.try_emplace({cohort_of[user], attributes.row(user)[level]}, 0);
                }
            }
            for (auto& [cohort, id] : narrower) {
                id = static_cast<std::uint32_t>(counts.size());
                counts.emplace_back();
                result.parents_.push_back(cohort.first);
                result.values_.push_back(cohort.second);
            }
            for (std::size_t user = 0; user < log.users(); ++user) {
                const auto cohort = narrower.find({cohort_of[user], attributes.row(user)[level]});
                cohort_of[user] = cohort == narrower.end() ? unknown : cohort->second;
            }
            count_rows();
        }
        result.overall_.resize(log.items());
        for (const auto& [item, count] : counts[0]) {
            result.overall_[item] = static_cast<float>(count);
        }
        std::vector<Triplet<float>> entries;
        for (std::uint32_t cohort = 1; cohort < counts.size(); ++cohort) {
            for (const auto& [item, count] : counts[cohort]) {
                entries.push_back({cohort - 1, item, static_cast<float>(count)});
            }
        }
        result.counts_ = CSRMatrix<float>(entries, counts.size() - 1, log.items());
        require(math::all_finite(result.overall_),
                "CohortPopularity: counts must be finite: half_life is too small or now is too late");
        return result;
    }

    /// How many cohorts users of the log belong to, without that of all users.
    [[nodiscard]] std::size_t cohorts() const noexcept { return parents_.size(); }
    [[nodiscard]] std::size_t items() const noexcept { return overall_.size(); }

    /// p(i | attributes) of each item; their sum is 1, or 0 if the log has no likes.
    [[nodiscard]] std::vector<float> scores(std::span<const std::uint32_t> attributes) const {
        std::vector<double> shares(overall_.begin(), overall_.end());
        const auto total = [](std::span<const float> counts) {
            return std::accumulate(counts.begin(), counts.end(), 0.0);
        };
        const auto scale = [&](double factor) {
            std::ranges::transform(shares, shares.begin(), [factor](double share) { return factor * share; });
        };
        const double all = total(overall_);
        scale(all > 0.0 ? 1.0 / all : 0.0);
        std::uint32_t cohort = 0;
        for (const std::uint32_t attribute : attributes) {
            cohort = find({cohort, attribute});
            if (cohort == unknown) {
                break;
            }
            const SparseRow<float> row = counts_.row(cohort - 1);
            const double weight = total(row.values) + static_cast<double>(prior_);
            if (weight > 0.0) {
                scale(static_cast<double>(prior_) / weight);
                for (std::size_t at = 0; at < row.size(); ++at) {
                    shares[row.columns[at]] += static_cast<double>(row.values[at]) / weight;
                }
            }
        }
        return {shares.begin(), shares.end()};
    }

    /// The k items with the highest scores above 0 for a user with these attributes, without seen ones, best first;
    /// ties go to the smaller id.
    ///
    /// Shapes    attributes: those of fit(), or the first of them;  seen: item ids, ascending (not checked)
    template <ItemFilter Filter = AcceptAll>
    [[nodiscard]] std::vector<Scored<>> top(std::span<const std::uint32_t> attributes, std::size_t k,
                                            const Filter& filter = {}, std::span<const std::uint32_t> seen = {}) const {
        const std::vector<float> of_items = scores(attributes);
        std::vector<Scored<>> list(std::min(k, items()));
        const auto has_rows = [&](std::uint32_t item) noexcept(is_nothrow_filter<Filter>) {
            return of_items[item] > 0.0F && filter(item);
        };
        funnel::detail::keep_first(list, cf::best_unseen(of_items, seen, list, has_rows).size());
        return list;
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("prior", prior_);
        file.array("overall", overall_);
        file.array("parents", parents_);
        file.array("values", values_);
        io::write_sparse(file, sections, counts_);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static CohortPopularity load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        CohortPopularity result;
        result.prior_ = file.value<float>("prior");
        file.check(are_counts({&result.prior_, 1}), "prior", "must be finite and >= 0");
        result.overall_ = file.array<float>("overall");
        file.check(are_counts(result.overall_), "overall", "must be finite and >= 0");
        result.parents_ = file.array<std::uint32_t>("parents");
        result.values_ = file.array<std::uint32_t>("values", result.parents_.size());
        for (std::size_t i = 0; i < result.parents_.size(); ++i) {
            file.check(result.parents_[i] <= i && (i == 0 || result.cohort(i - 1) < result.cohort(i)), "parents",
                       "must be earlier cohorts, and ascend with values");
            file.check(result.values_[i] != unknown, "values", "must be known");
        }
        result.counts_ = io::read_sparse(file, sections, result.cohorts(), result.items());
        file.check(are_counts(result.counts_.values()), sections.values, "must be finite and >= 0");
        return result;
    }

private:
    using Cohort = std::pair<std::uint32_t, std::uint32_t>;  // the broader one, and the last attribute
    static constexpr io::SparseSections sections{"count_offsets", "count_items", "counts"};

    CohortPopularity() = default;

    [[nodiscard]] static bool are_counts(std::span<const float> numbers) noexcept {
        return std::ranges::all_of(numbers,
                                   [](const float& number) { return math::is_finite(number) && number >= 0.0F; });
    }

    // Cohort i + 1.
    [[nodiscard]] Cohort cohort(std::size_t i) const noexcept { return {parents_[i], values_[i]}; }

    // The id of a cohort, or unknown.
    [[nodiscard]] std::uint32_t find(const Cohort& wanted) const noexcept {
        const auto [first, last] = std::equal_range(parents_.begin(), parents_.end(), wanted.first);
        const auto end = values_.begin() + (last - parents_.begin());
        const auto at = std::lower_bound(values_.begin() + (first - parents_.begin()), end, wanted.second);
        return at != end && *at == wanted.second ? static_cast<std::uint32_t>(at - values_.begin() + 1) : unknown;
    }

    float prior_ = 0.0F;
    std::vector<float> overall_;          // per item, of all users
    std::vector<std::uint32_t> parents_;  // ids of the broader cohorts of 1, 2, ...; 0 is that of all users
    std::vector<std::uint32_t> values_;   // of their last attributes; ascending with parents_
    CSRMatrix<float> counts_;             // row i: of cohort i + 1
};

}  // namespace content
}  // namespace FUNNEL_ABI
}  // namespace funnel
