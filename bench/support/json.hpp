// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cmath>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace funnel::bench {

[[nodiscard]] inline std::string json(std::optional<double> value) {
    if (!value || !std::isfinite(*value)) {
        return "null";
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", *value);
    return text;
}

[[nodiscard]] inline std::string json(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + '"';
}

}  // namespace funnel::bench
