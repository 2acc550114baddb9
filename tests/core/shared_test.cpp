// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/shared.hpp>

#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

namespace {

using funnel::Shared;

// Counts how many of its kind are alive.
class Guest {
public:
    explicit Guest(int& alive) : alive_(&alive) { ++*alive_; }
    Guest(Guest&& other) noexcept : alive_(other.alive_) { ++*alive_; }
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;
    Guest& operator=(Guest&&) = delete;
    ~Guest() { --*alive_; }

private:
    int* alive_;
};

TEST_CASE("Shared: copies share one value, and the last of them destroys it") {
    int alive = 0;
    {
        Shared<Guest> first{Guest(alive)};
        CHECK(alive == 1);
        {
            const Shared<Guest> second = first;
            CHECK(second.get() == first.get());
            first = Shared<Guest>();
            CHECK(first.get() == nullptr);
            CHECK(alive == 1);
        }
        CHECK(alive == 0);
    }
    CHECK(alive == 0);
}

TEST_CASE("Shared: is empty by default and after a move, and a move copies nothing") {
    CHECK(Shared<int>().get() == nullptr);
    int alive = 0;
    Shared<Guest> from{Guest(alive)};
    const Guest* value = from.get();
    const Shared<Guest> to = std::move(from);
    CHECK(to.get() == value);
    CHECK(from.get() == nullptr);  // NOLINT(bugprone-use-after-move): what it promises
    CHECK(alive == 1);
}

TEST_CASE("Shared: an assignment lets go of what was there, and survives itself") {
    int alive = 0;
    Shared<Guest> one{Guest(alive)};
    const Shared<Guest> other{Guest(alive)};
    CHECK(alive == 2);
    one = other;
    CHECK(alive == 1);
    const Shared<Guest>& itself = one;
    one = itself;
    CHECK(one.get() == other.get());
    CHECK(alive == 1);
}

TEST_CASE("Shared: copies come and go in several threads") {
    const Shared<std::string> text{std::string("a text that is too long to lie inside the string itself")};
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([copy = text] {
                for (int i = 0; i < 1000; ++i) {
                    const Shared<std::string> other = copy;
                    if (other.get()->size() != 55) {
                        std::terminate();
                    }
                }
            });
        }
    }
    CHECK(text.get()->size() == 55);
}

}  // namespace
