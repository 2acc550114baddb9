// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/file_descriptor.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

struct ReadFileOptions {
    std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max();  ///< larger files are refused unread
};

/// All bytes of a regular file.
///
/// Errors    IOError, with the path and the reason, if it is missing, not a regular file, not readable, larger than
///           max_bytes or than memory, or changes its size meanwhile
[[nodiscard]] inline std::vector<std::byte> read_file(const std::string& path, const ReadFileOptions& options = {}) {
    // O_NONBLOCK: opening a pipe must end in an error, not in waiting for a writer. Regular files do not mind.
    const detail::FileDescriptor file(
        detail::uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
    if (!file.is_open()) {
        detail::raise_io_error(path, "cannot open", errno);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        detail::raise_io_error(path, "cannot tell its size", errno);
    }
    if (!S_ISREG(status.st_mode)) {
        raise<IOError>(path + (S_ISDIR(status.st_mode) ? ": is a directory" : ": is not a regular file"));
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > options.max_bytes) {
        raise<IOError>(path + ": has " + std::to_string(size) + " bytes, allowed are " +
                       std::to_string(options.max_bytes));
    }

    std::vector<std::byte> bytes;
    if (funnel::detail::exception_of([&] { bytes.resize(size); })) {
        raise<IOError>(path + ": has " + std::to_string(size) + " bytes, more than fit into memory");
    }
    constexpr std::size_t max_block = std::size_t{1} << 30;  // some systems refuse 2 GiB at once
    std::size_t done = 0;
    std::byte beyond{};
    while (true) {
        const std::size_t rest = bytes.size() - done;
        const ssize_t count = detail::uninterrupted([&] {
            return rest == 0 ? ::read(file.get(), &beyond, 1)
                             : ::read(file.get(), bytes.data() + done, std::min(rest, max_block));
        });
        if (count < 0) {
            detail::raise_io_error(path, "cannot read", errno);
        }
        if ((count == 0) != (rest == 0)) {
            raise<IOError>(path + ": changed its size while it was read");
        }
        if (count == 0) {
            return bytes;
        }
        done += static_cast<std::size_t>(count);
    }
}

/// A file that appears under its name complete or not at all, whatever ends the program or the machine meanwhile.
///
/// Bytes go to a temporary file in the same folder; commit() brings it to the disk and puts it in place of the old one,
/// whose permissions it takes over. Without commit() nothing remains but the old file.
///
/// The temporary file, ".<name>.tmp<n>" (long names are cut), is locked while it is written. One without a lock was
/// left behind by a save that was killed, and the next save removes it. A link is followed and stays: what it points to
/// is replaced, or created if it is not there.
///
/// Errors    IOError, with the path and the reason, if anything fails or the path is a directory or a device;
///           InvalidArgument for a write or commit after commit()
class AtomicFile {
public:
    explicit AtomicFile(const std::string& path) : target_(path) {
        struct stat old{};
        if (::stat(path.c_str(), &old) == 0) {
            if (!S_ISREG(old.st_mode)) {
                raise<IOError>(path + (S_ISDIR(old.st_mode) ? ": is a directory" : ": is not a regular file"));
            }
            replaces_ = true;
            mode_ = old.st_mode & 07777;
        } else if (errno == ENAMETOOLONG || errno == ELOOP) {
            detail::raise_io_error(path, "cannot create", errno);
        }
        follow_links();
        name_at_ = target_.rfind('/') + 1;  // 0 if there is none
        if (name_at_ == target_.size()) {
            raise<IOError>(target_ + ": names no file to write");
        }
        open_temporary();
    }

    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    ~AtomicFile() {
        if (!committed_) {
            ::unlink(temporary_.c_str());
        }
    }

    /// Adds bytes at the end.
    void write(std::span<const std::byte> bytes) {
        require(!committed_, "AtomicFile: write after commit");
        while (!bytes.empty()) {
            const std::size_t count = std::min(bytes.size(), buffer_.size() - buffered_);
            std::memcpy(buffer_.data() + buffered_, bytes.data(), count);
            buffered_ += count;
            bytes = bytes.subspan(count);
            if (buffered_ == buffer_.size()) {
                flush();
            }
        }
    }

    /// Puts the file in its place. Call it once, last.
    void commit() {
        require(!committed_, "AtomicFile: commit only once");
        const std::string in = folder();  // nothing may fail for want of memory once the file is in place
        flush();
        if (replaces_ && ::fchmod(file_.get(), mode_) != 0) {
            detail::raise_io_error(target_, "cannot set permissions", errno);
        }
        if (detail::uninterrupted([&] { return ::fsync(file_.get()); }) != 0) {
            detail::raise_io_error(target_, "cannot bring to the disk", errno);
        }
        if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
            detail::raise_io_error(target_, "cannot put in place", errno);
        }
        committed_ = true;

        // The rename itself is on the disk once the folder is. Some file systems cannot tell (EINVAL).
        const detail::FileDescriptor opened(::open(in.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (opened.is_open() && detail::uninterrupted([&] { return ::fsync(opened.get()); }) != 0 && errno != EINVAL) {
            detail::raise_io_error(target_, "written, but cannot bring its folder to the disk", errno);
        }
    }

private:
    static constexpr std::size_t block_size = std::size_t{1} << 20;

    [[nodiscard]] std::string folder() const { return name_at_ == 0 ? "./" : target_.substr(0, name_at_); }

    // Not realpath: a link may point to what is not there yet.
    void follow_links() {
        std::array<char, 4096> pointee{};
        for (int links = 0; links < 40; ++links) {
            const ssize_t length = ::readlink(target_.c_str(), pointee.data(), pointee.size());
            if (length < 0) {
                return;  // no link
            }
            const std::string_view path(pointee.data(), static_cast<std::size_t>(length));
            const std::size_t folder_size = path.starts_with('/') ? 0 : target_.rfind('/') + 1;
            target_ = target_.substr(0, folder_size).append(path);
        }
        detail::raise_io_error(target_, "cannot create", ELOOP);
    }

    // Never longer than the name of a file that exists may be: the end of a long name makes room for our own.
    [[nodiscard]] std::string temporary_stem() const {
        std::string stem = target_.substr(name_at_);
        constexpr std::size_t always_fits = 100;
        constexpr std::size_t room = 16;
        if (stem.size() > always_fits) {
            std::size_t size = stem.size() - room;
            while (size > 0 && (static_cast<unsigned char>(stem[size]) & 0xC0U) == 0x80) {
                --size;  // not within a character of UTF-8
            }
            stem.resize(size);
        }
        return folder() + "." + stem + ".tmp";
    }

    // Who holds the lock of a temporary file owns it: the first to create it, or the one who is about to remove it.
    // Names count up from 0, so there are never more of them than saves that ran at the same time.
    void open_temporary() {
        const std::string stem = temporary_stem();
        std::size_t n = 0;
        for (int attempt = 0; attempt < 1000; ++attempt) {
            temporary_ = stem + std::to_string(n);
            file_ = detail::FileDescriptor(
                ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
            if (file_.is_open()) {
                // Without locks on this file system (an error other than EWOULDBLOCK), nobody takes it from us either.
                const bool is_ours = ::flock(file_.get(), LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
                if (is_ours && is_still_there(file_)) {
                    return;
                }
                ++n;
            } else if (errno != EEXIST) {
                detail::raise_io_error(target_, "cannot create a temporary file beside it", errno);
            } else if (!remove_if_stale()) {
                ++n;
            }
        }
        raise<IOError>(target_ + ": too many temporary files beside it");
    }

    [[nodiscard]] bool remove_if_stale() const {
        const detail::FileDescriptor stale(::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        return stale.is_open() && ::flock(stale.get(), LOCK_EX | LOCK_NB) == 0 && is_still_there(stale) &&
               ::unlink(temporary_.c_str()) == 0;
    }

    // Between open and lock, another save may have removed the file or put it in place.
    [[nodiscard]] bool is_still_there(const detail::FileDescriptor& file) const {
        struct stat opened{};
        struct stat named{};
        return ::fstat(file.get(), &opened) == 0 && ::lstat(temporary_.c_str(), &named) == 0 &&
               S_ISREG(opened.st_mode) && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
    }

    void flush() {
        for (std::size_t done = 0; done < buffered_;) {
            const ssize_t count =
                detail::uninterrupted([&] { return ::write(file_.get(), buffer_.data() + done, buffered_ - done); });
            if (count <= 0) {
                detail::raise_io_error(target_, "cannot write", count == 0 ? ENOSPC : errno);
            }
            done += static_cast<std::size_t>(count);
        }
        buffered_ = 0;
    }

    std::string target_;
    std::size_t name_at_ = 0;
    std::string temporary_;
    detail::FileDescriptor file_;
    std::vector<std::byte> buffer_ = std::vector<std::byte>(block_size);
    std::size_t buffered_ = 0;
    mode_t mode_ = 0;
    bool replaces_ = false;
    bool committed_ = false;
};

/// Writes all bytes to a file, completely or not at all (see AtomicFile).
///
/// Errors    IOError, with the path and the reason
inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
    AtomicFile file(path);
    file.write(bytes);
    file.commit();
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
