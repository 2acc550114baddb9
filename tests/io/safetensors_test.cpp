// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/safetensors.hpp>
#include <funnel/io/safetensors_writer.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/io/byte_writer.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::io::Safetensors;
using funnel::io::SafetensorsWriter;
using funnel::io::Tensor;
using funnel::io::TensorType;
using namespace funnel::testing;

namespace {

const std::filesystem::path data = std::filesystem::path(__FILE__).parent_path() / "data";

// A file with that header and that many zero bytes of numbers.
Bytes file_of(std::string_view header, std::size_t numbers) {
    funnel::io::ByteWriter out;
    out.number(static_cast<std::uint64_t>(header.size()));
    out.text(header);
    out.write(std::vector<std::byte>(numbers));
    return out.bytes();
}

std::string error_of_file(const Bytes& bytes) {
    const TempDir dir;
    const std::string path = dir / "a.safetensors";
    put_bytes(path, bytes);
    const std::string error = error_of(path, [](const std::string& from) { return Safetensors::read(from); });
    CHECK(error == error_of(path, [](const std::string& from) { return Safetensors::map(from); }));
    return error;
}

void rewrite(const Safetensors& file, const std::string& path) {
    SafetensorsWriter out;
    for (const Tensor& tensor : file.tensors()) {
        out.add(tensor.name, tensor.type, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()});
    }
    for (const auto& [key, text] : file.metadata()) {
        out.metadata(key, text);
    }
    out.save(path);
}

// Everything that a file says.
std::string all_of(const Safetensors& file) {
    std::string out;
    for (const Tensor& tensor : file.tensors()) {
        out += tensor.name + " " + std::string(name_of(tensor.type));
        for (const std::uint64_t length : tensor.shape) {
            out += " " + std::to_string(length);
        }
        out.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    }
    for (const auto& [key, text] : file.metadata()) {
        out += key + text;
    }
    return out;
}

}  // namespace

TEST_CASE("Safetensors: worked by hand") {
    // "a" has two numbers of 4 bytes behind a header of 57 bytes: 1.0 is 00 00 80 3f.
    Bytes bytes = file_of(R"({"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})", 8);
    bytes[bytes.size() - 2] = std::byte{0x80};
    bytes[bytes.size() - 1] = std::byte{0x3f};
    const TempDir dir;
    put_bytes(dir / "a", bytes);
    const Safetensors file = Safetensors::read(dir / "a");
    REQUIRE(file.tensors().size() == 1);
    CHECK(file.tensors()[0].shape == std::vector<std::uint64_t>{1, 2});
    CHECK(file.numbers<float>("a") == std::vector<float>{0.0F, 1.0F});
    CHECK(file.find("b") == nullptr);
    CHECK(file.metadata().empty());
}

TEST_CASE("Safetensors: every type that the Python package writes, and the same bytes back") {
    const std::string path = data / "types.safetensors";
    const TempDir dir;
    for (const bool is_mapped : {false, true}) {
        const Safetensors file = is_mapped ? Safetensors::map(path) : Safetensors::read(path);
        CHECK(file.tensors().size() == 18);
        CHECK(file.numbers<std::uint8_t>("t1") == std::vector<std::uint8_t>{0, 1, 1, 0});
        CHECK(file.numbers<std::int8_t>("t2") == std::vector<std::int8_t>{0, 1, 1, 0});
        CHECK(file.numbers<std::int16_t>("t5") == std::vector<std::int16_t>{0, 1, 1, 0});
        CHECK(file.numbers<std::uint16_t>("t6") == std::vector<std::uint16_t>{0, 1, 1, 0});
        CHECK(file.numbers<std::int32_t>("t9") == std::vector<std::int32_t>{0, 1, 1, 0});
        CHECK(file.numbers<std::uint32_t>("t10") == std::vector<std::uint32_t>{0, 1, 1, 0});
        CHECK(file.numbers<float>("t11") == std::vector<float>{0, 1, 1, 0});
        CHECK(file.numbers<double>("t12") == std::vector<double>{0, 1, 1, 0});
        CHECK(file.numbers<std::int64_t>("t13") == std::vector<std::int64_t>{0, 1, 1, 0});
        CHECK(file.numbers<std::uint64_t>("t14") == std::vector<std::uint64_t>{0, 1, 1, 0});
        CHECK(file.find("t0")->type == TensorType::BOOL);
        CHECK(file.find("t3")->type == TensorType::F8_E5M2);
        CHECK(file.find("t4")->type == TensorType::F8_E4M3);
        CHECK(file.find("t7")->type == TensorType::F16);
        CHECK(file.find("t8")->type == TensorType::BF16);
        CHECK(file.find("scalar")->shape.empty());
        CHECK(file.numbers<float>("scalar") == std::vector<float>{2.5F});
        CHECK(file.find("empty")->shape == std::vector<std::uint64_t>{0, 3});
        CHECK(file.numbers<float>("empty").empty());
        CHECK(file.numbers<float>("größe \"1\"\n") == std::vector<float>{-1.5F, 2.0F});
        REQUIRE(file.metadata().size() == 1);
        CHECK(file.metadata()[0].second == "the Python package");
        rewrite(file, dir / "again");
        CHECK(bytes_of(dir / "again") == bytes_of(path));
    }
}

TEST_CASE("Safetensors: files that break a rule are rejected, with the place") {
    const auto says = [](std::string_view header, std::size_t numbers, const char* message) {
        CHECK_MESSAGE(error_of_file(file_of(header, numbers)).find(message) != std::string::npos, header,
                      error_of_file(file_of(header, numbers)));
    };
    CHECK(error_of_file(file_of("{}", 0)) == "none");
    CHECK(error_of_file(file_of("{}  ", 0)) == "none");
    says("{}", 1, "1 more bytes");
    says("", 0, "expected a safetensors file, found another file");
    says("[1,2,3]", 0, "expected a safetensors file");
    says(R"({l)", 12, "byte 9 (header): expected JSON");  // UBJSON
    says(R"({"a":1})", 0, "an array or object");
    says(R"({"a":{"dtype":"F32","shape":[1]}})", 0, "dtype, shape and data_offsets only");
    says(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}})", 0, "dtype, shape and data_offsets only");
    says(R"({"a":{"dtype":"F32","shape":[1],"data_offset":[0,4]}})", 4, "the key \"data_offsets\"");
    says(R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "a type of safetensors");
    says(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "a whole number from 0");
    says(R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "a whole number from 0");
    says(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "a shape of 4 bytes");
    // 2^62 x 4 bytes, and 2^32 x 2^32 x 4, are 0 in 64 bits.
    says(R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}})", 0, "a shape of 0 bytes");
    says(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "a shape of 0 bytes");
    says(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "two ascending numbers");
    says(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "two ascending numbers up to 4");
    says(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "two ascending numbers up to 4");
    const std::string a = R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
    const auto two = [&](const char* name, const char* offsets) {
        return "{" + a + ",\"" + name + R"(":{"dtype":"U8","shape":[2],"data_offsets":[)" + offsets + "]}}";
    };
    CHECK(error_of_file(file_of(two("b", "2,4"), 4)) == "none");
    says(two("b", "3,5"), 5, "expected tensors without gaps and overlap, found \"b\" at 3, not 2");
    says(two("b", "1,3"), 3, "\"b\" at 1, not 2");
    says(two("b", "2,4"), 6, "2 more bytes");
    says(two("a", "2,4"), 4, "\"a\" twice");
    says(R"({"__metadata__":{"a":1}})", 0, "a string");
    says(R"({"__metadata__":[]})", 0, "an object");
    Bytes pickle = file_of("{}", 0);
    pickle[0] = std::byte{0xff};
    CHECK(error_of_file(pickle).find(": byte 0 (length of the header): expected 2 to 2, found 255") == 0);
    CHECK(error_of_file(with_number(file_of("{}", 0), 0, std::uint64_t{1})).find("expected 2 to 2, found 1") !=
          std::string::npos);
    const TempDir dir;
    CHECK_THROWS_AS(static_cast<void>(Safetensors::read(dir / "none")), IOError);
    CHECK_THROWS_AS(static_cast<void>(Safetensors::map(dir / "none")), IOError);
}

TEST_CASE("Safetensors: a header above 100 MB is rejected before it is read") {
    const TempDir dir;
    put_bytes(dir / "a", file_of("{}", 0));
    const auto write = [&](std::uint64_t length) {
        put_bytes(dir / "a", with_number(file_of("{}", 0), 0, length));
        std::filesystem::resize_file(dir / "a", 200'000'000);  // a hole
    };
    write(100'000'001);
    CHECK_THROWS_WITH_AS(static_cast<void>(Safetensors::map(dir / "a")),
                         doctest::Contains("expected 2 to 100000000, found 100000001"), CorruptData);
}

TEST_CASE("Safetensors: numbers of another type, or of no tensor, are rejected") {
    const Safetensors file = Safetensors::read(data / "types.safetensors");
    CHECK_THROWS_WITH_AS(static_cast<void>(file.numbers<float>("t12")),
                         doctest::Contains("expected a tensor \"t12\" of type F32, found F64"), CorruptData);
    CHECK_THROWS_WITH_AS(static_cast<void>(file.numbers<float>("x")), doctest::Contains("found none"), CorruptData);
}

TEST_CASE("Safetensors: damage ends in an error or in tensors that fit the file") {
    std::size_t cases = 0;
    for (const bool is_mapped : {false, true}) {
        const auto load = [&](const std::string& path) {
            return all_of(is_mapped ? Safetensors::map(path) : Safetensors::read(path));
        };
        cases += check_damage(bytes_of(data / "types.safetensors"), load,
                              {.has_checksum = false, .head = 1400, .bit_flips = 20'000})
                     .cases;
    }
    CHECK(cases >= 10'000);
}

TEST_CASE("SafetensorsWriter: wrong shapes and names are rejected, and an empty file is one") {
    SafetensorsWriter file;
    const TempDir dir;
    file.save(dir / "empty");
    CHECK(Safetensors::read(dir / "empty").tensors().empty());
    const std::vector<float> numbers{1.0F, 2.0F};
    file.add<float>("a", {2}, numbers);
    CHECK_THROWS_AS(file.add<float>("a", {2}, numbers), InvalidArgument);
    CHECK_THROWS_AS(file.add<float>("b", {3}, numbers), InvalidArgument);
    CHECK_THROWS_AS(file.add<float>("__metadata__", {2}, numbers), InvalidArgument);
    CHECK_THROWS_AS(file.add<float>("\xff", {2}, numbers), InvalidArgument);
    file.metadata("k", "v\x01");
    CHECK_THROWS_AS(file.metadata("k", "w"), InvalidArgument);
    CHECK_THROWS_AS(file.metadata("l", "\xff"), InvalidArgument);
    file.save(dir / "a");
    const Safetensors again = Safetensors::read(dir / "a");
    CHECK(again.numbers<float>("a") == numbers);
    CHECK(again.metadata()[0].second == "v\x01");
}
