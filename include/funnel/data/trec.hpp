// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/data/run.hpp>
#include <funnel/io/decimal.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/recognise.hpp>
#include <funnel/io/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

// Files of TREC: what a system returned (runs), and what people judged (qrels). Fields are separated by spaces or tabs.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

namespace detail {

// Calls use(line, fields) for each line; every line must have exactly these fields.
template <std::size_t Fields, class Use>
void for_each_trec_line(const io::Text& text, std::string_view expected, const Use& use) {
    std::string_view rest = text.content();
    for (std::size_t line = 1; !rest.empty(); ++line) {
        const std::size_t stop = std::min(rest.find('\n'), rest.size());
        std::string_view row = rest.substr(0, stop);
        rest.remove_prefix(std::min(stop + 1, rest.size()));
        std::array<std::string_view, Fields> fields{};
        std::size_t found = 0;
        constexpr std::string_view blanks = " \t\r";
        while (true) {
            row.remove_prefix(std::min(row.find_first_not_of(blanks), row.size()));
            if (row.empty()) {
                break;
            }
            const std::size_t size = std::min(row.find_first_of(blanks), row.size());
            if (found < Fields) {
                fields[found] = row.substr(0, size);
            }
            ++found;
            row.remove_prefix(size);
        }
        if (found != Fields) {
            text.reject(line, expected, std::to_string(found) + " fields");
        }
        use(line, fields);
    }
}

// Rejects the second row of a pair of query and item.
class PairsOnce {
public:
    void add(const io::Text& text, std::size_t line, std::string_view query, std::string_view item) {
        key_.assign(query).append(1, ' ').append(item);  // no field contains a space
        if (!seen_.insert(key_).second) {
            text.reject(line, "each item once per query", io::Text::quote(item) + " twice");
        }
    }

private:
    std::string key_;
    std::unordered_set<std::string> seen_;
};

inline void require_trec_name(std::string_view name, const char* function) {
    const bool is_field =
        !name.empty() && name.find_first_of(std::string_view(" \t\r\n\0", 5)) == std::string_view::npos;
    if (!is_field) {
        raise<InvalidArgument>(std::string(function) +
                               ": names must not be empty or contain spaces, line ends or NUL, got " +
                               io::Text::quote(name));
    }
}

template <class Number>
void append_number(std::string& text, const Number& number) {
    std::array<char, 64> digits{};
    const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    text.append(digits.data(), result.ptr);
}

// A first name may look like the start of something else: a byte order mark, which readers drop, or compressed data,
// which they reject. It comes after a space then, which belongs to no field.
inline void write_trec_text(const std::string& path, std::string text) {
    if (text.starts_with("\xEF\xBB\xBF") || !io::known_format(std::as_bytes(std::span(text))).empty()) {
        text.insert(text.begin(), ' ');
    }
    io::write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace detail

/// Reads a run in the format of TREC: `query Q0 item rank score tag`, one row per line.
///
/// As trec_eval does, the rank, the second field and the tag are not used: the score alone decides the order. Scores
/// are read as doubles; trec_eval rounds them to floats, which can make scores equal.
///
/// Returns   the rows in the order of the file
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if a line does not have six fields, a
///           score is not a finite number, an item occurs twice for a query, or there is no row
[[nodiscard]] inline std::vector<RunRow<>> read_trec_run(const std::string& path) {
    const io::Text text = io::Text::read(path);
    std::vector<RunRow<>> rows;
    detail::PairsOnce pairs;
    detail::for_each_trec_line<6>(text, "6 fields: query Q0 item rank score tag",
                                  [&](std::size_t line, const std::array<std::string_view, 6>& fields) {
                                      const std::optional<double> score = io::detail::parse_decimal<double>(fields[4]);
                                      if (!score) {
                                          text.reject(line, "a finite number as score", io::Text::quote(fields[4]));
                                      }
                                      pairs.add(text, line, fields[0], fields[2]);
                                      rows.push_back({std::string(fields[0]), std::string(fields[2]), *score});
                                  });
    return rows;
}

/// Reads judgements in the format of TREC (qrels): `query iteration item label`, one row per line. The second field is
/// not used.
///
/// Returns   the rows in the order of the file
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if a line does not have four fields, a
///           label is not a finite number, an item occurs twice for a query, or there is no row
[[nodiscard]] inline std::vector<Judgement<>> read_qrels(const std::string& path) {
    const io::Text text = io::Text::read(path);
    std::vector<Judgement<>> rows;
    detail::PairsOnce pairs;
    detail::for_each_trec_line<4>(text, "4 fields: query iteration item label",
                                  [&](std::size_t line, const std::array<std::string_view, 4>& fields) {
                                      const std::optional<float> label = io::detail::parse_decimal<float>(fields[3]);
                                      if (!label) {
                                          text.reject(line, "a finite number as label", io::Text::quote(fields[3]));
                                      }
                                      pairs.add(text, line, fields[0], fields[2]);
                                      rows.push_back({std::string(fields[0]), std::string(fields[2]), *label});
                                  });
    return rows;
}

/// Writes a run in the format of TREC, completely or not at all. The rank counts the rows of a query in the order
/// given; sort them first. Scores are written with all digits that they need.
///
/// Errors    InvalidArgument if a name is empty or contains spaces, line ends or NUL, or a score is not finite; IOError
///           if the file cannot be written
inline void write_trec_run(const std::string& path, std::span<const RunRow<>> rows, std::string_view tag = "funnel") {
    detail::require_trec_name(tag, "write_trec_run");
    std::string text;
    std::size_t rank = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const RunRow<>& row = rows[i];
        detail::require_trec_name(row.query, "write_trec_run");
        detail::require_trec_name(row.item, "write_trec_run");
        require(math::is_finite(row.score), "write_trec_run: scores must be finite");
        rank = i > 0 && rows[i - 1].query == row.query ? rank + 1 : 1;
        text.append(row.query).append(" Q0 ").append(row.item).append(1, ' ');
        detail::append_number(text, rank);
        text.append(1, ' ');
        detail::append_number(text, row.score);
        text.append(1, ' ').append(tag).append(1, '\n');
    }
    detail::write_trec_text(path, std::move(text));
}

/// Writes judgements in the format of TREC (qrels), completely or not at all.
///
/// Errors    InvalidArgument if a name is empty or contains spaces, line ends or NUL, or a label is not finite; IOError
///           if the file cannot be written
inline void write_qrels(const std::string& path, std::span<const Judgement<>> rows) {
    std::string text;
    for (const Judgement<>& row : rows) {
        detail::require_trec_name(row.query, "write_qrels");
        detail::require_trec_name(row.item, "write_qrels");
        require(math::is_finite(row.label), "write_qrels: labels must be finite");
        text.append(row.query).append(" 0 ").append(row.item).append(1, ' ');
        detail::append_number(text, row.label);
        text.append(1, '\n');
    }
    detail::write_trec_text(path, std::move(text));
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
