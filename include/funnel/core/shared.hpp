// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstddef>
#include <utility>

namespace funnel::inline FUNNEL_ABI {

/// A value that copies share and nobody changes any more; the last of them destroys it. Copies may live in several
/// threads.
///
/// It is std::shared_ptr<const T> without `<memory>` and `<atomic>`, each of which is a good part of what one of our
/// headers may cost to parse.
///
/// Cost      a copy is one atomic addition; an empty one, as by default or after a move, owns nothing
template <class T>
class Shared {
public:
    Shared() noexcept = default;
    explicit Shared(T value) : block_(new Block{std::move(value)}) {}

    Shared(const Shared& other) noexcept : block_(other.block_) {
        if (block_ != nullptr) {
            __atomic_add_fetch(&block_->owners, 1, __ATOMIC_RELAXED);
        }
    }
    Shared(Shared&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    Shared& operator=(Shared other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~Shared() {
        // Release, so that all uses by other owners come before; acquire, so that the last one sees them.
        if (block_ != nullptr && __atomic_sub_fetch(&block_->owners, 1, __ATOMIC_ACQ_REL) == 0) {
            delete block_;
        }
    }

    /// The value; nullptr if this one is empty.
    [[nodiscard]] const T* get() const noexcept FUNNEL_LIFETIMEBOUND {
        return block_ != nullptr ? &block_->value : nullptr;
    }

private:
    struct Block {
        T value;
        std::size_t owners = 1;  ///< changed atomically
    };

    Block* block_ = nullptr;
};

}  // namespace funnel
