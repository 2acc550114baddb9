// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <filesystem>
#include <string>

namespace funnel::testing {

/// The path of a file that data/make_foreign_indexes.py wrote.
[[nodiscard]] inline std::string foreign_index(const std::string& name) {
    return std::filesystem::path(__FILE__).parent_path() / "data" / name;
}

}  // namespace funnel::testing
