// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What all fuzz targets share. main.cpp holds what libFuzzer calls; CONTRIBUTING.md has the recipe for a target.

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <unistd.h>

namespace funnel::fuzz {

/// The bytes of one run, in memory and as a file.
struct Input {
    std::string path;
    std::string_view bytes;
};

struct Target {
    std::string name;                 ///< of the file <name>_fuzz.cpp
    void (*run)(const Input& input);  ///< reads the input and uses what was read
    std::vector<std::string> (*seeds)();
    std::vector<std::string> words = {};  ///< of the format; libFuzzer inserts them
    bool is_container = false;            ///< then mutations keep the checksums right
};

[[nodiscard]] inline std::vector<Target>& targets() {
    static std::vector<Target> all;
    return all;
}

/// Adds a target: `const Registered npy({.name = "npy", ...});`
struct Registered {
    explicit Registered(Target target) { targets().push_back(std::move(target)); }
};

/// How many readers this run called, and how many of them accepted the input.
struct Counts {
    int attempts = 0;
    int accepted = 0;
};
inline Counts counts;

/// Runs a reader: whatever the bytes, it returns or throws CorruptData or IOError. InvalidArgument is a bug, because the
/// caller of a reader did nothing wrong.
template <class Read>
void attempt(const Read& read) {
    ++counts.attempts;
    try {
        read();
        ++counts.accepted;
    } catch (const CorruptData&) {
    } catch (const IOError&) {
    }
}

/// What must hold for everything that was read.
inline void check(bool holds, const char* what_must_hold) {
    if (!holds) {
        std::fprintf(stderr, "fuzz: does not hold: %s\n", what_must_hold);
        std::abort();
    }
}

template <class Numbers>
void check_finite(const Numbers& numbers) {
    for (const auto& x : numbers) {
        check(math::is_finite(x), "numbers are finite");
    }
}

inline void check_list(std::span<const Scored<>> list, std::size_t ids) {
    for (const Scored<>& hit : list) {
        check(hit.id < ids && math::is_finite(hit.score), "lists hold known ids and finite scores");
    }
}

/// The path of a file that may be written; each slot is another one.
[[nodiscard]] inline std::string scratch_path(int slot) {
    static const std::string prefix =
        std::filesystem::temp_directory_path() / ("funnel_fuzz_" + std::to_string(::getpid()) + "_");
    return prefix + std::to_string(slot);
}

[[nodiscard]] inline std::string contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// What save(path) writes.
template <class Save>
[[nodiscard]] std::string saved(const Save& save) {
    const std::string path = scratch_path(0);
    save(path);
    std::string bytes = contents_of(path);
    std::filesystem::remove(path);
    return bytes;
}

/// A matrix of 1, 2, 3, ... for a seed.
template <class T>
[[nodiscard]] Matrix<T> counting_matrix(std::size_t rows, std::size_t cols) {
    Matrix<T> matrix(rows, cols);
    for (std::size_t i = 0; i < rows * cols; ++i) {
        matrix(i / cols, i % cols) = static_cast<T>(i + 1);
    }
    return matrix;
}

/// Checks that what was read can be written, read again and written to the same bytes.
template <class Value, class Read, class Write>
void check_round_trip(const Value& value, const Read& read, const Write& write) {
    const std::string path = scratch_path(1);
    write(path, value);
    const std::string first = contents_of(path);
    try {
        write(path, read(path));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "fuzz: %s\n", error.what());
        check(false, "what was written can be read");
    }
    check(contents_of(path) == first, "what was written is read as it was");
    std::filesystem::remove(path);
}

/// Checks that writing what was read gives the input again. For formats that have only one way to write a value.
template <class Read, class Write>
void check_rewrites(const Input& input, const Read& read, const Write& write) {
    attempt([&] {
        const auto value = read(input.path);
        const std::string written = saved([&](const std::string& path) { write(path, value); });
        check(written == input.bytes, "what is read is what the file holds");
    });
}

/// Loads a T, uses it, and checks that it survives another round. Use may throw InvalidArgument: a file may hold options
/// under which a question has no answer.
template <class T, class Use>
void load_and_use(const Input& input, const Use& use) {
    attempt([&] {
        T object = T::load(input.path);
        check_round_trip(
            object, [](const std::string& path) { return T::load(path); },
            [](const std::string& path, const T& saved) { saved.save(path); });
        try {
            use(object);
        } catch (const InvalidArgument&) {
        }
    });
}

}  // namespace funnel::fuzz
