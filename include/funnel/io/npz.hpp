// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/io/recognise.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

// The CRC-32 of ZIP, PNG and gzip.
[[nodiscard]] inline std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
    constexpr auto table = [] {
        std::array<std::uint32_t, 256> out{};
        for (std::uint32_t i = 0; i < 256; ++i) {
            out[i] = i;
            for (int bit = 0; bit < 8; ++bit) {
                out[i] = out[i] >> 1 ^ ((out[i] & 1) != 0 ? 0xEDB88320U : 0U);
            }
        }
        return out;
    }();
    std::uint32_t crc = 0xFFFFFFFFU;
    for (const std::byte byte : bytes) {
        crc = crc >> 8 ^ table[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFF];
    }
    return ~crc;
}

}  // namespace detail

/// The arrays of a file that numpy.savez wrote: a ZIP archive, not compressed, of .npy files. Files above 4 GiB (zip64)
/// are supported.
class NPZ {
public:
    /// Reads a file and checks the checksum of every array.
    ///
    /// Errors    IOError if the file cannot be read;  CorruptData with the position if it is not such an archive, or if
    ///           it is compressed (numpy.savez_compressed)
    [[nodiscard]] static NPZ read(const std::string& path) { return NPZ(read_file(path), path); }

    [[nodiscard]] bool contains(std::string_view name) const { return members_.find(name) != members_.end(); }

    /// The array with a name, as read_npy() returns it.
    ///
    /// Errors    CorruptData if there is no such array, or as read_npy()
    template <Number T>
    [[nodiscard]] Matrix<T> array(std::string_view name) const {
        const auto member = members_.find(name);
        if (member == members_.end()) {
            raise<CorruptData>(source_ + ": expected an array \"" + std::string(name) + "\", found none");
        }
        const auto [position, size] = member->second;
        return detail::parse_npy<T>(std::span(bytes_).subspan(position, size), source_ + ": " + std::string(name));
    }

private:
    struct Place {
        std::size_t position;
        std::size_t size;
    };

    NPZ(std::vector<std::byte> bytes, std::string source) : bytes_(std::move(bytes)), source_(std::move(source)) {
        const auto [begin, size, count] = directory();
        const auto up_to_end = std::span(bytes_).first(begin + size);
        ByteReader reader(up_to_end, source_);
        reader.bytes(begin, "directory");
        for (std::uint64_t i = 0; i < count; ++i) {
            read_entry(reader);
        }
        reader.expect_end();
    }

    struct Directory {
        std::uint64_t begin;
        std::uint64_t size;
        std::uint64_t entries;
    };

    // From the record at the end of the archive.
    [[nodiscard]] Directory directory() const {
        constexpr std::size_t end_size = 22;
        constexpr std::size_t locator_size = 20;
        ByteReader reader(bytes_, source_);
        if (reader.remaining() < end_size || number<std::uint32_t>(bytes_.size() - end_size) != 0x06054B50) {
            reader.fail("archive", "a .npz file of numpy.savez, with the end of a ZIP archive at its end",
                        recognise(bytes_));
        }
        const std::size_t end = bytes_.size() - end_size;
        Directory found{number<std::uint32_t>(end + 16), number<std::uint32_t>(end + 12),
                        number<std::uint16_t>(end + 10)};
        std::uint64_t limit = end;
        const bool is_zip64 = found.begin == 0xFFFFFFFF || found.size == 0xFFFFFFFF || found.entries == 0xFFFF;
        if (is_zip64) {
            if (end < locator_size || number<std::uint32_t>(end - locator_size) != 0x07064B50) {
                reader.fail_at(end, "archive", "the locator of zip64", "none");
            }
            limit = number<std::uint64_t>(end - locator_size + 8);
            if (limit > end - locator_size || end - locator_size - limit < 56 ||
                number<std::uint32_t>(limit) != 0x06064B50) {
                reader.fail_at(end - locator_size, "archive", "the position of the end of zip64",
                               std::to_string(limit));
            }
            found = {number<std::uint64_t>(limit + 48), number<std::uint64_t>(limit + 40),
                     number<std::uint64_t>(limit + 32)};
        }
        if (found.begin > limit || found.size != limit - found.begin || found.entries > found.size / 46) {
            reader.fail_at(end, "directory", "a directory that fills the space before the end",
                           std::to_string(found.entries) + " entries in " + std::to_string(found.size) +
                               " bytes at byte " + std::to_string(found.begin));
        }
        return found;
    }

    template <Number T>
    [[nodiscard]] T number(std::uint64_t position) const noexcept {
        return load_number<T>(std::span(bytes_).subspan(position));
    }

    void read_entry(ByteReader& reader) {
        const std::uint64_t start = reader.position();
        const auto fail = [&](std::string_view expected, std::string_view found) {
            reader.fail_at(start, "directory", expected, found);
        };
        if (reader.number<std::uint32_t>("directory") != 0x02014B50) {
            fail("an entry", "other bytes");
        }
        reader.bytes(4, "versions");
        const auto flags = reader.number<std::uint16_t>("flags");
        const auto method = reader.number<std::uint16_t>("method");
        reader.bytes(4, "time");
        const auto crc = reader.number<std::uint32_t>("checksum");
        std::uint64_t packed = reader.number<std::uint32_t>("size");
        std::uint64_t size = reader.number<std::uint32_t>("size");
        const auto name_size = reader.number<std::uint16_t>("name");
        const auto extra_size = reader.number<std::uint16_t>("extra field");
        const auto comment_size = reader.number<std::uint16_t>("comment");
        reader.bytes(8, "attributes");
        std::uint64_t position = reader.number<std::uint32_t>("position");
        const std::string name = reader.text(name_size, "name");
        ByteReader extra(reader.bytes(extra_size, "extra field"), source_);
        reader.bytes(comment_size, "comment");
        while (extra.remaining() != 0) {
            const auto id = extra.number<std::uint16_t>("extra field");
            const auto bytes = extra.bytes(extra.number<std::uint16_t>("extra field"), "extra field");
            ByteReader values(bytes, source_);
            for (std::uint64_t* value : {&size, &packed, &position}) {
                if (id == 1 && *value == 0xFFFFFFFF) {
                    *value = values.number<std::uint64_t>("zip64 size");
                }
            }
        }
        if ((flags & 1) != 0) {
            fail("an archive without encryption", name);
        }
        if (method != 0 || packed != size) {
            fail("arrays that are not compressed (write them with np.savez, not np.savez_compressed)", name);
        }
        const std::span<const std::byte> content = stored(name, position, size);
        if (detail::crc32(content) != crc) {
            fail("the checksum of the content", "another one for " + name);
        }
        const std::string_view array = std::string_view(name).substr(0, name.size() - (name.ends_with(".npy") ? 4 : 0));
        const auto at = static_cast<std::size_t>(content.data() - bytes_.data());
        if (!members_.emplace(array, Place{at, content.size()}).second) {
            fail("each name once", name);
        }
    }

    // The content behind the header of an entry.
    [[nodiscard]] std::span<const std::byte> stored(const std::string& name, std::uint64_t position,
                                                    std::uint64_t size) const {
        ByteReader reader(bytes_, source_);
        reader.bytes(position, "position of an array");
        if (reader.number<std::uint32_t>("array") != 0x04034B50) {
            reader.fail_at(position, "array", "the header of an entry", "other bytes");
        }
        reader.bytes(22, "array");
        const auto name_size = reader.number<std::uint16_t>("name");
        const auto extra_size = reader.number<std::uint16_t>("extra field");
        if (reader.text(name_size, "name") != name) {
            reader.fail_at(position, "array", "the name of the directory", "another one");
        }
        reader.bytes(extra_size, "extra field");
        return reader.bytes(size, "array");
    }

    std::vector<std::byte> bytes_;
    std::string source_;
    std::map<std::string, Place, std::less<>> members_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
