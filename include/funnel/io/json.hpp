// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/io/decimal.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/json_nodes.hpp>
#include <funnel/io/json_text.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/recognise.hpp>
#include <funnel/io/ubjson.hpp>
#include <funnel/io/utf8.hpp>

#include <bit>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

struct JSONDocument {
    JSONDocument(std::vector<std::byte> content, std::string name)
        : bytes(std::move(content)), source(std::move(name)), nodes(bytes, source) {}

    std::vector<std::byte> bytes;
    std::string source;
    JSONNodes nodes;  // refers to the members above, so documents stay where they are
};

}  // namespace detail

/// A value of a JSON document, which must outlive it.
///
/// Errors    CorruptData "<file>: byte <position> (<path of the value>): expected ..., found ..." if the value is not
///           what the call asks for
class JSONValue {
public:
    [[nodiscard]] JSONKind kind() const noexcept { return node().kind; }

    /// Elements of an array, members of an object.
    [[nodiscard]] std::size_t size() const {
        if (kind() != JSONKind::Numbers && kind() != JSONKind::Array && kind() != JSONKind::Object) {
            fail("an array or object");
        }
        return node().size;
    }

    /// A member of an object. find() returns nothing if there is none.
    ///
    /// Errors    CorruptData also if the object has the key twice
    [[nodiscard]] JSONValue operator[](std::string_view key) const {
        const std::optional<JSONValue> value = find(key);
        if (!value) {
            fail("the key \"" + std::string(key) + "\"", "none");
        }
        return *value;
    }
    [[nodiscard]] std::optional<JSONValue> find(std::string_view key) const {
        std::optional<JSONValue> found;
        for (const auto& [name, value] : raw_members()) {
            if (text_of(name) == key) {
                if (found) {
                    fail("the key \"" + std::string(key) + "\" once", "it twice");
                }
                found = value;
            }
        }
        return found;
    }

    /// All members of an object, in the order of the file.
    [[nodiscard]] std::vector<std::pair<std::string, JSONValue>> members() const {
        std::vector<std::pair<std::string, JSONValue>> out;
        for (const auto& [name, value] : raw_members()) {
            out.emplace_back(JSONValue(*document_, name).string(), value);
        }
        return out;
    }

    /// The values of an array that does not hold numbers only; for those there is numbers().
    [[nodiscard]] std::vector<JSONValue> elements() const {
        if (kind() != JSONKind::Array) {
            fail("an array of values");
        }
        std::vector<JSONValue> out;
        out.reserve(node().size);
        for (std::size_t at = at_ + 1; at < node().end; at = nodes()[at].end) {
            out.push_back(JSONValue(*document_, at));
        }
        return out;
    }

    /// A string, in UTF-8.
    [[nodiscard]] std::string string() const {
        if (kind() != JSONKind::String) {
            fail("a string");
        }
        std::string text = text_of(at_);
        if (!is_utf8(text)) {
            fail("a string in UTF-8");
        }
        return text;
    }

    [[nodiscard]] bool boolean() const {
        if (kind() != JSONKind::True && kind() != JSONKind::False) {
            fail("true or false");
        }
        return kind() == JSONKind::True;
    }

    /// A number. Decimals are rounded to the nearest T.
    ///
    /// Errors    CorruptData if T cannot hold the number, or if T is an integer and the number has a point or exponent
    template <Number T>
    [[nodiscard]] T number() const {
        if (kind() != JSONKind::Number) {
            fail("a number");
        }
        return node().type == 0 ? from_text<T>(document_->nodes.text(node()), node().begin)
                                : from_binary<T>(node().type, node().begin);
    }

    /// All numbers of an array, as number().
    template <Number T>
    [[nodiscard]] std::vector<T> numbers() const {
        std::vector<T> out;
        if (kind() != JSONKind::Numbers) {
            if (kind() != JSONKind::Array) {
                fail("an array of numbers");
            }
            for (const JSONValue& value : elements()) {
                out.push_back(value.number<T>());
            }
            return out;
        }
        out.reserve(node().size);
        std::size_t at = node().begin;
        if (node().type != 0) {
            for (std::size_t i = 0; i < node().size; ++i, at += detail::ubjson_size(node().type)) {
                out.push_back(from_binary<T>(node().type, at));
            }
            return out;
        }
        const std::string_view text = document_->nodes.text();
        for (std::size_t i = 0; i < node().size; ++i) {
            const std::size_t first = detail::skip_json_spaces(text, at);
            const std::size_t end = detail::end_of_json_number(text, first);
            out.push_back(from_text<T>(text.substr(first, end - first), first));
            at = detail::skip_json_spaces(text, end) + 1;  // behind the comma
        }
        return out;
    }

    /// Throws CorruptData with the position and the path of this value.
    [[noreturn]] void fail(std::string_view expected, std::string_view found) const {
        document_->nodes.fail_in(at_, node().begin, expected, found);
    }
    [[noreturn]] void fail(std::string_view expected) const {
        switch (kind()) {
            case JSONKind::Null:
                fail(expected, "null");
            case JSONKind::False:
                fail(expected, "false");
            case JSONKind::True:
                fail(expected, "true");
            case JSONKind::Number:
                fail(expected,
                     node().type == 0 ? std::string(document_->nodes.text(node()).substr(0, 40)) : "a number");
            case JSONKind::String:
                fail(expected, detail::JSONNodes::printable(document_->nodes.text(node())));
            case JSONKind::Numbers:
                fail(expected, "an array of numbers");
            case JSONKind::Array:
                fail(expected, node().size == 0 ? "an empty array" : "an array");
            default:
                fail(expected, "an object");
        }
    }

private:
    friend class JSON;

    JSONValue(const detail::JSONDocument& document, std::size_t at) : document_(&document), at_(at) {}

    [[nodiscard]] const std::vector<detail::JSONNode>& nodes() const noexcept { return document_->nodes.nodes(); }
    [[nodiscard]] const detail::JSONNode& node() const noexcept { return nodes()[at_]; }

    [[nodiscard]] std::vector<std::pair<std::size_t, JSONValue>> raw_members() const {
        if (kind() != JSONKind::Object) {
            fail("an object");
        }
        std::vector<std::pair<std::size_t, JSONValue>> out;
        for (std::size_t name = at_ + 1; name < node().end; name = nodes()[name + 1].end) {
            out.emplace_back(name, JSONValue(*document_, name + 1));
        }
        return out;
    }

    [[noreturn]] void fail_at(std::size_t position, std::string_view expected, std::string_view found) const {
        document_->nodes.fail_in(at_, position, expected, found);
    }

    // The characters of a string, escapes replaced.
    [[nodiscard]] std::string text_of(std::size_t at) const {
        const detail::JSONNode& node = nodes()[at];
        const std::string_view raw = document_->nodes.text(node);
        if (node.type == 0) {
            return std::string(raw);
        }
        std::string out;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            if (raw[i] != '\\') {
                out += raw[i];
                continue;
            }
            constexpr std::string_view names = "\"\\/bfnrt";
            constexpr std::string_view characters = "\"\\/\b\f\n\r\t";
            const std::size_t begin = i++;  // a backslash is never the last character
            if (const std::size_t which = names.find(raw[i]); which != std::string_view::npos) {
                out += characters[which];
                continue;
            }
            std::uint32_t character = escaped_unit(raw, begin, node);
            i += 4;
            if (character >= 0xD800 && character < 0xDC00) {  // a pair of two
                const std::uint32_t low = escaped_unit(raw, i + 1, node);
                if (low < 0xDC00 || low >= 0xE000) {
                    fail_at(node.begin + begin, "a pair of surrogates", "one alone");
                }
                character = 0x10000 + ((character - 0xD800) << 10 | (low - 0xDC00));
                i += 6;
            }
            append_utf8(out, character);
        }
        return out;
    }

    // The value of \uXXXX at a position.
    [[nodiscard]] std::uint32_t escaped_unit(std::string_view raw, std::size_t at, const detail::JSONNode& node) const {
        std::uint32_t unit = 0;
        const std::string_view digits = at + 6 <= raw.size() ? raw.substr(at + 2, 4) : "";
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
        if (digits.empty() || !raw.substr(at).starts_with("\\u") || error != std::errc{} ||
            end != digits.data() + digits.size()) {
            fail_at(node.begin + at, "an escape sequence of JSON", detail::JSONNodes::printable(raw.substr(at, 6)));
        }
        return unit;
    }

    // Appends a character; a lone low surrogate becomes what is_utf8 rejects.
    static void append_utf8(std::string& out, std::uint32_t character) {
        const auto append = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
        const auto append_rest = [&](unsigned shift) { append(0x80 | (character >> shift & 0x3F)); };
        if (character < 0x80) {
            append(character);
        } else if (character < 0x800) {
            append(0xC0 | character >> 6);
            append_rest(0);
        } else if (character < 0x10000) {
            append(0xE0 | character >> 12);
            append_rest(6);
            append_rest(0);
        } else {
            append(0xF0 | character >> 18);
            append_rest(12);
            append_rest(6);
            append_rest(0);
        }
    }

    template <Number T>
    [[nodiscard]] T from_text(std::string_view text, std::size_t position) const {
        if constexpr (std::floating_point<T>) {
            if (text == "NaN") {
                return std::numeric_limits<T>::quiet_NaN();
            }
            if (text.ends_with("Infinity")) {
                return text[0] == '-' ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
            }
            if (const std::optional<T> value = detail::parse_decimal<T>(text)) {
                return *value;
            }
        } else {
            T value{};
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
            if (error == std::errc{} && end == text.data() + text.size()) {
                return value;
            }
        }
        fail_at(position, number_name<T>(), std::string(text.substr(0, 40)));
    }

    template <Number T>
    [[nodiscard]] T from_binary(char type, std::size_t position) const {
        return detail::with_ubjson_number(
            type, document_->nodes.bytes().subspan(position), [&](const auto& number) -> T {
                using Stored = std::remove_cvref_t<decltype(number)>;
                if constexpr (std::integral<T> && std::integral<Stored>) {
                    if (std::in_range<T>(number)) {
                        return static_cast<T>(number);
                    }
                } else if constexpr (std::same_as<T, float> && std::same_as<Stored, double>) {
                    // At or above the midpoint between the largest float and the next power of two, floats overflow.
                    if (!math::is_finite(number) || math::abs(number) < 0x1.ffffffp127) {
                        return static_cast<float>(number);
                    }
                } else if constexpr (std::floating_point<T>) {
                    return static_cast<T>(number);
                }
                fail_at(position, number_name<T>(), std::to_string(number));
            });
    }

    template <Number T>
    [[nodiscard]] static std::string number_name() {
        return std::floating_point<T>
                   ? "a number that a " + std::string(sizeof(T) == 4 ? "float" : "double") + " can hold"
                   : "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                         std::to_string(std::numeric_limits<T>::max());
    }

    const detail::JSONDocument* document_;
    std::size_t at_;
};

/// A JSON or UBJSON document from an untrusted source, checked as a whole when it is read. Numbers and strings stay as
/// they are in the file until someone asks for them, so parts that nobody reads cost little.
///
/// JSON is that of RFC 8259, with NaN, Infinity and -Infinity. UBJSON is the part that XGBoost writes: arrays may have
/// a count, or a count and a type of numbers; objects have neither. Values may be 64 deep.
class JSON {
public:
    /// Reads a file. A file that starts with "{" and then the length of a key is UBJSON.
    ///
    /// Errors    IOError if the file cannot be read;  CorruptData with the position and the path of the value
    [[nodiscard]] static JSON read(const std::string& path) { return parse(read_file(path), path); }

    /// As read(), from memory. source is the name in error messages.
    [[nodiscard]] static JSON parse(std::vector<std::byte> bytes, std::string source) {
        if (const std::string_view other = known_format(bytes); !other.empty()) {
            raise<CorruptData>(source + ": byte 0: expected JSON, found " + std::string(other));
        }
        auto document = std::make_unique<detail::JSONDocument>(std::move(bytes), std::move(source));
        const std::string_view text = document->nodes.text();
        const bool is_ubjson = text.size() >= 2 && text[0] == '{' && detail::ubjson_size(text[1]) != 0;
        if (is_ubjson) {
            detail::UBJSONParser(document->nodes).parse();
        } else {
            detail::JSONTextParser(document->nodes).parse();
        }
        return JSON(std::move(document));
    }
    [[nodiscard]] static JSON parse(std::string_view text, std::string source) {
        const auto bytes = std::as_bytes(std::span(text));
        return parse(std::vector<std::byte>(bytes.begin(), bytes.end()), std::move(source));
    }

    /// The outermost value.
    [[nodiscard]] JSONValue root() const& FUNNEL_LIFETIMEBOUND { return {*document_, 0}; }
    JSONValue root() const&& = delete;  // NOLINT(modernize-use-nodiscard)

private:
    explicit JSON(std::unique_ptr<const detail::JSONDocument> document) : document_(std::move(document)) {}

    std::unique_ptr<const detail::JSONDocument> document_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
