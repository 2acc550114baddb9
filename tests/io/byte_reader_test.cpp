// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/byte_reader.hpp>

#include "support/allocations.hpp"

#include <funnel/io/byte_writer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::io::ByteReader;
using funnel::io::ByteWriter;
using funnel::io::load_number;
using funnel::io::Number;
using funnel::testing::check_strong_guarantee;

static_assert(Number<float> && Number<double> && Number<std::uint8_t> && Number<std::int64_t> && Number<long long>);
static_assert(!Number<bool> && !Number<char> && !Number<long double> && !Number<char16_t> && !Number<int*>);

TEST_CASE("ByteReader: numbers have their lowest byte first") {
    const std::array<std::byte, 8> bytes{std::byte{0x01}, std::byte{0x02}, std::byte{0x03}, std::byte{0x04},
                                         std::byte{0x00}, std::byte{0x00}, std::byte{0x80}, std::byte{0xBF}};
    ByteReader reader(bytes, "x.bin");
    CHECK(reader.number<std::uint16_t>("a") == 0x0201);
    CHECK(reader.number<std::uint16_t, std::endian::big>("b") == 0x0304);
    CHECK(reader.position() == 4);
    CHECK(reader.remaining() == 4);
    CHECK(reader.number<float>("c") == -1.0F);  // sign 1, exponent 127, mantissa 0: bf800000
    reader.expect_end();

    CHECK(load_number<std::uint32_t, std::endian::big>(bytes) == 0x01020304);
    CHECK(load_number<std::int8_t>(std::span(bytes).subspan(7)) == -65);
}

TEST_CASE("ByteReader: reads back what ByteWriter wrote") {
    const std::vector<std::int16_t> numbers{-2, 0, 300};
    ByteWriter writer;
    writer.number(std::uint64_t{0x0102030405060708});
    writer.number(-0.1);
    writer.numbers(std::span<const std::int16_t>(numbers));
    writer.text("kind", 6);

    CHECK(writer.bytes()[0] == std::byte{8});
    CHECK(writer.bytes().size() == 8 + 8 + 6 + 6);
    ByteReader reader(writer.bytes(), "x.bin");
    CHECK(reader.number<std::uint64_t>("a") == 0x0102030405060708);
    CHECK(reader.number<double>("b") == -0.1);
    CHECK(reader.numbers<std::int16_t>(3, "c") == numbers);
    CHECK(reader.text(6, "d") == std::string("kind\0\0", 6));
    CHECK_THROWS_AS(writer.text("too long", 7), InvalidArgument);
}

TEST_CASE("load_numbers: both byte orders") {
    const std::array<std::byte, 4> bytes{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
    std::array<std::uint16_t, 2> numbers{};
    funnel::io::load_numbers<std::uint16_t>(bytes, numbers);
    CHECK(numbers == std::array<std::uint16_t, 2>{0x0201, 0x0403});
    funnel::io::load_numbers<std::uint16_t, std::endian::big>(bytes, numbers);
    CHECK(numbers == std::array<std::uint16_t, 2>{0x0102, 0x0304});
    CHECK(funnel::io::number_bytes<std::uint16_t, std::endian::big>(0x0102)[0] == std::byte{1});
}

TEST_CASE("ByteReader: errors name source, place, what was expected and what was found") {
    const std::array<std::byte, 6> bytes{};
    ByteReader reader(bytes, "x.bin");
    (void)reader.number<std::uint32_t>("count");
    CHECK_THROWS_WITH_AS((void)reader.number<std::uint32_t>("length"),
                         "x.bin: byte 4 (length): expected 4 bytes, found 2 bytes before the end", CorruptData);
    CHECK(reader.position() == 4);
    CHECK_THROWS_WITH_AS(reader.expect_end(), "x.bin: byte 4 (end): expected no more bytes, found 2 more", CorruptData);
    CHECK_THROWS_AS((void)reader.bytes(3, "one too many"), CorruptData);
    CHECK_THROWS_AS((void)reader.bytes(std::numeric_limits<std::uint64_t>::max(), "all"), CorruptData);
    CHECK(reader.bytes(2, "the rest").size() == 2);
}

TEST_CASE("ByteReader: sizes that overflow are found before memory is taken") {
    const std::array<std::byte, 16> bytes{};
    ByteReader reader(bytes, "x.bin");
    CHECK_THROWS_AS((void)reader.numbers<std::uint64_t>((std::uint64_t{1} << 61) + 1, "wraps to 8"), CorruptData);
    CHECK_THROWS_AS((void)reader.numbers<std::uint32_t>(std::uint64_t{1} << 40, "4 TiB"), CorruptData);
    CHECK_THROWS_AS((void)reader.product(std::uint64_t{1} << 32, std::uint64_t{1} << 32, "2^64"), CorruptData);
    CHECK(reader.product(std::uint64_t{1} << 32, (std::uint64_t{1} << 32) - 1, "fits") == 0xFFFFFFFF00000000);
    CHECK(reader.product(5, 0, "nothing") == 0);
    CHECK(reader.position() == 0);
    CHECK(reader.numbers<std::uint64_t>(2, "all").size() == 2);
    CHECK(reader.numbers<std::uint64_t>(0, "none").empty());
}

TEST_CASE("ByteReader and ByteWriter: a call for which memory runs out changes nothing") {
    ByteWriter written;
    for (std::uint32_t i = 0; i < 100; ++i) {
        written.number(i);
    }
    const auto reader = [&] { return ByteReader(written.bytes(), "a file with a long name.bin"); };
    const auto position = [](const ByteReader& at) { return at.position(); };
    CHECK(
        check_strong_guarantee(reader, [](ByteReader& at) { static_cast<void>(at.text(100, "text")); }, position) > 0);
    CHECK(check_strong_guarantee(
              reader, [](ByteReader& at) { static_cast<void>(at.numbers<std::uint32_t>(50, "numbers")); }, position) >
          0);

    const auto writer = [] {
        ByteWriter half;
        half.text("12345678");
        return half;
    };
    const auto bytes = [](const ByteWriter& at) { return at.bytes(); };
    const std::vector<double> numbers(100, 0.5);
    CHECK(check_strong_guarantee(writer, [&](ByteWriter& at) { at.numbers(std::span(numbers)); }, bytes) > 0);
    CHECK(check_strong_guarantee(
              writer, [&](ByteWriter& at) { at.text(std::string_view("123456789"), 200); }, bytes) > 0);
    CHECK(check_strong_guarantee(writer, [&](ByteWriter& at) { at.text("1234567890"); }, bytes) > 0);
    CHECK(check_strong_guarantee(writer, [&](ByteWriter& at) { at.number(1.0); }, bytes) > 0);
    CHECK(check_strong_guarantee(writer, [&](ByteWriter& at) { at.write(at.bytes()); }, bytes) > 0);
}

TEST_CASE("ByteWriter: may be given a part of its own bytes") {
    ByteWriter writer;
    writer.text("abc");
    for (int i = 0; i < 10; ++i) {
        writer.write(writer.bytes());
    }
    writer.write(std::span(writer.bytes()).subspan(1, 4));
    CHECK(writer.bytes().size() == 3 * 1024 + 4);
    for (std::size_t i = 0; i < 3 * 1024; ++i) {
        CHECK(writer.bytes()[i] == static_cast<std::byte>('a' + i % 3));
    }
    CHECK(writer.bytes().back() == std::byte{'b'});
    const std::vector<std::byte> taken = std::move(writer).bytes();
    CHECK(taken.size() == 3 * 1024 + 4);
    CHECK(writer.bytes().empty());  // NOLINT(bugprone-use-after-move)
}

// They made room first, and then read what had moved.
TEST_CASE("ByteWriter: takes numbers and texts from its own bytes") {
    for (const std::size_t room : {5U, 200U}) {
        ByteWriter numbers;
        numbers.text("abcd");
        const std::vector<std::byte> copy = numbers.bytes();
        numbers.numbers(std::span(reinterpret_cast<const std::uint8_t*>(numbers.bytes().data()), copy.size()));
        CHECK(numbers.bytes().size() == 8);
        CHECK(std::equal(copy.begin(), copy.end(), numbers.bytes().begin() + 4));

        ByteWriter field;
        field.text("abcd");
        field.text(std::string_view(reinterpret_cast<const char*>(field.bytes().data()), 4), room);
        CHECK(field.bytes().size() == 4 + room);
        CHECK(std::equal(copy.begin(), copy.end(), field.bytes().begin() + 4));
        CHECK(field.bytes()[8] == std::byte{0});
    }
}
