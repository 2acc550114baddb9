// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace funnel::testing {

/// A file with this text, gone with the test.
class TextFile {
public:
    explicit TextFile(std::string_view text, std::string_view name = "log") : path_(dir_ / name) { rewrite(text); }

    void rewrite(std::string_view text) const {
        std::ofstream(path_, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
    }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// A message about this file, as errors spell it.
    [[nodiscard]] std::string at(std::string_view rest) const { return path_.string() + ":" + std::string(rest); }

private:
    TempDir dir_;
    std::filesystem::path path_;
};

}  // namespace funnel::testing
