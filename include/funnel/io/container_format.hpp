// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// The layout of the library's own files, .fnl, version 1.0, and the definitions that ContainerWriter and
// ContainerReader share; include container.hpp instead.
//
//     offset  size
//     0       8     magic: 89 'F' 'N' 'L' CR LF 1A LF, which reveals transfers as text or with 7 bits
//     8       2     format, major: readers reject any other
//     10      2     format, minor: newer versions only add element types
//     12      4     0x01020304
//     16      8     length of the whole file
//     24      4     number of sections
//     28      4     layout version of the kind
//     32      24    kind ("cf.EASE"), padded with zeros
//     56      4     CRC-32C of the section table
//     60      4     CRC-32C of bytes 0 .. 59
//     64      64 n  section table, one entry per section:
//                     0   32  name, padded with zeros
//                     32  4   element type
//                     36  4   CRC-32C of the section
//                     40  8   offset in the file, a multiple of 64
//                     48  8   length in bytes
//                     56  8   columns: the row length of a matrix, else 1
//     then          the sections, in the order of the table, each padded with zeros to a multiple of 64
//
// All numbers are little-endian. Bytes 0 .. 63 keep this layout in every version of the format.
// A section of strings contains: count (u64), count + 1 ascending offsets from 0 (u64), and the characters.

#include <funnel/core/config.hpp>
#include <funnel/io/little_endian.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

// The number of elements that the caller expects, if known. A std::optional is slower to compile.
struct ExpectedCount {
    constexpr ExpectedCount() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): callers pass a plain number
    constexpr ExpectedCount(std::uint64_t expected) : count(expected), is_known(true) {}

    std::uint64_t count = 0;
    bool is_known = false;
};

inline constexpr std::string_view container_magic =
    "\x89"
    "FNL\r\n\x1a\n";
inline constexpr std::uint16_t container_major = 1;
inline constexpr std::uint16_t container_minor = 0;
inline constexpr std::uint32_t container_endian_mark = 0x01020304;
inline constexpr std::size_t container_head_size = 64;
inline constexpr std::size_t container_entry_size = 64;
inline constexpr std::size_t container_alignment = 64;
inline constexpr std::size_t container_kind_size = 24;
inline constexpr std::size_t container_name_size = 32;
inline constexpr std::uint32_t container_max_sections = 4096;
// Limit for a matrix without rows: the file length does not bound its columns, and a program may later allocate a row.
inline constexpr std::uint64_t container_max_empty_columns = 65536;

// Stored in files: never change a number.
enum class ElementType : std::uint8_t {
    u8 = 1,
    i8 = 2,
    u16 = 3,
    i16 = 4,
    u32 = 5,
    i32 = 6,
    u64 = 7,
    i64 = 8,
    f32 = 9,
    f64 = 10,
    strings = 11
};

template <Number T>
[[nodiscard]] constexpr ElementType element_type_of() noexcept {
    if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? ElementType::f32 : ElementType::f64;
    } else {
        constexpr std::uint32_t width = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
        return static_cast<ElementType>(1 + 2 * width + (std::signed_integral<T> ? 1 : 0));
    }
}

[[nodiscard]] inline std::string element_type_name(std::uint32_t type) {
    constexpr std::array names{"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "strings"};
    return type >= 1 && type <= names.size() ? names[type - 1] : "type " + std::to_string(type);
}

// Kinds and section names: 1 to size - 1 printable ASCII characters.
[[nodiscard]] constexpr bool is_container_name(std::string_view name, std::size_t size) noexcept {
    bool is_printable = true;
    for (const char c : name) {
        is_printable = is_printable && c > ' ' && c <= '~';
    }
    return is_printable && !name.empty() && name.size() < size;
}

[[nodiscard]] constexpr std::uint64_t container_padding(std::uint64_t length) noexcept {
    return (container_alignment - length % container_alignment) % container_alignment;
}

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
