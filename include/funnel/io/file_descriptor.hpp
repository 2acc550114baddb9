// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

// Throws, for example, "model.fnl: cannot open: No such file or directory".
[[noreturn]] inline void raise_io_error(const std::string& path, const std::string& what, int error) {
    raise<IOError>(path + ": " + what + ": " + std::generic_category().message(error));
}

// Owns an open file descriptor and closes it.
class FileDescriptor {
public:
    explicit FileDescriptor(int descriptor = -1) noexcept : descriptor_(descriptor) {}
    FileDescriptor(FileDescriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~FileDescriptor() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }
    [[nodiscard]] int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

// Repeats a system call while a signal interrupts it (EINTR).
template <class Call>
[[nodiscard]] auto uninterrupted(Call call) {
    auto result = call();
    while (result < 0 && errno == EINTR) {
        result = call();
    }
    return result;
}

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
