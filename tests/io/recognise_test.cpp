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
