// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/interactions.hpp>
#include <funnel/data/recbole.hpp>
#include <funnel/io/delimited.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// Metadata of one user, as written in the source (for example, the ages in MovieLens 1M are codes of age groups). A
/// field is empty if it is unknown.
struct UserInfo {
    std::string age{};
    std::string gender{};
    std::string occupation{};

    friend bool operator==(const UserInfo&, const UserInfo&) = default;
};

/// Reads age, gender and occupation for the users of a log. The first line determines the format:
///
///     u.user (MovieLens 100K)    users.dat (1M)    *.user (RecBole; columns user_id, age, gender, occupation)
///
/// Returns   one entry per user of the log, by dense id; rows of other users are ignored
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if the format is none of these or a user
///           occurs twice
[[nodiscard]] inline std::vector<UserInfo> read_user_metadata(const std::string& path, const Interactions& log) {
    std::vector<UserInfo> users(log.users());
    std::vector<bool> is_known(log.users(), false);
    using Place = std::optional<std::size_t>;
    const auto gather = [&](io::DelimitedRows& rows, std::size_t id, Place age, Place gender, Place occupation) {
        while (rows.next()) {
            const auto field = [&](Place at) { return std::string(at ? rows.fields()[*at] : ""); };
            const std::string_view key = rows.key(id, "a user id");
            const std::optional<std::uint32_t> user = log.find_user(key);
            if (!user) {
                continue;
            }
            if (is_known[*user]) {
                rows.reject("each user once", io::Text::quote(key) + " twice");
            }
            is_known[*user] = true;
            users[*user] = {field(age), field(gender), field(occupation)};
        }
    };

    io::Text text = io::Text::read(path);
    const std::string_view first = text.first_line();
    if (first.find(":token") != std::string_view::npos) {
        RecBoleRows rows(std::move(text));
        // In separate statements: the order in which arguments are evaluated is unspecified, and each call may throw.
        const std::size_t id = rows.column("user_id");
        const Place age = rows.find_column("age");
        const Place gender = rows.find_column("gender");
        const Place occupation = rows.find_column("occupation");
        gather(rows, id, age, gender, occupation);
    } else if (std::count(first.begin(), first.end(), '|') == 4) {  // id | age | gender | occupation | zip
        io::DelimitedRows rows(std::move(text), "|");
        rows.expect_columns(5);
        gather(rows, 0, 1, 2, 3);
    } else if (first.find("::") != std::string_view::npos) {  // id :: gender :: age :: occupation :: zip
        io::DelimitedRows rows(std::move(text), "::");
        rows.expect_columns(5);
        gather(rows, 0, 2, 1, 3);
    } else {
        text.reject(1, "users of MovieLens (u.user, users.dat) or RecBole", io::Text::quote(first));
    }
    return users;
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
