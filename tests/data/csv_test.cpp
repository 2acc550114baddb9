// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/csv.hpp>

#include "data/text_file.hpp"

#include <doctest/doctest.h>

#include <string_view>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::data::CSVOptions;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::read_csv;
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

TEST_CASE("read_csv: refuses a delimiter that cannot be one, missing files and folders") {
    const TextFile file("user,item\n1,2\n");
    const TempDir dir;

    CHECK_THROWS_AS(static_cast<void>(read_csv(file.path(), {.delimiter = '"'})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(read_csv(file.path(), {.delimiter = '\n'})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(read_csv(dir / "x.csv")), IOError);
    CHECK_THROWS_AS(static_cast<void>(read_csv(dir.path())), IOError);
}

TEST_CASE("read_csv: a column twice that nobody asks for is no error") {
    const TextFile file("user,x,item,x\n1,2,3,4\n");
    CHECK(read_csv(file.path()).item_key(0) == "3");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_csv(file.path(), {.value = "x"})),
                         file.at("1: expected each column once, found \"x\" twice").c_str(), CorruptData);
}

TEST_CASE("read_csv: of several mistakes in a row the same one is reported by every compiler") {
    check_rejected("user,item,v,t\n,,z,w\n", {.value = "v", .time = "t"},
                   "2: expected a key in \"user\", found an empty field");
    check_rejected("user,item,v,t\nx,,z,w\n", {.value = "v", .time = "t"},
                   "2: expected a key in \"item\", found an empty field");
    check_rejected("user,item,v,t\nx,y,z,w\n", {.value = "v", .time = "t"},
                   "2: expected a finite number as v, found \"z\"");
    check_rejected("t,v,item,user\nw,z,y,x\n", {.value = "v", .time = "t"},
                   "2: expected a finite number as v, found \"z\"");
}

TEST_CASE("read_csv: times may be dates") {
    const TextFile file(
        "user,item,when\n1,1,1970-01-02\n1,2,2024-02-29T12:00:00Z\n1,3,2024-02-29 12:00:00.5+02:00\n1,4,17.25\n");
    const Interactions log = read_csv(file.path(), {.time = "when"});
    CHECK(log[0].time == 86'400.0);
    CHECK(log[1].time == 1'709'208'000.0);
    CHECK(log[2].time == 1'709'208'000.5 - 7'200.0);
    CHECK(log[3].time == 17.25);
    check_rejected("user,item,when\n1,1,2023-02-29\n", {.time = "when"},
                   "2: expected a finite number or an ISO 8601 date and time as when, found \"2023-02-29\"");
}

TEST_CASE("read_csv_without_header: takes columns by position") {
    using funnel::data::read_csv_without_header;
    for (const char* text :
         {"x,7,ann,4\ny,8.5,bob,2\n", "x\t7\tann\t4\ny\t8.5\tbob\t2", "x;7;\"ann\";4\r\ny;8.5;bob;2\r\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        const Interactions log = read_csv_without_header(file.path(), {.user = 2, .item = 0, .value = 3, .time = 1});
        REQUIRE(log.size() == 2);
        CHECK(log[0] == Interaction{0, 0, 4.0F, 7.0});
        CHECK(log[1] == Interaction{1, 1, 2.0F, 8.5});
        CHECK(log.user_key(0) == "ann");
        CHECK(log.item_key(1) == "y");
    }
    const TextFile file("1,2\n3\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_csv_without_header(file.path())),
                         file.at("2: expected 2 columns, found 1").c_str(), CorruptData);
    CHECK_THROWS_WITH_AS(
        static_cast<void>(read_csv_without_header(file.path(), {.time = 2})),
        file.at("1: expected a column at position 2, found 2 columns, the first at position 0").c_str(), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(read_csv_without_header(file.path(), {.user = static_cast<std::size_t>(-1)})),
                    CorruptData);
    file.rewrite("1,2,x\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_csv_without_header(file.path(), {.value = 2})),
                         file.at("1: expected a finite number as value in column 2, found \"x\"").c_str(), CorruptData);
    file.rewrite("1,2\n");  // one row is a log
    CHECK(read_csv_without_header(file.path(), {.user = 0, .item = 0}).size() == 1);
}
