// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/decimal.hpp>
#include <funnel/io/text.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

// Examples in the text formats of LIBSVM and LIBFFM: a label, and the features that are not zero.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// A feature of an example that is not zero.
struct SparseFeature {
    std::uint32_t field;  ///< of LIBFFM; 0 in files of LIBSVM
    std::uint32_t index;  ///< as in the file: many programs count from 1
    float value;

    friend bool operator==(const SparseFeature&, const SparseFeature&) = default;
};

/// Labelled examples with sparse features.
struct LabelledExamples {
    std::vector<float> labels;
    std::vector<std::uint64_t> queries;   ///< the qid of each example, or empty
    std::vector<std::size_t> ends;        ///< features of example i: from ends[i - 1], or 0, to ends[i]
    std::vector<SparseFeature> features;  ///< of all examples, in the order of the file

    [[nodiscard]] std::size_t size() const noexcept { return labels.size(); }

    friend bool operator==(const LabelledExamples&, const LabelledExamples&) = default;
};

namespace detail {

template <std::unsigned_integral T>
[[nodiscard]] std::optional<T> parse_whole(std::string_view text) noexcept {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// What a file has between the label and the end of the line.
enum class FeatureSyntax : std::uint8_t { IndexValue, FieldIndexValue };

class ExampleReader {
public:
    ExampleReader(const io::Text& text, FeatureSyntax syntax) : text_(text), syntax_(syntax) {}

    [[nodiscard]] LabelledExamples read() {
        std::string_view rest = text_.content();
        for (line_ = 1; !rest.empty(); ++line_) {
            const std::size_t stop = std::min(rest.find('\n'), rest.size());
            read_line(rest.substr(0, std::min(stop, rest.find('#'))));
            rest.remove_prefix(std::min(stop + 1, rest.size()));
        }
        if (examples_.labels.empty()) {
            text_.reject(line_, "an example", "the end of the file");
        }
        return std::move(examples_);
    }

private:
    void read_line(std::string_view row) {
        const std::string_view label = next_word(row);
        if (label.empty()) {
            return;  // an empty line, or a comment
        }
        const std::string_view unsigned_label = label.starts_with('+') ? label.substr(1) : label;
        examples_.labels.push_back(number(unsigned_label, "a finite number as label"));
        const std::size_t begin = examples_.features.size();
        std::string_view word = next_word(row);
        const bool has_query = syntax_ == FeatureSyntax::IndexValue && word.starts_with("qid:");
        if (has_query) {
            const auto query = parse_whole<std::uint64_t>(word.substr(4));
            if (!query) {
                text_.reject(line_, "a whole number as qid", io::Text::quote(word));
            }
            examples_.queries.push_back(*query);
            word = next_word(row);
        }
        if (examples_.queries.size() != (has_query ? examples_.labels.size() : 0)) {
            text_.reject(line_, "a qid in every line or in none", has_query ? "the first qid" : "a line without qid");
        }
        for (; !word.empty(); word = next_word(row)) {
            const SparseFeature feature = parse(word);
            if (syntax_ == FeatureSyntax::IndexValue && examples_.features.size() > begin &&
                examples_.features.back().index >= feature.index) {
                text_.reject(line_, "indices that ascend", io::Text::quote(word));
            }
            examples_.features.push_back(feature);
        }
        examples_.ends.push_back(examples_.features.size());
    }

    [[nodiscard]] SparseFeature parse(std::string_view word) const {
        std::string_view rest = word;
        const auto whole = [&]() -> std::uint32_t {
            const std::size_t colon = rest.find(':');
            const auto parsed =
                colon != std::string_view::npos ? parse_whole<std::uint32_t>(rest.substr(0, colon)) : std::nullopt;
            if (!parsed) {
                text_.reject(line_, syntax_ == FeatureSyntax::IndexValue ? "index:value" : "field:index:value",
                             io::Text::quote(word));
            }
            rest.remove_prefix(colon + 1);
            return *parsed;
        };
        const std::uint32_t field = syntax_ == FeatureSyntax::FieldIndexValue ? whole() : 0;
        const std::uint32_t index = whole();
        return {field, index, number(rest, "a finite number as value")};
    }

    [[nodiscard]] float number(std::string_view word, std::string_view expected) const {
        const std::optional<float> parsed = io::detail::parse_decimal<float>(word);
        if (!parsed) {
            text_.reject(line_, expected, io::Text::quote(word));
        }
        return *parsed;
    }

    static std::string_view next_word(std::string_view& row) noexcept {
        constexpr std::string_view blanks = " \t\r";
        row.remove_prefix(std::min(row.find_first_not_of(blanks), row.size()));
        const std::string_view word = row.substr(0, row.find_first_of(blanks));
        row.remove_prefix(word.size());
        return word;
    }

    const io::Text& text_;
    FeatureSyntax syntax_;
    std::size_t line_ = 0;
    LabelledExamples examples_;
};

}  // namespace detail

/// Reads examples in the format of LIBSVM and SVMlight: `label [qid:query] index:value ...`. `#` begins a comment.
///
/// Returns   the examples in the order of the file
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if a number is not finite or not a number,
///           an index is not below 2^32, indices of a line do not ascend, only some lines have a qid, or there is no
///           example
[[nodiscard]] inline LabelledExamples read_libsvm(const std::string& path) {
    const io::Text text = io::Text::read(path);
    return detail::ExampleReader(text, detail::FeatureSyntax::IndexValue).read();
}

/// Reads examples in the format of LIBFFM: `label field:index:value ...`, for field-aware factorization machines.
///
/// Returns   the examples in the order of the file
/// Errors    as read_libsvm, except that indices may come in any order
[[nodiscard]] inline LabelledExamples read_libffm(const std::string& path) {
    const io::Text text = io::Text::read(path);
    return detail::ExampleReader(text, detail::FeatureSyntax::FieldIndexValue).read();
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
