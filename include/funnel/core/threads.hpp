// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {

/// A thread pool. The calling thread takes part as worker 0; the other threads sleep between calls.
///
/// A nested for_range, of this or any other pool, always runs in the thread that calls it. The first exception thrown
/// by a body ends the loop early, and for_range rethrows it. Calls from several threads run one after another, so a
/// body must not wait for a call from another thread.
class Threads {
public:
    /// Uses `count` threads, including the calling thread.
    ///
    /// Errors    InvalidArgument if count is 0 or above 65,536;  std::system_error if the system cannot start a thread,
    ///           after those already started have ended
    explicit Threads(std::size_t count = std::max(1U, std::thread::hardware_concurrency())) : threads_{*this, {}} {
        require_between(count, 1, 65'536, "Threads: count");
        threads_.list.reserve(count - 1);
        for (std::size_t worker = 1; worker < count; ++worker) {
            threads_.list.emplace_back([this, worker] { serve(worker); });
        }
    }

    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;
    ~Threads() = default;

    [[nodiscard]] std::size_t concurrency() const noexcept { return threads_.list.size() + 1; }

    template <class Body>
    void for_range(std::size_t n, std::size_t grain, Body&& body) {
        require(grain > 0, "for_range: grain must be > 0, got 0");
        if (threads_.list.empty() || n <= grain || is_inside()) {
            // Runs as worker 0, also if the caller of a nested call has another number: worker numbers index the
            // scratch memory of this call only.
            const Inside inside;
            return Serial{}.for_range(n, grain, body);
        }

        const std::lock_guard one_job_at_a_time(submit_);
        const auto call = [&](std::size_t begin, std::size_t end, std::size_t worker) { body(begin, end, worker); };
        Job job;
        job.run = [](const void* callable, std::size_t begin, std::size_t end, std::size_t worker) {
            (*static_cast<decltype(call)*>(callable))(begin, end, worker);
        };
        job.body = &call;
        job.n = n;
        job.grain = grain;
        {
            const std::lock_guard lock(mutex_);
            job_ = &job;
            ++generation_;
        }
        start_.notify_all();
        work(job, 0);
        {
            std::unique_lock lock(mutex_);
            job_ = nullptr;
            done_.wait(lock, [this] { return busy_ == 0; });
        }
        if (job.error) {
            std::rethrow_exception(job.error);
        }
    }

private:
    struct Job {
        void (*run)(const void* body, std::size_t begin, std::size_t end, std::size_t worker) = nullptr;
        const void* body = nullptr;
        std::size_t n = 0;
        std::size_t grain = 0;
        std::atomic<std::size_t> next{0};
        std::exception_ptr error;
    };

    // Stops and joins the threads, also if the constructor of the pool throws because a thread cannot be started.
    struct Joined {
        Threads& pool;
        std::vector<std::thread> list;

        ~Joined() {
            {
                const std::lock_guard lock(pool.mutex_);
                pool.is_stopping_ = true;
            }
            pool.start_.notify_all();
            for (std::thread& thread : list) {
                thread.join();
            }
        }
    };

    static bool& is_inside() noexcept {
        static thread_local bool inside = false;
        return inside;
    }

    // While an object exists, calls of this thread run in this thread. It restores the previous state, because the end
    // of an inner call must not reset the flag for the outer one.
    class Inside {
    public:
        Inside() noexcept : was_inside_(std::exchange(is_inside(), true)) {}
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside() { is_inside() = was_inside_; }

    private:
        bool was_inside_;
    };

    void work(Job& job, std::size_t worker) {
        const Inside inside;
        const std::size_t chunks = (job.n - 1) / job.grain + 1;
        std::size_t chunk = job.next;
        while (chunk < chunks) {
            if (!job.next.compare_exchange_weak(chunk, chunk + 1)) {  // ++ could overflow after SIZE_MAX chunks
                continue;
            }
            const std::size_t begin = chunk * job.grain;
            const std::size_t end = job.n - begin < job.grain ? job.n : begin + job.grain;
            if (auto error = detail::exception_of([&] { job.run(job.body, begin, end, worker); })) {
                const std::lock_guard lock(mutex_);
                if (!job.error) {
                    job.error = std::move(error);
                }
                job.next = chunks;
            }
            chunk = job.next;
        }
    }

    void serve(std::size_t worker) {
        std::size_t seen = 0;
        std::unique_lock lock(mutex_);
        while (true) {
            start_.wait(lock, [&] { return is_stopping_ || generation_ != seen; });
            if (is_stopping_) {
                return;
            }
            seen = generation_;
            if (Job* job = job_) {  // null if the job was done before this thread woke up
                ++busy_;
                lock.unlock();
                work(*job, worker);
                lock.lock();
                if (--busy_ == 0) {
                    done_.notify_all();
                }
            }
        }
    }

    std::mutex submit_;
    std::mutex mutex_;  // guards all members below, and Job::error
    std::condition_variable start_;
    std::condition_variable done_;
    Job* job_ = nullptr;
    std::size_t generation_ = 0;
    std::size_t busy_ = 0;
    bool is_stopping_ = false;
    Joined threads_;  // last, so that the threads end before the members they use are destroyed
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
