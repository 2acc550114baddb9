// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/error.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::raise;
using funnel::require;

TEST_CASE("require: says nothing when all is well, names the mistake when not") {
    CHECK_NOTHROW(require(true, "never seen"));
    CHECK_THROWS_WITH_AS(require(false, "mmr: lambda must lie in [0, 1]"), "mmr: lambda must lie in [0, 1]",
                         InvalidArgument);
}

TEST_CASE("require: works in a constant expression") {
    constexpr int checked = (require(true, "unused"), 7);
    static_assert(checked == 7);
}

TEST_CASE("raise: each kind of error can be caught as itself and as the standard's kind") {
    CHECK_THROWS_AS(raise<InvalidArgument>("a"), std::invalid_argument);
    CHECK_THROWS_AS(raise<CorruptData>("b"), std::runtime_error);
    CHECK_THROWS_AS(raise<IOError>("c"), std::runtime_error);
    CHECK_THROWS_WITH_AS(raise<CorruptData>("u.data:17: expected 4 columns, found 3"),
                         "u.data:17: expected 4 columns, found 3", CorruptData);
}

TEST_CASE("exception_of: hands back what was thrown, and nothing otherwise") {
    int calls = 0;
    CHECK_FALSE(funnel::detail::exception_of([&] { ++calls; }));
    CHECK(calls == 1);

    const std::exception_ptr error = funnel::detail::exception_of([] { raise<IOError>("disk full"); });
    REQUIRE(error);
    CHECK_THROWS_WITH_AS(std::rethrow_exception(error), "disk full", IOError);
}

TEST_CASE("FUNNEL_ASSERT: is free unless the build asks for checks") {
    int evaluated = 0;
    [[maybe_unused]] const auto is_fine = [&] {
        ++evaluated;
        return true;
    };
    FUNNEL_ASSERT(is_fine());
    CHECK(evaluated == FUNNEL_CHECKS);
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_ASSERT: a failure names place and condition and aborts, in noexcept functions and in others") {
    const int two = 2;
    const auto may_throw = [&] { FUNNEL_ASSERT(two == 3); };
    const auto may_not_throw = [&]() noexcept { FUNNEL_ASSERT(two == 3); };
    CHECK(funnel::testing::dies(may_throw, "assertion failed: two == 3"));
    CHECK(funnel::testing::dies(may_not_throw, "core/error_test.cpp:"));
    CHECK(funnel::testing::dies(
        [&] {
            try {
                may_throw();
            } catch (...) {  // a handler for errors of files and arguments must not take it for one of them
            }
        },
        "assertion failed"));
}
#endif

TEST_CASE("FUNNEL_ASSERT: does not stand in the way of constant expressions") {
    constexpr int checked = (FUNNEL_ASSERT(1 + 1 == 2), 7);
    static_assert(checked == 7);
}

TEST_CASE("ending_of: tells how a child process ended and what it wrote") {
    using funnel::testing::ending_of;
    const auto quiet = ending_of([] {});
    CHECK(quiet.signal == 0);
    CHECK(quiet.exit_code == 0);
    CHECK(quiet.written.empty());
    const auto thrown = ending_of([] { raise<IOError>("disk full"); });
    CHECK(thrown.exit_code == 1);
    CHECK(thrown.written == "disk full\n");
    const auto aborted = ending_of([] { std::abort(); });
    CHECK(aborted.signal == SIGABRT);
}
