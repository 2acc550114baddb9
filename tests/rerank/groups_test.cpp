// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/groups.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::rerank::Groups;

TEST_CASE("Groups: numbers follow the order of the names, and a group counts once per candidate") {
    const std::vector<std::vector<std::uint32_t>> names{{90, 7}, {}, {7, 7}, {4294967295U}};
    const Groups groups(names.size(), [&](std::size_t i) -> const auto& { return names[i]; });
    CHECK(groups.candidates() == 4);
    CHECK(groups.count() == 3);
    CHECK(std::vector<std::size_t>(groups.of(0).begin(), groups.of(0).end()) == std::vector<std::size_t>{0, 1});
    CHECK(groups.of(1).empty());
    CHECK(groups.of(2).size() == 1);
    CHECK(groups.has(3, 2));
    CHECK(!groups.has(3, 0));
    CHECK(groups.size(0) == 2);
    CHECK(groups.find(90) == 1);
    CHECK(!groups.find(8));
    CHECK(!groups.is_partition());
}

TEST_CASE("Groups: one group per candidate is a partition, and so is none") {
    const Groups groups(std::vector<std::uint32_t>{3, 3, 1});
    CHECK(groups.is_partition());
    CHECK(groups.of(0)[0] == 1);
    const Groups empty(std::vector<std::uint32_t>{});
    CHECK(empty.candidates() == 0);
    CHECK(empty.count() == 0);
    CHECK(Groups(2, [](std::size_t) { return std::vector<int>{}; }).is_partition());
    CHECK(Groups(2, [](std::size_t) { return std::vector<int>{5, 5}; }).is_partition());
    CHECK(Groups(1, [](std::size_t) { return std::vector<int>{-1}; }).find(static_cast<std::uint64_t>(-1)) == 0);
}
