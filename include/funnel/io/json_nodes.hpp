// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/io/byte_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// What a value of a JSON document is. Numbers is an array that holds only numbers, and at least one.
enum class JSONKind : std::uint8_t { Null, False, True, Number, String, Numbers, Array, Object };

namespace detail {

// One value. The values inside an array or object follow it; in an object, each value follows its key, a string. An
// array of numbers is one node, so that big arrays cost nothing but the bytes of the file.
struct JSONNode {
    std::uint64_t begin = 0;  // position of its text or numbers in the file
    std::uint64_t size = 0;   // bytes of a number or string, elements of an array, members of an object
    std::uint32_t end = 0;    // the node after this value and all that it contains; 0 while it is being parsed
    JSONKind kind = JSONKind::Null;
    char type = 0;  // the UBJSON type of numbers; 0: text. A text with escapes has a backslash
};

inline constexpr unsigned max_json_depth = 64;

// The nodes of a document while it is being parsed, and its errors.
class JSONNodes {
public:
    JSONNodes(std::span<const std::byte> bytes FUNNEL_LIFETIMEBOUND, const std::string& source FUNNEL_LIFETIMEBOUND)
        : bytes_(bytes), source_(source) {}

    // Adds a value that contains no others.
    void add(JSONKind kind, std::uint64_t begin, std::uint64_t size = 0, char type = 0) {
        const std::size_t at = open(kind, begin, size, type);
        nodes_[at].end = static_cast<std::uint32_t>(at + 1);
    }

    // Adds an array or object; the values inside follow.
    std::size_t open(JSONKind kind, std::uint64_t begin, std::uint64_t size = 0, char type = 0) {
        if (nodes_.size() >= std::numeric_limits<std::uint32_t>::max()) {
            fail(begin, "fewer than 2^32 values", "more");
        }
        nodes_.push_back({begin, size, 0, kind, type});
        return nodes_.size() - 1;
    }

    void close(std::size_t at, std::uint64_t size) {
        nodes_[at].size = size;
        nodes_[at].end = static_cast<std::uint32_t>(nodes_.size());
    }

    void check_depth(std::uint64_t position, unsigned depth) const {
        if (depth > max_json_depth) {
            fail(position, "at most " + std::to_string(max_json_depth) + " values inside one another", "more");
        }
    }

    [[noreturn]] void fail(std::uint64_t position, std::string_view expected, std::string_view found) const {
        fail_in(nodes_.empty() ? 0 : nodes_.size() - 1, position, expected, found);
    }

    // The message names the path of a node: "learner.trees[3].left_children".
    [[noreturn]] void fail_in(std::size_t node, std::uint64_t position, std::string_view expected,
                              std::string_view found) const {
        const std::string path = nodes_.empty() ? "" : path_of(node);
        ByteReader(bytes_, source_).fail_at(position, path.empty() ? "document" : path, expected, found);
    }

    [[noreturn]] void fail_here(std::uint64_t position, std::string_view expected) const {
        fail(position, expected,
             position >= bytes_.size() ? "the end of the file" : printable(text().substr(position, 16)));
    }

    [[nodiscard]] const std::vector<JSONNode>& nodes() const noexcept FUNNEL_LIFETIMEBOUND { return nodes_; }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }
    [[nodiscard]] std::string_view text(const JSONNode& node) const noexcept {
        return text().substr(node.begin, node.size);
    }

    // A piece of the file for a message: quoted, shortened, without control characters.
    [[nodiscard]] static std::string printable(std::string_view piece) { return '"' + plain(piece) + '"'; }

    [[nodiscard]] std::string path_of(std::size_t node) const {
        std::string path;
        std::size_t at = 0;
        while (at != node) {
            const bool is_object = nodes_[at].kind == JSONKind::Object;
            std::size_t child = at + 1;
            std::size_t position = 0;
            while (true) {
                const std::size_t value = child + (is_object ? 1 : 0);
                const bool is_open = value >= nodes_.size() || nodes_[value].end == 0;
                if (is_open || node < nodes_[value].end) {
                    break;
                }
                child = nodes_[value].end;
                ++position;
            }
            if (is_object) {
                path.append(path.empty() ? "" : ".").append(plain(text(nodes_[child])));
                at = std::min(child + 1, node);  // an error may follow a key
            } else {
                path.append("[").append(std::to_string(position)).append("]");
                at = child;
            }
        }
        return path;
    }

private:
    [[nodiscard]] static std::string plain(std::string_view piece) {
        constexpr std::size_t longest = 40;
        std::string out = std::string(piece.substr(0, longest)) + (piece.size() > longest ? "..." : "");
        std::replace_if(
            out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c - 0x20) >= 0x5F; }, '?');
        return out;
    }

    std::span<const std::byte> bytes_;
    const std::string& source_;
    std::vector<JSONNode> nodes_;
};

}  // namespace detail
}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
