// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/read_item_metadata.hpp>

#include "data/text_file.hpp"
#include "support/growth.hpp"

#include <funnel/data/interactions_builder.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::IOError;
using funnel::data::Interactions;
using funnel::data::InteractionsBuilder;
using funnel::data::ItemMetadata;
using funnel::data::read_item_metadata;
using funnel::testing::check_linear;
using funnel::testing::TempDir;
using funnel::testing::TextFile;

namespace {

// A log of items 1, 2 and 9; the fixtures know 1, 2 and 5.
Interactions log_of_three() {
    InteractionsBuilder builder;
    for (const char* item : {"9", "2", "1"}) {
        builder.add("u", item);
    }
    return std::move(builder).build();
}

std::vector<std::string> genres(const ItemMetadata& metadata, std::size_t item) {
    std::vector<std::string> names;
    for (const std::uint16_t genre : metadata[item].genres) {
        names.push_back(metadata.genre_names()[genre]);
    }
    return names;
}

void check_rejected(std::string_view text, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text, "items");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_item_metadata(file.path(), log_of_three())), file.at(message).c_str(),
                         CorruptData);
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("read_item_metadata: movies.dat, movies.csv and a RecBole file give the same items") {
    for (const char* text :
         {"1::Toy Story (1995)::Comedy|Animation\n5::Other (2001)::Western\n2::Heat, The::\n",
          "movieId,title,genres\n1,Toy Story (1995),Comedy|Animation\r\n5,\"Other, (2001)\",Western\r\n"
          "2,\"Heat, The\",(no genres listed)\r\n",
          "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
          "1\tToy Story\t1995\tComedy Animation\n5\tOther\t2001\tWestern\n2\tHeat, The\tV\t\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        const ItemMetadata items = read_item_metadata(file.path(), log_of_three());

        REQUIRE(items.size() == 3);
        CHECK(Names(items.genre_names().begin(), items.genre_names().end()) == Names{"Animation", "Comedy", "Western"});
        CHECK(items[0].title == "Toy Story");
        CHECK(items[0].year == 1995);
        CHECK(genres(items, 0) == Names{"Animation", "Comedy"});
        CHECK(items[1].title == "Heat, The");
        CHECK_FALSE(items[1].year);
        CHECK(items[1].genres.empty());
        CHECK(items[2].title.empty());  // item 9 has no row
        CHECK(items[2].genres.empty());
    }
}

TEST_CASE("read_item_metadata: u.item has 19 genres, in their published order, and Latin-1 titles become UTF-8") {
    const TextFile file(
        "2|Mis\xE9rables, Les (1995)|01-Jan-1994||http://x|0|0|0|0|0|0|0|0|1|0|0|0|1|0|0|0|0|0|0\n"
        "1|Land Before Time (1995) (V)|14-Feb-1996||http://x|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|1\n"
        "9|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n",
        "u.item");
    const ItemMetadata items = read_item_metadata(file.path(), log_of_three());

    REQUIRE(items.genre_names().size() == 19);
    CHECK(items.genre_names()[0] == "unknown");
    CHECK(items.genre_names()[10] == "Film-Noir");
    CHECK(items.genre_names()[18] == "Western");
    CHECK(items[1].title == "Mis\xC3\xA9rables, Les");
    CHECK(items[1].year == 1995);  // of the title, not of the release in this country
    CHECK(genres(items, 1) == Names{"Drama", "Musical"});
    CHECK(items[0].title == "Land Before Time (1995) (V)");
    CHECK(items[0].year == 1996);
    CHECK(genres(items, 0) == Names{"Animation", "Children's", "Western"});
    CHECK(items[2].title == "unknown");
    CHECK_FALSE(items[2].year);
    CHECK(genres(items, 2) == Names{"unknown"});
}

TEST_CASE("read_item_metadata: a year is four digits in brackets at the end") {
    const auto read = [](std::string title) {
        const TextFile file("1::" + title + "::Drama\n");
        const ItemMetadata items = read_item_metadata(file.path(), log_of_three());
        return std::pair(items[0].title, items[0].year);
    };
    using Title = std::pair<std::string, std::optional<int>>;
    CHECK(read("Heat (1995)") == Title{"Heat", 1995});
    CHECK(read("Heat (1995) ") == Title{"Heat", 1995});
    CHECK(read("Heat  (1995)") == Title{"Heat", 1995});
    CHECK(read("City of Lost Children, The (Cite, La) (1995)") == Title{"City of Lost Children, The (Cite, La)", 1995});
    CHECK(read("\"Heat\" (1995)") == Title{"\"Heat\"", 1995});
    CHECK(read("Heat ") == Title{"Heat ", {}});
    CHECK(read("Heat (199x)") == Title{"Heat (199x)", {}});
    CHECK(read("Heat (-995)") == Title{"Heat (-995)", {}});
    CHECK(read("Heat 1995") == Title{"Heat 1995", {}});
    CHECK(read("M(1931)") == Title{"M", 1931});
    CHECK(read("Heat 1995)") == Title{"Heat 1995)", {}});
    CHECK(read("Heat (1995]") == Title{"Heat (1995]", {}});
    CHECK(read("(1995)") == Title{"(1995)", {}});
    CHECK(read("2001") == Title{"2001", {}});
    CHECK(read("") == Title{"", {}});
}

TEST_CASE("read_item_metadata: takes the first of a RecBole file's usual columns, and years of four digits") {
    const auto read = [](const std::string& columns, const std::string& fields) {
        const TextFile file("item_id:token\t" + columns + "\n1\t" + fields + "\n");
        return read_item_metadata(file.path(), log_of_three());
    };
    for (const std::string name : {"movie_title", "title", "name"}) {
        CHECK(read(name + ":token_seq", "A")[0].title == "A");
    }
    for (const std::string name : {"release_year", "year"}) {
        CHECK(read(name + ":token", "1995")[0].year == 1995);
        CHECK_FALSE(read(name + ":token", "1995-01")[0].year);
    }
    for (const std::string name : {"class", "genre", "genres", "categories"}) {
        CHECK(genres(read(name + ":token_seq", "B A"), 0) == Names{"A", "B"});
    }
    CHECK(read("name:token_seq\ttitle:token_seq", "A\tB")[0].title == "B");
}

TEST_CASE("read_item_metadata: a genre of several items has one name") {
    const TextFile file("1::A::Drama|Crime\n2::B::Crime\n9::C::|Drama|\n");
    const ItemMetadata items = read_item_metadata(file.path(), log_of_three());

    CHECK(Names(items.genre_names().begin(), items.genre_names().end()) == Names{"Crime", "Drama"});
    CHECK(genres(items, 0) == Names{"Crime", "Drama"});
    CHECK(genres(items, 1) == Names{"Crime"});
    CHECK(genres(items, 2) == Names{"Drama"});
}

TEST_CASE("read_item_metadata: there are at most 65535 genres") {
    const auto read = [](std::size_t count) {
        std::string text = "5::Other::";
        for (std::size_t genre = 0; genre < count; ++genre) {
            text += std::to_string(100'000 + genre) + '|';
        }
        const TextFile file(text);
        return read_item_metadata(file.path(), log_of_three()).genre_names().size();
    };
    CHECK(read(65'535) == 65'535);
    CHECK_THROWS_AS(static_cast<void>(read(65'536)), CorruptData);
}

TEST_CASE("read_item_metadata: sixty thousand genres are read in linear time") {
    const auto movies = [](std::size_t n) {
        std::string text = "movieId,title,genres\n";
        for (std::size_t i = 0; i < n; ++i) {
            text +=
                std::to_string(i) + ",t,genre" + std::to_string((i * 7919) % n) + "|a|genre" + std::to_string(i) + "\n";
        }
        auto file = std::make_shared<TextFile>(text, "movies.csv");
        const auto log = Interactions::from_ids({}, 1, n);
        return [file, log, n] {
            const auto items = read_item_metadata(file->path(), log);
            CHECK(items.genre_names().size() == n + 1);
            CHECK(items.genre_names()[items[n - 1].genres[0]] == "a");
        };
    };
    check_linear(movies, 2000, 60'000);
}

TEST_CASE("read_item_metadata: says in which line what is wrong") {
    check_rejected("1::A::x\n1::B::x\n", "2: expected each item once, found \"1\" twice");
    check_rejected("1::A::x\n2::B\n", "2: expected 3 columns, found 2");
    check_rejected("::A::x\n", "1: expected an item id, found an empty field");
    check_rejected("1|A|d|v|u|0|0|0|0|0|0|0|0|2|0|0|0|0|0|0|0|0|0|0\n", "1: expected a genre as 0 or 1, found \"2\"");
    check_rejected("1|A|d|v|u|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n2|B\n", "2: expected 24 columns, found 2");
    check_rejected("movieId,title\n1,A\n", "1: expected a column \"genres\", found the columns \"movieId\", \"title\"");
    check_rejected("title:token_seq\tyear:token\nA\t1\n",
                   "1: expected a column \"item_id\", found the columns \"title\", \"year\"");
    check_rejected("what\n",
                   "1: expected items of MovieLens (u.item, movies.dat, movies.csv) or RecBole, found \"what\"");
    check_rejected("", "1: expected a row, found an empty file");

    const TempDir dir;
    CHECK_THROWS_AS(static_cast<void>(read_item_metadata(dir / "none", log_of_three())), IOError);
}
