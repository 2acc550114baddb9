// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/cf/similar.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/io/sparse_sections.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace content {

struct ContentOptions {
    CSRMatrix<float> features;  ///< a row per item of the log: terms of its text, genres, tags; finite numbers
};

/// The learned part of ContentBased: the vectors of the items.
class ContentScorer {
public:
    using Options = ContentOptions;
    static constexpr std::string_view kind = "content.ContentBased";
    static constexpr bool needs_history = true;

    template <class Log, class E>
    static ContentScorer learn(const Log& log, const CSRMatrix<float>&, const ContentOptions& options, E&) {
        require_equal(options.features.rows(), log.items(), "ContentBased: number of rows of features");
        return ContentScorer(unit_rows(options.features));
    }

    [[nodiscard]] std::size_t items() const noexcept { return vectors_.rows(); }
    /// The vectors of the items, of length 1 or 0.
    [[nodiscard]] const CSRMatrix<float>& vectors() const& noexcept FUNNEL_LIFETIMEBOUND { return vectors_; }
    void vectors() const&& = delete;

    /// For similar_items() of the model: the k other items with the largest cosines. Items without a common feature are
    /// left out.
    [[nodiscard]] std::vector<Scored<>> similar_items_for(std::uint32_t item, std::size_t k) const {
        std::vector<float> cosines(items());
        add_cosines(item, cosines);
        return cf::most_similar(cosines, item, k);
    }

    /// Returns   the k items of the history with the largest shares in the score: their cosines with the item, divided
    ///           by the number of items of the history
    /// Errors    InvalidArgument if the item is unknown
    [[nodiscard]] std::vector<Scored<>> explain_for(const cf::Profile& profile, std::uint32_t item,
                                                    std::size_t k) const {
        require_below(item, items(), "explain: item");
        const float share = 1.0F / static_cast<float>(std::max<std::size_t>(profile.history.size(), 1));
        return cf::largest_shares(profile.history, k, [&](std::uint32_t from) {
            float cosine = 0.0F;
            add_cosine(from, item, cosine);
            return share * cosine;
        });
    }

    void score_all(const cf::Profile& profile, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == items());
        std::fill(out.begin(), out.end(), 0.0F);
        for (const std::uint32_t from : profile.history) {
            add_cosines(from, out);
        }
        const float share = 1.0F / static_cast<float>(std::max<std::size_t>(profile.history.size(), 1));
        std::transform(out.begin(), out.end(), out.begin(), [share](float sum) { return share * sum; });
    }
    void keep_known_zeros(const cf::Profile&, std::span<float> scores) const noexcept {
        std::fill(scores.begin(), scores.end(), 1.0F);  // a cosine of 0 is no evidence
    }
    [[nodiscard]] float score_one(const cf::Profile& profile, std::uint32_t item) const noexcept {
        float sum = 0.0F;
        for (const std::uint32_t from : profile.history) {
            add_cosine(from, item, sum);
        }
        return 1.0F / static_cast<float>(std::max<std::size_t>(profile.history.size(), 1)) * sum;
    }

    template <class Writer>
    void write(Writer& file) const {
        file.value("features", std::uint64_t{vectors_.cols()});
        io::write_sparse(file, sections, vectors_);
    }
    template <class Reader>
    static ContentScorer read(const Reader& file, const cf::Histories& histories) {
        const auto features = file.template value<std::uint64_t>("features");
        file.check(features <= 0xFFFFFFFF, "features", "must be at most 2^32 - 1");
        CSRMatrix<float> vectors = io::read_sparse(file, sections, histories.items(), features);
        for (std::size_t i = 0; i < vectors.rows(); ++i) {
            file.check(squared_length(vectors.row(i)) <= 1.0 + 1e-4, "vectors", "must have a length of 1 at most");
        }
        return ContentScorer(std::move(vectors));
    }

private:
    static constexpr io::SparseSections sections{"vector_offsets", "vector_features", "vectors"};

    explicit ContentScorer(CSRMatrix<float> vectors) : vectors_(std::move(vectors)) {
        // Features that no item has get no list: a file may name any number of them.
        std::vector<std::uint32_t> used(vectors_.columns().begin(), vectors_.columns().end());
        std::sort(used.begin(), used.end());
        used.erase(std::unique(used.begin(), used.end()), used.end());
        for (const std::uint32_t feature : vectors_.columns()) {
            lists_.push_back(
                static_cast<std::uint32_t>(std::lower_bound(used.begin(), used.end(), feature) - used.begin()));
        }
        items_of_list_ = CSRMatrix<float>::from_parts(
                             std::vector<std::size_t>(vectors_.offsets().begin(), vectors_.offsets().end()), lists_,
                             std::vector<float>(vectors_.values().begin(), vectors_.values().end()), used.size())
                             .transposed();
    }

    [[nodiscard]] static double squared_length(const SparseRow<float>& row) noexcept {
        double sum = 0.0;
        for (const float x : row.values) {
            sum += static_cast<double>(x) * static_cast<double>(x);
        }
        return sum;
    }

    [[nodiscard]] static CSRMatrix<float> unit_rows(const CSRMatrix<float>& features) {
        std::vector<float> values(features.values().begin(), features.values().end());
        for (std::size_t i = 0; i < features.rows(); ++i) {
            const SparseRow<float> row = features.row(i);
            if (!math::all_finite(row.values)) {
                raise<InvalidArgument>("ContentBased: features of item " + std::to_string(i) + " must be finite");
            }
            const double length = math::sqrt(squared_length(row));  // squares of floats do not overflow a double
            const auto first = values.begin() + static_cast<std::ptrdiff_t>(features.offsets()[i]);
            std::transform(first, first + static_cast<std::ptrdiff_t>(row.size()), first, [length](float x) {
                return length > 0.0 ? static_cast<float>(static_cast<double>(x) / length) : 0.0F;
            });
        }
        return features.with_values(std::move(values));
    }

    // Adds the cosine of an item with each item. For one item, the order of the additions is that of add_cosine.
    void add_cosines(std::uint32_t from, std::span<float> sums) const noexcept {
        const SparseRow<float> row = vectors_.row(from);
        for (std::size_t i = 0; i < row.size(); ++i) {
            const SparseRow<float> having = items_of_list_.row(lists_[vectors_.offsets()[from] + i]);
            for (std::size_t j = 0; j < having.size(); ++j) {
                sums[having.columns[j]] += row.values[i] * having.values[j];
            }
        }
    }

    void add_cosine(std::uint32_t from, std::uint32_t to, float& sum) const noexcept {
        const SparseRow<float> a = vectors_.row(from);
        const SparseRow<float> b = vectors_.row(to);
        for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
            if (a.columns[i] == b.columns[j]) {
                sum += a.values[i] * b.values[j];
            }
            const bool next_of_a = a.columns[i] <= b.columns[j];
            const bool next_of_b = b.columns[j] <= a.columns[i];
            i += next_of_a ? 1U : 0U;
            j += next_of_b ? 1U : 0U;
        }
    }

    CSRMatrix<float> vectors_;          // items x features
    std::vector<std::uint32_t> lists_;  // per entry of vectors_: the list of items that have its feature
    CSRMatrix<float> items_of_list_;    // lists x items
};

/// Content-based recommendation: scores an item by its likeness to the items in the user's history.
///
///     const auto terms = features::TermVectors::fit(titles);
///     const auto model = ContentBased::fit(log, {.features = terms.transform(titles)});
///
///     score(u, i) = <profile of u, x_i>,   profile of u = mean over items j of u's history of x_j,   |x_j| = 1
///
/// The profile is that of Rocchio, without a query and with what the user took as the relevant documents: see
/// content/rocchio.hpp for dislikes and queries. An item that nobody took yet is recommended like any other, if the log
/// counts it among its items: that is what content-based models are for. They recommend more of the same, and they
/// cannot tell good from bad items of a kind.
///
/// Items without a common feature with the history are not recommended. fold_in, explain, similar_items, save and load
/// work without the log.
///
/// Cost      fit: O(entries of features);  recommend: for each entry of each item of the history, the items that have
///           that feature, and O(items)
/// Source    Rocchio, "Relevance feedback in information retrieval", 1971; Lops, de Gemmis & Semeraro, "Content-based
///           recommender systems: state of the art and trends", 2011
using ContentBased = cf::Model<ContentScorer>;

}  // namespace content
}  // namespace FUNNEL_ABI
}  // namespace funnel
