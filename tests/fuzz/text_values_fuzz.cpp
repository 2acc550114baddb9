// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/decimal.hpp>
#include <funnel/io/iso8601.hpp>
#include <funnel/io/recognise.hpp>
#include <funnel/io/utf8.hpp>

namespace funnel::fuzz {
namespace {

const Registered text_values({
    .name = "text_values",
    .run =
        [](const Input& input) {
            check(io::is_utf8(io::as_utf8(input.bytes)), "as_utf8 returns UTF-8");
            check(!io::recognise(std::as_bytes(std::span(input.bytes))).empty(), "recognise says something");
            if (const auto seconds = io::parse_iso8601(input.bytes)) {
                check(math::is_finite(*seconds), "times are finite");
            }
            const auto wide = io::detail::parse_decimal<double>(input.bytes);
            const auto narrow = io::detail::parse_decimal<float>(input.bytes);
            check(!narrow || wide, "what is a float is a double");
            check(!wide || io::detail::is_decimal(input.bytes), "what is read as a decimal is one");
        },
    .seeds =
        [] {
            return std::vector<std::string>{
                "2024-02-29T23:59:59.25+05:30", "2016-12-31T23:59:60Z",         "-12.5e-3", "1e400",
                "0.000000000000000000001",      "Caf\xc3\xa9 \xf0\x9f\x8e\xac", "Caf\xe9"};
        },
    .words = {"T", "Z", "e+", "+23:59", ":60", "9999-12-31", "0000-01-01", "\xef\xbb\xbf", "\xed\xa0\x80", "\xf4\x8f",
              "\x1f\x8b", "PK\x03\x04", "\x93NUMPY", "<!DOCTYPE"},
});

}  // namespace
}  // namespace funnel::fuzz
