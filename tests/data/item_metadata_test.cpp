// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/item_metadata.hpp>

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::data::ItemInfo;
using funnel::data::ItemMetadata;

TEST_CASE("ItemMetadata: gives back what it was made of") {
    const ItemMetadata metadata({{"Heat", 1995, {0, 2}}, {}}, {"Action", "Comedy", "Crime"});

    CHECK(metadata.size() == 2);
    CHECK(metadata[0].title == "Heat");
    CHECK(metadata[0].year == 1995);
    CHECK(metadata.genre_names()[metadata[0].genres[1]] == "Crime");
    CHECK(metadata[1].title.empty());
    CHECK_FALSE(metadata[1].year);
    CHECK(ItemMetadata().size() == 0);
}

TEST_CASE("ItemMetadata: refuses genres without a name, and genres that do not ascend") {
    const std::vector<std::string> names{"Action", "Comedy"};

    CHECK_THROWS_AS(ItemMetadata({{"a", {}, {2}}}, names), InvalidArgument);
    CHECK_THROWS_AS(ItemMetadata({{"a", {}, {1, 0}}}, names), InvalidArgument);
    CHECK_THROWS_AS(ItemMetadata({{"a", {}, {1, 1}}}, names), InvalidArgument);
    CHECK_THROWS_AS(ItemMetadata({{"a", {}, {0, 1}}, {"b", {}, {2}}}, names), InvalidArgument);
}

// It took over the items before the names, and then had genres without a name.
TEST_CASE("ItemMetadata: an assignment without memory changes nothing") {
    const ItemMetadata other({{"a", {}, {0, 2}}, {"b", {}, {1}}}, {"Action", "Comedy", "Crime"});
    const auto make = [] { return ItemMetadata({{"a title too long to be stored in place", 1995, {0}}}, {"Drama"}); };
    const auto assign = [&](ItemMetadata& metadata) { metadata = other; };
    const auto state = [](const ItemMetadata& metadata) {
        std::vector<std::string> seen(metadata.genre_names().begin(), metadata.genre_names().end());
        for (std::size_t item = 0; item < metadata.size(); ++item) {
            seen.push_back(metadata[item].title + std::to_string(metadata[item].genres.size()));
        }
        return seen;
    };
    CHECK(funnel::testing::check_strong_guarantee(make, assign, state) > 0);
}
