// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/histories.hpp>

#include "cf/random_log.hpp"
#include "support/allocations.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::cf::Histories;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;

Ids ids(std::span<const std::uint32_t> history) {
    return {history.begin(), history.end()};
}

using Offsets = std::vector<std::uint64_t>;

struct Sections {
    std::vector<float> values = {};
    Offsets disliked_offsets = {};
    Ids disliked = {};
};

// Writes the sections as given, right or wrong, and reads them. Those in more are left out if they are empty.
Histories read_back(std::uint64_t items, const Offsets& offsets, const Ids& history, const Sections& more = {}) {
    const testing::TempDir dir;
    funnel::io::ContainerWriter file("test", 1);
    file.value("items", items);
    file.array("history_offsets", std::span(offsets));
    file.array("history_items", std::span(history));
    if (!more.values.empty()) {
        file.array("history_values", std::span(more.values));
    }
    if (!more.disliked_offsets.empty()) {
        file.array("disliked_offsets", std::span(more.disliked_offsets));
        file.array("disliked_items", std::span(more.disliked));
    }
    file.save(dir / "x.fnl");
    return Histories::read(funnel::io::ContainerReader(dir / "x.fnl", "test", 1));
}

}  // namespace

TEST_CASE("Histories: each user's items, ascending and once, whatever the order of the log") {
    const auto log = testing::log_of({{3, 1, 3}, {}, {0}}, 5);
    const Histories histories(funnel::data::user_item_matrix(log));
    CHECK(histories.users() == 3);
    CHECK(histories.items() == 5);
    CHECK(ids(histories.of(0)) == Ids{1, 3});
    CHECK(histories.of(1).empty());
    CHECK(ids(histories.of(2)) == Ids{0});
}

TEST_CASE("Histories: come back from a file") {
    const Histories histories = read_back(5, {0, 2, 2, 3}, {1, 3, 0});
    CHECK(histories.users() == 3);
    CHECK(histories.items() == 5);
    CHECK(ids(histories.of(0)) == Ids{1, 3});
    CHECK(ids(histories.of(2)) == Ids{0});
    CHECK(read_back(0, {0}, {}).users() == 0);
}

TEST_CASE("Histories: what is disliked stands apart, unless values are kept") {
    // User 0 likes 1 and dislikes 0 and 3, user 1 likes 2.
    const std::vector<funnel::Triplet<float>> entries{{0, 3, -1}, {0, 1, 0.5F}, {0, 0, 0}, {1, 2, 7}};
    const funnel::CSRMatrix<float> matrix(entries, 2, 4);
    const Histories sets(matrix);
    CHECK(ids(sets.of(0)) == Ids{1});
    CHECK(ids(sets.disliked_by(0)) == Ids{0, 3});
    CHECK(ids(sets.of(1)) == Ids{2});
    CHECK(sets.disliked_by(1).empty());
    CHECK(sets.disliked_by(2).empty());
    CHECK(sets.values_of(0).empty());
    CHECK((sets.has_dislikes() && !sets.has_values() && !sets.is_empty()));

    const Histories with = Histories::with_values(matrix);
    CHECK(ids(with.of(0)) == Ids{0, 1, 3});
    CHECK(std::ranges::equal(with.values_of(0), std::vector<float>{0, 0.5F, -1}));
    CHECK(std::ranges::equal(with.values_of(1), std::vector<float>{7}));
    CHECK(with.values_of(2).empty());
    CHECK(with.disliked_by(0).empty());
    CHECK((!with.has_dislikes() && with.has_values()));

    for (const Histories& histories : {sets, with}) {
        const testing::TempDir dir;
        funnel::io::ContainerWriter file("test", 1);
        histories.write(file);
        file.save(dir / "x.fnl");
        const Histories read = Histories::read(funnel::io::ContainerReader(dir / "x.fnl", "test", 1));
        for (std::size_t user = 0; user < 2; ++user) {
            CHECK(std::ranges::equal(read.of(user), histories.of(user)));
            CHECK(std::ranges::equal(read.values_of(user), histories.values_of(user)));
            CHECK(std::ranges::equal(read.disliked_by(user), histories.disliked_by(user)));
        }
    }
}

TEST_CASE("Histories: an unknown user has none") {
    const Histories nobody;
    CHECK(nobody.of(0).empty());
    const Histories one = read_back(5, {0, 1}, {1});
    CHECK(one.of(1).empty());
    CHECK(one.of(std::numeric_limits<std::size_t>::max()).empty());
}

TEST_CASE("Histories: what was moved from is of nobody, and can be assigned to") {
    Histories source = read_back(5, {0, 2, 2, 3}, {1, 3, 0});
    const Histories target = std::move(source);
    CHECK(ids(target.of(0)) == Ids{1, 3});
    CHECK(source.users() == 0);  // NOLINT(bugprone-use-after-move): that is what is tested
    CHECK(source.items() == 0);
    CHECK(source.of(0).empty());
    CHECK(Histories(source).users() == 0);
    source = target;
    CHECK(source.users() == 3);
    CHECK(testing::check_strong_guarantee(
              [&] { return Histories(); }, [&](Histories& changed) { changed = target; },
              [](const Histories& changed) { return std::pair(changed.users(), ids(changed.of(0))); }) > 0);
}

TEST_CASE("Histories: sections that do not fit together are rejected") {
    CHECK_THROWS_AS((void)read_back(5, {}, {}), CorruptData);
    CHECK_THROWS_AS((void)read_back(5, {1, 1}, {1}), CorruptData);           // does not start at 0
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {1, 2}), CorruptData);        // does not end at the end
    CHECK_THROWS_AS((void)read_back(5, {0, 2, 1, 2}, {1, 2}), CorruptData);  // falls
    CHECK_THROWS_AS((void)read_back(5, {0, 9, 2}, {1, 2}), CorruptData);     // leaves the items
    CHECK_THROWS_AS((void)read_back(5, {0, 2}, {2, 1}), CorruptData);        // not ascending
    CHECK_THROWS_AS((void)read_back(5, {0, 2}, {1, 1}), CorruptData);        // twice
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {5}), CorruptData);           // no such item
    CHECK_THROWS_AS((void)read_back(std::uint64_t{1} << 32, {0}, {}), CorruptData);

    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK_NOTHROW((void)read_back(5, {0, 2}, {1, 2}, {.values = {1, -1}}));
    CHECK_THROWS_AS((void)read_back(5, {0, 2}, {1, 2}, {.values = {1}}), CorruptData);
    CHECK_THROWS_AS((void)read_back(5, {0, 2}, {1, 2}, {.values = {1, 1, 1}}), CorruptData);
    CHECK_THROWS_AS((void)read_back(5, {0, 2}, {1, 2}, {.values = {1, infinity}}), CorruptData);
    CHECK_NOTHROW((void)read_back(5, {0, 1}, {1}, {{}, {0, 2}, {0, 4}}));
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {1}, {{}, {0, 2}, {0, 5}}), CorruptData);     // no such item
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {1}, {{}, {0, 2}, {0, 1}}), CorruptData);     // liked, too
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {1}, {{}, {0, 1, 2}, {0, 4}}), CorruptData);  // of two users
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {1}, {{}, {0, 0}, {}}), CorruptData);         // would not be written
    CHECK_THROWS_AS((void)read_back(5, {0, 1}, {1}, {{1}, {0, 1}, {0}}), CorruptData);       // beside values
}
