// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/features/hashed_text.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::features::HashedText;

namespace {

using Ids = std::vector<std::uint32_t>;

template <class Numbers>
auto copy_of(const Numbers& numbers) {
    return std::vector(numbers.begin(), numbers.end());
}

}  // namespace

TEST_CASE("HashedText: words are runs of letters and digits, in lower case; a word has one id wherever it stands") {
    HashedText text(1 << 20);
    text.add("Toy Story (1995)");
    text.add("");
    text.add("  story--TOY's 1995\n");
    text.add("\xC3\x89t\xC3\xA9, caf\xC3\xA9!");
    CHECK(copy_of(text.starts()) == std::vector<std::size_t>{0, 3, 3, 6, 8});
    const Ids ids = copy_of(text.ids());
    REQUIRE(ids.size() == 8);
    CHECK(ids[3] == ids[1]);  // story
    CHECK(ids[4] == ids[0]);  // toy
    CHECK(ids[5] == ids[2]);  // 1995
    CHECK(std::set<std::uint32_t>(ids.begin(), ids.end()).size() == 5);
    CHECK(text.words("TOY") == Ids{ids[0]});
    CHECK(text.words("caf\xC3\xA9") == Ids{ids[7]});
    CHECK(text.words(" ,;()[]{}~`'\"\t").empty());
}

TEST_CASE("HashedText: ids are the high bits of the hash times rows, below rows, and others for another seed") {
    const std::uint64_t hash = funnel::detail::hash_word(1, funnel::detail::hash_name("toy"));
    CHECK(HashedText(1000).words("Toy") == Ids{static_cast<std::uint32_t>((hash >> 32) * 1000 >> 32)});
    const HashedText small(7);
    const HashedText other(7, 2);
    std::set<std::uint32_t> seen;
    std::size_t moved = 0;
    for (int i = 0; i < 200; ++i) {
        const std::uint32_t id = small.words("w" + std::to_string(i)).front();
        REQUIRE(id < 7);
        seen.insert(id);
        moved += id != other.words("w" + std::to_string(i)).front() ? 1 : 0;
    }
    CHECK(seen.size() == 7);
    CHECK(moved > 100);
    CHECK(HashedText(1).words("aa bb") == Ids{0, 0});
    CHECK(HashedText(std::size_t{1} << 32).words("aa").size() == 1);
}

TEST_CASE("HashedText: bad numbers of rows are rejected") {
    CHECK_THROWS_AS(static_cast<void>(HashedText(0)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(HashedText((std::size_t{1} << 32) + 1)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(HashedText(std::numeric_limits<std::size_t>::max())), InvalidArgument);
}
