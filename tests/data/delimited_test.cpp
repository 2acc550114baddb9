// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/delimited.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::data::DelimitedRows;
using funnel::data::Quotes;
using funnel::data::Text;

namespace {

using Table = std::vector<std::vector<std::string>>;

Table parse(std::string content, std::string_view delimiter = ",", Quotes quotes = Quotes::Allowed) {
    DelimitedRows rows(Text("t.csv", std::move(content)), delimiter, quotes);
    Table table;
    while (rows.next()) {
        table.emplace_back(rows.fields().begin(), rows.fields().end());
    }
    return table;
}

// The first field of the first row as a number.
double number(std::string field) {
    DelimitedRows rows(Text("t.csv", std::move(field)), ",");
    rows.next();
    return rows.number<double>(0, "rating");
}

}  // namespace

TEST_CASE("DelimitedRows: splits by tab, comma, semicolon and two colons") {
    const Table expected{{"1", "b c", ""}, {"", "2", "x"}};

    CHECK(parse("1\tb c\t\n\t2\tx\n", "\t") == expected);
    CHECK(parse("1,b c,\n,2,x\n", ",") == expected);
    CHECK(parse("1;b c;\n;2;x\n", ";") == expected);
    CHECK(parse("1::b c::\n::2::x\n", "::", Quotes::None) == expected);
    CHECK(parse("Star Wars: Episode IV::a:b", "::", Quotes::None) == Table{{"Star Wars: Episode IV", "a:b"}});
}

TEST_CASE("DelimitedRows: line ends are LF or CRLF, the last may be missing or repeated") {
    const Table expected{{"a", "b"}, {"c", "d"}};

    for (const char* text : {"a,b\nc,d\n", "a,b\nc,d", "a,b\r\nc,d\r\n", "a,b\r\nc,d", "a,b\nc,d\r\n",
                             "a,b\nc,d\n\n\r\n", "\"a\",b\r\nc,\"d\"\r\n", "a,\"b\"\n\"c\",d",
                             "\xEF\xBB\xBF"
                             "a,b\nc,d\n"}) {
        CAPTURE(text);
        CHECK(parse(text) == expected);
    }
    CHECK(parse("a\n\nb") == Table{{"a"}, {""}, {"b"}});
}

TEST_CASE("DelimitedRows: a quoted field may hold delimiters, line ends and doubled quotes") {
    CHECK(parse("1,\"Good, the Bad\",x") == Table{{"1", "Good, the Bad", "x"}});
    CHECK(parse("\"say \"\"hi\"\"\",\"\"\"\",\"\"\n2,3,4") == Table{{"say \"hi\"", "\"", ""}, {"2", "3", "4"}});
    CHECK(parse("\"two\nlines\",b\nc,d") == Table{{"two\nlines", "b"}, {"c", "d"}});
    CHECK(parse("a,\"\"\"b\"\"c\"\"\"") == Table{{"a", "\"b\"c\""}});
    CHECK(parse("a\r,\"b\"\nc\r,d") == Table{{"a\r", "b"}, {"c\r", "d"}});  // not at the end of a line
    CHECK(parse("5'4\"\t\"x", "\t", Quotes::None) == Table{{"5'4\"", "\"x"}});
}

TEST_CASE("DelimitedRows: reads back what a writer of RFC 4180 wrote") {
    Random random(4);
    constexpr std::string_view alphabet = "ab,;\"\n\r\t \xE9";
    for (int round = 0; round < 300; ++round) {
        const std::size_t columns = 2 + random.below(3);
        Table table(1 + random.below(5));
        std::string text;
        for (auto& row : table) {
            row.resize(columns);
            for (std::size_t column = 0; column < columns; ++column) {
                for (std::size_t length = random.below(6); length > 0; --length) {
                    row[column] += alphabet[random.below(alphabet.size())];
                }
                std::string quoted = row[column];
                for (std::size_t at = quoted.find('"'); at != std::string::npos; at = quoted.find('"', at + 2)) {
                    quoted.insert(at, 1, '"');
                }
                const bool is_plain = quoted.find_first_of(",\"\n\r") == std::string::npos && random.below(2) == 0;
                text += (column > 0 ? "," : "") + (is_plain ? quoted : '"' + quoted + '"');
            }
            text += random.below(2) == 0 ? "\n" : "\r\n";
        }
        CAPTURE(text);
        CHECK(parse(text) == table);
    }
}

TEST_CASE("DelimitedRows: bytes of other encodings pass unchanged") {
    CHECK(parse("1::Mis\xE9rables, Les (1995)::Drama", "::", Quotes::None) ==
          Table{{"1", "Mis\xE9rables, Les (1995)", "Drama"}});
    CHECK(parse("1,Mis\xC3\xA9rables") == Table{{"1", "Mis\xC3\xA9rables"}});
}

TEST_CASE("DelimitedRows: numbers are whole fields, finite, with a point") {
    CHECK(number("4") == 4.0);
    CHECK(number("-0.5") == -0.5);
    CHECK(number("8.8e8") == 8.8e8);
    CHECK(number(".5") == 0.5);
    for (const char* field : {"abc", "nan", "NaN", "inf", "-inf", "infinity", ",", "1e999", "4x", " 4", "4 ", "+4",
                              "0x1p3", "1.5.2", "--1", "1e", "4\xC2\xBD"}) {
        CAPTURE(field);
        CHECK_THROWS_AS(number(field), CorruptData);
    }
    CHECK_THROWS_WITH(number("abc"), "t.csv:1: expected a finite number as rating, found \"abc\"");
    CHECK_THROWS_WITH(number(","), "t.csv:1: expected a finite number as rating, found \"\"");
}

TEST_CASE("DelimitedRows: columns are found by name") {
    DelimitedRows rows(Text("t.csv", "user,\"item id\"\n1,2\n"), ",", Quotes::Allowed);
    rows.read_header();

    CHECK(rows.column("item id") == 1);
    CHECK(rows.find_column("user") == 0);
    CHECK_FALSE(rows.find_column("item"));
    CHECK_THROWS_WITH_AS(static_cast<void>(rows.column("item")),
                         "t.csv:1: expected a column \"item\", found the columns \"user\", \"item id\"", CorruptData);
    CHECK(rows.next());
    CHECK(rows.key(1, "an item") == "2");
    CHECK_FALSE(rows.next());
    CHECK_FALSE(rows.next());
}

TEST_CASE("DelimitedRows: errors name the line") {
    const auto walk = [](std::string text, std::size_t columns) {
        DelimitedRows rows(Text("t.csv", std::move(text)), ",", Quotes::Allowed);
        rows.expect_columns(columns);
        while (rows.next()) {
            static_cast<void>(rows.key(0, "a name"));
        }
    };
    CHECK_THROWS_WITH_AS(walk("1,2\n3,4\n5\n", 2), "t.csv:3: expected 2 columns, found 1", CorruptData);
    CHECK_THROWS_WITH_AS(walk("1,2\n\n3,4\n", 2), "t.csv:2: expected 2 columns, found 1", CorruptData);
    CHECK_THROWS_WITH_AS(walk("1,2\n3,4,5", 2), "t.csv:2: expected 2 columns, found 3", CorruptData);
    CHECK_THROWS_WITH_AS(walk("\"a\nb\",2\n\"c\",3\n4", 2), "t.csv:4: expected 2 columns, found 1", CorruptData);
    CHECK_THROWS_WITH_AS(walk("1,2\n,4", 2), "t.csv:2: expected a name, found an empty field", CorruptData);
    CHECK_THROWS_WITH_AS(walk("1,2\n3,\"4\n5,6\n", 2), "t.csv:2: expected a closing quote, found the end of the file",
                         CorruptData);
    CHECK_THROWS_WITH_AS(walk("\"1\"x,2", 2), "t.csv:1: expected a delimiter after the closing quote, found \"x\"",
                         CorruptData);
    CHECK_THROWS_WITH_AS(walk("1\"x\",2", 2),
                         "t.csv:1: expected a field quoted from end to end or not at all, found \"1\"x\"\"",
                         CorruptData);

    DelimitedRows twice(Text("t.csv", "a,b,a\n"), ",");
    twice.read_header();
    CHECK_THROWS_WITH_AS(static_cast<void>(twice.column("a")), "t.csv:1: expected each column once, found \"a\" twice",
                         CorruptData);
    CHECK_THROWS_WITH_AS(static_cast<void>(twice.find_column("a")),
                         "t.csv:1: expected each column once, found \"a\" twice", CorruptData);
}

TEST_CASE("Text: empty and binary files are refused") {
    using namespace std::string_literals;
    CHECK_THROWS_WITH_AS(Text("f", ""), "f:1: expected a row, found an empty file", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", "\n\r\n"), "f:1: expected a row, found an empty file", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", "\xEF\xBB\xBF"), "f:1: expected a row, found an empty file", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", "a\nb\0c"s), "f:2: expected text, found a NUL byte", CorruptData);
}

TEST_CASE("Text: the first line comes without its end and without a byte order mark") {
    for (const char* text : {"a,b\nc", "a,b\r\nc", "a,b", "a,b\r\n",
                             "\xEF\xBB\xBF"
                             "a,b\n"}) {
        CHECK(Text("f", text).first_line() == "a,b");
    }
    CHECK(Text("f", "\nb").first_line().empty());
}

TEST_CASE("Text: quotes pieces for messages shortly and without control characters") {
    CHECK(Text::quote("a\tb\x01 \x7F") == "\"a?b? ?\"");
    CHECK(Text::quote("Am\xC3\xA9lie") == "\"Am\xC3\xA9lie\"");
    CHECK(Text::quote(std::string(60, 'x')) == '"' + std::string(60, 'x') + '"');
    CHECK(Text::quote(std::string(100, 'x')) == '"' + std::string(60, 'x') + "...\"");
}

TEST_CASE("DelimitedRows: refuses a delimiter that cannot be one") {
    for (const char* delimiter : {"", "\"", "\n", ":\r"}) {
        CHECK_THROWS_AS(DelimitedRows(Text("f", "a"), delimiter), InvalidArgument);
    }
}

TEST_CASE("DelimitedRows: a column twice that nobody asks for is no error") {
    DelimitedRows rows(Text("t.csv", "a,b,b,\n1,2,3,\n"), ",");
    rows.read_header();
    CHECK(rows.column("a") == 0);
    CHECK(rows.next());
    CHECK(rows.key(rows.column("a"), "an a") == "1");
}

TEST_CASE("DelimitedRows: a field that the row does not have is an error, not a read past its end") {
    DelimitedRows rows(Text("t.csv", "1,2\n"), ",");
    CHECK_THROWS_AS(static_cast<void>(rows.key(0, "a key")), funnel::InvalidArgument);  // before the first row
    REQUIRE(rows.next());
    CHECK_THROWS_WITH_AS(static_cast<void>(rows.key(2, "a key")), "DelimitedRows: column must be below 2, got 2",
                         funnel::InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(rows.number<float>(2, "a number")), funnel::InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(rows.time(static_cast<std::size_t>(-1), "a time")), funnel::InvalidArgument);
}

TEST_CASE("DelimitedRows: of a header with very many columns an error names the first ones") {
    std::string header = "c0";
    for (int i = 1; i < 1000; ++i) {
        header += ",c" + std::to_string(i);
    }
    DelimitedRows rows(Text("t.csv", header + "\n"), ",");
    rows.read_header();
    CHECK_THROWS_WITH_AS(static_cast<void>(rows.column("x")), doctest::Contains("\"c18\", \"c19\" and 980 more"),
                         CorruptData);
}

// Nothing here is timed. But these rows are so long that a reader which looks at the rest of the row from each field
// would need hours.
TEST_CASE("DelimitedRows: a row of millions of fields, some in quotes, is read in one pass") {
    std::string row = "\"a\"";
    constexpr std::size_t fields = 4'000'000;
    for (std::size_t i = 1; i < fields; ++i) {
        row += i % 2 == 0 ? ",\"b\"" : ",c";
    }
    for (const char* end : {"", "\n", "\r\n"}) {
        DelimitedRows rows(Text("t.csv", row + end), ",", Quotes::Allowed);
        REQUIRE(rows.next());
        CHECK(rows.fields().size() == fields);
        CHECK(rows.fields()[fields - 2] == "b");
        CHECK(rows.fields()[fields - 1] == "c");
        CHECK_FALSE(rows.next());
    }
    DelimitedRows header(Text("t.csv", row + "\n"), ",", Quotes::Allowed);
    header.read_header();
    CHECK_FALSE(header.find_column("d"));
}

TEST_CASE("DelimitedRows: a delimiter of two characters beside single ones of it, with quotes in the row") {
    DelimitedRows rows(Text("t", "a:b::\"c::d\"::e:\n:x::\"y\"::\n"), "::", Quotes::Allowed);
    REQUIRE(rows.next());
    CHECK(std::vector<std::string_view>(rows.fields().begin(), rows.fields().end()) ==
          std::vector<std::string_view>{"a:b", "c::d", "e:"});
    REQUIRE(rows.next());
    CHECK(std::vector<std::string_view>(rows.fields().begin(), rows.fields().end()) ==
          std::vector<std::string_view>{":x", "y", ""});
}

TEST_CASE("Text: a compressed file and UTF-16 are called what they are") {
    using namespace std::string_literals;
    const auto found = [](const std::string& content) -> std::string {
        try {
            static_cast<void>(Text("f", content));
            return "text";
        } catch (const CorruptData& error) {
            return error.what();
        }
    };
    CHECK(found("\x1f\x8b\x08\x08xyz") == "f:1: expected text, found gzip data (unpack it first)");
    CHECK(found("\x28\xb5\x2f\xfd\x04\0xyz"s) == "f:1: expected text, found zstd data (unpack it first)");
    CHECK(found("\xfd"
                "7zXZ\0"s) == "f:1: expected text, found xz data (unpack it first)");
    CHECK(found("PK\x03\x04\0\0"s) == "f:1: expected text, found a ZIP archive (.npz, .zip or a PyTorch file)");
    CHECK(found("BZh91AY&SY\0"s) == "f:1: expected text, found bzip2 data (unpack it first)");
    const std::string utf16 = "f:1: expected text, found text in UTF-16 (convert it to UTF-8 first)";
    CHECK(found("\xff\xfeu\0s\0e\0r\0"s) == utf16);
    CHECK(found("\xfe\xff\0u\0s\0e\0r"s) == utf16);
    CHECK(found("u\0s\0e\0r\0,\0"s) == utf16);
    CHECK(found("\0u\0s\0e\0r\0,"s) == utf16);
    CHECK(found("user\0"s) == "f:1: expected text, found a NUL byte");
    CHECK(found("PAR1,PK,BZh") == "text");
    CHECK(found("\xe9t\xe9,1") == "text");  // Latin-1
}
