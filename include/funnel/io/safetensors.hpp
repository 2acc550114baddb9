// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/json.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/mapped_file.hpp>
#include <funnel/io/recognise.hpp>
#include <funnel/io/tensor_type.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// A tensor of a file.
struct Tensor {
    std::string name;
    TensorType type = TensorType::F32;
    std::vector<std::uint64_t> shape;  ///< empty: one number
    std::span<const std::byte> bytes;  ///< row-major, little-endian, at any alignment
};

/// A file of tensors in the format safetensors, in which weights of neural networks are exchanged: 8 bytes with the
/// length of the header, a header in JSON, the numbers.
///
///     const io::Safetensors file = io::Safetensors::read("model.safetensors");
///     const std::vector<float> bias = file.numbers<float>("0.bias");
///
/// Files are checked as a whole: each tensor has exactly the bytes of its shape and type, and the tensors fill the
/// file without gaps or overlap. The values are not checked.
///
/// Errors    IOError if the file cannot be read;  CorruptData with the position if it breaks these rules, has a header
///           above 100 MB, or has an unknown type
/// Source    the format of Hugging Face, https://github.com/huggingface/safetensors
class Safetensors {
public:
    static constexpr std::uint64_t max_header = 100'000'000;

    /// Reads a file into memory.
    [[nodiscard]] static Safetensors read(const std::string& path) {
        Safetensors file(path);
        file.owned_ = read_file(path);
        file.parse(file.owned_);
        return file;
    }

    /// Maps a file: the numbers of a tensor are loaded when they are first read. See MappedFile for what must hold.
    [[nodiscard]] static Safetensors map(const std::string& path) {
        Safetensors file(path);
        file.mapped_ = std::make_unique<const MappedFile>(path);
        file.parse(file.mapped_->bytes());
        return file;
    }

    Safetensors(Safetensors&&) noexcept = default;  // a copy would refer to the bytes of the original
    Safetensors& operator=(Safetensors&&) noexcept = default;

    /// All tensors, ascending by name.
    [[nodiscard]] std::span<const Tensor> tensors() const noexcept FUNNEL_LIFETIMEBOUND { return tensors_; }

    /// The tensor with a name, or null if there is none.
    [[nodiscard]] const Tensor* find(std::string_view name) const noexcept FUNNEL_LIFETIMEBOUND {
        const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                         [](const Tensor& tensor, std::string_view key) { return tensor.name < key; });
        return at != tensors_.end() && at->name == name ? &*at : nullptr;
    }

    /// The numbers of a tensor, row-major.
    ///
    /// Errors    CorruptData if there is no such tensor, or it has another type
    template <Number T>
    [[nodiscard]] std::vector<T> numbers(std::string_view name) const {
        const Tensor* const tensor = find(name);
        if (tensor == nullptr || tensor->type != tensor_type_of<T>()) {
            raise<CorruptData>(source_ + ": expected a tensor \"" + std::string(name) + "\" of type " +
                               std::string(name_of(tensor_type_of<T>())) + ", found " +
                               (tensor == nullptr ? "none" : std::string(name_of(tensor->type))));
        }
        std::vector<T> out(tensor->bytes.size() / sizeof(T));
        load_numbers<T>(tensor->bytes, std::span(out));
        return out;
    }

    /// Texts about the file, in its order.
    [[nodiscard]] std::span<const std::pair<std::string, std::string>> metadata() const noexcept FUNNEL_LIFETIMEBOUND {
        return metadata_;
    }

    /// The path, for messages.
    [[nodiscard]] const std::string& source() const noexcept FUNNEL_LIFETIMEBOUND { return source_; }

private:
    explicit Safetensors(std::string source) : source_(std::move(source)) {}

    void parse(std::span<const std::byte> bytes) {
        ByteReader reader(bytes, source_);
        if (bytes.size() < 10 || std::to_integer<char>(bytes[8]) != '{') {
            const std::string_view other = known_format(bytes);
            reader.fail("format", "a safetensors file", other.empty() ? "another file" : other);
        }
        const auto length = reader.number<std::uint64_t>("length of the header");
        const std::uint64_t most = std::min(max_header, reader.remaining());
        if (length < 2 || length > most) {
            reader.fail_at(0, "length of the header", "2 to " + std::to_string(most), std::to_string(length));
        }
        const auto text = reader.bytes(length, "header");
        if (std::string_view("\"} \t\r\n").find(std::to_integer<char>(text[1])) == std::string_view::npos) {
            reader.fail_at(9, "header", "JSON", "another text");  // UBJSON is no header of this format
        }
        const JSON header = JSON::parse(std::vector<std::byte>(text.begin(), text.end()), source_ + ": header");
        read_tensors(header.root(), bytes.subspan(8 + length));
    }

    void read_tensors(const JSONValue& root, std::span<const std::byte> data) {
        struct Place {
            std::uint64_t begin;
            std::uint64_t end;
            std::size_t tensor;
        };
        const auto members = root.members();
        std::vector<Place> places;
        for (const auto& [name, value] : members) {
            if (name == "__metadata__") {
                for (const auto& [key, entry] : value.members()) {
                    metadata_.emplace_back(key, entry.string());
                }
                continue;
            }
            if (value.size() != 3) {
                value.fail("dtype, shape and data_offsets only");
            }
            const std::string type = value["dtype"].string();
            const auto known = tensor_type_named(type);
            if (!known) {
                value["dtype"].fail("a type of safetensors");
            }
            Tensor tensor{.name = name, .type = *known, .shape = value["shape"].numbers<std::uint64_t>(), .bytes = {}};
            const auto offsets = value["data_offsets"].numbers<std::uint64_t>();
            if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size()) {
                value["data_offsets"].fail("two ascending numbers up to " + std::to_string(data.size()), "others");
            }
            const auto size = byte_size(tensor.type, tensor.shape);
            if (!size || *size != offsets[1] - offsets[0]) {
                value["shape"].fail("a shape of " + std::to_string(offsets[1] - offsets[0]) + " bytes", "another one");
            }
            tensor.bytes = data.subspan(offsets[0], *size);
            places.push_back({offsets[0], offsets[1], tensors_.size()});
            tensors_.push_back(std::move(tensor));
        }
        std::sort(places.begin(), places.end(),
                  [](const Place& a, const Place& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
        std::uint64_t end = 0;
        for (const Place& place : places) {
            if (place.begin != end) {
                root.fail("tensors without gaps and overlap", "\"" + tensors_[place.tensor].name + "\" at " +
                                                                  std::to_string(place.begin) + ", not " +
                                                                  std::to_string(end));
            }
            end = place.end;
        }
        if (end != data.size()) {
            root.fail("tensors up to the end of the file", std::to_string(data.size() - end) + " more bytes");
        }
        std::sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
        const auto twice = std::adjacent_find(tensors_.begin(), tensors_.end(),
                                              [](const auto& a, const auto& b) { return a.name == b.name; });
        if (twice != tensors_.end()) {
            root.fail("each name once", "\"" + twice->name + "\" twice");
        }
    }

    std::string source_;
    std::vector<std::byte> owned_;  // empty if the file is mapped
    std::unique_ptr<const MappedFile> mapped_;
    std::vector<Tensor> tensors_;
    std::vector<std::pair<std::string, std::string>> metadata_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
