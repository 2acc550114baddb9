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
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

struct ReadFileOptions {
    std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max();  ///< larger files are rejected unread
};

namespace detail {

struct RegularFile {
    FileDescriptor descriptor;
    std::uint64_t size;
};

// Opens a file for reading.
[[nodiscard]] inline RegularFile open_regular_file(const std::string& path) {
    // O_NONBLOCK: opening a pipe must fail instead of waiting for a writer. It has no effect on regular files.
    FileDescriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
    if (!file.is_open()) {
        raise_io_error(path, "cannot open", errno);
    }
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        raise_io_error(path, "cannot read its size", errno);
    }
    if (!S_ISREG(status.st_mode)) {
        raise<IOError>(path + (S_ISDIR(status.st_mode) ? ": is a directory" : ": is not a regular file"));
    }
    return {std::move(file), static_cast<std::uint64_t>(status.st_size)};
}

}  // namespace detail

/// Reads all bytes of a regular file.
///
/// Errors    IOError, with the path and the reason, if the file is missing, not a regular file, not readable, larger
///           than max_bytes or than memory, or changes its size during the read
template <class Bytes = std::vector<std::byte>>
    requires(sizeof(typename Bytes::value_type) == 1)
[[nodiscard]] Bytes read_file(const std::string& path, const ReadFileOptions& options = {}) {
    const detail::RegularFile file = detail::open_regular_file(path);
    const std::uint64_t size = file.size;
    if (size > options.max_bytes) {
        raise<IOError>(path + ": has " + std::to_string(size) + " bytes, at most " + std::to_string(options.max_bytes) +
                       " are allowed");
    }

    Bytes bytes;
    if (funnel::detail::exception_of([&] { bytes.resize(size); })) {
        raise<IOError>(path + ": has " + std::to_string(size) + " bytes, more than fit into memory");
    }
    constexpr std::size_t max_block = std::size_t{1} << 30;  // some systems reject 2 GiB in one call
    std::size_t done = 0;
    std::byte beyond{};
    while (true) {
        const std::size_t rest = bytes.size() - done;
        const ssize_t count = detail::uninterrupted([&] {
            return rest == 0 ? ::read(file.descriptor.get(), &beyond, 1)
                             : ::read(file.descriptor.get(), bytes.data() + done, std::min(rest, max_block));
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

/// A file that is created completely or not at all, even if the program or the machine stops during the write.
///
/// Bytes are written to a temporary file in the same folder. commit() flushes it to disk and renames it over the old
/// file, whose permissions it keeps. Without commit(), the old file is unchanged and the temporary file is removed.
///
/// The temporary file, ".<name>.tmp<n>" (long names are cut), is locked during the write. A temporary file without a
/// lock was left by a save that was killed; the next save removes it. A symbolic link is followed and kept: its target
/// is replaced, or created if missing.
///
/// Errors    IOError, with the path and the reason, if a system call fails or the path is a directory or a device;
///           InvalidArgument if write or commit is called after commit()
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
        name_at_ = target_.rfind('/') + 1;  // 0 if there is no '/'
        if (name_at_ == target_.size()) {
            raise<IOError>(target_ + ": is not a file name");
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

    /// Appends bytes.
    void write(std::span<const std::byte> bytes) {
        require(!committed_, "AtomicFile: write must not follow commit");
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

    /// Moves the file to its final path. Call it once, after the last write.
    void commit() {
        require(!committed_, "AtomicFile: commit must be called only once");
        const std::string in = folder();  // allocate now: nothing may throw bad_alloc after the rename
        flush();
        if (replaces_ && ::fchmod(file_.get(), mode_) != 0) {
            detail::raise_io_error(target_, "cannot set permissions", errno);
        }
        if (detail::uninterrupted([&] { return ::fsync(file_.get()); }) != 0) {
            detail::raise_io_error(target_, "cannot flush to disk", errno);
        }
        if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
            detail::raise_io_error(target_, "cannot rename the temporary file", errno);
        }
        committed_ = true;

        // The rename is durable only after an fsync of the folder. Some file systems do not support it (EINVAL).
        const detail::FileDescriptor opened(::open(in.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (opened.is_open() && detail::uninterrupted([&] { return ::fsync(opened.get()); }) != 0 && errno != EINVAL) {
            detail::raise_io_error(target_, "written, but cannot flush its folder to disk", errno);
        }
    }

private:
    static constexpr std::size_t block_size = std::size_t{1} << 20;

    [[nodiscard]] std::string folder() const { return name_at_ == 0 ? "./" : target_.substr(0, name_at_); }

    // Not realpath: the target of a link may not exist yet.
    void follow_links() {
        std::array<char, 4096> pointee{};
        for (int links = 0; links < 40; ++links) {
            const ssize_t length = ::readlink(target_.c_str(), pointee.data(), pointee.size());
            if (length < 0) {
                return;  // not a link
            }
            const std::string_view path(pointee.data(), static_cast<std::size_t>(length));
            const std::size_t folder_size = path.starts_with('/') ? 0 : target_.rfind('/') + 1;
            target_ = target_.substr(0, folder_size).append(path);
        }
        detail::raise_io_error(target_, "cannot create", ELOOP);
    }

    // Never longer than an existing file name may be: the end of a long name is cut to make room for the suffix.
    [[nodiscard]] std::string temporary_stem() const {
        std::string stem = target_.substr(name_at_);
        constexpr std::size_t always_fits = 100;
        constexpr std::size_t room = 16;
        if (stem.size() > always_fits) {
            std::size_t size = stem.size() - room;
            while (size > 0 && (static_cast<unsigned char>(stem[size]) & 0xC0U) == 0x80) {
                --size;  // do not cut inside a UTF-8 character
            }
            stem.resize(size);
        }
        return folder() + "." + stem + ".tmp";
    }

    // The process that holds the lock of a temporary file owns it: either the one that created it, or one that is
    // about to remove it. Names count up from 0, so there are never more files than concurrent saves.
    void open_temporary() {
        const std::string stem = temporary_stem();
        std::size_t n = 0;
        for (int attempt = 0; attempt < 1000; ++attempt) {
            temporary_ = stem + std::to_string(n);
            file_ = detail::FileDescriptor(
                ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
            if (file_.is_open()) {
                // If this file system has no locks (an error other than EWOULDBLOCK), no other save can lock the file.
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

    // Another save may have removed or renamed the file between open and lock.
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
