// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/recognise.hpp>

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <string_view>

using namespace std::string_view_literals;

namespace {

std::string recognise(std::string_view text) {
    return funnel::io::recognise(std::as_bytes(std::span(text)));
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("recognise: tells what a file is that should have been another") {
    CHECK(contains(recognise("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"));
    CHECK(contains(recognise("\x1f\x8b\x08\x00"sv), "gzip"));
    CHECK(contains(recognise("PK\x03\x04\x14"sv), "ZIP"));
    CHECK(contains(recognise("\x93NUMPY\x01\x00"sv), ".npy"));
    CHECK(contains(recognise("  \n<!DOCTYPE html>"), "HTML"));
    CHECK(contains(recognise("<html>"), "HTML"));
    CHECK(contains(recognise("\x80\x04\x95"sv), "pickle"));
    CHECK(recognise("\x89"
                    "FNL\r\n\x1a\n"sv) == "a funnel container");
    CHECK(contains(recognise("\x89"
                             "FNL\n\x1a\n"sv),
                   "as text"));
    CHECK(contains(recognise("\x09"
                             "FNL\r\n\x1a\n"sv),
                   "7 bits"));
    CHECK(recognise("user item 1\n") == "text");
    CHECK(recognise(" \n") == "text");
    CHECK(recognise("") == "an empty file");
    CHECK(recognise("\x7f"
                    "ELF\x02\x01\x01\x00\x05"sv) == "bytes 7f 45 4c 46 02 01 01 00");
    CHECK(recognise("\x01"sv) == "bytes 01");
}

TEST_CASE("recognise: UTF-16 in both byte orders, with and without a byte order mark") {
    for (const std::string_view text : {"\xff\xfeu\0"sv, "\xfe\xff\0u"sv, "\xff\xfe"sv, "u\0,\0i\0"sv, "\0u\0,\0i"sv}) {
        CHECK(recognise(text) == "UTF-16 text (convert it to UTF-8 first)");
    }
    CHECK(contains(recognise("\xff\xfe\0\0u\0\0\0"sv), "UTF-32"));
    CHECK(contains(recognise("\0\0\xfe\xff\0\0\0u"sv), "UTF-32"));
    for (const std::string_view other : {"u\0"sv, "u\0\0\0"sv, "\5\0\0\0\7\0\0\0"sv, "\0\0\0\0"sv, "u\0i\1"sv}) {
        CHECK(contains(recognise(other), "bytes "));
    }
}

TEST_CASE("recognise: compressed files, and texts that only begin like one") {
    CHECK(contains(recognise("\x28\xb5\x2f\xfd\x04"sv), "zstd"));
    CHECK(contains(recognise("\xfd"
                             "7zXZ\0"sv),
                   "xz"));
    CHECK(contains(recognise("BZh91AY&SY"sv), "bzip2"));
    CHECK(contains(recognise("\x04\x22\x4d\x18\x64"sv), "lz4"));
    CHECK(contains(recognise("7z\xbc\xaf\x27\x1c"sv), "7z"));
    CHECK(contains(recognise("PAR1\x15\x04"sv), "Parquet"));
    for (const std::string_view text : {"BZh"sv, "BZh9,item"sv, "PAR1,item"sv, "PK,item"sv, "7z,item"sv}) {
        CHECK(recognise(text) == "text");
    }
}
