// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/byte_reader.hpp>
#include <funnel/io/container_format.hpp>
#include <funnel/io/crc32c.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The part of ContainerReader that reads the section table; include container.hpp.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

struct ContainerSection {
    std::string name;
    std::uint32_t type;
    std::uint32_t checksum;
    std::uint64_t offset;
    std::uint64_t length;
    std::uint64_t columns;
    std::span<const std::byte> bytes = {};
};

inline void expect_checksum(const ByteReader& reader, std::uint64_t position, std::string_view what,
                            std::span<const std::byte> bytes, std::uint32_t expected) {
    const std::uint32_t found = crc32c(bytes);
    if (found != expected) {
        reader.fail_at(position, what, "CRC-32C " + std::to_string(expected), std::to_string(found));
    }
}

// Reads text from a field of fixed size: printable, not empty, padded with zeros.
[[nodiscard]] inline std::string container_text(ByteReader& reader, std::size_t size, std::string_view what) {
    const std::uint64_t position = reader.position();
    const std::string field = reader.text(size, what);
    const std::string name = field.substr(0, field.find('\0'));
    if (!is_container_name(name, size) || field.find_first_not_of('\0', name.size()) != std::string::npos) {
        reader.fail_at(position, what, "printable characters, padded with zeros", "other bytes");
    }
    return name;
}

// Sorts first, to avoid comparing all pairs of thousands of sections.
inline void expect_different_names(const ByteReader& reader, std::span<const ContainerSection> sections) {
    std::vector<std::pair<std::string_view, std::size_t>> sorted;
    sorted.reserve(sections.size());
    for (std::size_t i = 0; i < sections.size(); ++i) {
        sorted.emplace_back(sections[i].name, i);
    }
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end(),
                                          [](const auto& a, const auto& b) { return a.first == b.first; });
    if (twice != sorted.end()) {
        reader.fail_at(container_head_size + (twice + 1)->second * container_entry_size, "section name",
                       "different names", "\"" + std::string(twice->first) + "\" twice");
    }
}

// Reads the table and the sections after it, up to the end of the file.
[[nodiscard]] inline std::vector<ContainerSection> read_container_table(ByteReader& reader, std::uint32_t count) {
    std::vector<ContainerSection> sections;
    for (std::uint32_t i = 0; i < count; ++i) {
        ContainerSection section{.name = container_text(reader, container_name_size, "section name"),
                                 .type = reader.number<std::uint32_t>("element type"),
                                 .checksum = reader.number<std::uint32_t>("checksum of the section"),
                                 .offset = reader.number<std::uint64_t>("offset of the section"),
                                 .length = reader.number<std::uint64_t>("length of the section"),
                                 .columns = reader.number<std::uint64_t>("columns of the section")};
        sections.push_back(std::move(section));
    }
    expect_different_names(reader, std::span(sections));
    for (ContainerSection& section : sections) {
        const std::string what = "section \"" + section.name + "\"";
        if (section.offset != reader.position()) {
            reader.fail(what, "its start here, without a gap", "byte " + std::to_string(section.offset));
        }
        section.bytes = reader.bytes(section.length, what);
        expect_checksum(reader, section.offset, what, section.bytes, section.checksum);
        for (const std::byte byte : reader.bytes(container_padding(section.length), what)) {
            if (byte != std::byte{0}) {
                reader.fail(what, "zeros up to a multiple of 64 bytes", "other bytes");
            }
        }
    }
    reader.expect_end();
    return sections;
}

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
