// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/libsvm.hpp>

#include "data/text_file.hpp"
#include "support/damage.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::IOError;
using funnel::testing::TextFile;
using namespace funnel::data;

namespace {

void check_rejected(std::string_view text, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text, "x.svm");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_libsvm(file.path())), file.at(message).c_str(), CorruptData);
}

funnel::testing::Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("read_libsvm: labels, queries, features and comments") {
    const TextFile file("# made by hand\n+1 qid:7 1:0.5 3:-2e1 # good\n\n0 qid:8\n-1\tqid:7 4294967295:1\r\n");
    const LabelledExamples examples = read_libsvm(file.path());
    CHECK(examples.labels == std::vector<float>{1, 0, -1});
    CHECK(examples.queries == std::vector<std::uint64_t>{7, 8, 7});
    CHECK(examples.ends == std::vector<std::size_t>{2, 2, 3});
    CHECK(examples.features == std::vector<SparseFeature>{{0, 1, 0.5F}, {0, 3, -20.0F}, {0, 4294967295, 1.0F}});
    CHECK(examples.size() == 3);
}

TEST_CASE("read_libsvm: without queries") {
    const TextFile file("3.5 0:1 2:1\n");
    CHECK(read_libsvm(file.path()).queries.empty());
    CHECK(read_libsvm(file.path()).features.size() == 2);
}

TEST_CASE("read_libffm: fields, and indices in any order") {
    const TextFile file("1 0:9:1 2:4:0.25\n0 1:1:1\n");
    const LabelledExamples examples = read_libffm(file.path());
    CHECK(examples.labels == std::vector<float>{1, 0});
    CHECK(examples.features == std::vector<SparseFeature>{{0, 9, 1.0F}, {2, 4, 0.25F}, {1, 1, 1.0F}});
}

TEST_CASE("read_libsvm, read_libffm: say in which line what is wrong") {
    check_rejected("1 1:2\nx 1:2\n", "2: expected a finite number as label, found \"x\"");
    check_rejected("nan 1:2\n", "1: expected a finite number as label, found \"nan\"");
    check_rejected("++1 1:2\n", "1: expected a finite number as label, found \"+1\"");
    check_rejected("1 1:inf\n", "1: expected a finite number as value, found \"inf\"");
    check_rejected("1 1:\n", "1: expected a finite number as value, found \"\"");
    check_rejected("1 1\n", "1: expected index:value, found \"1\"");
    check_rejected("1 :1\n", "1: expected index:value, found \":1\"");
    check_rejected("1 -1:1\n", "1: expected index:value, found \"-1:1\"");
    check_rejected("1 4294967296:1\n", "1: expected index:value, found \"4294967296:1\"");
    check_rejected("1 2:1 2:3\n", "1: expected indices that ascend, found \"2:3\"");
    check_rejected("1 qid:x 2:1\n", "1: expected a whole number as qid, found \"qid:x\"");
    check_rejected("1 qid:1 2:1\n1 2:1\n", "2: expected a qid in every line or in none, found a line without qid");
    check_rejected("1 2:1\n1 qid:1 2:1\n", "2: expected a qid in every line or in none, found the first qid");
    check_rejected("# nothing\n \n", "3: expected an example, found the end of the file");
    const TextFile file("1 1:2\n", "x.ffm");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_libffm(file.path())),
                         file.at("1: expected field:index:value, found \"1:2\"").c_str(), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(read_libsvm("/no/such/file")), IOError);
}

TEST_CASE("read_libsvm, read_libffm: damaged files are rejected, or read as what they say") {
    funnel::testing::check_damage(bytes_of("1 qid:1 1:2.5 7:1\n0 qid:1 2:1e-3\n0 qid:2\n"), read_libsvm,
                                  {.has_checksum = false});
    funnel::testing::check_damage(bytes_of("1 1:1:2.5 2:7:1\n0 1:2:1e-3\n"), read_libffm, {.has_checksum = false});
}
