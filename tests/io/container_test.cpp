// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/container.hpp>

#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::io::ContainerReader;
using funnel::io::ContainerWriter;
using funnel::io::crc32c;
using funnel::testing::Bytes;
using funnel::testing::check_strong_guarantee;
using funnel::testing::TempDir;

namespace {

using Texts = std::vector<std::string>;

template <class T>
T number_at(const Bytes& bytes, std::size_t at) {
    return funnel::io::load_number<T>(std::span(bytes).subspan(at));
}

template <class T>
void set_number(Bytes& bytes, std::size_t at, T number) {
    const auto raw = funnel::io::number_bytes(number);
    std::copy(raw.begin(), raw.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

// A forger's tool: makes all checksums right again, so that only the other checks stand in the way.
Bytes with_checksums(Bytes bytes) {
    const std::size_t count = number_at<std::uint32_t>(bytes, 24);
    for (std::size_t i = 0; i < count && 64 * (i + 2) <= bytes.size(); ++i) {
        const auto offset = number_at<std::uint64_t>(bytes, 64 * (i + 1) + 40);
        const auto length = number_at<std::uint64_t>(bytes, 64 * (i + 1) + 48);
        if (offset <= bytes.size() && length <= bytes.size() - offset) {
            set_number(bytes, 64 * (i + 1) + 36, crc32c(std::span(bytes).subspan(offset, length)));
        }
    }
    if (64 * (count + 1) <= bytes.size()) {
        set_number(bytes, 56, crc32c(std::span(bytes).subspan(64, 64 * count)));
    }
    set_number(bytes, 60, crc32c(std::span(bytes).first(60)));
    return bytes;
}

// The message of the CorruptData that call ends in.
template <class Call>
std::string corrupt_data(Call&& call) {
    try {
        call();
    } catch (const CorruptData& error) {
        return error.what();
    }
    return "no error";
}

std::string error_of(const Bytes& bytes, std::string_view kind = "test.Thing", std::uint32_t version = 1) {
    return corrupt_data([&] { (void)ContainerReader(bytes, kind, version, "x.fnl"); });
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

Bytes bytes_from(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

// A small file with something of everything, and perhaps more texts that load_sample does not ask for.
Bytes sample(const Texts& notes = {}) {
    const std::vector<float> weights{1.0F, -2.5F, 3.0F};
    const std::vector<std::uint32_t> none;
    Matrix<std::int16_t> factors(2, 3);
    factors(1, 2) = -7;
    const Texts keys{"u1", "", "\xC3\xA4"};
    ContainerWriter file("test.Thing", 1);
    file.value("lambda", 200.0F);
    file.array("weights", weights);
    file.array("none", none);
    file.matrix("factors", factors);
    file.strings("keys", keys);
    if (!notes.empty()) {
        file.strings("notes", notes);
    }
    return file.bytes();
}

// All of it, for comparisons.
auto load_sample(const ContainerReader& file) {
    const Matrix<std::int16_t> factors = file.matrix<std::int16_t>("factors", 2, 3);
    return std::tuple(file.value<float>("lambda"), file.array<float>("weights", 3), file.array<std::uint32_t>("none"),
                      factors(0, 0), factors(1, 2), file.strings("keys"));
}

}  // namespace

TEST_CASE("ContainerWriter: the bytes of a file, field by field") {
    const std::vector<std::uint16_t> ids{0x0102, 3};
    ContainerWriter file("k", 7);
    file.array("ids", ids);
    const Bytes bytes = file.bytes();

    REQUIRE(bytes.size() == 3 * 64);  // head, one entry, 4 bytes and 60 zeros
    CHECK((Bytes(bytes.begin(), bytes.begin() + 8) == bytes_from("\x89"
                                                                 "FNL\r\n\x1a\n")));
    CHECK(number_at<std::uint16_t>(bytes, 8) == 1);
    CHECK(number_at<std::uint16_t>(bytes, 10) == 0);
    CHECK(bytes[12] == std::byte{4});
    CHECK(number_at<std::uint64_t>(bytes, 16) == bytes.size());
    CHECK(number_at<std::uint32_t>(bytes, 24) == 1);
    CHECK(number_at<std::uint32_t>(bytes, 28) == 7);
    CHECK(bytes[32] == std::byte{'k'});
    CHECK(bytes[33] == std::byte{0});
    CHECK(number_at<std::uint32_t>(bytes, 56) == crc32c(std::span(bytes).subspan(64, 64)));
    CHECK(number_at<std::uint32_t>(bytes, 60) == crc32c(std::span(bytes).first(60)));

    CHECK((Bytes(bytes.begin() + 64, bytes.begin() + 68) == bytes_from(std::string_view("ids\0", 4))));
    CHECK(number_at<std::uint32_t>(bytes, 64 + 32) == 3);  // u16
    CHECK(number_at<std::uint32_t>(bytes, 64 + 36) == crc32c(std::span(bytes).subspan(128, 4)));
    CHECK(number_at<std::uint64_t>(bytes, 64 + 40) == 128);
    CHECK(number_at<std::uint64_t>(bytes, 64 + 48) == 4);
    CHECK(number_at<std::uint64_t>(bytes, 64 + 56) == 1);
    CHECK((Bytes(bytes.begin() + 128, bytes.begin() + 132) == bytes_from(std::string_view("\x02\x01\x03\x00", 4))));
    CHECK(bytes == with_checksums(bytes));
}

TEST_CASE("ContainerWriter: vectors, C arrays and spans, writable or not, are saved alike") {
    std::vector<float> numbers{1.0F, 2.5F};
    float c_array[] = {1.0F, 2.5F};
    const std::span<float> writable(numbers);
    const std::span<const float> readable(numbers);
    const auto saved = [](auto& array) {
        ContainerWriter file("test", 1);
        file.array("numbers", array);
        return file.bytes();
    };
    const Bytes expected = saved(numbers);
    CHECK(saved(c_array) == expected);
    CHECK(saved(writable) == expected);
    CHECK(saved(readable) == expected);
    CHECK(ContainerReader(expected, "test", 1).array<float>("numbers") == numbers);
}

TEST_CASE("ContainerReader: gives back every type, from memory and from disk") {
    const TempDir dir;
    ContainerWriter file("test.Types", 1);
    const auto put = [&](auto... numbers) {
        (file.value(funnel::io::detail::element_type_name(
                        static_cast<std::uint32_t>(funnel::io::detail::element_type_of<decltype(numbers)>())),
                    numbers),
         ...);
    };
    put(std::uint8_t{200}, std::int8_t{-100}, std::uint16_t{60000}, std::int16_t{-30000}, std::uint32_t{4000000000},
        std::int32_t{-2000000000}, std::uint64_t{1} << 63, std::int64_t{-1} << 62, 0.1F, 0.1);
    file.save(dir / "types.fnl");

    for (const bool from_disk : {false, true}) {
        const Bytes bytes = file.bytes();
        const ContainerReader reader =
            from_disk ? ContainerReader(dir / "types.fnl", "test.Types", 1) : ContainerReader(bytes, "test.Types", 1);
        CHECK(reader.value<std::uint8_t>("u8") == 200);
        CHECK(reader.value<std::int8_t>("i8") == -100);
        CHECK(reader.value<std::uint16_t>("u16") == 60000);
        CHECK(reader.value<std::int16_t>("i16") == -30000);
        CHECK(reader.value<std::uint32_t>("u32") == 4000000000);
        CHECK(reader.value<std::int32_t>("i32") == -2000000000);
        CHECK(reader.value<std::uint64_t>("u64") == std::uint64_t{1} << 63);
        CHECK(reader.value<std::int64_t>("i64") == std::int64_t{-1} << 62);
        CHECK(reader.value<float>("f32") == 0.1F);
        CHECK(reader.value<double>("f64") == 0.1);
        CHECK(reader.array<float>("f32") == std::vector<float>{0.1F});
    }
}

TEST_CASE("ContainerReader: gives back random arrays, matrices with padded rows, and texts") {
    Random random(7);
    for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<double> numbers(random.below(100));
        std::generate(numbers.begin(), numbers.end(), [&] { return random.normal(); });
        const std::size_t rows = random.below(10);
        Matrix<float> matrix(rows, 1 + random.below(40));
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            std::generate(matrix.row(i).begin(), matrix.row(i).end(), [&] { return static_cast<float>(random()); });
        }
        Texts texts(random.below(10));
        for (std::string& text : texts) {
            const std::size_t length = random.below(30);
            text.assign(length, static_cast<char>(random() & 0xFF));
        }

        ContainerWriter file("test.Random", 1);
        file.array("numbers", numbers);
        file.matrix("matrix", matrix);
        file.strings("texts", texts);
        const Bytes bytes = file.bytes();
        const ContainerReader reader(bytes, "test.Random", 1);
        CHECK(bytes.size() % 64 == 0);
        CHECK(reader.array<double>("numbers", numbers.size()) == numbers);
        CHECK(reader.strings("texts", texts.size()) == texts);
        const Matrix<float> loaded = reader.matrix<float>("matrix", matrix.rows(), matrix.cols());
        REQUIRE(loaded.rows() == matrix.rows());
        REQUIRE(loaded.cols() == matrix.cols());
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            CHECK(std::equal(loaded.row(i).begin(), loaded.row(i).end(), matrix.row(i).begin()));
        }
    }
}

TEST_CASE("ContainerReader: older layouts, unknown sections and empty files are no error") {
    const Bytes bytes = sample();
    const ContainerReader file(bytes, "test.Thing", 5);
    CHECK(file.layout_version() == 1);
    CHECK(file.has("weights"));
    CHECK_FALSE(file.has("weight"));

    const Bytes empty = ContainerWriter("test.Thing", 1).bytes();
    CHECK(empty.size() == 64);
    CHECK_FALSE(ContainerReader(empty, "test.Thing", 1).has("weights"));

    Bytes newer = bytes;  // a later 1.x with an element type of its own
    set_number(newer, 10, std::uint16_t{3});
    set_number(newer, 64 + 32, std::uint32_t{99});
    newer = with_checksums(newer);
    const ContainerReader later(newer, "test.Thing", 1, "x.fnl");
    CHECK(later.array<float>("weights").size() == 3);
    CHECK(contains(corrupt_data([&] { (void)later.value<float>("lambda"); }), "expected f32, found type 99"));
}

TEST_CASE("ContainerWriter: rejects names and shapes it could not give back") {
    CHECK_THROWS_AS(ContainerWriter("", 1), InvalidArgument);
    CHECK_THROWS_AS(ContainerWriter("two words", 1), InvalidArgument);
    CHECK_THROWS_AS(ContainerWriter(std::string(24, 'k'), 1), InvalidArgument);
    CHECK_THROWS_AS(ContainerWriter("k", 0), InvalidArgument);

    ContainerWriter file(std::string(23, 'k'), 1);
    file.value("x", 1);
    CHECK_THROWS_AS(file.value("x", 2.0F), InvalidArgument);
    CHECK_THROWS_AS(file.value("", 1), InvalidArgument);
    CHECK_THROWS_AS(file.value("\xC3\xA4", 1), InvalidArgument);
    CHECK_THROWS_AS(file.value(std::string(32, 'n'), 1), InvalidArgument);
    CHECK_THROWS_AS(file.matrix("m", Matrix<float>(3, 0).view()), InvalidArgument);
    file.value(std::string(31, 'n'), 1);
    const Bytes bytes = file.bytes();
    CHECK(ContainerReader(bytes, std::string(23, 'k'), 1).value<int>(std::string(31, 'n')) == 1);
}

TEST_CASE("ContainerReader: errors name the file, the place, what was expected and what was found") {
    const Bytes bytes = sample();
    const ContainerReader file(bytes, "test.Thing", 1, "x.fnl");
    CHECK(corrupt_data([&] { (void)file.value<double>("lambda"); }) ==
          "x.fnl: section \"lambda\" (byte 384): expected f64, found f32");
    CHECK(contains(corrupt_data([&] { (void)file.value<float>("weights"); }), "expected 1 numbers, found 3"));
    CHECK(contains(corrupt_data([&] { (void)file.array<float>("weights", 4); }), "expected 4 numbers, found 3"));
    CHECK(contains(corrupt_data([&] { (void)file.matrix<std::int16_t>("factors", 3); }), "expected 3 rows, found 2"));
    CHECK(contains(corrupt_data([&] { (void)file.matrix<std::int16_t>("factors", 2, 2); }), "2 columns, found 3"));
    CHECK(contains(corrupt_data([&] { (void)file.array<std::int16_t>("factors"); }), "expected 1 columns, found 3"));
    CHECK(contains(corrupt_data([&] { (void)file.strings("weights"); }), "expected strings, found f32"));
    CHECK(contains(corrupt_data([&] { (void)file.strings("keys", 2); }), "expected 2 texts, found 3"));
    CHECK(corrupt_data([&] { (void)file.array<float>("bias"); }) == "x.fnl: expected a section \"bias\", found none");
    CHECK(corrupt_data([&] { file.check(false, "weights", "must be finite"); }) ==
          "x.fnl: section \"weights\" (byte 448): must be finite");
    file.check(true, "weights", "must be finite");

    CHECK(error_of(bytes, "test.Other") == "x.fnl: byte 32 (kind): expected \"test.Other\", found \"test.Thing\"");
    CHECK(error_of(ContainerWriter("test.Thing", 3).bytes(), "test.Thing", 2) ==
          "x.fnl: byte 28 (layout version of \"test.Thing\"): expected 1 to 2, found 3: it was written by a newer "
          "funnel");
}

TEST_CASE("element_type_name: a number that is no element type is shown as such") {
    CHECK(funnel::io::detail::element_type_name(1) == "u8");
    CHECK(funnel::io::detail::element_type_name(11) == "strings");
    for (const std::uint32_t type : {0U, 12U, 0xFFFFFFFFU}) {
        CHECK(funnel::io::detail::element_type_name(type) == "type " + std::to_string(type));
    }
}

TEST_CASE("ContainerReader: recognises what is no container") {
    CHECK(contains(error_of(bytes_from("version https://git-lfs.github.com/spec/v1\n")), "git lfs pull"));
    CHECK(contains(error_of(bytes_from("\x1f\x8b\x08")), "gzip"));
    CHECK(contains(error_of(bytes_from("<!DOCTYPE html><html>")), "HTML"));
    CHECK(contains(error_of(bytes_from("\x93NUMPY\x01")), ".npy"));
    CHECK(contains(error_of(bytes_from("1 2 3\n")), "found text"));
    CHECK(contains(error_of({}), "an empty file"));
    Bytes as_text = sample();
    as_text.erase(as_text.begin() + 4);  // CR LF became LF
    CHECK(contains(error_of(as_text), "transferred as text"));
}

TEST_CASE("ContainerReader: any damage is found") {
    const auto load = [](const std::filesystem::path& path) {
        return load_sample(ContainerReader(path, "test.Thing", 1));
    };
    const auto report =
        funnel::testing::check_damage(sample(Texts(32)), load, {.head = 1 << 20, .bit_flips = 1 << 20});  // every bit
    CHECK(report.rejected == report.cases);
    CHECK(report.cases >= 10000);
}

TEST_CASE("ContainerReader: with forged checksums, damage is found or does no harm") {
    // What is inside a section is for the model to check; here all but that must be rejected.
    const Bytes good = sample();
    Bytes bytes = good;
    const auto forged = [&](std::size_t at, auto number) {
        bytes = good;
        set_number(bytes, at, number);
        bytes = with_checksums(bytes);
        return error_of(bytes);
    };
    CHECK(contains(forged(8, std::uint16_t{2}), "expected version 1.x, found version 2.0"));
    CHECK(contains(forged(8, std::uint16_t{0}), "expected version 1.x, found version 0.0"));
    CHECK(contains(forged(12, std::uint32_t{0x04030201}), "byte order"));
    CHECK(contains(forged(16, std::uint64_t{1} << 40), "length of the file"));
    CHECK(contains(forged(24, std::uint32_t{0}), "no more bytes"));
    CHECK(contains(forged(24, std::uint32_t{1000}), "as many as fit"));
    CHECK(contains(forged(24, std::uint32_t{0xFFFFFFFF}), "at most 4096"));
    CHECK(contains(forged(28, std::uint32_t{0}), "1 to 1, found 0"));
    CHECK(contains(forged(55, std::uint8_t{'x'}), "kind"));
    CHECK(contains(forged(64, std::uint8_t{0}), "section name"));
    CHECK(contains(forged(64 + 31, std::uint8_t{'x'}), "section name"));
    CHECK(contains(forged(64 + 40, std::uint64_t{448}), "without a gap"));
    CHECK(contains(forged(64 + 40, std::uint64_t{0} - 64), "without a gap"));
    CHECK(contains(forged(128 + 40, std::uint64_t{384}), "without a gap"));  // over the first section
    CHECK(contains(forged(64 + 48, std::uint64_t{0} - 64), "before the end"));
    CHECK(contains(forged(64 + 48, std::uint64_t{65}), "section"));
    CHECK(contains(forged(384 + 10, std::uint8_t{1}), "zeros up to a multiple of 64"));
    CHECK(contains(forged(bytes.size() - 1, std::uint8_t{1}), "zeros up to a multiple of 64"));

    Bytes twice = good;  // the second section gets the name of the first
    std::copy_n(twice.begin() + 64, 32, twice.begin() + 128);
    CHECK(contains(error_of(with_checksums(twice)), "\"lambda\" twice"));

    // Sections that say one thing and hold another. Entries: lambda 64, weights 128, none 192, factors 256, keys 320.
    const auto forged_section = [&](std::size_t at, auto number) {
        CHECK(forged(at, number) == "no error");
        return corrupt_data([&] { (void)load_sample(ContainerReader(bytes, "test.Thing", 1, "x.fnl")); });
    };
    CHECK(contains(forged_section(128 + 48, std::uint64_t{13}), "whole rows of numbers"));
    CHECK(contains(forged_section(256 + 56, std::uint64_t{0}), "whole rows of numbers"));
    CHECK(contains(forged_section(256 + 56, std::uint64_t{5}), "whole rows of numbers"));
    CHECK(contains(forged_section(256 + 56, ~std::uint64_t{0}), "must have fewer columns"));
    CHECK(contains(forged_section(320 + 56, std::uint64_t{3}), "expected 1 columns, found 3"));  // was ignored
    const std::size_t keys = number_at<std::uint64_t>(good, 320 + 40);
    CHECK(contains(forged_section(keys, std::uint64_t{4}), "room for count + 1 offsets"));
    CHECK(contains(forged_section(keys, ~std::uint64_t{0}), "texts"));
    CHECK(contains(forged_section(keys, std::uint64_t{2}), "ascending numbers from 0"));
    CHECK(contains(forged_section(keys + 8, std::uint64_t{1}), "ascending numbers from 0"));
    CHECK(contains(forged_section(keys + 16, std::uint64_t{100}), "ascending numbers from 0"));
    CHECK(contains(forged_section(keys + 16, ~std::uint64_t{0}), "ascending numbers from 0"));
    CHECK(contains(forged_section(keys + 32, std::uint64_t{3}), "ascending numbers from 0"));

    // And at random: three bytes anywhere.
    Random random(3);
    for (int repeat = 0; repeat < 3000; ++repeat) {
        bytes = good;
        for (int i = 0; i < 3; ++i) {
            bytes[random.below(bytes.size())] = static_cast<std::byte>(random() & 0xFF);
        }
        bytes = with_checksums(bytes);
        (void)corrupt_data([&] { (void)load_sample(ContainerReader(bytes, "test.Thing", 1)); });
    }
}

TEST_CASE("ContainerReader: no forged file makes it take more memory than a multiple of the file") {
    funnel::testing::check_forgeries(sample(Texts(8)), [](const std::filesystem::path& path) {
        const ContainerReader reader(path, "test.Thing", 1);
        // What a model does with a matrix: a row of its own, of the length that the file claims.
        const Matrix<std::int16_t> factors = reader.matrix<std::int16_t>("factors");
        return std::tuple(std::vector<std::int16_t>(factors.cols()), reader.strings("notes"), load_sample(reader));
    });
}

TEST_CASE("Container: a matrix without rows has at most 65536 columns, on both sides") {
    ContainerWriter file("test.Empty", 1);
    const Matrix<float> widest(0, 65536);
    const Matrix<float> wider(0, 65537);
    const Matrix<std::uint8_t> row(1, 70000);
    file.matrix("widest", widest);
    CHECK_THROWS_WITH_AS(file.matrix("wider", wider),
                         "ContainerWriter: a matrix without rows must have at most 65536 columns", InvalidArgument);
    file.matrix("row", row);
    Bytes bytes = file.bytes();
    const ContainerReader reader(bytes, "test.Empty", 1);
    CHECK(reader.matrix<float>("widest", 0, 65536).cols() == 65536);
    CHECK(reader.matrix<std::uint8_t>("row", 1, 70000).cols() == 70000);
    set_number(bytes, 64 + 56, std::uint64_t{65537});
    bytes = with_checksums(bytes);
    const ContainerReader forged(bytes, "test.Empty", 1);
    CHECK(contains(corrupt_data([&] { (void)forged.matrix<float>("widest"); }), "must have fewer columns"));
}

TEST_CASE("Container: 4096 sections are written and read, one more is neither") {
    ContainerWriter file("test.Many", 1);
    for (int i = 0; i < 4096; ++i) {
        file.value("section" + std::to_string(i), i);
    }
    CHECK_THROWS_WITH_AS(file.value("more", 1), "ContainerWriter: there must be at most 4096 sections",
                         InvalidArgument);
    Bytes bytes = file.bytes();
    CHECK(ContainerReader(bytes, "test.Many", 1).value<int>("section4095") == 4095);
    auto forged = funnel::testing::Forgery::of(bytes);
    forged.sections.push_back(forged.sections.back());
    forged.sections.back().name[0] = std::byte{'x'};
    CHECK(contains(error_of(forged.file(), "test.Many"), "expected at most 4096, found 4097"));
}

TEST_CASE("ContainerReader: of sections of the same name, the first repeated one is named") {
    auto forged = funnel::testing::Forgery::of(sample(Texts(2)));  // lambda, weights, none, factors, keys, notes
    forged.sections[5].name = forged.sections[0].name;
    CHECK(error_of(forged.file()) ==
          "x.fnl: byte 384 (section name): expected different names, found \"lambda\" twice");
}

TEST_CASE("ContainerWriter: a section for which memory runs out leaves nothing behind") {
    const std::vector<float> weights(3, 0.5F);
    const Matrix<float> factors(2, 3);
    const Texts keys{"a", "b"};
    const auto make = [&] {
        ContainerWriter file("test.Thing", 1);
        file.array("weights", weights);
        return file;
    };
    const auto state = [](const ContainerWriter& file) { return file.bytes(); };
    const std::string name = "section-of-a-longer-name";
    CHECK(check_strong_guarantee(make, [&](ContainerWriter& file) { file.value(name, 1.0); }, state) > 0);
    CHECK(check_strong_guarantee(make, [&](ContainerWriter& file) { file.array(name, weights); }, state) > 0);
    CHECK(check_strong_guarantee(make, [&](ContainerWriter& file) { file.matrix(name, factors); }, state) > 0);
    CHECK(check_strong_guarantee(make, [&](ContainerWriter& file) { file.strings(name, keys); }, state) > 0);
    ContainerWriter other("test.AnotherThing", 2);
    other.strings(name, keys);
    CHECK(check_strong_guarantee(make, [&](ContainerWriter& file) { file = other; }, state) > 0);
}

TEST_CASE("ContainerReader: keeps a temporary vector, also when it is moved") {
    ContainerReader reader(sample(), "test.Thing", 1);
    const ContainerReader moved = std::move(reader);
    CHECK(moved.value<float>("lambda") == 200.0F);
    CHECK_FALSE(reader.has("lambda"));  // NOLINT(bugprone-use-after-move)
}

// FUNNEL_KILLS=1000 runs it longer.
TEST_CASE("ContainerWriter: a save that is killed leaves the old file or the new one") {
    const TempDir dir;
    const std::filesystem::path path = dir / "model.fnl";
    const auto save = [&](std::uint32_t round) {
        const std::vector<std::uint32_t> numbers(300000, round);
        ContainerWriter file("test.Killed", 1);
        file.array("numbers", numbers);
        file.save(path);
    };
    save(0);

    const char* wish = std::getenv("FUNNEL_KILLS");
    const int kills = wish == nullptr ? 20 : std::atoi(wish);
    Random random(11);
    for (int i = 0; i < kills; ++i) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            for (std::uint32_t round = 1;; ++round) {
                save(round);
            }
        }
        ::usleep(static_cast<useconds_t>(1000 + random.below(15000)));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        REQUIRE(WIFSIGNALED(status));

        const auto numbers = ContainerReader(path, "test.Killed", 1).array<std::uint32_t>("numbers", 300000);
        CHECK(std::count(numbers.begin(), numbers.end(), numbers[0]) == 300000);
        CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) <= 2);  // at most one remains
    }
    save(1);
    CHECK(std::distance(std::filesystem::directory_iterator(dir.path()), {}) == 1);
}
