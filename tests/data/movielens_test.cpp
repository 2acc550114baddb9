// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/movielens.hpp>

#include "data/text_file.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using funnel::CorruptData;
using funnel::IOError;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::read_movielens;
using funnel::testing::TempDir;
using funnel::testing::TextFile;

namespace {

// Every fixture holds these rows: users 10 and 9, items 242 and 1193.
void check_rows(std::string_view text) {
    CAPTURE(text);
    const TextFile file(text);
    const Interactions log = read_movielens(file.path());

    REQUIRE(log.size() == 3);
    CHECK(log.users() == 2);
    CHECK(log.items() == 2);
    CHECK(log[0] == Interaction{1, 0, 3.0F, 881250949.0});
    CHECK(log[1] == Interaction{0, 1, 4.5F, 978300760.0});
    CHECK(log[2] == Interaction{1, 1, 5.0F, 881250949.0});
    CHECK(log.user_key(0) == "9");
    CHECK(log.user_key(1) == "10");
    CHECK(log.item_key(0) == "242");
    CHECK(log.item_key(1) == "1193");
}

void check_rejected(std::string_view text, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text);
    CHECK_THROWS_WITH_AS(static_cast<void>(read_movielens(file.path())), file.at(message).c_str(), CorruptData);
}

}  // namespace

TEST_CASE("read_movielens: u.data, ratings.dat and ratings.csv give the same log") {
    check_rows("10\t242\t3\t881250949\n9\t1193\t4.5\t978300760\n10\t1193\t5\t881250949\n");
    check_rows("10::242::3::881250949\r\n9::1193::4.5::978300760\r\n10::1193::5::881250949");
    check_rows("userId,movieId,rating,timestamp\n10,242,3.0,881250949\n9,1193,4.5,978300760\n10,1193,5.0,881250949\n");
    check_rows(
        "\"timestamp\",\"userId\",\"movieId\",\"rating\"\r\n881250949,\"10\",\"242\",\"3.0\"\r\n978300760,9,1193,4."
        "5\r\n"
        "\"881250949\",10,1193,5\r\n");
}

TEST_CASE("read_movielens: says in which line what is wrong") {
    check_rejected("1\t2\t3\t4\n1\t2\t3\n", "2: expected 4 columns, found 3");
    check_rejected("1\t2\t3\t4\n1\t2\t3\t4\t5\n", "2: expected 4 columns, found 5");
    check_rejected("1::2::3::4\n1::2::3:4\n", "2: expected 4 columns, found 3");
    check_rejected("1\t2\t3\t4\n1\t2\tabc\t4\n", "2: expected a finite number as rating, found \"abc\"");
    check_rejected("1\t2\tnan\t4\n", "1: expected a finite number as rating, found \"nan\"");
    check_rejected("1\t2\t3\tinf\n", "1: expected a finite number as timestamp, found \"inf\"");
    check_rejected("1\t2\t1e999\t4\n", "1: expected a finite number as rating, found \"1e999\"");
    check_rejected("1\t2\t\t4\n", "1: expected a finite number as rating, found \"\"");
    check_rejected("1\t2\t3\t4\nx7\t2\t3\t4\n", "2: expected a whole number as user id, found \"x7\"");
    check_rejected("\"1\"\t2\t3\t4\n", "1: expected a whole number as user id, found \"\"1\"\"");
    check_rejected("1\t-2\t3\t4\n", "1: expected a whole number as movie id, found \"-2\"");
    check_rejected("\t2\t3\t4\n", "1: expected a whole number as user id, found an empty field");
    check_rejected(
        "userId,movieId,tag,timestamp\n1,2,fun,4\n",
        "1: expected a column \"rating\", found the columns \"userId\", \"movieId\", \"tag\", \"timestamp\"");
    check_rejected("userId,movieId,rating,timestamp\n", "2: expected a rating, found the end of the file");
    check_rejected("userId,movieId,rating,timestamp,userId\n1,2,3,4,5\n",
                   "1: expected each column once, found \"userId\" twice");
    check_rejected("hello\n",
                   "1: expected ratings of MovieLens (u.data: user, item, rating, time between tabs; ratings.dat; "
                   "ratings.csv), found \"hello\"");
    check_rejected("", "1: expected a row, found an empty file");
    check_rejected(std::string_view("1\t2\t3\t4\n\0ELF", 12), "2: expected text, found a NUL byte");
}

TEST_CASE("read_movielens: a missing file and a folder are errors of the system") {
    const TempDir dir;

    CHECK_THROWS_AS(static_cast<void>(read_movielens(dir / "u.data")), IOError);
    CHECK_THROWS_AS(static_cast<void>(read_movielens(dir.path())), IOError);
}
