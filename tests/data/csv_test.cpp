// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/csv.hpp>

#include "data/text_file.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::data::CSVOptions;
using funnel::data::HeaderlessCSVOptions;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::read_csv;
using funnel::data::read_headerless_csv;
using funnel::testing::TempDir;
using funnel::testing::TextFile;

namespace {

void check_rejected(std::string_view text, const CSVOptions& options, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text, "x.csv");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_csv(file.path(), options)), file.at(message).c_str(), CorruptData);
}

}  // namespace

TEST_CASE("read_csv: takes columns by name and guesses the delimiter") {
    for (const char* text : {"note,sku,when,customer,stars\n\"a, b\",X,7,ann,4\n,Y,8.5,bob,2\n",
                             "note;sku;when;customer;stars\n\"a; b, c\";X;7;ann;4\n;Y;8.5;bob;2\n",
                             "note\tsku\twhen\tcustomer\tstars\n\"a, b\"\tX\t7\tann\t4\n\tY\t8.5\tbob\t2\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        const Interactions log =
            read_csv(file.path(), {.user = "customer", .item = "sku", .value = "stars", .time = "when"});

        REQUIRE(log.size() == 2);
        CHECK(log[0] == Interaction{0, 0, 4.0F, 7.0});
        CHECK(log[1] == Interaction{1, 1, 2.0F, 8.5});
        CHECK(log.user_key(1) == "bob");
        CHECK(log.item_key(0) == "X");
    }
}

TEST_CASE("read_csv: value and time are optional, the delimiter can be given") {
    const TextFile file("user|item|x\n1|2|9\n");
    const Interactions log = read_csv(file.path(), {.delimiter = '|'});

    CHECK(log[0] == Interaction{0, 0, 1.0F, 0.0});
}

TEST_CASE("read_csv: says in which line what is wrong, and which columns there are") {
    check_rejected("customer,sku\n1,2\n", {.user = "customer"},
                   "1: expected a column \"item\", found the columns \"customer\", \"sku\"");
    check_rejected("user,item\n1,2\n", {.time = "t"},
                   "1: expected a column \"t\", found the columns \"user\", \"item\"");
    check_rejected("user,item\n1,2\n", {.value = "v"},
                   "1: expected a column \"v\", found the columns \"user\", \"item\"");
    check_rejected("user;item;v,w\n1;2;3\n", {.delimiter = ','},
                   "1: expected a column \"user\", found the columns \"user;item;v\", \"w\"");
    check_rejected("user,item\n1,2\n3\n", {}, "3: expected 2 columns, found 1");
    check_rejected("user,item\n,2\n", {}, "2: expected a key in \"user\", found an empty field");
    check_rejected("user,item\n1,2\n3,\n", {}, "3: expected a key in \"item\", found an empty field");
    check_rejected("user,item,v\n1,2,abc\n", {.value = "v"}, "2: expected a finite number as v, found \"abc\"");
    check_rejected("user,item\n", {}, "2: expected a row, found the end of the file");
    check_rejected("user,item,user\n1,2,3\n", {}, "1: expected each column once, found \"user\" twice");
    check_rejected("", {}, "1: expected a row, found an empty file");
}

TEST_CASE("read_csv: times may be dates, which become seconds since 1970") {
    const auto times = [](const std::string& rows) {
        const TextFile file("user,item,when\n" + rows);
        std::vector<double> result;
        for (const Interaction& row : read_csv(file.path(), {.time = "when"})) {
            result.push_back(row.time);
        }
        return result;
    };
    CHECK(times("a,b,1970-01-02\na,b,2000-01-01T00:00:00.25+01:00\na,c,1969-12-31 23:59:59Z\n") ==
          std::vector<double>{86400, 946681200.25, -1});
    CHECK(times("a,b,1e3\na,b,-4.5\n") == std::vector<double>{1000, -4.5});
    CHECK(times("a,b,2020\n") == std::vector<double>{2020});  // a number
}

TEST_CASE("read_csv: a column of times holds numbers or dates, not both") {
    const CSVOptions options{.time = "t"};
    check_rejected("user,item,t\n1,2,31.01.2020\n", options,
                   "2: expected a finite number or a date (2024-02-29 or 2024-02-29T23:59:59Z) as t, found "
                   "\"31.01.2020\"");
    check_rejected("user,item,t\n1,2,2023-02-29\n", options,
                   "2: expected a finite number or a date (2024-02-29 or 2024-02-29T23:59:59Z) as t, found "
                   "\"2023-02-29\"");
    check_rejected("user,item,t\n1,2,2020-01-31\n1,2,77\n", options,
                   "3: expected a date (2024-02-29 or 2024-02-29T23:59:59Z) as t, as in the rows before, found \"77\"");
    check_rejected("user,item,t\n1,2,77\n1,2,2020-01-31\n", options,
                   "3: expected a finite number as t, as in the rows before, found \"2020-01-31\"");
    check_rejected("user,item,t\n1,2,\n", options, "2: expected a time as t, found an empty field");
}

TEST_CASE("read_csv: the delimiter is guessed outside of quotes, and columns nobody asked for may come twice") {
    const TextFile file("\"a;b;c;d;e;f\",user,item,x,x\n1,2,3,4,5\n");
    const Interactions log = read_csv(file.path());
    CHECK(log.user_key(0) == "2");
    CHECK(log.item_key(0) == "3");
}

TEST_CASE("read_headerless_csv: takes columns by position") {
    for (const std::string text :
         {"7,x,ann,4\n8.5,y,bob,2\n", "7\tx\tann\t4\n8.5\ty\tbob\t2\n", "7;x;\"ann\";4\n8.5;y;bob;2\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        const Interactions log = read_headerless_csv(file.path(), {.user = 2, .item = 1, .value = 3, .time = 0});
        REQUIRE(log.size() == 2);
        CHECK(log[0] == Interaction{0, 0, 4.0F, 7.0});
        CHECK(log[1] == Interaction{1, 1, 2.0F, 8.5});
        CHECK(log.user_key(1) == "bob");
    }
    const TextFile pair("ann|x\nbob|y\n");
    CHECK(read_headerless_csv(pair.path(), {.delimiter = '|'}).size() == 2);
    const TextFile dates("2020-01-31,ann,x\n");
    CHECK(read_headerless_csv(dates.path(), {.user = 1, .item = 2, .time = 0})[0].time == 1580428800.0);
}

TEST_CASE("read_headerless_csv: says in which line and column what is wrong") {
    const TextFile file("ann,x,3\n,y,4\n");
    const auto rejected = [&](const HeaderlessCSVOptions& options, std::string_view message) {
        CHECK_THROWS_WITH_AS(static_cast<void>(read_headerless_csv(file.path(), options)), file.at(message).c_str(),
                             CorruptData);
    };
    rejected({}, "2: expected a key in column 0, found an empty field");
    rejected({.user = 1, .item = 0}, "2: expected a key in column 0, found an empty field");
    rejected({.user = 1, .item = 3}, "1: expected at least 4 columns, found 3");
    rejected({.user = static_cast<std::size_t>(-1)}, "1: expected at least 18446744073709551615 columns, found 3");
    rejected({.value = 1}, "1: expected a finite number as column 1, found \"x\"");
    file.rewrite("ann,x\nbob,y,5\n");
    rejected({}, "2: expected 2 columns, found 3");
}

TEST_CASE("read_csv: refuses a delimiter that cannot be one, missing files and folders") {
    const TextFile file("user,item\n1,2\n");
    const TempDir dir;

    CHECK_THROWS_AS(static_cast<void>(read_csv(file.path(), {.delimiter = '"'})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(read_csv(file.path(), {.delimiter = '\n'})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(read_csv(dir / "x.csv")), IOError);
    CHECK_THROWS_AS(static_cast<void>(read_csv(dir.path())), IOError);
}
