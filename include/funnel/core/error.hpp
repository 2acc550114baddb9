// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {

/// The caller asked for something that cannot work: shapes that do not match, options out of range.
class InvalidArgument : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

/// A file or stream does not hold what it claims: the message names the place, what was expected and what was found.
class CorruptData : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The operating system refused: missing file, full disk, no permission. The message names the path and the reason.
class IOError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

#if !(defined(__cpp_exceptions) && __cpp_exceptions)
/// Where errors end in a program without exceptions. A handler must not return; if it does, the program aborts.
using ErrorHandler = void (*)(const char* message);

namespace detail {

inline ErrorHandler& error_handler() noexcept {
    static ErrorHandler handler = [](const char* message) { std::fprintf(stderr, "funnel: %s\n", message); };
    return handler;
}

}  // namespace detail

/// Replaces the handler, which by default prints the message to stderr. Call it once, before other threads start.
inline void set_error_handler(ErrorHandler handler) noexcept {
    detail::error_handler() = handler;
}
#endif

/// Throws Error(message); without exceptions, ends in the error handler. The only place that throws.
template <class Error>
[[noreturn, gnu::cold, gnu::noinline]] void raise(const std::string& message) {
#if defined(__cpp_exceptions) && __cpp_exceptions
    throw Error(message);
#else
    detail::error_handler()(message.c_str());
    std::abort();
#endif
}

namespace detail {

// Out of line and cold, so that a check costs one predictable branch where it is made.
[[noreturn, gnu::cold, gnu::noinline]] inline void reject_argument(const char* message) {
    raise<InvalidArgument>(message);
}

// Ends the program with a message that names the place and the condition.
[[noreturn, gnu::cold, gnu::noinline]] inline void fail_assertion(const char* condition, const char* file,
                                                                  int line) noexcept {
#if defined(__cpp_exceptions) && __cpp_exceptions
    std::fprintf(stderr, "funnel: %s:%d: assertion failed: %s\n", file, line, condition);
#else
    char message[512];
    std::snprintf(message, sizeof message, "%s:%d: assertion failed: %s", file, line, condition);
    error_handler()(message);
#endif
    std::abort();
}

// Runs body and hands back what it threw, so that no other header needs to know whether exceptions are on.
template <class Body>
[[nodiscard]] std::exception_ptr exception_of(Body&& body) noexcept {
#if defined(__cpp_exceptions) && __cpp_exceptions
    try {
        body();
    } catch (...) {
        return std::current_exception();
    }
#else
    body();
#endif
    return {};
}

}  // namespace detail

/// Checks what a public function asks of its caller. Never compiled out: keep it out of inner loops.
constexpr void require(bool condition, const char* message) {
    if (!condition) [[unlikely]] {
        detail::reject_argument(message);
    }
}

}  // namespace FUNNEL_ABI
}  // namespace funnel

// Checks what a function takes for granted: what its documentation says is "not checked". On with FUNNEL_CHECKS=1, else
// gone without a trace. A failure prints the place and the condition to stderr and aborts. It does not throw, because
// most of what it guards is noexcept, and noexcept must mean the same with and without checks. Not for what a function
// that may throw asks of its caller: that is what require is for.
#if FUNNEL_CHECKS && !defined(__CUDA_ARCH__)
#define FUNNEL_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::funnel::detail::fail_assertion(#condition, __FILE__, __LINE__))
#else
#define FUNNEL_ASSERT(condition) static_cast<void>(0)
#endif
