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

/// An invalid argument of the caller: shapes that do not match, options out of range.
class InvalidArgument : public std::invalid_argument {
public:
    using std::invalid_argument::invalid_argument;
};

/// A damaged or malformed file or stream. The message names the position, what was expected and what was found.
class CorruptData : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// An error of the operating system: missing file, full disk, no permission. The message names the path and the reason.
class IOError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

#if !(defined(__cpp_exceptions) && __cpp_exceptions)
/// Called for each error in a program without exceptions. If the handler returns, the program aborts.
using ErrorHandler = void (*)(const char* message);

namespace detail {

inline ErrorHandler& error_handler() noexcept {
    static ErrorHandler handler = [](const char* message) { std::fprintf(stderr, "funnel: %s\n", message); };
    return handler;
}

}  // namespace detail

/// Replaces the handler, which by default prints the message to stderr. Call it once, before other threads start. It
/// exists only where exceptions are disabled.
inline void set_error_handler(ErrorHandler handler) noexcept {
    detail::error_handler() = handler;
}
#endif

/// Throws Error(message); without exceptions, calls the error handler. All errors of the library are thrown here.
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

// Out of line and cold, so that a check costs its caller only one predictable branch.
[[noreturn, gnu::cold, gnu::noinline]] inline void reject_argument(const char* message) {
    raise<InvalidArgument>(message);
}

// Aborts the program with a message that names the file, the line and the condition.
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

// Runs body and returns the exception that it threw, or null. Callers need not know whether exceptions are enabled.
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

/// Checks a precondition of a public function. It is always enabled: do not use it in inner loops.
constexpr void require(bool condition, const char* message) {
    if (!condition) [[unlikely]] {
        detail::reject_argument(message);
    }
}

}  // namespace FUNNEL_ABI
}  // namespace funnel

// Checks a precondition that is documented as "not checked". Enabled with FUNNEL_CHECKS=1, otherwise it produces no
// code. A failure prints the position and the condition to stderr and aborts. It does not throw, because most of the
// functions that use it are noexcept, and noexcept must not depend on the checks. Functions that may throw use require
// for the preconditions of their callers.
#if FUNNEL_CHECKS && !defined(__CUDA_ARCH__)
#define FUNNEL_ASSERT(condition) \
    ((condition) ? static_cast<void>(0) : ::funnel::detail::fail_assertion(#condition, __FILE__, __LINE__))
#else
#define FUNNEL_ASSERT(condition) static_cast<void>(0)
#endif
