// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/byte_writer.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/tensor_type.hpp>
#include <funnel/io/utf8.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// Writes tensors in the format safetensors. The counterpart is Safetensors.
///
///     io::SafetensorsWriter file;
///     file.add<float>("0.weight", {64, 136}, weights);
///     file.save("model.safetensors");
///
/// The order of tensors in the file is that of the Python package: by type, the largest first, then by name. Tensors
/// are copied.
///
/// Errors    InvalidArgument if a name occurs twice, is "__metadata__" or no UTF-8, or if a shape has another size than
///           its numbers
class SafetensorsWriter {
public:
    template <Number T>
    void add(std::string_view name, std::vector<std::uint64_t> shape, std::span<const T> numbers) {
        ByteWriter bytes;
        bytes.numbers(numbers);
        add(name, tensor_type_of<T>(), std::move(shape), std::move(bytes).bytes());
    }

    /// Adds numbers of any type as bytes, little-endian.
    void add(std::string_view name, TensorType type, std::vector<std::uint64_t> shape, std::vector<std::byte> bytes) {
        require(is_utf8(name) && name != "__metadata__",
                "SafetensorsWriter: a name must be UTF-8 and not \"__metadata__\"");
        require(byte_size(type, shape) == bytes.size(), "SafetensorsWriter: numbers must have the size of the shape");
        const Entry entry{std::string(name), type, std::move(shape), std::move(bytes)};
        const auto at = std::lower_bound(entries_.begin(), entries_.end(), entry, [](const Entry& a, const Entry& b) {
            return a.type != b.type ? a.type > b.type : a.name < b.name;
        });
        for (const Entry& other : entries_) {
            require(other.name != name, "SafetensorsWriter: names must differ");
        }
        entries_.insert(at, entry);
    }

    /// Adds a text about the file.
    void metadata(std::string_view key, std::string_view text) {
        require(is_utf8(key) && is_utf8(text), "SafetensorsWriter: metadata must be UTF-8");
        for (const auto& [other, value] : metadata_) {
            require(other != key, "SafetensorsWriter: keys of metadata must differ");
        }
        metadata_.emplace_back(key, text);
    }

    /// Writes the file, completely or not at all.
    ///
    /// Errors    IOError, with the path and the reason
    void save(const std::string& path) const {
        std::string text = header();
        text.resize((text.size() + 7) / 8 * 8, ' ');
        ByteWriter head;
        head.number(std::uint64_t{text.size()});
        head.text(text);
        AtomicFile file(path);
        file.write(head.bytes());
        for (const Entry& entry : entries_) {
            file.write(entry.bytes);
        }
        file.commit();
    }

private:
    struct Entry {
        std::string name;
        TensorType type;
        std::vector<std::uint64_t> shape;
        std::vector<std::byte> bytes;
    };

    [[nodiscard]] std::string header() const {
        std::string out = "{";
        if (!metadata_.empty()) {
            out += "\"__metadata__\":{";
            for (const auto& [key, text] : metadata_) {
                out += quoted(key) + ":" + quoted(text) + ",";
            }
            out.back() = '}';
            out += ',';
        }
        std::uint64_t offset = 0;
        for (const Entry& entry : entries_) {
            const std::uint64_t end = offset + entry.bytes.size();
            out += quoted(entry.name) + R"(:{"dtype":")" + std::string(name_of(entry.type)) + R"(","shape":[)";
            for (std::size_t i = 0; i < entry.shape.size(); ++i) {
                out += (i == 0 ? "" : ",") + std::to_string(entry.shape[i]);
            }
            out += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]},";
            offset = end;
        }
        if (out.back() == ',') {
            out.pop_back();
        }
        return out + "}";
    }

    [[nodiscard]] static std::string quoted(std::string_view text) {
        std::string out = "\"";
        constexpr std::string_view characters = "\"\\\b\f\n\r\t";
        constexpr std::string_view names = "\"\\bfnrt";
        for (const char c : text) {
            if (const std::size_t which = characters.find(c); which != std::string_view::npos) {
                out += {'\\', names[which]};
            } else if (static_cast<unsigned char>(c) < 0x20) {
                std::array<char, 8> code{};
                std::snprintf(code.data(), code.size(), "\\u%04x", static_cast<unsigned>(c));
                out += code.data();
            } else {
                out += c;
            }
        }
        return out + "\"";
    }

    std::vector<Entry> entries_;
    std::vector<std::pair<std::string, std::string>> metadata_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
