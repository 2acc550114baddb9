// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace funnel::inline FUNNEL_ABI::io {

/// What a file seems to be, judged by its first bytes, for errors about files that are not what the caller thinks:
/// "a Git LFS pointer", "gzip data", "an HTML page", "text", ..., or else the bytes themselves.
[[nodiscard]] inline std::string recognise(std::span<const std::byte> bytes) {
    using namespace std::string_view_literals;
    struct Known {
        std::string_view first_bytes;
        std::string_view name;
    };
    constexpr std::array known{
        Known{"\x89"
              "FNL\r\n\x1a\n"sv,
              "a funnel container"},
        Known{"\x89"
              "FNL"sv,
              "a funnel container that was transferred as text, which changes bytes"},
        Known{"\x09"
              "FNL"sv,
              "a funnel container that was cut to 7 bits a byte"},
        Known{"version https://git-lfs"sv, "a Git LFS pointer (fetch the file itself with: git lfs pull)"},
        Known{"\x1f\x8b"sv, "gzip data (unpack it first)"},
        Known{"BZh"sv, "bzip2 data (unpack it first)"},
        Known{"\x28\xb5\x2f\xfd"sv, "zstd data (unpack it first)"},
        Known{"\xfd"
              "7zXZ"sv,
              "xz data (unpack it first)"},
        Known{"PK\x03\x04"sv, "a ZIP archive (.npz, .zip or a PyTorch file)"},
        Known{"\x93NUMPY"sv, "a NumPy .npy array"},
        Known{"\x89HDF\r\n"sv, "an HDF5 file"},
        Known{"PAR1"sv, "a Parquet file"},
        Known{"\x80\x02"sv, "a Python pickle"},
        Known{"\x80\x03"sv, "a Python pickle"},
        Known{"\x80\x04"sv, "a Python pickle"},
        Known{"\x80\x05"sv, "a Python pickle"},
    };
    if (bytes.empty()) {
        return "an empty file";
    }
    std::string start;
    for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 64))) {
        start.push_back(static_cast<char>(byte));
    }
    for (const auto& [first_bytes, name] : known) {
        if (std::string_view(start).substr(0, first_bytes.size()) == first_bytes) {
            return std::string(name);
        }
    }

    bool is_text = true;
    for (const char c : start) {
        is_text = is_text && (c == '\t' || c == '\n' || c == '\r' || (c >= ' ' && c <= '~'));
    }
    if (is_text) {
        const std::size_t first = start.find_first_not_of(" \t\r\n");
        return first != std::string::npos && start[first] == '<' ? "an HTML or XML page (a failed download?)" : "text";
    }
    std::string hex = "bytes";
    for (const char c : std::string_view(start).substr(0, 8)) {
        const auto byte = static_cast<unsigned char>(c);
        hex += ' ';
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

}  // namespace funnel::io
