// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// A growing byte buffer; numbers are written little-endian. The counterpart is ByteReader.
///
/// A call that throws changes nothing. The input may be a part of the writer's own bytes.
class ByteWriter {
public:
    [[nodiscard]] const std::vector<std::byte>& bytes() const& noexcept FUNNEL_LIFETIMEBOUND { return bytes_; }
    /// Moves the bytes out of a writer that is no longer needed.
    [[nodiscard]] std::vector<std::byte> bytes() && noexcept { return std::move(bytes_); }

    void write(std::span<const std::byte> more) {
        if (bytes_.capacity() - bytes_.size() >= more.size()) {
            const std::size_t before = bytes_.size();
            bytes_.resize(before + more.size());
            std::copy(more.begin(), more.end(), bytes_.data() + before);
            return;
        }
        ByteWriter larger;  // keep the old bytes until all is copied: `more` may be a part of them
        larger.bytes_.reserve(math::saturating_add(bytes_.size(), std::max(bytes_.size(), more.size())));
        larger.bytes_.insert(larger.bytes_.end(), bytes_.begin(), bytes_.end());
        larger.bytes_.insert(larger.bytes_.end(), more.begin(), more.end());
        bytes_.swap(larger.bytes_);
    }

    template <Number T>
    void number(T number) {
        const auto raw = number_bytes(number);
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }

    template <Number T>
    void numbers(std::span<const T> numbers) {
        if constexpr (std::endian::native == std::endian::little) {
            write(std::as_bytes(numbers));
        } else {
            ByteWriter converted;
            converted.bytes_.reserve(numbers.size_bytes());
            for (const T each : numbers) {
                converted.number(each);
            }
            write(converted.bytes_);
        }
    }

    void text(std::string_view characters) {
        write({reinterpret_cast<const std::byte*>(characters.data()), characters.size()});
    }

    /// Writes text into a field of fixed size, padded with zeros.
    ///
    /// Errors    InvalidArgument if the text does not fit
    void text(std::string_view characters, std::size_t size) {
        require(characters.size() <= size, "ByteWriter: the text does not fit into its field");
        std::vector<std::byte> field(size);
        std::transform(characters.begin(), characters.end(), field.begin(),
                       [](char c) { return static_cast<std::byte>(c); });
        write(field);
    }

private:
    std::vector<std::byte> bytes_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
