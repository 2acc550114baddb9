// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// An index that is replaced while threads search it. Each reader keeps the index that it has taken, until it lets it
/// go; the last one destroys it.
///
///     Snapshot<HNSW<Cosine>> live(HNSW<Cosine>::build(vectors));
///     const auto index = live.take();                    // in a thread that searches
///     const auto hits = index->search(query);
///     live.publish(HNSW<Cosine>::build(new_vectors));    // in a thread that builds
///
/// All functions are safe at any time from any thread. During a swap, there is memory for both indexes.
///
/// Cost      take: a lock, for as long as a pointer is copied
template <class Index>
class Snapshot {
public:
    explicit Snapshot(Index index) : current_(std::make_shared<const Index>(std::move(index))) {}

    Snapshot(const Snapshot&) = delete;
    Snapshot& operator=(const Snapshot&) = delete;
    ~Snapshot() = default;

    /// The index that was published last; it does not change. Do not take it for each vector of a batch, but once.
    [[nodiscard]] std::shared_ptr<const Index> take() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }

    /// From here on, take() returns this index. On failure nothing has changed.
    void publish(Index index) {
        auto next = std::make_shared<const Index>(std::move(index));
        {
            const std::lock_guard lock(mutex_);
            current_.swap(next);
        }
    }  // the old index is destroyed outside of the lock, if no reader has it

private:
    mutable std::mutex mutex_;
    std::shared_ptr<const Index> current_;  // never null
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
