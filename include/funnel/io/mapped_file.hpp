// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/file_descriptor.hpp>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <sys/mman.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// The bytes of a regular file, mapped into memory for reading. The system loads a page when it is first read, may drop
/// it, and shares it among all processes that map the file.
///
/// The file may be deleted or replaced (AtomicFile renames): the mapping keeps the old bytes. Nobody may write into the
/// file or truncate it while it is mapped. No program can defend itself against that: bytes change after they were
/// checked, and a read behind the new end ends the process (SIGBUS).
///
/// Cost      none per byte until it is read
/// Errors    IOError, with the path and the reason, if the file is missing, not a regular file, not readable, or cannot
///           be mapped
class MappedFile {
public:
    explicit MappedFile(const std::string& path) : path_(path) {
        const detail::RegularFile file = detail::open_regular_file(path);
        if (file.size == 0) {
            return;  // no system maps 0 bytes
        }
        void* const start = ::mmap(nullptr, file.size, PROT_READ, MAP_SHARED, file.descriptor.get(), 0);
        if (start == MAP_FAILED) {
            detail::raise_io_error(path, "cannot map its " + std::to_string(file.size) + " bytes", errno);
        }
        bytes_ = {static_cast<const std::byte*>(start), file.size};
    }
    /// The moved-from file has no bytes.
    MappedFile(MappedFile&& other) noexcept
        : path_(std::move(other.path_)), bytes_(std::exchange(other.bytes_, std::span<const std::byte>())) {}
    MappedFile& operator=(MappedFile&& other) noexcept {
        MappedFile taken(std::move(other));
        std::swap(path_, taken.path_);
        std::swap(bytes_, taken.bytes_);
        return *this;
    }
    ~MappedFile() {
        if (!bytes_.empty()) {
            ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
        }
    }

    [[nodiscard]] const std::string& path() const noexcept FUNNEL_LIFETIMEBOUND { return path_; }

    /// All bytes. The first is at the start of a page.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept FUNNEL_LIFETIMEBOUND { return bytes_; }

private:
    std::string path_;
    std::span<const std::byte> bytes_;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
