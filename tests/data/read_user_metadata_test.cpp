// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/read_user_metadata.hpp>

#include "data/text_file.hpp"

#include <funnel/data/interactions_builder.hpp>

#include <doctest/doctest.h>

#include <string_view>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::IOError;
using funnel::data::Interactions;
using funnel::data::InteractionsBuilder;
using funnel::data::read_user_metadata;
using funnel::data::UserInfo;
using funnel::testing::TempDir;
using funnel::testing::TextFile;

namespace {

// A log of users 1, 2 and 9; the fixtures know 1, 2 and 5.
Interactions log_of_three() {
    InteractionsBuilder builder;
    for (const char* user : {"9", "2", "1"}) {
        builder.add(user, "i");
    }
    return std::move(builder).build();
}

}  // namespace

TEST_CASE("read_user_metadata: u.user, users.dat and a RecBole file give the same users") {
    for (const char* text :
         {"1|24|M|technician|85711\n5|1|M|x|0\n2|53|F|other|94043\n",
          "2::F::53::other::94043\n1::M::24::technician::85711\n",
          "user_id:token\toccupation:token\tage:float\tgender:token\n1\ttechnician\t24\tM\n2\tother\t53\tF\n"}) {
        CAPTURE(text);
        const TextFile file(text);
        const std::vector<UserInfo> expected{{"24", "M", "technician"}, {"53", "F", "other"}, {}};
        CHECK(read_user_metadata(file.path(), log_of_three()) == expected);
    }
}

TEST_CASE("read_user_metadata: columns that a RecBole file lacks stay empty") {
    const TextFile file("user_id:token\tgender:token\n2\tF\n");

    CHECK(read_user_metadata(file.path(), log_of_three())[1] == UserInfo{"", "F", ""});
}

TEST_CASE("read_user_metadata: a bar does not make a users.dat a u.user") {
    const TextFile file("2::F::53::a|b::94043\n");

    CHECK(read_user_metadata(file.path(), log_of_three())[1] == UserInfo{"53", "F", "a|b"});
}

TEST_CASE("read_user_metadata: says in which line what is wrong") {
    const auto check_rejected = [](std::string_view text, std::string_view message) {
        CAPTURE(text);
        const TextFile file(text, "users");
        CHECK_THROWS_WITH_AS(static_cast<void>(read_user_metadata(file.path(), log_of_three())),
                             file.at(message).c_str(), CorruptData);
    };
    check_rejected("1|24|M|x|0\n1|24|M|x|0\n", "2: expected each user once, found \"1\" twice");
    check_rejected("1|24|M|x|0\n2|24|M\n", "2: expected 5 columns, found 3");
    check_rejected("1::M::24::x::0\n2::F\n", "2: expected 5 columns, found 2");
    check_rejected("name:token\n1\n", "1: expected a column \"user_id\", found the columns \"name\"");
    // g++ looked for occupation first, clang for user_id.
    check_rejected("name:token\toccupation:token\toccupation:token\n1\tx\ty\n",
                   "1: expected a column \"user_id\", found the columns \"name\", \"occupation\", \"occupation\"");
    check_rejected("user_id:token\tage:token\tage:token\tgender:token\tgender:token\n1\t2\t2\tF\tF\n",
                   "1: expected each column once, found \"age\" twice");
    check_rejected("|24|M|x|0\n", "1: expected a user id, found an empty field");
    check_rejected("1,2,3\n", "1: expected users of MovieLens (u.user, users.dat) or RecBole, found \"1,2,3\"");
    check_rejected("", "1: expected a row, found an empty file");

    const TempDir dir;
    CHECK_THROWS_AS(static_cast<void>(read_user_metadata(dir / "none", log_of_three())), IOError);
}
