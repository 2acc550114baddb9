// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: for_range
#include <funnel/core/parallel.hpp>

#include <cstddef>

struct OneThread {
    static std::size_t concurrency() { return 1; }
#ifndef FUNNEL_EXPECT_FAILURE
    template <class Body>
    void for_range(std::size_t n, std::size_t grain, Body&& body) const {
        funnel::Serial{}.for_range(n, grain, body);
    }
#endif
};

int main() {
    funnel::parallel_for(OneThread{}, 10, 2, [](std::size_t) {});
}
