// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>
#include <vector>

namespace funnel::testing {

/// Notes the checks that fail: in programs for devices, which have no doctest.
class Failures {
public:
    void check(bool is_ok, const std::string& what) {
        if (!is_ok) {
            list_.push_back(what);
        }
    }
    [[nodiscard]] const std::vector<std::string>& list() const noexcept { return list_; }

private:
    std::vector<std::string> list_;
};

}  // namespace funnel::testing
