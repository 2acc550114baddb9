// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/mapped_file.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/io/file.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <type_traits>
#include <utility>

#include <sys/stat.h>

using funnel::IOError;
using funnel::io::MappedFile;
using funnel::io::write_file;
using funnel::testing::Bytes;
using funnel::testing::TempDir;

namespace {

Bytes counting(std::size_t count) {
    Bytes bytes(count);
    for (std::size_t i = 0; i < count; ++i) {
        bytes[i] = static_cast<std::byte>(i % 251);
    }
    return bytes;
}

bool holds(const MappedFile& file, const Bytes& bytes) {
    return std::ranges::equal(file.bytes(), bytes);
}

}  // namespace

TEST_CASE("MappedFile: holds the bytes of a file of any size") {
    const TempDir dir;
    for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 100000U}) {
        const std::string path = dir / std::to_string(size);
        write_file(path, counting(size));
        const MappedFile file(path);
        CHECK(holds(file, counting(size)));
        CHECK(file.path() == path);
    }
}

TEST_CASE("MappedFile: keeps the old bytes of a file that is replaced or deleted") {
    const TempDir dir;
    const std::string path = dir / "x.bin";
    write_file(path, counting(5000));
    const MappedFile old(path);
    write_file(path, counting(70));
    const MappedFile current(path);
    CHECK(holds(old, counting(5000)));
    CHECK(holds(current, counting(70)));
    std::filesystem::remove(path);
    CHECK(holds(old, counting(5000)));
    CHECK(holds(current, counting(70)));
}

TEST_CASE("MappedFile: a move takes the mapping along") {
    static_assert(!std::is_copy_constructible_v<MappedFile>);
    static_assert(std::is_nothrow_move_constructible_v<MappedFile> && std::is_nothrow_move_assignable_v<MappedFile>);
    const TempDir dir;
    write_file(dir / "a", counting(5000));
    write_file(dir / "b", counting(9));
    MappedFile a(dir / "a");
    MappedFile b(dir / "b");
    const std::byte* const place = a.bytes().data();
    b = std::move(a);
    CHECK(b.bytes().data() == place);
    CHECK(holds(b, counting(5000)));
    // NOLINTBEGIN(bugprone-use-after-move,hicpp-invalid-access-moved): what is left of it is what is tested
    CHECK(a.bytes().empty());
    a = MappedFile(dir / "b");
    CHECK(holds(a, counting(9)));
    // NOLINTEND(bugprone-use-after-move,hicpp-invalid-access-moved)
}

TEST_CASE("MappedFile: a missing file, a folder and a pipe are errors that name the path") {
    const TempDir dir;
    const std::string missing = dir / "missing";
    CHECK_THROWS_WITH_AS(MappedFile{missing}, (missing + ": cannot open: No such file or directory").c_str(), IOError);
    CHECK_THROWS_WITH_AS(MappedFile{dir.path().string()}, (dir.path().string() + ": is a directory").c_str(), IOError);
    const std::string pipe = dir / "pipe";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK_THROWS_WITH_AS(MappedFile{pipe}, (pipe + ": is not a regular file").c_str(), IOError);
}
