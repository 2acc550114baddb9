// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/byte_reader.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

struct NpyHeader {
    std::string dtype;  // "<f4"
    bool column_major = false;
    std::vector<std::uint64_t> shape;

    // The byte order given by dtype. None, = and | mean the byte order of the machine; single bytes have none.
    [[nodiscard]] std::endian order() const noexcept {
        return dtype.starts_with('<')   ? std::endian::little
               : dtype.starts_with('>') ? std::endian::big
                                        : std::endian::native;
    }

    // dtype without the byte order: "f4".
    [[nodiscard]] std::string_view type() const noexcept FUNNEL_LIFETIMEBOUND {
        const bool has_order = dtype.find_first_of("<>=|") == 0;
        return std::string_view(dtype).substr(has_order ? 1 : 0);
    }
};

// Parses the dictionary of a .npy file with its own grammar: three known keys, each once, in any order. Python would
// allow more, but no writer of arrays uses it.
class NpyHeaderParser {
public:
    NpyHeaderParser(const ByteReader& file, std::uint64_t position, std::string_view text)
        : file_(file), start_(position), text_(text) {}

    [[nodiscard]] NpyHeader parse() {
        NpyHeader header;
        bool has_dtype = false;
        bool has_order = false;
        bool has_shape = false;
        expect("{");
        while (!accept("}")) {
            const std::string key = quoted();
            expect(":");
            if (key == "descr" && !std::exchange(has_dtype, true)) {
                header.dtype = quoted();
            } else if (key == "fortran_order" && !std::exchange(has_order, true)) {
                header.column_major = accept("True");
                if (!header.column_major) {
                    expect("False");
                }
            } else if (key == "shape" && !std::exchange(has_shape, true)) {
                header.shape = shape();
            } else {
                fail("the keys descr, fortran_order and shape, each once");
            }
            if (!accept(",")) {
                expect("}");
                break;
            }
        }
        skip_spaces();
        if (at_ != text_.size() || !has_dtype || !has_order || !has_shape) {
            fail("one dictionary with descr, fortran_order and shape");
        }
        return header;
    }

private:
    void skip_spaces() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
            ++at_;
        }
    }

    [[nodiscard]] bool accept(std::string_view token) {
        skip_spaces();
        const bool is_next = text_.substr(at_, token.size()) == token;
        at_ += is_next ? token.size() : 0;
        return is_next;
    }

    void expect(std::string_view token) {
        if (!accept(token)) {
            fail(token);
        }
    }

    [[nodiscard]] std::string quoted() {
        const std::string_view quote = accept("\"") ? "\"" : "'";
        if (quote == "'" && !accept("'")) {
            fail("a quoted name (arrays of structures are not supported)");
        }
        const std::size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos) {
            fail("a closing quote");
        }
        std::string name(text_.substr(at_, end - at_));
        at_ = end + 1;
        return name;
    }

    [[nodiscard]] std::vector<std::uint64_t> shape() {
        std::vector<std::uint64_t> sizes;
        expect("(");
        while (!accept(")")) {
            sizes.push_back(number());
            if (!accept(",")) {
                expect(")");
                break;
            }
        }
        return sizes;
    }

    [[nodiscard]] std::uint64_t number() {
        skip_spaces();
        const std::size_t first = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            if (value > std::numeric_limits<std::int64_t>::max() / 10) {
                fail("a size that a machine can address");
            }
            value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
        }
        if (at_ == first) {
            fail("a whole number");
        }
        return value;
    }

    [[noreturn]] void fail(std::string_view expected) const {
        const std::string_view rest = text_.substr(at_, 16);
        file_.fail_at(start_ + at_, "array header", expected,
                      rest.empty() ? "its end" : "\"" + std::string(rest) + "\"");
    }

    const ByteReader& file_;
    std::uint64_t start_;
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
