// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/json.hpp>

#include "support/damage.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::io::JSON;
using funnel::io::JSONKind;
using funnel::io::JSONValue;
using namespace std::string_literals;

namespace {

template <class Use>
std::string error_of(const std::string& text, const Use& use) {
    try {
        const JSON json = JSON::parse(text, "x.json");
        use(json.root());
    } catch (const CorruptData& error) {
        return error.what();
    }
    return "no error";
}

std::string error_of(const std::string& text) {
    return error_of(text, [](const JSONValue&) {});
}

template <class Use>
auto read(const std::string& text, const Use& use) {
    const JSON json = JSON::parse(text, "x.json");
    return use(json.root());
}

// A big-endian number of UBJSON with its type.
template <class T>
std::string number(char type, T value) {
    const auto raw = funnel::io::number_bytes<T, std::endian::big>(value);
    return type + std::string(reinterpret_cast<const char*>(raw.data()), raw.size());
}

std::string length(std::int64_t size) {
    return number('L', size);
}

std::string key(const std::string& name) {
    return length(static_cast<std::int64_t>(name.size())) + name;
}

// All that a document says, in one line.
std::string printed(const JSONValue& value) {
    std::string out;
    switch (value.kind()) {
        case JSONKind::Null:
            return "null";
        case JSONKind::False:
        case JSONKind::True:
            return value.boolean() ? "true" : "false";
        case JSONKind::Number:
            return std::to_string(value.number<double>());
        case JSONKind::String:
            return "'" + value.string() + "'";
        case JSONKind::Numbers:
            for (const double x : value.numbers<double>()) {
                out += std::to_string(x) + " ";
            }
            return "[" + out + "]";
        case JSONKind::Array:
            for (const JSONValue& element : value.elements()) {
                out += printed(element) + " ";
            }
            return "[" + out + "]";
        case JSONKind::Object:
            for (const auto& [name, member] : value.members()) {
                out += name + "=" + printed(member) + " ";
            }
            return "{" + out + "}";
    }
    return out;
}

}  // namespace

TEST_CASE("json: the first example of RFC 8259") {
    const JSON json = JSON::parse(R"({
        "Image": {
            "Width":  800,
            "Height": 600,
            "Title":  "View from 15th Floor",
            "Thumbnail": {
                "Url":    "http://www.example.com/image/481989943",
                "Height": 125,
                "Width":  100
            },
            "Animated" : false,
            "IDs": [116, 943, 234, 38793]
          }
      })",
                                  "x.json");
    const JSONValue image = json.root()["Image"];
    CHECK(image.size() == 6);
    CHECK(image["Width"].number<int>() == 800);
    CHECK(image["Title"].string() == "View from 15th Floor");
    CHECK(image["Thumbnail"]["Url"].string() == "http://www.example.com/image/481989943");
    CHECK_FALSE(image["Animated"].boolean());
    CHECK(image["IDs"].numbers<std::uint16_t>() == std::vector<std::uint16_t>{116, 943, 234, 38793});
    CHECK_FALSE(image.find("Depth"));
}

TEST_CASE("json: the other examples of RFC 8259") {
    const JSON places = JSON::parse(
        R"([{"precision": "zip", "Latitude":  37.7668, "Zip": "94107"}, {"precision": "zip", "Latitude": 37.371991}])",
        "x.json");
    CHECK(places.root().elements().at(1)["Latitude"].number<double>() == 37.371991);
    CHECK(read(R"("Hello world!")", [](const JSONValue& x) { return x.string(); }) == "Hello world!");
    CHECK(read("42", [](const JSONValue& x) { return x.number<int>(); }) == 42);
    CHECK(read(" true ", [](const JSONValue& x) { return x.boolean(); }));
    CHECK(read("[null,[],{},[1,[2]],\"\"]", printed) == "[null [] {} [1.000000 [2.000000 ] ] '' ]");
}

TEST_CASE("json: numbers are rounded once, to the type that is asked for") {
    const JSON json = JSON::parse("[0.1, 5E-1, -0, 1e-46, 1.00000005960464477540]", "x.json");
    const std::vector<float> floats = json.root().numbers<float>();
    CHECK(floats[0] == 0.1F);
    CHECK(floats[1] == 0.5F);
    CHECK(std::signbit(floats[2]));
    CHECK(floats[3] == 0.0F);
    CHECK(floats[4] == std::nextafter(1.0F, 2.0F));  // as a double it is 1 + 2^-24, which would be rounded to 1
    CHECK(json.root().numbers<double>()[0] == 0.1);
}

TEST_CASE("json: NaN and infinities, as XGBoost writes them") {
#ifndef __FAST_MATH__
    const std::vector<float> x =
        read("[NaN,Infinity , -Infinity]", [](const JSONValue& array) { return array.numbers<float>(); });
    CHECK(std::isnan(x[0]));
    CHECK(x[1] == std::numeric_limits<float>::infinity());
    CHECK(x[2] == -std::numeric_limits<float>::infinity());
#endif
    for (const std::string text : {"nan", "-NaN", "+Infinity", "Inf", "[NaN1]", "[NaN"}) {
        CHECK_MESSAGE(error_of(text) != "no error", text);
    }
}

TEST_CASE("json: escapes") {
    const JSON json = JSON::parse(R"({"a\u0062":"\"\\\/\b\f\n\r\t \u00e9 \u20AC \uD834\uDD1E"})", "x.json");
    CHECK(json.root()["ab"].string() == "\"\\/\b\f\n\r\t \xc3\xa9 \xe2\x82\xac \xf0\x9d\x84\x9e");
    const auto read_string = [](const JSONValue& value) { (void)value.string(); };
    for (const std::string text : {R"("\uD834")", R"("\uD834\n")", R"("\uDD1E")", R"("\x")", R"("\u12")", R"("\u12g4")",
                                   R"("\u-123")", R"("\uD834\u0041")", "\"\xff\"", "\"\xed\xa0\x80\""}) {
        CHECK_MESSAGE(error_of(text, read_string) != "no error", text);
    }
}

TEST_CASE("json: malformed texts are rejected, with the position") {
    for (const std::string text : {"",
                                   " ",
                                   "{",
                                   "[",
                                   "[1",
                                   "[1,",
                                   "[1,]",
                                   "[,1]",
                                   "[1 2]",
                                   "]",
                                   "{\"a\"}",
                                   "{\"a\":}",
                                   "{\"a\":1,}",
                                   "{a:1}",
                                   "{\"a\" 1}",
                                   "{1:2}",
                                   "[1]]",
                                   "1 2",
                                   "\"a",
                                   "\"a\\",
                                   "\"a\\\"",
                                   "'a'",
                                   "tru",
                                   "True",
                                   "nul",
                                   "01",
                                   "-",
                                   "+1",
                                   "1.",
                                   ".5",
                                   "1.e3",
                                   "1e",
                                   "1e+",
                                   "0x10",
                                   "--1",
                                   "1_000",
                                   "[1}",
                                   "{\"a\":1]",
                                   "/**/1",
                                   "\xef\xbb\xbf"
                                   "1",
                                   "[0 ,\"",
                                   "\"\x01\"",
                                   "\"a\nb\""}) {
        const std::string error = error_of(text);
        CHECK_MESSAGE(error.starts_with("x.json: byte "), text);
    }
    CHECK(error_of("\"a\0b\""s) != "no error");
    CHECK(error_of("{\"a\": [{\"b\": [1, 2}]}") ==
          "x.json: byte 18 (a[0].b[1]): expected \",\" or \"]\", found \"}]}\"");
    CHECK(error_of("{\"a\": 1, \"b\": x}") == "x.json: byte 14 (b): expected a value, found \"x}\"");
    CHECK(error_of("\x1f\x8b\x08 and more") == "x.json: byte 0: expected JSON, found gzip data (unpack it first)");
    CHECK(error_of("[1, 2") == "x.json: byte 5 ([1]): expected \",\" or \"]\", found the end of the file");
}

TEST_CASE("json: at most 64 values inside one another") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    CHECK(error_of(nested(64)) == "no error");
    CHECK(error_of(nested(65)).find("at most 64 values inside one another") != std::string::npos);
    CHECK(error_of(std::string(1'000'000, '[')).find("at most 64") != std::string::npos);
    std::string objects;
    for (int i = 0; i < 100'000; ++i) {
        objects += "{\"a\":";
    }
    CHECK(error_of(objects).find("at most 64") != std::string::npos);
    CHECK(error_of("{" +
                   [&] {
                       std::string binary;
                       for (int i = 0; i < 100; ++i) {
                           binary += key("a") + "[{";
                       }
                       return binary;
                   }())
              .find("at most 64") != std::string::npos);
}

TEST_CASE("json: says which value is not what was asked for") {
    const std::string text = R"({"trees": [{"id": 1}, {"id": "x", "n": [1, 2.5, 300]}], "twice": 1, "twice": 2})";
    CHECK(error_of(text, [](const JSONValue& root) { (void)root["trees"].elements()[1]["id"].number<int>(); }) ==
          "x.json: byte 30 (trees[1].id): expected a number, found \"x\"");
    CHECK(error_of(text, [](const JSONValue& root) { (void)root["trees"].elements()[0]["nodes"]; }) ==
          "x.json: byte 11 (trees[0]): expected the key \"nodes\", found none");
    CHECK(error_of(text, [](const JSONValue& root) { (void)root["trees"].elements()[1]["n"].numbers<int>(); }) ==
          "x.json: byte 43 (trees[1].n): expected a whole number from -2147483648 to 2147483647, found 2.5");
    CHECK(error_of(text, [](const JSONValue& root) { (void)root["twice"]; }) ==
          "x.json: byte 0 (document): expected the key \"twice\" once, found it twice");
    CHECK(error_of("[300]", [](const JSONValue& root) { (void)root.numbers<std::uint8_t>(); }) ==
          "x.json: byte 1 (document): expected a whole number from 0 to 255, found 300");
    CHECK(error_of("[-1]", [](const JSONValue& root) { (void)root.numbers<std::uint32_t>(); }) != "no error");
    CHECK(error_of("1e39", [](const JSONValue& root) { (void)root.number<float>(); }) ==
          "x.json: byte 0 (document): expected a number that a float can hold, found 1e39");
    for (const auto& use : std::vector<void (*)(const JSONValue&)>{
             [](const JSONValue& root) { (void)root["a"]; }, [](const JSONValue& root) { (void)root.elements(); },
             [](const JSONValue& root) { (void)root.members(); }, [](const JSONValue& root) { (void)root.string(); },
             [](const JSONValue& root) { (void)root.boolean(); }, [](const JSONValue& root) { (void)root.size(); }}) {
        CHECK(error_of("null", use).find("found null") != std::string::npos);
    }
}

TEST_CASE("ubjson: all that XGBoost writes") {
    const std::string floats = "[$d#" + length(2) + number('d', 0.1F).substr(1) + number('d', -2.0F).substr(1);
    const std::string bytes = "[$U#" + length(3) + "\x01\x02\xff";
    const std::string text = "{" + key("floats") + floats + key("bytes") + bytes + key("none") + "[$l#" + length(0) +
                             key("mixed") + "[" + number('l', std::int32_t{-5}) + "TFZS" + key("abc") + "]" +
                             key("counted") + "[#" + length(2) + number('i', std::int8_t{-1}) +
                             number('I', std::int16_t{300}) + key("doubles") + "[$D#i\x01" +
                             number('D', 0.1).substr(1) + key("c") + "Cx" + "}";
    const JSON json = JSON::parse(text, "x.ubj");
    const JSONValue root = json.root();
    CHECK(root["floats"].numbers<float>() == std::vector<float>{0.1F, -2.0F});
    CHECK(root["floats"].numbers<double>()[0] == static_cast<double>(0.1F));
    CHECK(root["bytes"].numbers<int>() == std::vector<int>{1, 2, 255});
    CHECK(root["none"].numbers<int>().empty());
    CHECK(printed(root["mixed"]) == "[-5.000000 true false null 'abc' ]");
    CHECK(root["counted"].numbers<int>() == std::vector<int>{-1, 300});
    CHECK(root["doubles"].numbers<double>()[0] == 0.1);
    CHECK(root["c"].string() == "x");
}

TEST_CASE("ubjson: malformed documents are rejected") {
    CHECK(error_of("{" + key("a") + "[$d#" + length(-1) + "}") ==
          "x.json: byte 15 (a): expected a length that fits into the file, found -1");
    for (const std::string& value :
         {"[$d#" + length(1), "[$d#" + length(std::int64_t{1} << 60), "[#" + length(5), "S" + length(100),
          "S" + length(std::numeric_limits<std::int64_t>::min()), "[$x#"s + length(0), "[$d"s + length(0), "H"s, "N"s,
          "["s, ""s, "d\x01"s, "[$d#d\x01"s, "C"s, "["s + "]]", "l\x01\x02"s}) {
        const std::string error = error_of("{" + key("a") + value + "}");
        CHECK_MESSAGE(error.starts_with("x.json: byte "), value);
    }
    CHECK(error_of("{" + key("a") + "Z}Z").find("the end of the file") != std::string::npos);
    CHECK(error_of("{" + key("a") + "Z").starts_with("x.json: byte "));
    const auto read_bytes = [](const JSONValue& root) { (void)root["a"].numbers<std::uint8_t>(); };
    CHECK(error_of("{" + key("a") + "[$i#" + length(1) + "\xff}", read_bytes) ==
          "x.json: byte 24 (a): expected a whole number from 0 to 255, found -1");
    const auto read_float = [](const JSONValue& root) { (void)root["a"].number<float>(); };
    CHECK(error_of("{" + key("a") + number('D', 1e39) + "}", read_float) != "no error");
}

TEST_CASE("json: damage ends in an error or in a document that can be read") {
    const std::string json =
        R"({"learner": {"trees": [[1, 2.5, -3e2], [NaN], {"a\u0041": "b\n", "c": [true, null]}]}})";
    const std::string binary = "{" + key("a") + "[$d#" + length(1) + number('d', 1.0F).substr(1) + key("b") + "[#" +
                               length(2) + "TS" + key("xyz") + "}";
    for (const std::string& text : {json, binary}) {
        const auto raw = std::as_bytes(std::span(text));
        funnel::testing::check_damage({raw.begin(), raw.end()},
                                      [](const std::string& path) {
                                          const JSON document = JSON::read(path);
                                          return printed(document.root());
                                      },
                                      {.has_checksum = false});
    }
}
