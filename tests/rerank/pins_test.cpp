// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/pins.hpp>

#include <funnel/rerank/fill_slate.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::rerank::fill_slate;
using funnel::rerank::Pin;
using funnel::rerank::pin_in_order;
using funnel::rerank::Pins;
using funnel::rerank::pins_of;
using Slate = std::vector<std::size_t>;

namespace {

const std::vector<float> falling{9, 8, 7, 6, 5};

Slate with(std::size_t k, const std::vector<Pin>& pins) {
    return fill_slate(falling, k, Pins(falling.size(), k, pins));
}

}  // namespace

TEST_CASE("Pins: pinned candidates take their places and no others") {
    CHECK(with(4, {{0, 2}, {4, 1}}) == Slate{1, 4, 0, 2});
    CHECK(with(5, {{4, 0}, {3, 1}, {2, 2}, {1, 3}, {0, 4}}) == Slate{4, 3, 2, 1, 0});
    CHECK(with(3, {}) == Slate{0, 1, 2});
    CHECK(with(std::numeric_limits<std::size_t>::max(), {{0, 4}}) == Slate{1, 2, 3, 4, 0});
    CHECK(with(0, {}).empty());
}

TEST_CASE("Pins: a pin that comes early frees its place") {
    Pins rule(5, 4, std::vector<Pin>{{0, 2}});
    rule.place(0);
    rule.place(1);
    CHECK(!rule.is_pinned_place());
    CHECK(rule.left().empty());
    CHECK(rule.allows(2));
}

TEST_CASE("Pins: rejects pins out of range and pins that contradict each other") {
    CHECK_THROWS_AS((void)with(4, {{5, 0}}), InvalidArgument);
    CHECK_THROWS_AS((void)with(4, {{0, 4}}), InvalidArgument);
    CHECK_THROWS_AS((void)with(9, {{0, 5}}), InvalidArgument);  // only five places can be filled
    CHECK_THROWS_AS((void)with(4, {{0, 1}, {1, 1}}), InvalidArgument);
    CHECK_THROWS_AS((void)with(4, {{0, 1}, {0, 2}}), InvalidArgument);
    CHECK_THROWS_AS((void)Pins(0, 0, std::vector<Pin>{{0, 0}}), InvalidArgument);
}

TEST_CASE("pin_in_order: the places of another list") {
    const std::vector<Pin> pins = pin_in_order(Slate{3, 1}, Slate{4, 2});
    CHECK(with(5, pins) == Slate{0, 2, 1, 4, 3});
    CHECK(pin_in_order(Slate{3, 1}, Slate{4}).size() == 1);
    CHECK_THROWS_AS((void)pin_in_order(Slate{3}, Slate{4, 2}), InvalidArgument);
}

TEST_CASE("pins_of: items that have places, by their ids; without those that are no candidates") {
    struct Drawn {
        std::uint32_t item;
        std::size_t place;
    };
    const std::vector<std::uint32_t> ids{30, 10, 20};
    CHECK(pins_of(ids, std::vector<Drawn>{{20, 0}, {99, 2}, {30, 1}}) == std::vector<Pin>{{2, 0}, {0, 1}});
    CHECK(pins_of({}, std::vector<Drawn>{{20, 0}}).empty());
}
