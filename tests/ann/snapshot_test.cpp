// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/snapshot.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

using funnel::ann::Snapshot;

namespace {

// All elements are equal. It counts the objects that exist.
struct Numbers {
    std::shared_ptr<int> alive;
    std::vector<int> values;
};

}  // namespace

TEST_CASE("Snapshot: a reader keeps what it has taken, and the last one destroys it") {
    const auto alive = std::make_shared<int>(0);
    Snapshot<Numbers> live(Numbers{alive, std::vector<int>(5, 1)});
    CHECK(alive.use_count() == 2);
    auto old = live.take();
    live.publish(Numbers{alive, std::vector<int>(5, 2)});
    CHECK(old->values[4] == 1);
    CHECK(live.take()->values[4] == 2);
    CHECK(alive.use_count() == 3);
    old.reset();
    CHECK(alive.use_count() == 2);
    live.publish(Numbers{alive, {}});
    CHECK(alive.use_count() == 2);
}

TEST_CASE("Snapshot: readers see whole objects, in the order of their publication, while they are replaced") {
    Snapshot<std::vector<int>> live(std::vector<int>(64, 0));
    std::atomic<bool> is_done = false;
    std::atomic<int> errors = 0;
    std::vector<std::thread> readers;
    for (int reader = 0; reader < 3; ++reader) {
        readers.emplace_back([&] {
            for (int last = 0; !is_done;) {
                const auto taken = live.take();
                const int first = taken->front();
                for (const int value : *taken) {
                    errors += value == first ? 0 : 1;
                }
                errors += first >= last ? 0 : 1;
                last = first;
            }
        });
    }
    for (int version = 1; version <= 2000; ++version) {
        live.publish(std::vector<int>(64, version));
    }
    is_done = true;
    for (std::thread& reader : readers) {
        reader.join();
    }
    CHECK(errors == 0);
    CHECK(live.take()->front() == 2000);
}
