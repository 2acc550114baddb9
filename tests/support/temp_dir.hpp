// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include <stdlib.h>

namespace funnel::testing {

/// A folder of its own for a test; gone, with all that is in it, when the test ends.
class TempDir {
public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "funnel-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            raise<IOError>("TempDir: cannot create " + name);
        }
        path_ = name;
    }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    ~TempDir() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

}  // namespace funnel::testing
