// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

namespace detail {

/// A shared mutex under which nobody starves. A reader waits for at most one writer: those that arrive while one waits
/// or writes enter together when it is done, before the next one. A writer waits for the readers that are inside, and
/// for the writers before it. (std::shared_mutex of glibc lets readers pass a writer that waits, for as long as they
/// come.)
///
/// Source    Brandenburg & Anderson, "Spin-based reader-writer synchronization for multiprocessor real-time systems",
///           Real-Time Systems 2010 (phase-fair locks; this one sleeps instead of spinning)
class PhaseFairMutex {
public:
    void lock() {
        std::unique_lock guard(mutex_);
        const std::uint64_t ticket = next_ticket_++;
        turn_.wait(guard, [&] { return ticket == serving_; });
        has_writer_ = true;  // readers wait from here on
        turn_.wait(guard, [&] { return readers_ == 0; });
    }

    void unlock() {
        {
            const std::lock_guard guard(mutex_);
            ++serving_;
            has_writer_ = serving_ != next_ticket_;
            readers_ = std::exchange(waiting_readers_, 0);  // they are inside: the next writer waits for them
            ++phase_;
        }
        turn_.notify_all();
    }

    void lock_shared() {
        std::unique_lock guard(mutex_);
        if (!has_writer_) {
            ++readers_;
            return;
        }
        ++waiting_readers_;
        turn_.wait(guard, [&, phase = phase_] { return phase != phase_; });
    }

    void unlock_shared() {
        bool is_last = false;
        {
            const std::lock_guard guard(mutex_);
            is_last = --readers_ == 0 && has_writer_;
        }
        if (is_last) {
            turn_.notify_all();
        }
    }

private:
    std::mutex mutex_;  // of the members below; held for a few instructions
    std::condition_variable turn_;
    std::size_t readers_ = 0;  // inside
    std::size_t waiting_readers_ = 0;
    std::uint64_t next_ticket_ = 0;  // of writers
    std::uint64_t serving_ = 0;      // the writer whose turn it is
    std::uint64_t phase_ = 0;        // how many writers have left
    bool has_writer_ = false;        // one is inside, or waits
};

}  // namespace detail

/// An index that changes while threads search it.
///
///     Concurrent<HNSW<Cosine>> live(HNSW<Cosine>::build(vectors));
///     const auto hits = live.search(query, {.k = 10});             // in any thread
///     live.replace(id, vector);                                    // in any thread
///     live.read([&](const auto& index) { return index.size(); });  // in any thread: several calls, one state
///
/// All functions are safe at any time from any thread. A search sees the index before or after each change, never in
/// between, and sees all changes that had returned when it began. Searches run at the same time; a change runs alone.
///
/// A search waits for at most one change, and for the searches that this change waits for. A change waits for the
/// searches that have begun and for the changes before it. So neither starves, but a change takes the time of the
/// longest search, and a search the time of one change: an HNSW of 100,000 vectors needs less than a millisecond to
/// replace one. To change most of the vectors, build a new index and publish it in a Snapshot: its readers do not wait
/// for the build.
///
/// Cost      two short locks per call; a search with a scratch of the caller allocates nothing
template <class Index>
class Concurrent {
public:
    explicit Concurrent(Index index) : index_(std::move(index)) {}

    Concurrent(const Concurrent&) = delete;
    Concurrent& operator=(const Concurrent&) = delete;
    ~Concurrent() = default;

    /// Returns what use(index) returns, by value. The index does not change during the call. The result must not refer
    /// to the index, and use must not call this object: it may wait for itself.
    template <class Use>
    auto read(const Use& use) const {
        const std::shared_lock lock(mutex_);
        return use(index_);
    }

    /// The same for changes: change(index) has the index alone.
    template <class Change>
    auto write(const Change& change) {
        const std::unique_lock lock(mutex_);
        return change(index_);
    }

    /// As Index::search, with the same arguments.
    template <class... Arguments>
    auto search(std::span<const float> query, const typename Index::SearchOptions& options = {},
                Arguments&&... arguments) const {
        return read(
            [&](const Index& index) { return index.search(query, options, std::forward<Arguments>(arguments)...); });
    }

    /// As Index::add, Index::remove and Index::replace.
    template <class... Arguments>
    auto add(Arguments&&... arguments) {
        return write([&](Index& index) { return index.add(std::forward<Arguments>(arguments)...); });
    }
    template <class... Arguments>
    auto remove(Arguments&&... arguments) {
        return write([&](Index& index) { return index.remove(std::forward<Arguments>(arguments)...); });
    }
    template <class... Arguments>
    auto replace(Arguments&&... arguments) {
        return write([&](Index& index) { return index.replace(std::forward<Arguments>(arguments)...); });
    }

private:
    mutable detail::PhaseFairMutex mutex_;
    Index index_;
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
