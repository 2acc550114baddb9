// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/file.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include <sys/resource.h>
#include <sys/stat.h>

using funnel::IOError;
using funnel::io::AtomicFile;
using funnel::io::read_file;
using funnel::io::write_file;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
namespace fs = std::filesystem;

namespace {

Bytes bytes(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

std::ptrdiff_t files_in(const TempDir& dir) {
    return std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator());
}

// The message of the IOError that call ends in.
template <class Call>
std::string io_error(Call&& call) {
    try {
        call();
    } catch (const IOError& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

// While it lives, no file may grow beyond so many bytes: what a full disk looks like to a program.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        rlimit limit = before_;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    rlimit before_{};
    void (*handler_)(int);
};

}  // namespace

TEST_CASE("read_file: gives back what write_file wrote") {
    const TempDir dir;
    Bytes large(3 * 1024 * 1024 + 5);  // more than one block
    for (std::size_t i = 0; i < large.size(); ++i) {
        large[i] = static_cast<std::byte>(i * 7 >> 3 & 0xFF);
    }
    for (const Bytes& content : {Bytes{}, bytes("x"), large, Bytes(1 << 20)}) {
        write_file(dir / "x.bin", content);
        CHECK((read_file(dir / "x.bin") == content));
        CHECK((bytes_of(dir / "x.bin") == content));
        CHECK(files_in(dir) == 1);
    }
}

TEST_CASE("read_file: says what is wrong with the path") {
    const TempDir dir;
    put_bytes(dir / "five", bytes("12345"));

    CHECK(contains(io_error([&] { (void)read_file(dir / "none"); }), "/none: cannot open: No such file"));
    CHECK(contains(io_error([&] { (void)read_file(dir / "five" / "x"); }), "Not a directory"));
    CHECK(contains(io_error([&] { (void)read_file(dir.path()); }), dir.path().string() + ": is a directory"));
    CHECK(contains(io_error([&] { (void)read_file("/dev/null"); }), "not a regular file"));
    CHECK(contains(io_error([&] { (void)read_file(""); }), "cannot open"));

    REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
    CHECK(contains(io_error([&] { (void)read_file(dir / "pipe"); }), "not a regular file"));  // and does not wait

    CHECK(read_file(dir / "five", {.max_bytes = 5}).size() == 5);
    CHECK(contains(io_error([&] { (void)read_file(dir / "five", {.max_bytes = 4}); }),
                   "has 5 bytes, at most 4 are allowed"));

    put_bytes(dir / "sparse", {});
    std::error_code refused;
    fs::resize_file(dir / "sparse", std::uintmax_t{1} << 40, refused);
    CHECK(contains(io_error([&] { (void)read_file(dir / "sparse", {.max_bytes = 1 << 20}); }), "are allowed"));
}

TEST_CASE("AtomicFile: shows nothing before commit, and leaves nothing without it") {
    const TempDir dir;
    put_bytes(dir / "x.bin", bytes("old"));
    {
        AtomicFile file(dir / "x.bin");
        file.write(bytes("ne"));
        CHECK((bytes_of(dir / "x.bin") == bytes("old")));
        CHECK(files_in(dir) == 2);
    }
    CHECK((bytes_of(dir / "x.bin") == bytes("old")));
    CHECK(files_in(dir) == 1);

    AtomicFile file(dir / "x.bin");
    file.write(bytes("ne"));
    file.write(bytes("w"));
    file.commit();
    CHECK((bytes_of(dir / "x.bin") == bytes("new")));
    CHECK(files_in(dir) == 1);
}

TEST_CASE("AtomicFile: several saves of one file at a time do not meet") {
    const TempDir dir;
    AtomicFile a(dir / "x.bin");
    AtomicFile b(dir / "x.bin");
    a.write(bytes("a"));
    b.write(bytes("b"));
    b.commit();
    CHECK((bytes_of(dir / "x.bin") == bytes("b")));
    a.commit();
    CHECK((bytes_of(dir / "x.bin") == bytes("a")));
    CHECK(files_in(dir) == 1);
}

TEST_CASE("AtomicFile: the remains of a killed save are removed, whatever they are") {
    const TempDir dir;
    put_bytes(dir / "victim", bytes("untouched"));
    put_bytes(dir / ".x.bin.tmp0", bytes("half"));
    write_file(dir / "x.bin", bytes("new"));
    CHECK_FALSE(fs::exists(dir / ".x.bin.tmp0"));

    // A link or folder of that name is not ours; it is left alone and not followed.
    fs::create_symlink(dir / "victim", dir / ".x.bin.tmp0");
    fs::create_directory(dir / ".x.bin.tmp1");
    write_file(dir / "x.bin", bytes("newer"));
    CHECK((bytes_of(dir / "x.bin") == bytes("newer")));
    CHECK((bytes_of(dir / "victim") == bytes("untouched")));
    CHECK(fs::is_symlink(dir / ".x.bin.tmp0"));
    CHECK(files_in(dir) == 4);
}

TEST_CASE("AtomicFile: keeps permissions and links of the file it replaces") {
    const TempDir dir;
    put_bytes(dir / "x.bin", bytes("old"));
    fs::permissions(dir / "x.bin", fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink(dir / "x.bin", dir / "link");

    write_file(dir / "link", bytes("new"));
    CHECK(fs::is_symlink(dir / "link"));
    CHECK((bytes_of(dir / "x.bin") == bytes("new")));
    CHECK(fs::status(dir / "x.bin").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("AtomicFile: file names may be as long as the system allows") {
    const TempDir dir;
    std::string umlauts;
    while (umlauts.size() < 252) {
        umlauts += "\xC3\xA4";
    }
    for (const std::string& name :
         {std::string(99, 'x'), std::string(100, 'x'), std::string(101, 'x'), std::string(249, 'x'),
          std::string(250, 'x'), std::string(255, 'x'), umlauts, "a" + umlauts}) {
        CAPTURE(name.size());
        write_file(dir / name, bytes("old"));
        write_file(dir / name, bytes("new"));
        CHECK((bytes_of(dir / name) == bytes("new")));
    }
    CHECK(files_in(dir) == 8);
    // Of two names that are cut to the same, neither save harms the other.
    AtomicFile a(dir / (std::string(250, 'y') + "a"));
    AtomicFile b(dir / (std::string(250, 'y') + "b"));
    a.write(bytes("a"));
    b.write(bytes("b"));
    b.commit();
    a.commit();
    CHECK((bytes_of(dir / (std::string(250, 'y') + "a")) == bytes("a")));
    CHECK((bytes_of(dir / (std::string(250, 'y') + "b")) == bytes("b")));
}

TEST_CASE("AtomicFile: a dangling link stays, and what it points to is created") {
    const TempDir dir;
    fs::create_directory(dir / "folder");
    fs::create_symlink("folder/model", dir / "relative");
    fs::create_symlink(dir / "relative", dir / "link");  // a link to a link
    write_file(dir / "link", bytes("new"));
    CHECK(fs::is_symlink(dir / "link"));
    CHECK(fs::is_symlink(dir / "relative"));
    CHECK((bytes_of(dir / "folder" / "model") == bytes("new")));
    write_file(dir / "link", bytes("newer"));
    CHECK((bytes_of(dir / "folder" / "model") == bytes("newer")));
    CHECK(files_in(dir) == 3);

    fs::create_symlink("none/model", dir / "lost");
    CHECK(contains(io_error([&] { write_file(dir / "lost", {}); }), "No such file"));
    CHECK(fs::is_symlink(dir / "lost"));
    fs::create_symlink("b", dir / "a");
    fs::create_symlink("a", dir / "b");
    CHECK(contains(io_error([&] { write_file(dir / "a", {}); }), "symbolic links"));
    fs::create_symlink("folder", dir / "to_folder");
    CHECK(contains(io_error([&] { write_file(dir / "to_folder", {}); }), "is a directory"));
    write_file(dir / "to_folder" / "x", bytes("x"));
    CHECK((bytes_of(dir / "folder" / "x") == bytes("x")));
}

TEST_CASE("AtomicFile: nothing is written after commit") {
    const TempDir dir;
    AtomicFile file(dir / "x.bin");
    file.commit();
    CHECK_THROWS_AS(file.write(bytes("x")), funnel::InvalidArgument);
    CHECK_THROWS_AS(file.commit(), funnel::InvalidArgument);
    CHECK(bytes_of(dir / "x.bin").empty());
}

TEST_CASE("write_file: works with a name alone, in the present folder") {
    const TempDir dir;
    const fs::path before = fs::current_path();
    fs::current_path(dir.path());
    const std::string error = io_error([] { write_file("x.bin", bytes("here")); });
    fs::current_path(before);
    CHECK(error == "no error");
    CHECK((bytes_of(dir / "x.bin") == bytes("here")));
}

TEST_CASE("write_file: a full disk is an error, and the old file stays") {
    const TempDir dir;
    put_bytes(dir / "x.bin", bytes("old"));
    for (const std::size_t size : {std::size_t{5000}, std::size_t{3} << 20}) {
        std::string error;
        {
            const FileSizeLimit limit(4096);
            error = io_error([&] { write_file(dir / "x.bin", Bytes(size)); });
        }
        CHECK(contains(error, (dir / "x.bin").string() + ": cannot write: File too large"));
        CHECK((bytes_of(dir / "x.bin") == bytes("old")));
        CHECK(files_in(dir) == 1);
    }
}

TEST_CASE("write_file: says what is wrong with the path, and harms nothing") {
    const TempDir dir;
    put_bytes(dir / "file", bytes("old"));
    fs::create_directory(dir / "folder");

    CHECK(contains(io_error([&] { write_file(dir / "none" / "x", {}); }), "No such file"));
    CHECK(contains(io_error([&] { write_file(dir / "file" / "x", {}); }), "Not a directory"));
    CHECK(contains(io_error([&] { write_file(dir / "folder", {}); }), "/folder: is a directory"));
    CHECK(contains(io_error([&] { write_file((dir / "new").string() + "/", {}); }), "is not a file name"));
    CHECK(contains(io_error([] { write_file("", {}); }), "is not a file name"));
    CHECK(contains(io_error([] { write_file("/dev/null", {}); }), "not a regular file"));
    CHECK(fs::is_character_file("/dev/null"));
    CHECK(contains(io_error([&] { write_file(dir / std::string(300, 'x'), {}); }), "File name too long"));
    CHECK(contains(io_error([&] { write_file(dir / std::string(256, 'x'), {}); }), "File name too long"));
    CHECK(files_in(dir) == 2);
}
