// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What the targets for the readers of forests share.

#include "fuzz/fuzz.hpp"

#include <funnel/ranking/forest.hpp>

#include <algorithm>
#include <limits>

namespace funnel::fuzz {

/// The models of a library in tests/ranking/data.
[[nodiscard]] inline std::vector<std::string> model_seeds(const std::string& library) {
    const auto folder = std::filesystem::path(__FILE__).parent_path().parent_path() / "ranking/data" / library;
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.is_regular_file() && entry.path().extension() != ".npy" && entry.file_size() < 8192) {
            paths.push_back(entry.path());
        }
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> seeds;
    for (const auto& path : paths) {
        seeds.push_back(contents_of(path));
    }
    check(!seeds.empty(), "there are models in tests/ranking/data");
    return seeds;
}

/// Reads a forest and scores rows with it. Forest rejects what a reader must not let through.
template <class Load>
void load_and_score(const Input& input, const Load& load) {
    attempt([&] {
        const ranking::Forest forest = load(input.path);
        constexpr std::size_t max_features = 10'000;
        if (forest.features() > max_features || forest.outputs() > max_features) {
            return;
        }
        Matrix<float> rows(3, forest.features());
        for (std::size_t j = 0; j < forest.features(); ++j) {
            rows(1, j) = std::numeric_limits<float>::quiet_NaN();
            rows(2, j) = static_cast<float>(j) * 1.5F - 3.0F;
        }
        check(forest.predict(rows.view()).size() == 3 * forest.outputs(), "every row gets its predictions");
    });
}

}  // namespace funnel::fuzz
