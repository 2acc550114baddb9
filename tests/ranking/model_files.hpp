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

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
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

/// Bytes of a JSON or UBJSON model whose damage may change scores: the numbers, and the strings that are no keys. The
/// words of UBJSON are runs of letters, and of JSON strings before a colon.
[[nodiscard]] inline std::vector<bool> value_bytes(const Bytes& file) {
    const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
    std::vector<bool> is_value(text.size(), true);
    const bool is_binary = text.size() > 1 && text[0] == '{' && text[1] == 'L';
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::size_t stop = i;
        if (is_binary) {
            while (stop < text.size() && ((text[stop] >= 'a' && text[stop] <= 'z') || text[stop] == '_')) {
                ++stop;
            }
            stop = stop - i > 3 ? stop : i;
        } else if (text[i] == '"') {
            const std::size_t close = text.find('"', i + 1) + 1;
            stop = text.substr(text.find_first_not_of(" \n", close)).starts_with(":") ? close : i;
            if (stop == i) {
                i = close - 1;
                continue;
            }
        } else if (std::string_view("{}[],: \n").find(text[i]) != std::string_view::npos) {
            stop = i + 1;
        }
        if (stop > i) {
            std::fill(is_value.begin() + static_cast<std::ptrdiff_t>(i),
                      is_value.begin() + static_cast<std::ptrdiff_t>(stop), false);
            i = stop - 1;
        }
    }
    return is_value;
}

/// Damages a model in JSON or UBJSON. Each damaged file must be rejected, or score as the whole one, unless all bytes that
/// changed lie in values: then it is another valid model. Returns the number of files.
template <class Load>
std::size_t check_damaged_values(const std::filesystem::path& model, const Load& load, const DamageOptions& options) {
    const Bytes good = bytes_of(model);
    const std::vector<bool> is_value = value_bytes(good);
    const auto rows_for = [](const ranking::Forest& forest) {
        Matrix<float> rows(3, forest.features() < 1000 ? forest.features() : 0);
        for (std::size_t j = 0; j < rows.cols(); ++j) {
            rows(1, j) = static_cast<float>(j) - 1.5F;
            rows(2, j) = std::numeric_limits<float>::quiet_NaN();
        }
        return rows;
    };
    const auto scores_of = [&](const std::string& path) {
        const ranking::Forest forest = load(path);
        const Matrix<float> rows = rows_for(forest);
        return rows.cols() == forest.features() ? forest.predict(rows.view()) : std::vector<double>{};
    };
    const std::vector<double> expected = scores_of(model);
    const auto report = check_damage(
        good,
        [&](const std::string& path) {
            std::vector<double> scores = scores_of(path);
            if (scores != expected) {
                const Bytes bad = bytes_of(path);
                std::string changed;
                for (std::size_t i = 0; i < std::min(bad.size(), good.size()); ++i) {
                    if (bad[i] != good[i] && !is_value[i]) {
                        changed += " " + std::to_string(i);
                    }
                }
                CHECK_MESSAGE(bad.size() == good.size(), "another model of another size");
                CHECK_MESSAGE(changed.empty(), "other scores, though no value changed, but the bytes" << changed);
            }
            return scores;
        },
        options);
    return report.cases;
}

}  // namespace funnel::testing
