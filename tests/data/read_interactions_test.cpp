// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/read_interactions.hpp>

#include "data/text_file.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cctype>
#include <cmath>
#include <cstddef>
#include <exception>
#include <string>
#include <string_view>

using funnel::CorruptData;
using funnel::Random;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::read_interactions;
using funnel::testing::TextFile;

namespace {

constexpr std::string_view u_data = "10\t242\t3\t881250949\n9\t1193\t4.5\t978300760\n10\t1193\t5\t881250949\n";
constexpr std::string_view ratings_dat = "10::242::3::881250949\n9::1193::4.5::978300760\n10::1193::5::881250949\n";
constexpr std::string_view ratings_csv =
    "userId,movieId,rating,timestamp\n10,242,3,881250949\n9,\"1193\",4.5,978300760\n10,1193,5,881250949\n";
constexpr std::string_view recbole =
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\n10\t242\t3\t881250949\n9\t1193\t4.5\t978300760\n"
    "10\t1193\t5\t881250949\n";
constexpr std::string_view table =
    "customer_id;sku;stars;rating;time\n10;242;x;3;881250949\n9;1193;\"a \"\"b\"\" ;\";4.5;978300760\n"
    "10;1193;;5;881250949\n";
constexpr std::string_view all_kinds[] = {u_data, ratings_dat, ratings_csv, recbole, table};

}  // namespace

TEST_CASE("read_interactions: tells the kinds of files apart") {
    for (const std::string_view text : all_kinds) {
        CAPTURE(text);
        const TextFile file(text);
        const Interactions log = read_interactions(file.path());

        REQUIRE(log.size() == 3);
        CHECK(log[0] == Interaction{1, 0, 3.0F, 881250949.0});
        CHECK(log[1] == Interaction{0, 1, 4.5F, 978300760.0});
        CHECK(log[2] == Interaction{1, 1, 5.0F, 881250949.0});
        CHECK(log.item_key(1) == "1193");
    }
}

TEST_CASE("read_interactions: takes usual names of columns as whole words") {
    const TextFile file("user_name,end_user,user_id,item,time_zone,book_id\nann,9,1,2,5,3\n");
    const Interactions log = read_interactions(file.path());

    CHECK(log[0] == Interaction{0, 0, 1.0F, 0.0});
    CHECK(log.user_key(0) == "1");
    CHECK(log.item_key(0) == "2");
}

TEST_CASE("read_interactions: knows usual names of columns, quoted or not, and which of two it takes") {
    const auto first_row = [](const std::string& text) {
        CAPTURE(text);
        const TextFile file(text);
        const Interactions log = read_interactions(file.path());
        CHECK(log.user_key(0) == "7");
        CHECK(log.item_key(0) == "8");
        return log[0];
    };
    for (const std::string user :
         {"user", "user_id", "userId", "userid", "customer", "customer_id", "visitor_id", "customer_x,customer"}) {
        CHECK(first_row(user + ",item\n7" + (user.ends_with(",customer") ? ",7" : "") + ",8\n").value == 1.0F);
    }
    for (const std::string item :
         {"item", "item_id", "itemId", "itemid", "movieId", "movie_id", "book_id", "product_id", "sku"}) {
        CHECK(first_row("user,\"" + item + "\"\n7,8\n").value == 1.0F);
    }
    for (const std::string value : {"rating", "value", "score", "count", "weight"}) {
        CHECK(first_row("user\titem\t" + value + "\n7\t8\t3\n").value == 3.0F);
    }
    for (const std::string time : {"timestamp", "time", "unix_time", "unixtime"}) {
        CHECK(first_row("user,item," + time + "\n7,8,5\n").time == 5.0);
    }
    CHECK(first_row("weight,value,rating,user,item\n1,2,3,7,8\n").value == 3.0F);
}

TEST_CASE("read_interactions: a table with the columns of MovieLens may have any keys") {
    for (const char* text :
         {"userId,movieId\nann,2\n", "user,movieId,rating,timestamp\nann,2,1,0\n", "userId,movieId,rating\nann,2,1\n",
          "userId,movieId,timestamp\nann,2,0\n", "userId,movieId,rating,timestamp\nann,2,1,0\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        CHECK(read_interactions(file.path())[0] == Interaction{0, 0, 1.0F, 0.0});
    }
}

TEST_CASE("read_interactions: of other files it says which columns it misses") {
    const TextFile file("a,b\n1,2\n");

    const std::string more = "; read_csv takes other names, read_headerless_csv a table without a header)";
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("1: expected a column of users (user, user_id, customer, customer_id, visitor_id" +
                                 more + ", found the columns \"a\", \"b\"")
                             .c_str(),
                         CorruptData);
    file.rewrite("user,b\n1,2\n");
    CHECK_THROWS_WITH(static_cast<void>(read_interactions(file.path())),
                      doctest::Contains("a column of items (item, item_id, movie_id, book_id, product_id, sku, isbn"));
    file.rewrite("7,8,5\n");
    CHECK_THROWS_WITH(static_cast<void>(read_interactions(file.path())), doctest::Contains("read_headerless_csv"));
}

TEST_CASE("read_interactions: usual names between tabs or semicolons, in any spelling, and keys that are no numbers") {
    for (const std::string text :
         {"userId;movieId;rating;timestamp\nann;m-1;4;7\n", "userId\tmovieId\trating\ttimestamp\nann\tm-1\t4\t7\n",
          "timestamp,rating,movieId,userId\n7,4,m-1,ann\n",
          "\"User-ID\";\"ISBN\";\"Rating\";\"Time\"\n\"ann\";\"m-1\";\"4\";\"7\"\n",
          "VISITORID,Item ID,Score,Unix_Time\nann,m-1,4,7\n",
          "userId;movieId;rating;timestamp\nann;m-1;4;1970-01-01T00:00:07Z\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        const Interactions log = read_interactions(file.path());
        REQUIRE(log.size() == 1);
        CHECK(log[0] == Interaction{0, 0, 4.0F, 7.0});
        CHECK(log.user_key(0) == "ann");
        CHECK(log.item_key(0) == "m-1");
    }
}

TEST_CASE("read_interactions: a column is only an error twice if it is used") {
    const TextFile file("user,note,item,note\n1,,2,\n");
    CHECK(read_interactions(file.path()).size() == 1);
    file.rewrite("user,item,user\n1,2,3\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("1: expected each column once, found \"user\" twice").c_str(), CorruptData);
}

TEST_CASE("read_interactions: of several bad fields of a row, the first of user, item, value and time is named") {
    const TextFile file("1\t2\t3\t4\nx\ty\tz\tw\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("2: expected a whole number as user id, found \"x\"").c_str(), CorruptData);
    file.rewrite("1\t2\t3\t4\n5\ty\tz\tw\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("2: expected a whole number as movie id, found \"y\"").c_str(), CorruptData);
    file.rewrite("1\t2\t3\t4\n5\t6\tz\tw\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("2: expected a finite number as rating, found \"z\"").c_str(), CorruptData);
    file.rewrite("time,value,item,user\nw,z,,\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("2: expected a key in \"user\", found an empty field").c_str(), CorruptData);
    file.rewrite("time,value,item,user\nw,z,7,8\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("2: expected a finite number as value, found \"z\"").c_str(), CorruptData);
    file.rewrite("user_id:token\titem_id:token\trating:float\ttimestamp:float\n\t\tz\tw\n");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_interactions(file.path())),
                         file.at("2: expected a user_id, found an empty field").c_str(), CorruptData);
}

TEST_CASE("read_interactions: an empty first line is no header") {
    const TextFile file("\nuser,item\n1,2\n");

    CHECK_THROWS_AS(static_cast<void>(read_interactions(file.path())), CorruptData);
}

TEST_CASE("read_interactions: damaged files give a sound log, or an error with the file and a line") {
    Random random(5);
    const TextFile file("");
    std::size_t logs = 0;
    std::size_t errors = 0;
    for (int round = 0; round < 2500; ++round) {
        std::string text(all_kinds[random.below(std::size(all_kinds))]);
        for (std::size_t damages = 1 + random.below(3); damages > 0; --damages) {
            const std::size_t at = random.below(text.size());
            constexpr std::string_view nasty("\t,;:\"\n\r\0eE.-+\xFF", 14);
            switch (random.below(5)) {
                case 0:
                    text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
                    break;
                case 1:
                    text[at] = nasty[random.below(nasty.size())];
                    break;
                case 2:
                    text.resize(at + 1);
                    break;
                case 3:
                    text.erase(at, 1 + random.below(5));
                    break;
                default:
                    text.insert(at, text, random.below(text.size()), random.below(30));
                    break;
            }
            text += text.empty() ? "x" : "";
        }
        CAPTURE(text);
        file.rewrite(text);
        try {
            const Interactions log = read_interactions(file.path());
            ++logs;
            CHECK(log.size() > 0);
            for (const Interaction& row : log) {
                CHECK_FALSE(log.user_key(row.user).empty());
                CHECK_FALSE(log.item_key(row.item).empty());
                CHECK(std::isfinite(row.value));
                CHECK(std::isfinite(row.time));
            }
        } catch (const CorruptData& error) {
            ++errors;
            const std::string message = error.what();
            const std::string place = file.at("");
            REQUIRE(message.starts_with(place));
            CHECK(std::isdigit(static_cast<unsigned char>(message[place.size()])) != 0);
            CHECK(message.find(" expected ") != std::string::npos);
            CHECK(message.find(", found ") != std::string::npos);
        }
    }
    CHECK(logs > 300);  // both happen
    CHECK(errors > 300);
}
