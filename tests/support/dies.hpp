// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace funnel::testing {

/// Whether this program watches memory or threads, which takes memory and time of its own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool is_sanitized = true;
#elif defined(__has_feature)
inline constexpr bool is_sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
inline constexpr bool is_sanitized = false;
#endif

/// What became of a child process: one of signal and exit_code is not 0 unless it ended as it should.
struct Ending {
    int signal = 0;       ///< that ended it; SIGALRM if it took longer than a minute
    int exit_code = 0;    ///< 1 if the body threw
    std::string written;  ///< to stderr; what() of an exception included
};

/// Runs body() in a copy of this process, so that it may abort, hang or change the limits of a process. Nothing that it
/// does is seen here, checks of doctest included. Call it while this process has one thread.
template <class Body>
[[nodiscard]] Ending ending_of(const Body& body) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    std::fflush(stdout);
    std::fflush(stderr);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::dup2(pipe[1], STDERR_FILENO);
        ::close(pipe[0]);
        ::close(pipe[1]);
        for (const int signal : {SIGABRT, SIGSEGV, SIGTERM, SIGILL, SIGFPE, SIGALRM}) {
            std::signal(signal, SIG_DFL);  // doctest's own report on them
        }
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        ::alarm(60);
        int code = 0;
        try {
            body();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s\n", error.what());
            code = 1;
        }
        std::fflush(stderr);
        ::_exit(code);
    }
    ::close(pipe[1]);
    Ending ending;
    std::array<char, 512> text{};
    for (ssize_t count = 0; (count = ::read(pipe[0], text.data(), text.size())) != 0;) {
        if (count > 0) {
            ending.written.append(text.data(), static_cast<std::size_t>(count));
        } else if (errno != EINTR) {
            break;
        }
    }
    ::close(pipe[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    ending.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ending.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    return ending;
}

/// Whether body() aborts, as a failed FUNNEL_ASSERT does, with a message that contains `message`; if not, says what
/// happened instead. A test of FUNNEL_ASSERT stands in #if FUNNEL_CHECKS.
///
///     CHECK(dies([&] { (void)kernels::dot(three, two); }, "a.size() == b.size()"));
template <class Body>
[[nodiscard]] bool dies(const Body& body, std::string_view message) {
    const Ending ending = ending_of(body);
    const bool is_as_expected = ending.signal == SIGABRT && ending.written.find(message) != std::string::npos;
    if (!is_as_expected) {
        MESSAGE("ended with signal " << ending.signal << ", code " << ending.exit_code << ", and wrote:\n"
                                     << ending.written);
    }
    return is_as_expected;
}

}  // namespace funnel::testing
