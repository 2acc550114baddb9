// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/json_nodes.hpp>
#include <funnel/io/little_endian.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

// Bytes of a number of a UBJSON type; 0 if the type is not a number.
[[nodiscard]] constexpr std::size_t ubjson_size(char type) noexcept {
    switch (type) {
        case 'i':
        case 'U':
            return 1;
        case 'I':
            return 2;
        case 'l':
        case 'd':
            return 4;
        case 'L':
        case 'D':
            return 8;
        default:
            return 0;
    }
}

// Calls use with a number of a UBJSON type.
template <class Use>
auto with_ubjson_number(char type, std::span<const std::byte> bytes, const Use& use) {
    constexpr std::endian big = std::endian::big;
    switch (type) {
        case 'i':
            return use(load_number<std::int8_t, big>(bytes));
        case 'U':
            return use(load_number<std::uint8_t, big>(bytes));
        case 'I':
            return use(load_number<std::int16_t, big>(bytes));
        case 'l':
            return use(load_number<std::int32_t, big>(bytes));
        case 'L':
            return use(load_number<std::int64_t, big>(bytes));
        case 'd':
            return use(load_number<float, big>(bytes));
        default:
            return use(load_number<double, big>(bytes));
    }
}

// Parses the part of UBJSON that XGBoost writes: objects without count or type, arrays with count, with count and type
// of numbers, or with neither.
class UBJSONParser {
public:
    explicit UBJSONParser(JSONNodes& nodes) : nodes_(nodes), text_(nodes.text()) {}

    void parse() {
        value(1);
        if (at_ != text_.size()) {
            nodes_.fail_here(at_, "the end of the file");
        }
    }

private:
    [[nodiscard]] std::uint64_t remaining() const noexcept { return text_.size() - at_; }

    [[nodiscard]] bool accept(char c) noexcept {
        const bool is_next = at_ < text_.size() && text_[at_] == c;
        at_ += is_next ? 1 : 0;
        return is_next;
    }

    // How many elements or bytes follow, each of which takes so many bytes of the file.
    [[nodiscard]] std::uint64_t length(std::size_t bytes_each) {
        const std::size_t start = at_;
        const char type = at_ < text_.size() ? text_[at_] : '\0';
        const std::size_t size = ubjson_size(type);
        if (size == 0 || type == 'd' || type == 'D') {
            nodes_.fail_here(at_, "a length");
        }
        ++at_;
        expect_bytes(size, "a length");
        const auto count = with_ubjson_number(type, nodes_.bytes().subspan(at_),
                                              [](const auto& number) { return static_cast<std::int64_t>(number); });
        at_ += size;
        if (count < 0 || static_cast<std::uint64_t>(count) > remaining() / bytes_each) {
            nodes_.fail(start, "a length that fits into the file", std::to_string(count));
        }
        return static_cast<std::uint64_t>(count);
    }

    void expect_bytes(std::size_t count, std::string_view what) const {
        if (count > remaining()) {
            nodes_.fail(at_, what, "the end of the file");
        }
    }

    void string() {
        const std::uint64_t size = length(1);
        nodes_.add(JSONKind::String, at_, size);
        at_ += size;
    }

    void value(unsigned depth) {
        if (at_ == text_.size()) {
            nodes_.fail_here(at_, "a value");
        }
        const std::size_t start = at_;
        const char type = text_[at_++];
        switch (type) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case 'S':
                return string();
            case 'C':
                expect_bytes(1, "a character");
                return nodes_.add(JSONKind::String, at_++, 1);
            case 'Z':
                return nodes_.add(JSONKind::Null, start);
            case 'T':
                return nodes_.add(JSONKind::True, start);
            case 'F':
                return nodes_.add(JSONKind::False, start);
            default:
                break;
        }
        const std::size_t size = ubjson_size(type);
        if (size == 0) {
            nodes_.fail_here(start, "a value");
        }
        expect_bytes(size, "a number");
        nodes_.add(JSONKind::Number, at_, size, type);
        at_ += size;
    }

    void array(unsigned depth) {
        nodes_.check_depth(at_, depth);
        if (accept('$')) {
            const char type = at_ < text_.size() ? text_[at_] : '\0';
            const std::size_t size = ubjson_size(type);
            if (size == 0) {
                nodes_.fail_here(at_, "a type of numbers");
            }
            ++at_;
            if (!accept('#')) {
                nodes_.fail_here(at_, "the length of the array");
            }
            const std::uint64_t count = length(size);
            nodes_.add(count == 0 ? JSONKind::Array : JSONKind::Numbers, at_, count, type);
            at_ += count * size;
            return;
        }
        const bool has_count = accept('#');
        const std::uint64_t count = has_count ? length(1) : 0;
        const std::size_t node = nodes_.open(JSONKind::Array, at_);
        std::uint64_t size = 0;
        for (; has_count ? size < count : !accept(']'); ++size) {
            value(depth + 1);
        }
        nodes_.close(node, size);
    }

    void object(unsigned depth) {
        nodes_.check_depth(at_, depth);
        const std::size_t node = nodes_.open(JSONKind::Object, at_);
        std::uint64_t size = 0;
        for (; !accept('}'); ++size) {
            string();
            value(depth + 1);
        }
        nodes_.close(node, size);
    }

    JSONNodes& nodes_;
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
