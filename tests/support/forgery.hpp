// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"
#include "support/damage.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/byte_writer.hpp>
#include <funnel/io/container_format.hpp>
#include <funnel/io/crc32c.hpp>
#include <funnel/io/little_endian.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel::testing {

/// A .fnl file taken apart, so that it can be put together again with other contents and right checksums: what somebody
/// does who edits a file on purpose.
struct Forgery {
    struct Section {
        Bytes name;  ///< 32 bytes
        std::uint32_t type;
        std::uint64_t columns;
        Bytes bytes;
    };
    Bytes head;  ///< 64 bytes
    std::vector<Section> sections;

    /// A whole and undamaged file.
    static Forgery of(const Bytes& file) {
        const auto part = [&](std::size_t at, std::size_t size) {
            const auto begin = file.begin() + static_cast<std::ptrdiff_t>(at);
            return Bytes(begin, begin + static_cast<std::ptrdiff_t>(size));
        };
        const auto number = [&]<class T>(T, std::size_t at) { return io::load_number<T>(std::span(file).subspan(at)); };
        Forgery forgery{part(0, 64), {}};
        for (std::size_t i = 0; i < number(std::uint32_t{}, 24); ++i) {
            const std::size_t entry = 64 * (i + 1);
            forgery.sections.push_back(
                {part(entry, 32), number(std::uint32_t{}, entry + 32), number(std::uint64_t{}, entry + 56),
                 part(number(std::uint64_t{}, entry + 40), number(std::uint64_t{}, entry + 48))});
        }
        return forgery;
    }

    [[nodiscard]] Bytes file() const {
        io::ByteWriter table;
        io::ByteWriter body;
        for (const Section& section : sections) {
            table.write(section.name);
            table.number(section.type);
            table.number(io::crc32c(section.bytes));
            table.number(std::uint64_t{64 * (sections.size() + 1) + body.bytes().size()});
            table.number(std::uint64_t{section.bytes.size()});
            table.number(section.columns);
            body.write(section.bytes);
            body.write(Bytes(io::detail::container_padding(section.bytes.size())));
        }
        io::ByteWriter out;
        out.write(std::span(head).first(16));
        out.number(std::uint64_t{64 + table.bytes().size() + body.bytes().size()});
        out.number(static_cast<std::uint32_t>(sections.size()));
        out.write(std::span(head).subspan(28, 28));
        out.number(io::crc32c(table.bytes()));
        out.number(io::crc32c(out.bytes()));
        out.write(table.bytes());
        out.write(body.bytes());
        return std::move(out).bytes();
    }
};

/// The bytes of a section of a file.
[[nodiscard]] inline Bytes section_of(const Bytes& file, const std::string& name) {
    for (const Forgery::Section& section : Forgery::of(file).sections) {
        if (name == reinterpret_cast<const char*>(section.name.data())) {
            return section.bytes;
        }
    }
    FAIL("no section ", name);
    return {};
}

/// A file with another number at a byte of one section, with right checksums.
template <class T>
[[nodiscard]] Bytes with_section_number(const Bytes& file, const std::string& name, std::size_t at, T number) {
    Forgery forgery = Forgery::of(file);
    for (Forgery::Section& section : forgery.sections) {
        if (name == reinterpret_cast<const char*>(section.name.data())) {
            section.bytes = with_number(section.bytes, at, number);
        }
    }
    return forgery.file();
}

/// Checks that whoever forges a file of ours gains nothing by it: memory stays linear in the size of the file, whatever
/// it claims, and nothing but CorruptData comes out.
///
/// Empties sections, cuts them, gives them other columns and sets words in them to hostile numbers, one at a time and
/// several at random, with right checksums. load(path) should use what it loaded (a search, a recommendation). It may
/// ask for 512 times the size of the file and 8 MiB, all in all.
template <class Load>
void check_forgeries(const Bytes& good, const Load& load, std::size_t rounds = 2000, std::uint64_t seed = 1) {
    constexpr std::uint64_t hostile[] = {0,
                                         1,
                                         2,
                                         1000,
                                         30000,
                                         65536,
                                         std::uint64_t{1} << 20,
                                         200'000'000,
                                         std::numeric_limits<std::int32_t>::max(),
                                         std::numeric_limits<std::uint32_t>::max(),
                                         std::uint64_t{1} << 40,
                                         std::uint64_t{1} << 63,
                                         std::numeric_limits<std::uint64_t>::max() - 1,
                                         std::numeric_limits<std::uint64_t>::max()};
    const TempDir dir;
    const std::filesystem::path path = dir / "forged.fnl";
    const Forgery original = Forgery::of(good);
    REQUIRE(original.file() == good);
    std::size_t failures = 0;
    const auto try_it = [&](const Forgery& forged, const std::string& what) {
        const Bytes file = forged.file();
        put_bytes(path, file);
        std::string outcome;
        const std::size_t asked = allocated_bytes_of([&] {
            try {
                static_cast<void>(load(path));
            } catch (const CorruptData&) {
            } catch (const std::exception& error) {
                outcome = error.what();
            }
        });
        if (asked > 512 * file.size() + (std::size_t{8} << 20)) {
            outcome += " asked for " + std::to_string(asked) + " bytes, with a file of " + std::to_string(file.size());
        }
        if (!outcome.empty() && ++failures <= 10) {
            FAIL_CHECK(what << ": " << outcome);
        }
    };
    const auto name_of = [](const Forgery::Section& section) {
        return std::string(reinterpret_cast<const char*>(section.name.data()));
    };
    const auto set_word = [](Bytes& bytes, std::size_t at, std::size_t width, std::uint64_t number) {
        const auto raw = io::number_bytes(number);
        std::copy_n(raw.begin(), std::min(width, bytes.size() - at), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    };

    const detail::MemoryLimit limit(std::size_t{1} << 30);
    for (std::size_t i = 0; i < original.sections.size(); ++i) {
        const std::string name = name_of(original.sections[i]);
        for (const std::uint64_t number : hostile) {
            Forgery forged = original;
            forged.sections[i].columns = number;
            try_it(forged, name + " with " + std::to_string(number) + " columns");
            forged.sections[i].bytes.clear();
            try_it(forged, name + " emptied, with " + std::to_string(number) + " columns");
            for (const std::size_t width : {4U, 8U}) {
                for (std::size_t at = 0; at < std::min<std::size_t>(original.sections[i].bytes.size(), 64);
                     at += width) {
                    forged = original;
                    set_word(forged.sections[i].bytes, at, width, number);
                    try_it(forged, name + ", byte " + std::to_string(at) + " set to " + std::to_string(number));
                }
            }
        }
    }
    Random random(seed);
    for (std::size_t round = 0; round < rounds; ++round) {
        Forgery forged = original;
        std::string what = "round " + std::to_string(round);
        const std::uint64_t columns = hostile[random.below(std::size(hostile))];
        for (Forgery::Section& section : forged.sections) {
            Bytes& bytes = section.bytes;
            const std::uint64_t fate = random.below(6);
            if (fate == 0) {
                what += ", " + name_of(section) + " emptied";
                bytes.clear();
                section.columns = section.columns == 1 ? 1 : columns;
            } else if (fate == 1 && !bytes.empty()) {
                bytes.resize(8 * random.below(bytes.size() / 8 + 1));
                what += ", " + name_of(section) + " cut to " + std::to_string(bytes.size());
            } else if (fate == 2 && !bytes.empty()) {
                const std::size_t width = random.below(2) == 0 ? 4 : 8;
                const std::size_t at = width * random.below((bytes.size() + width - 1) / width);
                const std::uint64_t number = hostile[random.below(std::size(hostile))];
                set_word(bytes, at, width, number);
                what += ", " + name_of(section) + " byte " + std::to_string(at) + " = " + std::to_string(number);
            }
        }
        try_it(forged, what + ", columns " + std::to_string(columns));
    }
    CHECK(failures == 0);
}

}  // namespace funnel::testing
