// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/key_map.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/features/tokens.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace features {

/// How much a term counts in a document.
enum class TermWeights : std::uint8_t {
    TfIdf,  ///< tf idf, and rows of length 1
    BM25    ///< idf tf (k1 + 1) / (tf + k1 (1 - b + b length / mean length)); rows are not scaled
};

struct TermOptions {
    std::size_t longest = 1;                    ///< a term is one to `longest` tokens in sequence, 1 to 8
    std::size_t min_documents = 1;              ///< terms of fewer documents are left out
    double max_share = 1.0;                     ///< and those of a larger share of the documents; in (0, 1]
    std::optional<std::size_t> max_terms = {};  ///< keep so many terms: those of most documents, ties by KeyBefore
    TermWeights weights = TermWeights::TfIdf;
    bool smooth = true;      ///< TfIdf: idf = ln((1 + n) / (1 + df)) + 1, else ln(n / df) + 1
    bool sublinear = false;  ///< TfIdf: 1 + ln tf instead of tf
    double k1 = 1.2;         ///< BM25: in [0, 1e6]
    double b = 0.75;         ///< BM25: in [0, 1]
};

/// Sparse vectors of texts: a column per term of a vocabulary.
///
///     const auto terms = TermVectors::fit(titles);
///     CSRMatrix<float> vectors = terms.transform(titles);
///
/// Tokens are those of for_each_token; a term of several tokens joins them with a space. With n documents, of which df
/// have the term, and tf the number of times that a document has it:
///
///     TfIdf    idf as in TermOptions; the rows of transform have length 1, so their products are cosines
///     BM25     idf = ln(1 + (n - df + 0.5) / (df + 0.5)) > 0, for frequent terms too; the score of a document for a
///              query is the sum of the columns of the query's terms
///
/// A document without a known term has an empty row. Terms that fit() did not see are ignored.
///
/// Cost      fit, transform: O(tokens x longest x log terms);  memory: the terms
/// Source    Salton & Buckley, "Term-weighting approaches in automatic text retrieval", IPM 1988; Robertson & Zaragoza,
///           "The probabilistic relevance framework: BM25 and beyond", 2009; the idf forms are scikit-learn's, Lucene's
class TermVectors {
public:
    /// Errors    InvalidArgument if an option is out of range, or there are more than 2^32 - 1 documents
    [[nodiscard]] static TermVectors fit(std::span<const std::string> documents, const TermOptions& options = {}) {
        check(options);
        require(documents.size() <= most, "TermVectors::fit: number of documents must be at most 2^32 - 1");
        std::map<std::string, std::uint32_t, std::less<>> frequencies;
        TermVectors result;
        result.options_ = options;
        result.documents_ = documents.size();
        std::vector<std::string> terms;
        double length = 0.0;
        for (const std::string& document : documents) {
            terms.clear();
            length += static_cast<double>(
                for_each_term(document, options.longest, [&](std::string_view term) { terms.emplace_back(term); }));
            std::sort(terms.begin(), terms.end());
            terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
            for (std::string& term : terms) {
                ++frequencies[std::move(term)];
            }
        }
        result.mean_length_ = documents.empty() ? 0.0 : length / static_cast<double>(documents.size());
        const auto limit = math::floor(options.max_share * static_cast<double>(documents.size()));
        std::erase_if(frequencies, [&](const auto& entry) {
            return entry.second < options.min_documents || static_cast<double>(entry.second) > limit;
        });
        std::vector<std::pair<std::string, std::uint32_t>> kept(frequencies.begin(), frequencies.end());
        if (options.max_terms && *options.max_terms < kept.size()) {
            std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
                return a.second != b.second ? a.second > b.second : KeyBefore{}(a.first, b.first);
            });
            kept.resize(*options.max_terms);
        }
        std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) { return KeyBefore{}(a.first, b.first); });
        std::vector<std::string> keys;
        for (auto& [term, frequency] : kept) {
            keys.push_back(std::move(term));
            result.frequencies_.push_back(frequency);
        }
        result.terms_ = KeyMap(std::move(keys));
        return result;
    }

    /// The number of columns.
    [[nodiscard]] std::size_t size() const noexcept { return terms_.size(); }
    /// The terms, in the order of the columns: KeyBefore.
    [[nodiscard]] std::span<const std::string> terms() const noexcept FUNNEL_LIFETIMEBOUND { return terms_.keys(); }

    /// The inverse document frequency of a column < size() (not checked).
    [[nodiscard]] double idf(std::size_t column) const noexcept {
        FUNNEL_ASSERT(column < size());
        const auto n = static_cast<double>(documents_);
        const auto df = static_cast<double>(frequencies_[column]);
        if (options_.weights == TermWeights::BM25) {
            return math::log1p((n - df + 0.5) / (df + 0.5));
        }
        return 1.0 + (options_.smooth ? math::log((1.0 + n) / (1.0 + df)) : math::log(n / df));
    }

    /// Returns   a row per document and a column per term
    [[nodiscard]] CSRMatrix<float> transform(std::span<const std::string> documents) const {
        std::vector<std::size_t> offsets{0};
        std::vector<std::uint32_t> columns;
        std::vector<float> values;
        std::map<std::uint32_t, std::uint32_t> counts;
        for (const std::string& document : documents) {
            counts.clear();
            const std::size_t length = for_each_term(document, options_.longest, [&](std::string_view term) {
                if (const auto column = terms_.find(term)) {
                    ++counts[*column];
                }
            });
            const std::size_t first = values.size();
            for (const auto& [column, count] : counts) {
                columns.push_back(column);
                values.push_back(static_cast<float>(weight(column, count, static_cast<double>(length))));
            }
            if (options_.weights == TermWeights::TfIdf) {
                scale_to_one(std::span(values).subspan(first));
            }
            offsets.push_back(values.size());
        }
        return CSRMatrix<float>::from_parts(std::move(offsets), std::move(columns), std::move(values), size());
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        file.value("documents", std::uint64_t{documents_});
        file.value("mean_length", mean_length_);
        file.value("longest", std::uint64_t{options_.longest});
        file.value("weights", static_cast<std::uint8_t>(options_.weights));
        file.value("smooth", std::uint8_t{options_.smooth});
        file.value("sublinear", std::uint8_t{options_.sublinear});
        file.value("k1", options_.k1);
        file.value("b", options_.b);
        file.strings("terms", terms_.keys());
        file.array("frequencies", frequencies_);
        file.save(path);
    }

    /// The loaded object transforms as the saved one. The options that only fit() reads are the default ones.
    ///
    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static TermVectors load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        TermVectors result;
        const auto flag = [&](std::string_view name) {
            const auto value = file.value<std::uint8_t>(name);
            file.check(value <= 1, name, "must be 0 or 1");
            return value == 1;
        };
        result.documents_ = file.value<std::uint64_t>("documents");
        file.check(result.documents_ <= most, "documents", "must be at most 2^32 - 1");
        result.mean_length_ = file.value<double>("mean_length");
        file.check(
            math::is_finite(result.mean_length_) &&
                (result.mean_length_ == 0.0 || (result.mean_length_ >= 0x1p-32 && result.mean_length_ <= 0x1p64)),
            "mean_length", "must be 0, or in [2^-32, 2^64]");
        const auto longest = file.value<std::uint64_t>("longest");
        file.check(longest >= 1 && longest <= longest_term, "longest", "must be 1 to 8");
        result.options_.longest = longest;
        result.options_.weights = flag("weights") ? TermWeights::BM25 : TermWeights::TfIdf;
        result.options_.smooth = flag("smooth");
        result.options_.sublinear = flag("sublinear");
        result.options_.k1 = file.value<double>("k1");
        file.check(math::is_finite(result.options_.k1) && result.options_.k1 >= 0.0 && result.options_.k1 <= largest_k1,
                   "k1", "must lie in [0, 1e6]");
        result.options_.b = file.value<double>("b");
        file.check(math::is_finite(result.options_.b) && result.options_.b >= 0.0 && result.options_.b <= 1.0, "b",
                   "must lie in [0, 1]");
        auto terms = file.strings("terms");
        for (std::size_t i = 1; i < terms.size(); ++i) {
            file.check(KeyBefore{}(terms[i - 1], terms[i]), "terms", "must ascend");
        }
        result.frequencies_ = file.array<std::uint32_t>("frequencies", terms.size());
        for (const std::uint32_t frequency : result.frequencies_) {
            file.check(frequency >= 1 && frequency <= result.documents_, "frequencies",
                       "must be 1 to the number of documents");
        }
        result.terms_ = KeyMap(std::move(terms));
        return result;
    }

private:
    static constexpr std::string_view kind = "features.TermVectors";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr std::size_t most = 0xFFFFFFFF;
    static constexpr std::size_t longest_term = 8;
    static constexpr double largest_k1 = 1e6;

    static void check(const TermOptions& options) {
        require_between(options.longest, 1, longest_term, "TermVectors::fit: longest");
        require(options.max_share > 0.0 && options.max_share <= 1.0, "TermVectors::fit: max_share must be in (0, 1]");
        require(options.weights == TermWeights::TfIdf || options.weights == TermWeights::BM25,
                "TermVectors::fit: weights must be TfIdf or BM25");
        require_between(options.k1, 0.0, largest_k1, "TermVectors::fit: k1");
        require_between(options.b, 0.0, 1.0, "TermVectors::fit: b");
    }

    // Calls visit for each term of a text, and returns the number of tokens.
    template <class Visit>
    static std::size_t for_each_term(std::string_view text, std::size_t longest, const Visit& visit) {
        std::deque<std::string> last;  // the last tokens, at most `longest`
        std::size_t tokens = 0;
        for_each_token(text, [&](std::string_view token) {
            ++tokens;
            last.emplace_back(token);
            if (last.size() > longest) {
                last.pop_front();
            }
            for (std::size_t first = last.size(); first-- > 0;) {
                std::string term = last[first];
                for (std::size_t i = first + 1; i < last.size(); ++i) {
                    term.append(" ").append(last[i]);
                }
                visit(std::string_view(term));
            }
        });
        return tokens;
    }

    [[nodiscard]] double weight(std::uint32_t column, std::uint32_t count, double length) const noexcept {
        const auto tf = static_cast<double>(count);
        if (options_.weights == TermWeights::BM25) {
            const double relative = mean_length_ > 0.0 ? length / mean_length_ : 0.0;
            return idf(column) * tf * (options_.k1 + 1.0) /
                   (tf + options_.k1 * (1.0 - options_.b + options_.b * relative));
        }
        return idf(column) * (options_.sublinear ? 1.0 + math::log(tf) : tf);
    }

    static void scale_to_one(std::span<float> row) noexcept {
        double squares = 0.0;
        for (const float x : row) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        const double scale = squares > 0.0 ? 1.0 / math::sqrt(squares) : 0.0;
        std::transform(row.begin(), row.end(), row.begin(),
                       [&](float x) { return static_cast<float>(static_cast<double>(x) * scale); });
    }

    TermOptions options_;
    KeyMap terms_;
    std::vector<std::uint32_t> frequencies_;  // per term: documents that have it
    std::size_t documents_ = 0;
    double mean_length_ = 0.0;  // tokens per document
};

}  // namespace features
}  // namespace FUNNEL_ABI
}  // namespace funnel
