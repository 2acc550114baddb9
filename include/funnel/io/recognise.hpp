// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// The file format that starts with these bytes, with advice, if it is known and no UTF-8 text with data: "gzip data
/// (unpack it first)", "UTF-16 text (convert it to UTF-8 first)", "a NumPy .npy array", ...; empty otherwise.
[[nodiscard]] inline std::string_view known_format(std::span<const std::byte> bytes) noexcept {
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
        Known{"\x28\xb5\x2f\xfd"sv, "zstd data (unpack it first)"},
        Known{"\xfd"
              "7zXZ"sv,
              "xz data (unpack it first)"},
        Known{"\x04\x22\x4d\x18"sv, "lz4 data (unpack it first)"},
        Known{"7z\xbc\xaf\x27\x1c"sv, "a 7z archive (unpack it first)"},
        Known{"PK\x03\x04"sv, "a ZIP archive (.npz, .zip, .xlsx or a PyTorch file)"},
        Known{"\x93NUMPY"sv, "a NumPy .npy array"},
        Known{"\x89HDF\r\n"sv, "an HDF5 file"},
        Known{"PAR1\x15"sv, "a Parquet file"},
        Known{"CBM1"sv, "a CatBoost model in binary format (save it with save_model(path, format=\"json\"))"},
        Known{"\x80\x02"sv, "a Python pickle"},
        Known{"\x80\x03"sv, "a Python pickle"},
        Known{"\x80\x04"sv, "a Python pickle"},
        Known{"\x80\x05"sv, "a Python pickle"},
        Known{"\xff\xfe\0\0"sv, "UTF-32 text (convert it to UTF-8 first)"},
        Known{"\0\0\xfe\xff"sv, "UTF-32 text (convert it to UTF-8 first)"},
        Known{"\xff\xfe"sv, "UTF-16 text (convert it to UTF-8 first)"},
        Known{"\xfe\xff"sv, "UTF-16 text (convert it to UTF-8 first)"},
    };
    const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
    for (const auto& [first_bytes, name] : known) {
        if (start.starts_with(first_bytes)) {
            return name;
        }
    }

    // The fourth byte of bzip2 is a block size. "BZh" alone is not enough, because text could begin with it.
    if (start.starts_with("BZh") && start.substr(std::min<std::size_t>(start.size(), 4)).starts_with("1AY&SY")) {
        return "bzip2 data (unpack it first)";
    }

    // UTF-16 without a byte order mark: ASCII characters with a zero byte before or after each.
    for (const std::size_t zero : {std::size_t{0}, std::size_t{1}}) {
        bool is_utf16 = start.size() >= 4;
        for (std::size_t at = 0; at + 1 < start.size(); at += 2) {
            const char c = start[at + 1 - zero];
            const bool is_ascii = c == '\t' || c == '\n' || c == '\r' || (c >= ' ' && c <= '~');
            is_utf16 = is_utf16 && is_ascii && start[at + zero] == '\0';
        }
        if (is_utf16) {
            return "UTF-16 text (convert it to UTF-8 first)";
        }
    }
    return {};
}

/// Describes a file by its first bytes, for error messages about unexpected files: the result of known_format, "an HTML
/// or XML page", "text", ..., or the bytes in hexadecimal.
[[nodiscard]] inline std::string recognise(std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return "an empty file";
    }
    if (const std::string_view known = known_format(bytes); !known.empty()) {
        return std::string(known);
    }
    const std::string_view start(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
    bool is_text = true;
    for (const char c : start) {
        is_text = is_text && (c == '\t' || c == '\n' || c == '\r' || (c >= ' ' && c <= '~'));
    }
    if (is_text) {
        const std::size_t first = start.find_first_not_of(" \t\r\n");
        return first != std::string_view::npos && start[first] == '<' ? "an HTML or XML page (a failed download?)"
                                                                      : "text";
    }
    std::string hex = "bytes";
    for (const char c : start.substr(0, 8)) {
        const auto byte = static_cast<unsigned char>(c);
        hex += ' ';
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
