// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/recbole.hpp>

#include "data/text_file.hpp"

#include <doctest/doctest.h>

#include <string_view>

using funnel::CorruptData;
using funnel::IOError;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::read_recbole;
using funnel::testing::TempDir;
using funnel::testing::TextFile;

namespace {

void check_rejected(std::string_view text, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text, "x.inter");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_recbole(file.path())), file.at(message).c_str(), CorruptData);
}

}  // namespace

TEST_CASE("read_recbole: takes its columns by name, in any order, and passes over others") {
    const TextFile file(
        "timestamp:float\titem_id:token\treview:token_seq\tuser_id:token\trating:float\n"
        "7.5\tB00\tso good\tann\t4\n"
        "3\tA7\t\tbob\t1.5\n");
    const Interactions log = read_recbole(file.path());

    REQUIRE(log.size() == 2);
    CHECK(log[0] == Interaction{0, 1, 4.0F, 7.5});
    CHECK(log[1] == Interaction{1, 0, 1.5F, 3.0});
    CHECK(log.user_key(1) == "bob");
    CHECK(log.item_key(0) == "A7");
}

TEST_CASE("read_recbole: without ratings and timestamps the values are 1 and the times 0") {
    const TextFile file("user_id:token\titem_id:token\n5\t6\n");

    CHECK(read_recbole(file.path())[0] == Interaction{0, 0, 1.0F, 0.0});
}

TEST_CASE("read_recbole: other columns may be of each type, and have a colon in their name") {
    const TextFile file("user_id:token\titem_id:token\tog:title:token\tsizes:float_seq\n5\t6\tx\t1 2\n");

    CHECK(read_recbole(file.path()).item_key(0) == "6");
}

TEST_CASE("read_recbole: says in which line what is wrong") {
    check_rejected("user_id:token\titem_id:token\n5\n", "2: expected 2 columns, found 1");
    check_rejected("user_id:token\titem_id:token\n5\t6\n\t6\n", "3: expected a user_id, found an empty field");
    check_rejected("user_id:token\titem_id:token\n5\t\n", "2: expected an item_id, found an empty field");
    check_rejected("user_id:token\titem_id:token\trating:float\n5\t6\t\n",
                   "2: expected a finite number as rating, found \"\"");
    check_rejected("user_id:token\titem_id:token\ttimestamp:float\n5\t6\tNaN\n",
                   "2: expected a finite number as timestamp, found \"NaN\"");
    check_rejected("user_id:token\titem_id:token\n", "2: expected an interaction, found the end of the file");
    check_rejected("user_id:token\tproduct:token\n5\t6\n",
                   "1: expected a column \"item_id\", found the columns \"user_id\", \"product\"");
    check_rejected("user_id:token\titem_id:float\n5\t6\n", "1: expected \"item_id\" of type token, found float");
    check_rejected("user_id:float\titem_id:token\n5\t6\n", "1: expected \"user_id\" of type token, found float");
    check_rejected("user_id:token\titem_id:token\ttimestamp:token\n5\t6\t7\n",
                   "1: expected \"timestamp\" of type float, found token");
    check_rejected("user_id:token\titem_id:token\trating:token\n5\t6\t7\n",
                   "1: expected \"rating\" of type float, found token");
    check_rejected("user_id:token\titem_id:token\titem_id:token\n5\t6\t7\n",
                   "1: expected each column once, found \"item_id\" twice");
    constexpr std::string_view form =
        "1: expected a column as name:type, of type token, float, token_seq or float_seq, found ";
    check_rejected("user_id:int\titem_id:token\n5\t6\n", std::string(form) + "\"user_id:int\"");
    check_rejected("user_id\titem_id\n5\t6\n", std::string(form) + "\"user_id\"");
    check_rejected(":token\titem_id:token\n5\t6\n", std::string(form) + "\":token\"");
    check_rejected("", "1: expected a row, found an empty file");
}

TEST_CASE("read_recbole: a missing file and a folder are errors of the system") {
    const TempDir dir;

    CHECK_THROWS_AS(static_cast<void>(read_recbole(dir / "x.inter")), IOError);
    CHECK_THROWS_AS(static_cast<void>(read_recbole(dir.path())), IOError);
}
