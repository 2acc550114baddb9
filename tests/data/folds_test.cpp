// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/folds.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

using funnel::InvalidArgument;
using namespace funnel::data;

namespace {

// User u has 1 + u % 7 rows; user 20 has none.
Interactions log_of_users() {
    std::vector<Interaction> rows;
    for (std::uint32_t step = 0; step < 7; ++step) {
        for (std::uint32_t user = 0; user < 20; ++user) {
            if (step < 1 + user % 7) {
                rows.push_back({user, step, 1.0F, static_cast<double>(rows.size())});
            }
        }
    }
    return Interactions::from_ids(rows, 21, 7);
}

}  // namespace

TEST_CASE("assign_folds: each row is in one fold, and the sizes differ by at most one") {
    const Interactions log = log_of_users();
    const auto folds = assign_folds(log, {.folds = 4});
    std::array<std::size_t, 4> sizes{};
    for (const std::uint32_t fold : folds) {
        ++sizes.at(fold);
    }
    CHECK(*std::max_element(sizes.begin(), sizes.end()) - *std::min_element(sizes.begin(), sizes.end()) <= 1);
    std::size_t tested = 0;
    for (std::uint32_t fold = 0; fold < 4; ++fold) {
        const Split split = split_fold(log, folds, fold);
        CHECK(split.test.size() == sizes.at(fold));
        CHECK(split.train.size() + split.test.size() == log.size());
        tested += split.test.size();
    }
    CHECK(tested == log.size());
    CHECK(assign_folds(log, {.folds = 4}) == folds);
    CHECK(assign_folds(log, {.folds = 4, .seed = 2}) != folds);
}

TEST_CASE("assign_folds: by the index of the row") {
    const auto folds = assign_folds(Interactions::from_ids({{0, 0}, {0, 1}, {0, 0}, {0, 1}, {0, 0}}, 1, 2),
                                    {.folds = 3, .by = FoldBy::RowIndex});
    CHECK(folds == std::vector<std::uint32_t>{0, 1, 2, 0, 1});
}

TEST_CASE("assign_folds: by user, all rows of a user are in one fold") {
    const Interactions log = log_of_users();
    const auto folds = assign_folds(log, {.folds = 3, .by = FoldBy::RandomUser});
    std::map<std::uint32_t, std::set<std::uint32_t>> of_user;
    for (std::size_t row = 0; row < log.size(); ++row) {
        of_user[log[row].user].insert(folds[row]);
    }
    for (const auto& [user, found] : of_user) {
        CHECK(found.size() == 1);
    }
}

TEST_CASE("split_held_out_users: held-out users have no training row, and others no other row") {
    const Interactions log = log_of_users();
    const HeldOutSplit split = split_held_out_users(log, {.user_fraction = 0.4, .fold_in_fraction = 0.5});
    std::set<std::uint32_t> held_out;
    std::map<std::uint32_t, std::size_t> seen;
    std::map<std::uint32_t, std::size_t> tested;
    for (const Interaction& row : split.fold_in) {
        held_out.insert(row.user);
        ++seen[row.user];
    }
    for (const Interaction& row : split.test) {
        held_out.insert(row.user);
        ++tested[row.user];
    }
    CHECK(held_out.size() == 8);  // of 20 users with rows
    for (const Interaction& row : split.train) {
        CHECK(held_out.count(row.user) == 0);
    }
    CHECK(split.train.size() + split.fold_in.size() + split.test.size() == log.size());
    for (const std::uint32_t user : held_out) {
        const std::size_t rows = 1 + user % 7;
        CHECK(seen[user] == std::max<std::size_t>(1, (rows + 1) / 2));
        CHECK(seen[user] + tested[user] == rows);
        CHECK((rows == 1 || tested[user] > 0));
    }
    CHECK(split.train.fingerprint() == split.test.fingerprint());
    const auto rows_of = [](const Interactions& part) { return std::vector<Interaction>(part.begin(), part.end()); };
    const auto again = split_held_out_users(log, {.user_fraction = 0.4, .fold_in_fraction = 0.5});
    CHECK(rows_of(again.test) == rows_of(split.test));
    const auto other = split_held_out_users(log, {.user_fraction = 0.4, .fold_in_fraction = 0.5, .seed = 2});
    CHECK(rows_of(other.test) != rows_of(split.test));
}

TEST_CASE("split_held_out_users: a share of almost all still leaves a test row") {
    const Interactions log = Interactions::from_ids({{0, 0}, {0, 1}, {1, 0}, {1, 1}}, 2, 2);
    const HeldOutSplit most = split_held_out_users(log, {.user_fraction = 0.9, .fold_in_fraction = 0.99});
    CHECK(most.fold_in.size() == 2);
    CHECK(most.test.size() == 2);
    const HeldOutSplit least = split_held_out_users(log, {.user_fraction = 0.9, .fold_in_fraction = 0.01});
    CHECK(least.fold_in.size() == 2);
    CHECK(split_held_out_users(Interactions{}).test.empty());
}

TEST_CASE("assign_folds, split_fold, split_held_out_users: reject bad options") {
    const Interactions log = log_of_users();
    CHECK_THROWS_AS(static_cast<void>(assign_folds(log, {.folds = 1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(split_fold(log, std::vector<std::uint32_t>{0}, 0)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(split_held_out_users(log, {.user_fraction = 0.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(split_held_out_users(log, {.fold_in_fraction = 1.0})), InvalidArgument);
}
