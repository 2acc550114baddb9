// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/delimited.hpp>

#include "support/allocations.hpp"
#include "support/growth.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::io::DelimitedRows;
using funnel::io::Quotes;
using funnel::io::Text;
using funnel::testing::check_linear;

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
    CHECK(twice.column("b") == 1);
    CHECK_THROWS_WITH_AS(static_cast<void>(twice.column("a")), "t.csv:1: expected each column once, found \"a\" twice",
                         CorruptData);
}

TEST_CASE("DelimitedRows: a field that the row does not have is an error, not memory of others") {
    DelimitedRows rows(Text("t.csv", "1,2\n3\n"), ",");
    CHECK_THROWS_AS(static_cast<void>(rows.key(0, "a name")), CorruptData);  // before the first row
    REQUIRE(rows.next());
    CHECK(rows.number<float>(1, "n") == 2.0F);
    CHECK_THROWS_WITH_AS(static_cast<void>(rows.key(2, "a name")), "t.csv:1: expected at least 3 columns, found 2",
                         CorruptData);
    CHECK_THROWS_AS(static_cast<void>(rows.number<double>(static_cast<std::size_t>(-1), "n")), CorruptData);
    CHECK_THROWS_WITH_AS(rows.next(), "t.csv:2: expected 2 columns, found 1", CorruptData);
}

TEST_CASE("DelimitedRows: a call of next() that throws leaves the row before") {
    const auto make = [] {
        auto rows = std::make_unique<DelimitedRows>(Text("t.csv", "1,2\n\"3 \"\"\nx\"\"\",\"4\",5,6,7,8\n9,10\n"), ",",
                                                    Quotes::Allowed);
        rows->next();
        rows->expect_columns(6);
        return rows;
    };
    const auto state = [](const std::unique_ptr<DelimitedRows>& rows) {
        return std::vector<std::string>(rows->fields().begin(), rows->fields().end());
    };
    CHECK(funnel::testing::check_strong_guarantee(
              make, [](std::unique_ptr<DelimitedRows>& rows) { rows->next(); }, state) > 0);
    const auto rows = make();
    rows->next();
    CHECK(state(rows) == std::vector<std::string>{"3 \"\nx\"", "4", "5", "6", "7", "8"});
    CHECK_THROWS_WITH_AS(rows->next(), "t.csv:4: expected 6 columns, found 2", CorruptData);
    CHECK(state(rows).front() == "3 \"\nx\"");
}

TEST_CASE("DelimitedRows: of a million columns, an error lists the first twenty") {
    std::string header = "c0";
    for (int i = 1; i < 1000; ++i) {
        header += ",c" + std::to_string(i);
    }
    DelimitedRows rows(Text("t.csv", header), ",");
    rows.read_header();
    CHECK_THROWS_WITH(static_cast<void>(rows.column("user")), doctest::Contains("\"c19\", ... (1000 in all)"));
}

TEST_CASE("DelimitedRows: a row of quoted fields and a header of many columns are read in linear time") {
    const auto quoted_row = [](std::size_t n) {
        std::string row;
        for (std::size_t i = 0; i < n; ++i) {
            row += i % 2 == 0 ? "\"a\"," : "b,";
        }
        return [text = row + "\"c\"\n"] {
            DelimitedRows rows(Text("t.csv", text), ",", Quotes::Allowed);
            while (rows.next()) {
            }
        };
    };
    check_linear(quoted_row, 4000, 4'000'000);
    const auto column_of_quoted_rows = [](std::size_t n) {
        std::string text;
        for (std::size_t i = 0; i < n; ++i) {
            text += i % 3 == 0 ? "\"a\"\"b\"\n" : "\"x\ny\"\r\n";
        }
        return [text] {
            DelimitedRows rows(Text("t.csv", text), "::", Quotes::Allowed);
            while (rows.next()) {
            }
        };
    };
    check_linear(column_of_quoted_rows, 4000, 1'000'000);
    const auto header = [](std::size_t n) {
        std::string names = "user";
        for (std::size_t i = 0; i < n; ++i) {
            names += ",column" + std::to_string(i);
        }
        return [names] {
            DelimitedRows rows(Text("t.csv", names), ",");
            rows.read_header();
            CHECK(rows.column("user") == 0);
        };
    };
    check_linear(header, 2000, 1'000'000);
}

TEST_CASE("Text: empty and binary files are refused") {
    using namespace std::string_literals;
    CHECK_THROWS_WITH_AS(Text("f", ""), "f:1: expected a row, found an empty file", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", "\n\r\n"), "f:1: expected a row, found an empty file", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", "\xEF\xBB\xBF"), "f:1: expected a row, found an empty file", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", "a\nb\0c"s), "f:2: expected text, found a NUL byte", CorruptData);
    CHECK_THROWS_WITH_AS(Text("f", std::string(100'000, 'a') + "\n\nb\0"s), "f:3: expected text, found a NUL byte",
                         CorruptData);
}

// All lines were one row, and a table without a header lost its other rows in silence.
TEST_CASE("Text: refuses lines that end in CR alone") {
    for (const char* text : {"1,2\r3,4", "1,2\r3,4\r", "user,item\r\"1\",2", "1,2\r"}) {
        CAPTURE(text);
        CHECK_THROWS_WITH_AS(
            Text("f", text),
            "f:1: expected lines that end in LF or CRLF, found lines that end in CR alone (convert them first)",
            CorruptData);
    }
}

TEST_CASE("Text: compressed files and UTF-16 are named as such") {
    using namespace std::string_literals;
    const auto found = [](std::string content, const std::string& what) {
        CHECK_THROWS_WITH_AS(Text("f.csv", std::move(content)), ("f.csv:1: expected text, found " + what).c_str(),
                             CorruptData);
    };
    found("\x1f\x8b\x08 and more", "gzip data (unpack it first)");
    found("\x28\xb5\x2f\xfd and more", "zstd data (unpack it first)");
    found(
        "\xfd"
        "7zXZ",
        "xz data (unpack it first)");
    found("BZh91AY&SY", "bzip2 data (unpack it first)");
    found("PK\x03\x04", "a ZIP archive (.npz, .zip, .xlsx or a PyTorch file)");
    const std::string utf16 = "UTF-16 text (convert it to UTF-8 first)";
    found("\xff\xfeu\0,\0i\0\n\0"s, utf16);
    found("\xfe\xff\0u\0,\0i\0\n"s, utf16);
    found("u\0,\0i\0\n\0"s, utf16);
    found("\0u\0,\0i\0\n"s, utf16);
    CHECK(Text("f", "BZh,BZh9,PAR1,7z,PK").first_line() == "BZh,BZh9,PAR1,7z,PK");
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
