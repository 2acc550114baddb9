// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/container.hpp>
#include <funnel/io/crc32c.hpp>
#include <funnel/io/little_endian.hpp>

#include <algorithm>

namespace funnel::fuzz::container_target {
namespace {

// Checks that the table of the file has the entry of the only section of `written`, with the same contents.
void check_holds_section(std::string_view file, std::string_view written) {
    const auto number = [](std::string_view bytes, std::size_t at) {
        return io::load_number<std::uint64_t>(std::as_bytes(std::span(bytes)).subspan(at));
    };
    bool holds = false;
    for (std::size_t at = 64; at + 64 <= file.size() && !holds; at += 64) {
        const std::uint64_t offset = number(file, at + 40);
        const std::uint64_t length = number(file, at + 48);
        holds = file.substr(at, 40) == written.substr(64, 40) && length == number(written, 64 + 48) &&
                number(file, at + 56) == number(written, 64 + 56) && offset <= file.size() &&
                file.substr(offset, length) == written.substr(128, length);
    }
    check(holds, "what is read is what the file holds");
}

// Reads a section and checks that it can be written and read again, and that nothing of it was ignored.
template <class Read, class Add>
void check_section(const Input& input, const io::ContainerReader& file, const Read& read, const Add& add) {
    attempt([&] {
        const auto value = read(file);
        check_round_trip(
            value, [&](const std::string& path) { return read(io::ContainerReader(path, "fuzz", 1)); },
            [&](const std::string& path, const auto& contents) {
                io::ContainerWriter writer("fuzz", 1);
                add(writer, contents);
                writer.save(path);
            });
        io::ContainerWriter writer("fuzz", 1);
        add(writer, value);
        check_holds_section(input.bytes, saved([&](const std::string& path) { writer.save(path); }));
    });
}

// One bit per step: the mutations repair checksums with the function under test, so a wrong one would go unnoticed.
std::uint32_t crc32c_by_definition(std::span<const std::byte> bytes) {
    std::uint32_t crc = ~0U;
    for (const std::byte byte : bytes) {
        crc ^= std::to_integer<std::uint32_t>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82F63B78U : crc >> 1;
        }
    }
    return ~crc;
}

void check_crc(std::span<const std::byte> bytes) {
    const auto start = bytes.first(std::min<std::size_t>(bytes.size(), 200));
    const std::uint32_t crc = crc32c_by_definition(start);
    const std::size_t half = start.size() / 2;
    check(io::crc32c(start) == crc, "crc32c is the remainder of a division by the polynomial");
    check(io::crc32c(start.subspan(half), io::crc32c(start.first(half))) == crc, "crc32c continues");
}

// Flips a bit, another one for every checksum, in a file that can be opened.
void check_damage_is_noticed(std::span<const std::byte> bytes) {
    std::vector<std::byte> damaged(bytes.begin(), bytes.end());
    const std::size_t at = crc32c_by_definition(bytes) % bytes.size();
    damaged[at] ^= std::byte{1} << at % 8;
    bool is_noticed = false;
    try {
        const io::ContainerReader file(damaged, "fuzz", 3);
    } catch (const CorruptData&) {
        is_noticed = true;
    }
    check(is_noticed, "a file with a wrong bit is rejected");
}

const Registered container_target({
    .name = "container",
    .run =
        [](const Input& input) {
            const auto bytes = std::as_bytes(std::span(input.bytes));
            check_crc(bytes);
            attempt([&] {
                const io::ContainerReader file(input.path, "fuzz", 3);
                check_damage_is_noticed(bytes);
                check_section(
                    input, file, [](const auto& from) { return from.template value<std::uint32_t>("value"); },
                    [](auto& to, std::uint32_t value) { to.value("value", value); });
                check_section(
                    input, file, [](const auto& from) { return from.template array<double>("array"); },
                    [](auto& to, const auto& array) { to.array("array", array); });
                check_section(
                    input, file, [](const auto& from) { return from.template array<std::uint8_t>("bytes", 5); },
                    [](auto& to, const auto& array) { to.array("bytes", array); });
                check_section(
                    input, file, [](const auto& from) { return from.template matrix<float>("matrix"); },
                    [](auto& to, const auto& matrix) { to.matrix("matrix", matrix); });
                check_section(
                    input, file, [](const auto& from) { return from.strings("strings"); },
                    [](auto& to, const auto& strings) { to.strings("strings", strings); });
            });
        },
    .seeds =
        [] {
            const std::vector<double> numbers{1.0, 2.0, 3.0};
            const std::vector<std::uint8_t> bytes{1, 2, 3, 4, 5};
            const auto matrix = counting_matrix<float>(3, 2);
            io::ContainerWriter file("fuzz", 1);
            file.value("value", std::uint32_t{7});
            file.array("array", numbers);
            file.array("bytes", bytes);
            file.matrix("matrix", matrix);
            file.strings("strings", std::vector<std::string>{"a", "", "bcd"});
            return std::vector{saved([&](const std::string& path) { file.save(path); })};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::container_target
