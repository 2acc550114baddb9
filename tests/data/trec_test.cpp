// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/trec.hpp>

#include "data/text_file.hpp"
#include "support/damage.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::testing::TempDir;
using funnel::testing::TextFile;
using namespace funnel::data;

namespace {

void check_rejected(std::string_view text, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text, "x.run");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_trec_run(file.path())), file.at(message).c_str(), CorruptData);
}

void check_qrels_rejected(std::string_view text, std::string_view message) {
    CAPTURE(text);
    const TextFile file(text, "x.qrels");
    CHECK_THROWS_WITH_AS(static_cast<void>(read_qrels(file.path())), file.at(message).c_str(), CorruptData);
}

funnel::testing::Bytes bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("read_trec_run: fields between spaces or tabs, in the order of the file") {
    const TextFile file("301\tQ0\tFR-1  3 2.5e1 mine\r\n301 Q0 FR-2 1 -7 mine\n  302 x y 0 0.1 z  \n");
    const auto rows = read_trec_run(file.path());
    REQUIRE(rows.size() == 3);
    CHECK(rows[0] == RunRow<>{"301", "FR-1", 25.0});
    CHECK(rows[1] == RunRow<>{"301", "FR-2", -7.0});
    CHECK(rows[2] == RunRow<>{"302", "y", 0.1});
}

TEST_CASE("read_qrels: negative labels are labels") {
    const TextFile file("301 0 FR-1 2\n301 0 FR-2 -1\n302 0 FR-1 0");
    const auto rows = read_qrels(file.path());
    REQUIRE(rows.size() == 3);
    CHECK(rows[0] == Judgement<>{"301", "FR-1", 2.0F});
    CHECK(rows[1] == Judgement<>{"301", "FR-2", -1.0F});
    CHECK(rows[2] == Judgement<>{"302", "FR-1", 0.0F});
}

TEST_CASE("read_trec_run, read_qrels: say in which line what is wrong") {
    check_rejected("1 Q0 a 1 2.5\n", "1: expected 6 fields: query Q0 item rank score tag, found 5 fields");
    check_rejected("1 Q0 a 1 2 t\n\n1 Q0 b 1 2 t\n",
                   "2: expected 6 fields: query Q0 item rank score tag, found 0 fields");
    check_rejected("1 Q0 a 1 2 t more\n", "1: expected 6 fields: query Q0 item rank score tag, found 7 fields");
    check_rejected("1 Q0 a 1 2 t\n1 Q0 b 2 nan t\n", "2: expected a finite number as score, found \"nan\"");
    check_rejected("1 Q0 a 1 1e999 t\n", "1: expected a finite number as score, found \"1e999\"");
    check_rejected("1 Q0 a 1 2 t\n2 Q0 a 1 2 t\n1 Q0 a 2 1 t\n",
                   "3: expected each item once per query, found \"a\" twice");
    check_qrels_rejected("1 0 a\n", "1: expected 4 fields: query iteration item label, found 3 fields");
    check_qrels_rejected("1 0 a 1\n1 0 b x\n", "2: expected a finite number as label, found \"x\"");
    check_qrels_rejected("1 0 a 1\n1 0 a 0\n", "2: expected each item once per query, found \"a\" twice");
    check_rejected("", "1: expected a row, found an empty file");
    CHECK_THROWS_AS(static_cast<void>(read_qrels("/no/such/file")), IOError);
}

TEST_CASE("write_trec_run, write_qrels: what is written is read again, with the same bits") {
    const TempDir dir;
    const std::vector<RunRow<>> rows{{"2", "a", 0.1}, {"2", "b", -1e300}, {"1", "a", 3}, {"2", "c", 5e-324}};
    write_trec_run((dir / "run").string(), rows, "tag");
    CHECK(read_trec_run((dir / "run").string()) == rows);
    CHECK(funnel::io::read_file<std::string>((dir / "run").string())
              .starts_with("2 Q0 a 1 0.1 tag\n2 Q0 b 2 -1e+300 tag\n"));
    const std::vector<Judgement<>> judgements{{"2", "a", 0.1F}, {"1", "b", -1}};
    write_qrels((dir / "qrels").string(), judgements);
    CHECK(read_qrels((dir / "qrels").string()) == judgements);
}

TEST_CASE("write_trec_run, write_qrels: a first name that looks like the start of another format is read again") {
    const TempDir dir;
    for (const std::string name :
         {"\xEF\xBB\xBF", "\xEF\xBB\xBFq", "\xFF\xFE", "BZh91AY&SY", "\x1f\x8b", "PK\x03\x04"}) {
        const std::vector<RunRow<>> rows{{name, "a", 1}, {"q", name, 2}};
        write_trec_run((dir / "run").string(), rows);
        CHECK(read_trec_run((dir / "run").string()) == rows);
        const std::vector<Judgement<>> judgements{{name, "a", 1}, {"q", name, 2}};
        write_qrels((dir / "qrels").string(), judgements);
        CHECK(read_qrels((dir / "qrels").string()) == judgements);
    }
}

TEST_CASE("write_trec_run, write_qrels: reject names that the format cannot hold, and NaN") {
    const TempDir dir;
    const std::string path = (dir / "x").string();
    for (const char* name : {"", "a b", "a\n", "a\t"}) {
        CHECK_THROWS_AS(write_trec_run(path, std::vector<RunRow<>>{{name, "a", 1}}), InvalidArgument);
        CHECK_THROWS_AS(write_trec_run(path, std::vector<RunRow<>>{{"q", name, 1}}), InvalidArgument);
        CHECK_THROWS_AS(write_trec_run(path, {}, name), InvalidArgument);
        CHECK_THROWS_AS(write_qrels(path, std::vector<Judgement<>>{{name, "a", 1}}), InvalidArgument);
        CHECK_THROWS_AS(write_qrels(path, std::vector<Judgement<>>{{"q", name, 1}}), InvalidArgument);
    }
    const double missing = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(write_trec_run(path, std::vector<RunRow<>>{{"q", "a", missing}}), InvalidArgument);
    const float infinite = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(write_qrels(path, std::vector<Judgement<>>{{"q", "a", infinite}}), InvalidArgument);
}

TEST_CASE("read_trec_run, read_qrels: damaged files are rejected, or read as what they say") {
    funnel::testing::check_damage(bytes_of("1 Q0 a 1 2.5 t\n1 Q0 b 2 1e-3 t\n2 Q0 a 1 7 t\n"), read_trec_run,
                                  {.has_checksum = false});
    funnel::testing::check_damage(bytes_of("1 0 a 1\n1 0 b 0\n2 0 a -1\n"), read_qrels, {.has_checksum = false});
}
