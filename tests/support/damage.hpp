// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/little_endian.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace funnel::testing {

using Bytes = std::vector<std::byte>;

struct DamageOptions {
    bool has_checksum = true;       ///< then every damaged file must be rejected; else a result may come back
    std::size_t head = 512;         ///< bytes in which every truncation and every hostile number is tried
    std::size_t bit_flips = 1500;   ///< all bits of the file, or this many drawn ones if it has more
    std::size_t truncations = 100;  ///< drawn ones, behind the head
    std::uint64_t seed = 1;
};

/// How many damaged files were tried, and what became of them.
struct DamageReport {
    std::size_t cases = 0;
    std::size_t rejected = 0;           ///< CorruptData or IOError, with the name of the file in the message
    std::size_t accepted_same = 0;      ///< a result equal to that of the whole file
    std::size_t accepted_other = 0;     ///< another result; only without a checksum
    std::vector<std::string> failures;  ///< what must never happen, with the damage that led to it
};

namespace detail {

// While it lives, the process gets at most this much more memory, so that whoever believes a damaged size ends in
// bad_alloc. Where the size of the process cannot be told (not Linux) or is meaningless (sanitizers) there is no limit.
class MemoryLimit {
public:
    explicit MemoryLimit(std::size_t more) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        std::ifstream status("/proc/self/statm");
        std::size_t pages = 0;
        constexpr std::size_t sanitizer_pages = std::size_t{1} << 30;  // clang's show by the size they reserve
        if (status >> pages && pages < sanitizer_pages && ::getrlimit(RLIMIT_AS, &before_) == 0) {
            rlimit limit = before_;
            limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, pages * static_cast<rlim_t>(::getpagesize()) + more);
            is_set_ = ::setrlimit(RLIMIT_AS, &limit) == 0;
        }
#else
        static_cast<void>(more);
#endif
    }
    MemoryLimit(const MemoryLimit&) = delete;
    MemoryLimit& operator=(const MemoryLimit&) = delete;
    ~MemoryLimit() {
        if (is_set_) {
            ::setrlimit(RLIMIT_AS, &before_);
        }
    }

private:
    rlimit before_{};
    bool is_set_ = false;
};

// Most memory the process has ever held, in bytes. Sees what was asked for and written to, with sanitizers, too.
[[nodiscard]] inline std::size_t peak_memory() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

}  // namespace detail

[[nodiscard]] inline Bytes bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

// Removes an old file first: some file systems (ext4) go to the disk when a file is cut to nothing and written again.
inline void put_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::filesystem::remove(path);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

/// The bytes with a number in place of what stands at position `at`.
template <class T>
[[nodiscard]] Bytes with_number(Bytes bytes, std::size_t at, T number) {
    const auto raw = io::number_bytes(number);
    std::copy(raw.begin(), raw.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return bytes;
}

/// What CorruptData says about a file, without its path; "none" if read(path) accepts it.
template <class Read>
[[nodiscard]] std::string error_of(const std::string& path, const Read& read) {
    try {
        static_cast<void>(read(path));
    } catch (const CorruptData& error) {
        return std::string(error.what()).substr(path.size());
    }
    return "none";
}

/// Damages a good file in every way we know, and loads each: truncations, hostile 32-bit numbers, flipped bits, added
/// bytes, empty, random and zero files, no file, a folder.
///
/// load(path) returns something to compare with ==. It should use what it loaded (a search, a recommendation), so that
/// a bad id shows as a crash or sanitizer report here. Each damaged file must end in CorruptData or IOError with the
/// file's name in the message; without a checksum also in a result, for which load itself should check that its size
/// fits the file. Anything else (another exception, a gigabyte of memory) goes into failures.
template <class Load>
[[nodiscard]] DamageReport try_damage(const Bytes& good, const Load& load, const DamageOptions& options = {}) {
    constexpr std::size_t max_memory = std::size_t{1} << 30;
    const TempDir dir;
    const std::filesystem::path path = dir / "damaged.bin";
    put_bytes(path, good);
    const auto expected = load(path);

    DamageReport report;
    const detail::MemoryLimit limit(max_memory);
    const std::size_t memory_before = detail::peak_memory();

    const auto load_it = [&](const std::string& damage) {
        ++report.cases;
        try {
            const bool is_same = load(path) == expected;
            ++(is_same ? report.accepted_same : report.accepted_other);
            if (options.has_checksum) {
                report.failures.push_back(damage + (is_same ? ": accepted" : ": accepted, with another result"));
            }
            return;
        } catch (const CorruptData& error) {
            ++report.rejected;
            if (std::string(error.what()).find("damaged.bin") == std::string::npos) {
                report.failures.push_back(damage + ": the message does not name the file: " + error.what());
            }
        } catch (const IOError& error) {
            ++report.rejected;
            if (std::string(error.what()).find("damaged.bin") == std::string::npos) {
                report.failures.push_back(damage + ": the message does not name the file: " + error.what());
            }
        } catch (const std::exception& error) {
            report.failures.push_back(damage + ": " + error.what());
        }
    };
    const auto try_bytes = [&](const Bytes& bytes, const std::string& damage) {
        if (bytes != good) {
            put_bytes(path, bytes);
            load_it(damage);
        }
    };

    Random random(options.seed);
    const std::size_t head = std::min(options.head, good.size());

    const auto truncate = [&](std::size_t size) {
        try_bytes(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)),
                  "cut to " + std::to_string(size) + " bytes");
    };
    for (std::size_t size = 0; size < head; ++size) {
        truncate(size);
    }
    for (std::size_t i = 0; i < options.truncations && head < good.size(); ++i) {
        truncate(head + static_cast<std::size_t>(random.below(good.size() - head)));
    }
    if (!good.empty()) {
        truncate(good.size() - 1);
    }

    for (std::size_t at = 0; at + 4 <= head; at += 4) {
        const auto old = io::load_number<std::uint32_t>(std::span(good).subspan(at));
        for (const std::uint32_t hostile :
             {0U, 1U, 0x7fffffffU, 0x80000000U, 0xffffffffU, 0xfffffffeU, old - 1, old + 1, old * 2}) {
            try_bytes(with_number(good, at, hostile),
                      "number at byte " + std::to_string(at) + " set to " + std::to_string(hostile));
        }
    }

    const std::size_t bits = good.size() * 8;
    const bool every_bit = bits <= options.bit_flips;
    for (std::size_t i = 0; i < std::min(bits, options.bit_flips); ++i) {
        const std::size_t bit = every_bit ? i : static_cast<std::size_t>(random.below(bits));
        Bytes bytes = good;
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        try_bytes(bytes, "bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8) + " flipped");
    }

    for (const std::size_t count : {1U, 4U, 64U, 4096U}) {
        Bytes longer = good;
        longer.resize(good.size() + count);
        try_bytes(longer, std::to_string(count) + " zeros added");
        std::fill(longer.begin() + static_cast<std::ptrdiff_t>(good.size()), longer.end(), std::byte{0xff});
        try_bytes(longer, std::to_string(count) + " times ff added");
    }
    Bytes twice = good;
    twice.insert(twice.end(), good.begin(), good.end());
    try_bytes(twice, "the file twice");

    try_bytes(Bytes(good.size()), "zeros");
    for (int i = 0; i < 20; ++i) {
        Bytes noise(i < 10 ? good.size() : static_cast<std::size_t>(random.below(2 * good.size() + 1)));
        std::generate(noise.begin(), noise.end(), [&] { return static_cast<std::byte>(random() & 0xff); });
        try_bytes(noise, "random bytes " + std::to_string(i));
        std::copy_n(good.begin(), std::min({noise.size(), good.size(), std::size_t{8}}), noise.begin());
        try_bytes(noise, "random bytes behind the first eight " + std::to_string(i));
    }

    std::filesystem::remove(path);
    load_it("no file");
    std::filesystem::create_directory(path);
    load_it("a folder");

    if (detail::peak_memory() > memory_before + max_memory) {
        report.failures.push_back("more than 1 GiB of memory was used");
    }
    return report;
}

/// As above, as checks of the running test: no failures, and the report as a message if there are any.
template <class Load>
DamageReport check_damage(const Bytes& good, const Load& load, const DamageOptions& options = {}) {
    DamageReport report = try_damage(good, load, options);
    for (std::size_t i = 0; i < std::min<std::size_t>(report.failures.size(), 10); ++i) {
        FAIL_CHECK(report.failures[i]);
    }
    CHECK(report.failures.empty());
    CHECK(report.rejected + report.accepted_same + report.accepted_other == report.cases);
    CHECK(report.rejected > 0);
    return report;
}

}  // namespace funnel::testing
