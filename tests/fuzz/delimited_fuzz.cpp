// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/delimited.hpp>

namespace funnel::fuzz::delimited_target {
namespace {

void read_rows(const Input& input, const char* delimiter, io::Quotes quotes, bool has_header) {
    attempt([&] {
        io::DelimitedRows rows(io::Text::read(input.path), delimiter, quotes);
        if (has_header) {
            rows.read_header();
        }
        std::size_t characters = 0;
        while (rows.next()) {
            for (std::size_t i = 0; i < rows.fields().size(); ++i) {
                characters += rows.fields()[i].size();
                for (const char c : rows.fields()[i]) {
                    characters += c == '"' ? 0 : 1;
                }
                attempt([&] { static_cast<void>(rows.number<float>(i, "number")); });
                attempt([&] { static_cast<void>(rows.key(i, "key")); });
            }
        }
        check(characters <= 2 * input.bytes.size(), "fields are parts of the text");
    });
}

const Registered delimited({
    .name = "delimited",
    .run =
        [](const Input& input) {
            read_rows(input, ",", io::Quotes::Allowed, true);
            read_rows(input, ",", io::Quotes::Allowed, false);
            read_rows(input, "::", io::Quotes::Allowed, false);
            read_rows(input, "::", io::Quotes::None, false);
        },
    .seeds =
        [] { return std::vector<std::string>{"a,b\n1,2\n", "a,\"b\"\"c\n\",d\r\ne,f,g", "a::b::\n\"x::\"::1e3::\n"}; },
    .words = {"\"", "\"\"", "\",\"", "\r\n", "\n", "::", ",", "1e-9", "\xef\xbb\xbf"},
});

}  // namespace
}  // namespace funnel::fuzz::delimited_target
