// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/io/little_endian.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// The type of the numbers of a tensor, with the names and the order of safetensors.
enum class TensorType : std::uint8_t {
    BOOL,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64
};

namespace detail {

struct TensorTypeInfo {
    std::string_view name;
    std::size_t size;  // in bytes
};

// In the order of TensorType.
inline constexpr std::array<TensorTypeInfo, 15> tensor_types{{{"BOOL", 1},
                                                              {"U8", 1},
                                                              {"I8", 1},
                                                              {"F8_E5M2", 1},
                                                              {"F8_E4M3", 1},
                                                              {"I16", 2},
                                                              {"U16", 2},
                                                              {"F16", 2},
                                                              {"BF16", 2},
                                                              {"I32", 4},
                                                              {"U32", 4},
                                                              {"F32", 4},
                                                              {"F64", 8},
                                                              {"I64", 8},
                                                              {"U64", 8}}};

}  // namespace detail

[[nodiscard]] constexpr std::string_view name_of(TensorType type) noexcept {
    return detail::tensor_types[static_cast<std::size_t>(type)].name;
}

/// Bytes of one number.
[[nodiscard]] constexpr std::size_t size_of(TensorType type) noexcept {
    return detail::tensor_types[static_cast<std::size_t>(type)].size;
}

/// The type with a name, or nothing.
[[nodiscard]] constexpr std::optional<TensorType> tensor_type_named(std::string_view name) noexcept {
    for (std::size_t i = 0; i < detail::tensor_types.size(); ++i) {
        if (detail::tensor_types[i].name == name) {
            return static_cast<TensorType>(i);
        }
    }
    return std::nullopt;
}

/// The type of a C++ number.
template <Number T>
[[nodiscard]] consteval TensorType tensor_type_of() {
    if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? TensorType::F32 : TensorType::F64;
    } else {
        constexpr bool is_signed = std::is_signed_v<T>;
        switch (sizeof(T)) {
            case 1:
                return is_signed ? TensorType::I8 : TensorType::U8;
            case 2:
                return is_signed ? TensorType::I16 : TensorType::U16;
            case 4:
                return is_signed ? TensorType::I32 : TensorType::U32;
            default:
                return is_signed ? TensorType::I64 : TensorType::U64;
        }
    }
}

/// Bytes of a tensor of that shape, or nothing if they take more than 64 bits to count.
[[nodiscard]] constexpr std::optional<std::uint64_t> byte_size(TensorType type,
                                                               std::span<const std::uint64_t> shape) noexcept {
    std::uint64_t size = size_of(type);
    for (const std::uint64_t length : shape) {
        if (length != 0 && size > std::numeric_limits<std::uint64_t>::max() / length) {
            return std::nullopt;
        }
        size *= length;
    }
    return size;
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
