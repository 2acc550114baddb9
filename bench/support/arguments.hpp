// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace funnel::bench {

/// Removes a flag from the arguments of a program, if it is there. Returns whether it was.
inline bool take_flag(std::vector<char*>& arguments, std::string_view flag) {
    const auto at = std::find(arguments.begin(), arguments.end(), flag);
    if (at == arguments.end()) {
        return false;
    }
    arguments.erase(at);
    return true;
}

}  // namespace funnel::bench
