// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/json.hpp>

#include <array>

namespace funnel::fuzz::json_target {
namespace {

std::string number_text(double x) {
    if (math::is_nan(x)) {
        return "NaN";
    }
    if (!math::is_finite(x)) {
        return x < 0.0 ? "-Infinity" : "Infinity";
    }
    std::array<char, 40> text{};
    check(std::snprintf(text.data(), text.size(), "%.17g", x) > 0, "a number can be printed");
    return text.data();
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        std::array<char, 8> escape{};
        const bool is_plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
        check(std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c)) > 0, "an escape");
        out += is_plain ? std::string(1, c) : std::string(escape.data());
    }
    return out + '"';
}

// All that a document says, as JSON.
std::string printed(const io::JSONValue& value) {
    std::string out;
    switch (value.kind()) {
        case io::JSONKind::Null:
            return "null";
        case io::JSONKind::False:
        case io::JSONKind::True:
            return value.boolean() ? "true" : "false";
        case io::JSONKind::Number:
            return number_text(value.number<double>());
        case io::JSONKind::String:
            return quoted(value.string());
        case io::JSONKind::Numbers:
            for (const double x : value.numbers<double>()) {
                out += (out.empty() ? "" : ",") + number_text(x);
            }
            return "[" + out + "]";
        case io::JSONKind::Array:
            for (const io::JSONValue& element : value.elements()) {
                out += (out.empty() ? "" : ",") + printed(element);
            }
            return "[" + out + "]";
        case io::JSONKind::Object:
            for (const auto& [name, member] : value.members()) {
                out += (out.empty() ? "" : ",") + quoted(name) + ":" + printed(member);
            }
            return "{" + out + "}";
    }
    return out;
}

std::string read(const std::string& text) {
    const io::JSON json = io::JSON::parse(text, "input");
    return printed(json.root());
}

const Registered json({
    .name = "json",
    .run =
        [](const Input& input) {
            std::string first;
            attempt([&] { first = read(std::string(input.bytes)); });
            if (!first.empty()) {
                std::string second;
                attempt([&] { second = read(first); });
                check(first == second, "what was read and printed is read as it was");
            }
        },
    .seeds =
        [] {
            using namespace std::string_literals;
            const std::string eight = "L\0\0\0\0\0\0\0"s;
            return std::vector<std::string>{
                R"({"a": [1, -2.5e-3, NaN], "b": {"c": "x\u00e9\uD834\uDD1E\n", "d": [true, false, null, [], {}]}})",
                R"([[1, 2], [Infinity], "text", {"a": 1}])",
                "{" + eight + "\1a[$d#" + eight + "\1\x3f\x80\0\0"s + eight + "\1b[#" + eight + "\2TFi\1c[i\1U\2]}",
                "{i\1aSi\3xyzi\1bD\x3f\xf0\0\0\0\0\0\0i\1c{i\1dZ}}"s};
        },
    .words = {"true", "false", "null", "NaN", "Infinity", "-Infinity", "\\u", "\\uD834\\uDD1E", "[$d#L", "[$i#i", "[#i",
              "{i", "e308", "e-400"},
});

}  // namespace
}  // namespace funnel::fuzz::json_target
