// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/little_endian.hpp>

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace funnel::inline FUNNEL_ABI::io {

/// Bytes that grow at the end; numbers go in with their lowest byte first. ByteReader is the other side.
class ByteWriter {
public:
    [[nodiscard]] const std::vector<std::byte>& bytes() const noexcept { return bytes_; }

    void write(std::span<const std::byte> more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }

    template <Number T>
    void number(T number) {
        const auto raw = number_bytes(number);
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
    }

    template <Number T>
    void numbers(std::span<const T> numbers) {
        for (const T each : numbers) {
            number(each);
        }
    }

    void text(std::string_view characters) {
        write({reinterpret_cast<const std::byte*>(characters.data()), characters.size()});
    }

    /// Text in a field of fixed size, filled up with zeros.
    ///
    /// Errors    InvalidArgument if it does not fit
    void text(std::string_view characters, std::size_t size) {
        require(characters.size() <= size, "ByteWriter: the text does not fit into its field");
        text(characters);
        bytes_.resize(bytes_.size() + size - characters.size());
    }

private:
    std::vector<std::byte> bytes_;
};

}  // namespace funnel::io
