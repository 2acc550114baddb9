// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/sgd_blocks.hpp>

#include "cf/random_log.hpp"

#include <funnel/core/parallel.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

using funnel::Serial;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

constexpr funnel::Stream purpose = funnel::stream("sgd_blocks_test");

using Entry = std::tuple<std::uint32_t, std::uint32_t, float>;

}  // namespace

TEST_CASE("SGDBlocks: every entry occurs once per epoch, in a block that holds its item") {
    for (const std::size_t items : {1U, 20U, 63U, 64U, 100U, 400U}) {
        const auto log = testing::random_log(70, items, 0.2, items);
        const auto user_item = funnel::data::user_item_matrix(log);
        SGDBlocks blocks(user_item, 1, purpose);
        CHECK(blocks.groups() <= SGDBlocks::most_groups);
        Serial serial;
        for (const std::size_t epoch : {0U, 1U}) {
            std::set<Entry> seen;
            std::set<std::size_t> indices;
            blocks.run(epoch, serial, [&](const SGDBlock& block, std::size_t) {
                CHECK(indices.insert(block.index).second);
                const std::set<std::uint32_t> group(block.items.begin(), block.items.end());
                CHECK(group.size() == block.items.size());
                std::pair<std::uint32_t, std::uint32_t> last{};
                for (const SGDEntry& entry : block.entries) {
                    CHECK(group.contains(entry.item));
                    CHECK(seen.insert({entry.user, entry.item, entry.value}).second);
                    CHECK((seen.size() == 1 || &entry == block.entries.data() ||
                           last < std::pair(entry.user, entry.item)));
                    last = {entry.user, entry.item};
                }
            });
            CHECK(indices.size() == blocks.groups() * blocks.groups());
            std::set<Entry> expected;
            for (std::uint32_t user = 0; user < user_item.rows(); ++user) {
                const auto row = user_item.row(user);
                for (std::size_t i = 0; i < row.size(); ++i) {
                    expected.insert({user, row.columns[i], row.values[i]});
                }
            }
            CHECK(seen == expected);
        }
    }
}

TEST_CASE("SGDBlocks: blocks of a round share neither users nor items") {
    const auto log = testing::random_log(100, 300, 0.1, 3);
    const auto user_item = funnel::data::user_item_matrix(log);
    SGDBlocks blocks(user_item, 1, purpose);
    REQUIRE(blocks.groups() == 8);
    Serial serial;
    std::size_t calls = 0;
    std::set<std::uint32_t> users;
    std::set<std::uint32_t> items;
    blocks.run(0, serial, [&](const SGDBlock& block, std::size_t) {
        if (calls++ % 8 == 0) {
            users.clear();
            items.clear();
        }
        std::set<std::uint32_t> own;
        for (const SGDEntry& entry : block.entries) {
            own.insert(entry.user);
        }
        for (const std::uint32_t user : own) {
            CHECK(users.insert(user).second);
        }
        for (const std::uint32_t item : block.items) {
            CHECK(items.insert(item).second);
        }
    });
    CHECK(calls == 64);
}

TEST_CASE("SGDBlocks: after_round follows the blocks of each round") {
    const auto user_item = funnel::data::user_item_matrix(testing::random_log(100, 100, 0.1, 3));
    SGDBlocks blocks(user_item, 1, purpose);
    REQUIRE(blocks.groups() == 3);
    CHECK(SGDBlocks::groups_for(100) == 3);
    CHECK(SGDBlocks::groups_for(0) == 1);
    CHECK(SGDBlocks::groups_for(std::numeric_limits<std::size_t>::max()) == 8);
    for (const std::size_t threads : {1U, 4U}) {
        Threads pool(threads);
        std::atomic<std::size_t> calls{0};
        std::vector<std::size_t> calls_after_round;
        blocks.run(
            0, pool, [&](const SGDBlock&, std::size_t) { ++calls; }, [&] { calls_after_round.push_back(calls); });
        CHECK(calls_after_round == std::vector<std::size_t>{3, 6, 9});
    }
}

TEST_CASE("SGDBlocks: an epoch depends on the seed and its number alone, and other epochs have other groups") {
    const auto log = testing::random_log(100, 300, 0.1, 3);
    const auto user_item = funnel::data::user_item_matrix(log);
    const auto epoch_of = [&](SGDBlocks& blocks, std::size_t epoch) {
        std::map<std::size_t, std::pair<std::vector<std::uint32_t>, std::vector<std::uint32_t>>> result;
        std::mutex mutex;
        Threads pool(3);
        blocks.run(epoch, pool, [&](const SGDBlock& block, std::size_t) {
            const std::scoped_lock lock(mutex);
            auto& [items, users] = result[block.index];
            items.assign(block.items.begin(), block.items.end());
            for (const SGDEntry& entry : block.entries) {
                users.push_back(entry.user);
            }
        });
        return result;
    };
    SGDBlocks fresh(user_item, 1, purpose);
    SGDBlocks used(user_item, 1, purpose);
    (void)epoch_of(used, 0);
    CHECK(epoch_of(fresh, 5) == epoch_of(used, 5));
    CHECK_FALSE(epoch_of(fresh, 4) == epoch_of(used, 5));
    SGDBlocks other(user_item, 2, purpose);
    CHECK_FALSE(epoch_of(other, 5) == epoch_of(used, 5));
}

TEST_CASE("SGDBlocks: any two items meet in a group, about once in as many epochs as groups") {
    const auto log = testing::random_log(50, 64, 0.5, 3);
    const auto user_item = funnel::data::user_item_matrix(log);
    SGDBlocks blocks(user_item, 1, purpose);
    REQUIRE(blocks.groups() == 2);
    Serial serial;
    std::vector<int> met(64);
    constexpr int epochs = 1000;
    for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
        blocks.run(epoch, serial, [&](const SGDBlock& block, std::size_t) {
            if (block.index < 2 && std::ranges::count(block.items, 0U) == 1) {
                for (const std::uint32_t item : block.items) {
                    ++met[item];
                }
            }
        });
    }
    for (std::size_t item = 1; item < 64; ++item) {
        CHECK(met[item] == doctest::Approx(epochs * 31.0 / 63.0).epsilon(0.18));  // 5.5 standard deviations
    }
}

TEST_CASE("SGDBlocks: items without entries are in no group, and logs without entries have empty blocks") {
    const auto user_item = funnel::data::user_item_matrix(testing::log_of({{0, 3}, {}, {3}}, 5));
    SGDBlocks blocks(user_item, 1, purpose);
    Serial serial;
    blocks.run(0, serial, [&](const SGDBlock& block, std::size_t) {
        CHECK(std::set<std::uint32_t>(block.items.begin(), block.items.end()) == std::set<std::uint32_t>{0, 3});
        CHECK(block.entries.size() == 3);
    });
    for (const auto& [users, items] : {std::pair{0U, 0U}, std::pair{3U, 0U}, std::pair{0U, 3U}, std::pair{3U, 3U}}) {
        const auto nothing = funnel::data::user_item_matrix(funnel::data::Interactions::from_ids({}, users, items));
        SGDBlocks(nothing, 1, purpose).run(0, serial, [&](const SGDBlock& block, std::size_t) {
            CHECK(block.entries.empty());
            CHECK(block.items.empty());
        });
    }
}
