// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/io/decimal.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/text.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// The value of a line `key=value`.
struct LightGBMField {
    std::string_view key;
    std::string_view value = {};
    std::size_t line = 0;  ///< counted from 1; 0 if there is no such line

    [[nodiscard]] bool exists() const noexcept { return line != 0; }
};

/// The lines of a LightGBM model. Errors are CorruptData "model.txt:17: tree 3: left_child: expected ..., found ...".
class LightGBMLines {
public:
    explicit LightGBMLines(io::Text text) : text_(std::move(text)) {}

    LightGBMLines(const LightGBMLines&) = delete;  // lines point into the text
    LightGBMLines& operator=(const LightGBMLines&) = delete;

    /// Goes to the next line; returns false at the end.
    bool next() {
        const std::string_view content = text_.content();
        if (at_ >= content.size()) {
            line_ = {};
            begin_ += std::exchange(size_, 0);
            return false;
        }
        const std::size_t stop = std::min(content.find('\n', at_), content.size());
        line_ = content.substr(at_, stop - at_);
        if (line_.ends_with('\r')) {
            line_.remove_suffix(1);
        }
        at_ = stop + 1;
        ++number_;
        begin_ += size_;
        size_ = line_.size() + 1;
        return true;
    }

    [[nodiscard]] std::string_view line() const noexcept FUNNEL_LIFETIMEBOUND { return line_; }
    [[nodiscard]] std::size_t number() const noexcept { return number_; }

    /// Where the line would begin if all lines ended in LF.
    [[nodiscard]] std::size_t begin() const noexcept { return begin_; }

    /// What the following lines describe, for error messages: "tree 3".
    void enter(std::string part) { part_ = std::move(part); }

    [[noreturn, gnu::cold]] void fail(std::size_t line, std::string_view problem) const {
        raise<CorruptData>(text_.name() + ":" + std::to_string(line) + ": " + part_ + (part_.empty() ? "" : ": ") +
                           std::string(problem));
    }
    [[noreturn, gnu::cold]] void fail(const LightGBMField& field, std::string_view expected,
                                      std::string_view found) const {
        std::string problem(field.key);
        problem.append(": expected ").append(expected).append(", found ").append(found);
        fail(field.line, problem);
    }

    /// Passes each of the numbers of a field to use(i, number). Numbers are separated by blanks.
    ///
    /// Errors    CorruptData if there are not `count` of them, or one is not a number from low to high
    template <class T, class Use>
    void numbers(const LightGBMField& field, std::size_t count, T low, T high, const Use& use) const {
        const char* at = field.value.data();
        const char* const end = at + field.value.size();
        std::size_t i = 0;
        while (true) {
            while (at != end && *at == ' ') {
                ++at;
            }
            if (at == end) {
                break;
            }
            const char* const begin = at;
            T number{};
            bool is_number = parse_front(at, end, number);
            if (!is_number) {  // an infinity, a number that is tiny or huge, or none
                at = std::find(begin, end, ' ');
                const std::optional<T> parsed = parse<T>(std::string_view(begin, at));
                is_number = parsed.has_value();
                number = parsed.value_or(T{});
            }
            const auto found = [&] { return io::Text::quote(std::string_view(begin, std::find(begin, end, ' '))); };
            if (i == count) {
                fail(field, counted(count), "more: " + found());
            }
            if (!is_number || number < low || number > high) {
                fail(field, range(low, high), found());
            }
            use(i, number);
            ++i;
        }
        if (i != count) {
            fail(field, counted(count), std::to_string(i));
        }
    }

    /// The only number of a field.
    template <class T>
    [[nodiscard]] T number(const LightGBMField& field, T low, T high) const {
        T result{};
        numbers(field, 1, low, high, [&](std::size_t, T found) { result = found; });
        return result;
    }

    /// A number as a whole token. Infinity is a number here.
    template <class T>
    [[nodiscard]] static std::optional<T> parse(std::string_view token) {
        if constexpr (std::integral<T>) {
            T number{};
            const char* const end = token.data() + token.size();
            // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): `end` bounds it
            const auto [stop, error] = std::from_chars(token.data(), end, number);
            return stop == end && error == std::errc{} ? std::optional(number) : std::nullopt;
        } else {
            if (token == "inf" || token == "-inf") {
                constexpr T infinity = std::numeric_limits<T>::infinity();
                return token.front() == '-' ? -infinity : infinity;
            }
            return io::detail::parse_decimal<T>(token);
        }
    }

private:
    struct Digits {
        std::int64_t value;
        std::ptrdiff_t size;
    };

    // The digits at the front of a text, at most 18. Most numbers of a model are short: up to 7 digits are parsed at
    // once, without a branch that depends on how many there are. std::from_chars takes more than twice as long.
    [[nodiscard]] static Digits parse_digits(const char* first, const char* end) {
        if (end - first >= 8) {
            constexpr std::uint64_t each = 0x0101'0101'0101'0101U;
            const auto bytes = io::load_number<std::uint64_t>(std::as_bytes(std::span(first, 8))) ^ (each * '0');
            const std::uint64_t no_digits = (bytes | (bytes + each * (0x80 - 10))) & (each * 0x80);
            const int size = std::countr_zero(no_digits) / 8;
            if (size >= 1 && size <= 7) {
                const std::uint64_t ones = bytes << (64 - 8 * size);  // zeros first; the first digit is the lowest
                const std::uint64_t pairs = (10 * ones + (ones >> 8U)) & 0x00FF'00FF'00FF'00FFU;
                const std::uint64_t fours = (100 * pairs + (pairs >> 16U)) & 0x0000'FFFF'0000'FFFFU;
                const std::uint64_t eight = (10'000 * fours + (fours >> 32U)) & 0xFFFF'FFFFU;
                return {static_cast<std::int64_t>(eight), size};
            }
        }
        std::int64_t value = 0;
        const char* stop = first;
        for (; stop != end && *stop >= '0' && *stop <= '9' && stop - first < 18; ++stop) {
            value = 10 * value + (*stop - '0');
        }
        return {value, stop - first};
    }

    // Parses the number at the front of a text up to a blank or the end, and goes there. Returns false for what parse()
    // has to look at.
    template <class T>
    [[nodiscard]] static bool parse_front(const char*& at, const char* end, T& number) {
        if constexpr (std::integral<T>) {
            const bool is_negative = *at == '-';
            const char* const first = at + (is_negative ? 1 : 0);
            const auto [digits, size] = parse_digits(first, end);
            const std::int64_t value = is_negative ? -digits : digits;
            const char* const stop = first + size;
            const bool is_whole = size != 0 && (stop == end || *stop == ' ') && std::in_range<T>(value);
            number = is_whole ? static_cast<T>(value) : T{};
            at = is_whole ? stop : at;
            return is_whole;
        } else if constexpr (requires { std::from_chars(at, end, number); }) {
            const auto [stop, error] = std::from_chars(at, end, number);
            const bool is_whole = error == std::errc{} && (stop == end || *stop == ' ');
            const bool is_number = is_whole && math::is_finite(number);
            at = is_number ? stop : at;
            return is_number;
        } else {
            return false;
        }
    }

    [[nodiscard]] static std::string counted(std::size_t count) {
        return std::to_string(count) + (count == 1 ? " number" : " numbers");
    }

    template <class T>
    [[nodiscard]] static std::string range(T low, T high) {
        if constexpr (std::integral<T>) {
            return "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
        } else {
            return high > std::numeric_limits<T>::max() ? "a number" : "a finite number";
        }
    }

    io::Text text_;
    std::size_t at_ = 0;
    std::string_view line_;
    std::size_t number_ = 0;
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
    std::string part_;
};

/// The lines `key=value` of the header or of a tree. Only known keys are accepted: a misspelled one would be a default.
template <std::size_t Keys>
class LightGBMFields {
public:
    explicit LightGBMFields(const std::array<std::string_view, Keys>& keys) {
        std::transform(keys.begin(), keys.end(), fields_.begin(),
                       [](std::string_view key) { return LightGBMField{.key = key}; });
    }

    /// Forgets all lines. The next field that is missing is missing in a part that begins at this line.
    void begin(std::size_t line) {
        begin_ = line;
        next_ = 0;
        for (LightGBMField& field : fields_) {
            field.value = {};
            field.line = 0;
        }
    }

    /// Adds the current line.
    void add(const LightGBMLines& lines) {
        const std::string_view line = lines.line();
        const std::size_t stop = line.find('=');
        const std::string_view key = line.substr(0, stop);
        for (std::size_t tried = 0; tried < Keys; ++tried) {  // LightGBM writes them in the order of the list
            LightGBMField& field = fields_[next_];
            next_ = (next_ + 1) % Keys;
            if (field.key != key) {
                continue;
            }
            if (field.exists()) {
                lines.fail(lines.number(), std::string(key) + ": found twice");
            }
            field.line = lines.number();
            field.value = stop == std::string_view::npos ? std::string_view{} : line.substr(stop + 1);
            return;
        }
        lines.fail(lines.number(), "expected a known key and its value, found " + io::Text::quote(line));
    }

    /// A field that may be missing.
    [[nodiscard]] const LightGBMField& find(std::string_view key) const {
        return *std::find_if(fields_.begin(), fields_.end(), [&](const auto& field) { return field.key == key; });
    }

    /// A field that must not be missing.
    [[nodiscard]] const LightGBMField& get(const LightGBMLines& lines, std::string_view key) const {
        const LightGBMField& field = find(key);
        if (!field.exists()) {
            lines.fail(begin_, std::string(key) + ": missing");
        }
        return field;
    }

private:
    std::array<LightGBMField, Keys> fields_;
    std::size_t begin_ = 1;
    std::size_t next_ = 0;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
