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

/// The format of a file, judged by its first bytes, if it is one that people mistake for another: "gzip data (unpack
/// it first)". Empty for text and for anything unknown.
[[nodiscard]] inline std::string_view recognise_format(std::string_view start) noexcept {
    using namespace std::string_view_literals;
    constexpr std::string_view utf16 = "text in UTF-16 (convert it to UTF-8 first)";
    struct Known {
        std::string_view first_bytes;
        std::string_view name;
    };
    static constexpr std::array known{
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
        Known{"BZh91AY&SY"sv, "bzip2 data (unpack it first)"},
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
        Known{"\xff\xfe"sv, utf16},
        Known{"\xfe\xff"sv, utf16},
    };
    for (const auto& [first_bytes, name] : known) {
        if (start.substr(0, first_bytes.size()) == first_bytes) {
            return name;
        }
    }
    // UTF-16 without a byte order mark: every other byte of ASCII characters is 0.
    const auto is_utf16 = [&](std::size_t zeros) {
        bool alternates = start.size() >= 4;
        for (std::size_t i = 0; i < start.size() && i < 16; ++i) {
            alternates = alternates && (start[i] == '\0') == (i % 2 == zeros);
        }
        return alternates;
    };
    return is_utf16(0) || is_utf16(1) ? utf16 : std::string_view();
}

/// What a file seems to be, for errors about files that are not what the caller thinks: a format, "an empty file", "an
/// HTML or XML page", "text", or else the first bytes themselves.
[[nodiscard]] inline std::string recognise(std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return "an empty file";
    }
    std::string start;
    for (const std::byte byte : bytes.first(std::min<std::size_t>(bytes.size(), 64))) {
        start.push_back(static_cast<char>(byte));
    }
    if (const std::string_view format = recognise_format(start); !format.empty()) {
        return std::string(format);
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
