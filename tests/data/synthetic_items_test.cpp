// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/synthetic_items.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using funnel::data::ItemMetadata;
using funnel::data::synthetic_items;

TEST_CASE("synthetic_items: every film has a title of its own, a year and one to three genres") {
    const ItemMetadata items = synthetic_items(4000, 1);
    std::set<std::string> titles;
    std::vector<std::size_t> genres_of(4, 0);
    std::vector<std::size_t> uses(items.genre_names().size(), 0);
    std::size_t late = 0;
    for (std::size_t item = 0; item < items.size(); ++item) {
        titles.insert(items[item].title);
        REQUIRE(items[item].year);
        CHECK(*items[item].year >= 1957);
        CHECK(*items[item].year <= 2016);
        late += *items[item].year >= 1990 ? 1 : 0;
        REQUIRE(items[item].genres.size() >= 1);
        REQUIRE(items[item].genres.size() <= 3);
        ++genres_of[items[item].genres.size()];
        for (const auto genre : items[item].genres) {
            ++uses[genre];
        }
    }
    CHECK(titles.size() == 4000);
    CHECK(late > 2500);  // 1800 if all 60 years were alike
    for (std::size_t count = 1; count <= 3; ++count) {
        CHECK(genres_of[count] > 1200);
    }
    for (const std::size_t count : uses) {
        CHECK(count > 550);  // 8000 uses of 12 genres
    }
}

TEST_CASE("synthetic_items: the same films on every machine") {
    const ItemMetadata items = synthetic_items(2000, 7);
    CHECK(items[1].title == "The Glass Detective");
    CHECK(items[1].year == 1998);
    CHECK(items[1].genres == std::vector<std::uint16_t>{5});
    CHECK(items[1999].title == "The Distant River 2");
    CHECK(items[1999].year == 1998);
}

TEST_CASE("synthetic_items: the same seed gives the same films, however many there are") {
    const ItemMetadata few = synthetic_items(10, 3);
    const ItemMetadata many = synthetic_items(3000, 3);
    const ItemMetadata other = synthetic_items(10, 4);
    std::size_t equal = 0;
    for (std::size_t item = 0; item < few.size(); ++item) {
        CHECK(few[item].title == many[item].title);
        CHECK(few[item].year == many[item].year);
        CHECK(few[item].genres == many[item].genres);
        equal += few[item].title == other[item].title && few[item].year == other[item].year ? 1 : 0;
    }
    CHECK(equal == 0);
    CHECK(synthetic_items(0, 1).size() == 0);
}
