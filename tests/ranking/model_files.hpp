// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What the tests of the readers of other libraries' forests share. Their models lie in data/, with the scripts that wrote
// them.

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/ranking/forest.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel::testing {

[[nodiscard]] inline std::filesystem::path model_path(const std::string& library, const std::string& name = "") {
    return std::filesystem::path(__FILE__).parent_path() / "data" / library / name;
}

[[nodiscard]] inline std::string text_of(const std::filesystem::path& path) {
    const Bytes bytes = bytes_of(path);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// What a reader says about a file with this content: its error, or "no error".
template <class Read>
[[nodiscard]] std::string model_error(const std::string& content, const Read& read) {
    const TempDir dir;
    const std::string path = dir / "model";
    put_bytes(path, std::as_bytes(std::span(content)));
    try {
        static_cast<void>(read(path));
    } catch (const CorruptData& error) {
        return error.what();
    }
    return "no error";
}

[[nodiscard]] inline std::string replaced(std::string text, std::string_view old, std::string_view by) {
    const std::size_t at = text.find(old);
    REQUIRE_MESSAGE(at != std::string::npos, std::string(old));
    return text.replace(at, old.size(), by);
}

/// Units in the last place between two numbers of the same sign.
template <class Bits, class T>
[[nodiscard]] std::uint64_t ulps(T a, T b) {
    const auto x = std::bit_cast<Bits>(a);
    const auto y = std::bit_cast<Bits>(b);
    return x < y ? y - x : x - y;
}

/// Bits of all scores, to compare damaged files with whole ones; checks that they are finite.
[[nodiscard]] inline std::vector<double> scores_of_zeros(const ranking::Forest& forest) {
    const std::size_t columns = forest.features() < 1000 ? forest.features() : 0;
    if (columns != forest.features()) {
        return {};  // damage may add features, but not splits on them
    }
    const Matrix<float> rows(1, columns);
    return forest.score(rows.view());
}

}  // namespace funnel::testing
