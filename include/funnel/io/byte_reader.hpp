// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/little_endian.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// Reads little-endian numbers from untrusted bytes. Never reads past the end, and checks every size before it
/// allocates. A call that throws does not change the position.
///
/// Errors    CorruptData "<source>: byte <position> (<what>): expected ..., found ..." if too few bytes are left
class ByteReader {
public:
    /// The bytes must outlive the reader. source is the name used in error messages, for files their path.
    ByteReader(std::span<const std::byte> bytes FUNNEL_LIFETIMEBOUND, std::string source)
        : bytes_(bytes), source_(std::move(source)) {}
    ByteReader(std::vector<std::byte>&& bytes, std::string source) = delete;  // the bytes must outlive the reader

    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] std::uint64_t remaining() const noexcept { return bytes_.size() - position_; }
    [[nodiscard]] const std::string& source() const noexcept FUNNEL_LIFETIMEBOUND { return source_; }

    /// The next count bytes.
    std::span<const std::byte> bytes(std::uint64_t count, std::string_view what) {
        const auto taken = peek(count, what);
        position_ += taken.size();
        return taken;
    }

    /// The next count bytes as characters.
    std::string text(std::uint64_t count, std::string_view what) {
        const auto raw = peek(count, what);
        std::string characters(reinterpret_cast<const char*>(raw.data()), raw.size());
        position_ += raw.size();
        return characters;
    }

    /// The next number.
    template <Number T, std::endian Order = std::endian::little>
    T number(std::string_view what) {
        return load_number<T, Order>(bytes(sizeof(T), what));
    }

    /// The next count numbers.
    template <Number T>
    std::vector<T> numbers(std::uint64_t count, std::string_view what) {
        const auto raw = peek(product(count, sizeof(T), what), what);
        std::vector<T> out(raw.size() / sizeof(T));
        load_numbers<T>(raw, std::span(out));
        position_ += raw.size();
        return out;
    }

    /// a * b, for sizes that come from a file.
    ///
    /// Errors    CorruptData if it takes more than 64 bits
    [[nodiscard]] std::uint64_t product(std::uint64_t a, std::uint64_t b, std::string_view what) const {
        if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) {
            fail(what, "a size that a machine can address", std::to_string(a) + " x " + std::to_string(b));
        }
        return a * b;
    }

    /// Checks that no bytes follow.
    void expect_end() const {
        if (remaining() != 0) {
            fail("end", "no more bytes", std::to_string(remaining()) + " more");
        }
    }

    /// Throws CorruptData with the current position.
    [[noreturn]] void fail(std::string_view what, std::string_view expected, std::string_view found) const {
        fail_at(position_, what, expected, found);
    }

    [[noreturn, gnu::cold]] void fail_at(std::uint64_t position, std::string_view what, std::string_view expected,
                                         std::string_view found) const {
        std::string message = source_;
        message.append(": byte ").append(std::to_string(position)).append(" (").append(what).append(")");
        message.append(": expected ").append(expected).append(", found ").append(found);
        raise<CorruptData>(message);
    }

private:
    [[nodiscard]] std::span<const std::byte> peek(std::uint64_t count, std::string_view what) const {
        if (count > remaining()) {
            fail(what, std::to_string(count) + " bytes", std::to_string(remaining()) + " bytes before the end");
        }
        return bytes_.subspan(position_, count);
    }

    std::span<const std::byte> bytes_;
    std::string source_;
    std::size_t position_ = 0;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
