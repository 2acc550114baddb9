// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "cf/random_log.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/cf/recommend.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel::testing {

namespace detail {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

constexpr std::size_t size_max = std::numeric_limits<std::size_t>::max();

// 30 users, of whom the last two have no history, and 24 items, of which nobody took the last four.
struct ContractLog {
    static constexpr std::size_t users = 30;
    static constexpr std::size_t items = 24;
    static constexpr std::uint32_t taken_items = 20;
    static constexpr std::size_t silent_user = 29;

    std::vector<Ids> histories = std::vector<Ids>(users);
    data::Interactions log;

    ContractLog() {
        Random random(17);
        for (std::size_t user = 0; user + 2 < users; ++user) {
            for (std::uint32_t item = 0; item < taken_items; ++item) {
                if (random.uniform() < 0.25 || item == user) {
                    histories[user].push_back(item);
                }
            }
        }
        log = log_of(histories, items);
    }
};

inline Ids all_items() {
    Ids items(ContractLog::items);
    std::iota(items.begin(), items.end(), 0U);
    return items;
}

template <class M>
constexpr bool explains = requires(const M& model) { model.explain(std::size_t{0}, std::uint32_t{0}, std::size_t{1}); };

// Scores come from what other users took.
template <class M>
constexpr bool has_neighbours = requires(const M& model) { model.neighbours(); };

// recommend(...) of a model or a folded user, in its two forms, for who: the arguments in front of the options.
template <class Source, class... Who>
void check_memory_of_caller(const Source& source, const Who&... who) {
    constexpr std::size_t n = ContractLog::items;
    const List untouched(n, Scored<>{77, 7.0F});
    for (const std::size_t k : {std::size_t{0}, std::size_t{1}, std::size_t{5}, n, size_max}) {
        for (const bool keep_seen : {false, true}) {
            const cf::RecommendOptions options{.k = k, .keep_seen = keep_seen};
            const List expected = source.recommend(who..., options);
            for (const std::size_t more : {0U, 3U}) {
                std::vector<float> scratch(n + more, 9.0F);
                List out = untouched;
                std::span<Scored<>> list;
                CHECK(allocations_of([&] { list = source.recommend(who..., options, scratch, out); }) == 0);
                CHECK(List(list.begin(), list.end()) == expected);
                CHECK(std::equal(out.begin() + static_cast<std::ptrdiff_t>(std::min(k, n)), out.end(),
                                 untouched.begin() + static_cast<std::ptrdiff_t>(std::min(k, n))));
            }
            for (std::size_t room = 0; room < n; ++room) {  // memory of that size and no more, for the sanitizers
                std::vector<float> scratch(room);
                List out = untouched;
                CHECK(source.recommend(who..., options, scratch, out).empty());
                CHECK(out == untouched);

                scratch.resize(n);
                List little(room);
                const auto list = source.recommend(who..., options, scratch, little);
                CHECK(list.size() <= room);
                CHECK(std::equal(list.begin(), list.end(), expected.begin()));
                CHECK(list.size() == std::min(room, expected.size()));
            }
        }
    }
    std::vector<float> scratch(n);
    List out(n);
    static_assert(noexcept(source.recommend(who..., {}, scratch, out)));
    const auto may_throw = [](std::uint32_t item) { return item != 3; };
    static_assert(!noexcept(source.recommend(who..., {}, scratch, out, may_throw)));
    const auto list = source.recommend(who..., {.k = n}, scratch, out, may_throw);
    CHECK(List(list.begin(), list.end()) == source.recommend(who..., {.k = n}, may_throw));
}

template <class M>
void check_lists(const M& model, const ContractLog& contract) {
    constexpr std::size_t n = ContractLog::items;
    for (std::size_t user = 0; user < ContractLog::users; ++user) {
        CAPTURE(user);
        const Ids& history = contract.histories[user];
        const std::vector<float> scores = model.score(user, all_items());
        const List all = model.recommend(user, {.k = size_max, .keep_seen = true});
        CHECK(std::is_sorted(all.begin(), all.end(), ranks_before));
        std::vector<std::size_t> listed(n, 0);
        for (const Scored<>& item : all) {
            REQUIRE(item.id < ContractLog::taken_items);  // else an item that nobody took: see keep_known_zeros
            CHECK(item.score == scores[item.id]);
            ++listed[item.id];
        }
        for (std::uint32_t item = 0; item < n; ++item) {
            CHECK(math::is_finite(scores[item]));
            CHECK(listed[item] <= 1);
            CHECK((scores[item] == 0.0F || listed[item] == 1));
        }

        List unseen = all;
        std::erase_if(unseen,
                      [&](const auto& item) { return std::binary_search(history.begin(), history.end(), item.id); });
        CHECK(model.recommend(user, {.k = size_max}) == unseen);
        const auto is_even = [](std::uint32_t item) { return item % 2 == 0; };
        for (std::size_t k = 0; k <= n + 1; ++k) {
            List best = unseen;
            best.resize(std::min(k, best.size()));
            CHECK(model.recommend(user, {.k = k}) == best);
            List even = unseen;
            std::erase_if(even, [&](const auto& item) { return !is_even(item.id); });
            even.resize(std::min(k, even.size()));
            CHECK(model.recommend(user, {.k = k}, is_even) == even);
        }
        CHECK(model.recommend(user, {}, [](std::uint32_t) { return false; }).empty());
    }
}

// A user without a history, by whatever way: unknown ones are no other users, nor errors.
template <class M>
void check_users_without_history(const M& model) {
    const std::size_t silent = ContractLog::silent_user;
    const List list = model.recommend(silent, {.k = size_max});
    const std::vector<float> scores = model.score(silent, all_items());
    CHECK(list.empty() == M::needs_history);
    if (M::needs_history) {
        CHECK(scores == std::vector<float>(ContractLog::items, 0.0F));
    }
    const auto folded = model.fold_in({});
    CHECK(folded.recommend({.k = size_max}) == list);
    CHECK(folded.score(all_items()) == scores);
    for (const std::size_t unknown : {ContractLog::users, ContractLog::users + 1, std::size_t{1} << 32, size_max}) {
        CAPTURE(unknown);
        CHECK(model.recommend(unknown, {.k = size_max}) == list);
        CHECK(model.recommend(unknown, {.k = 3, .keep_seen = true}) ==
              model.recommend(silent, {.k = 3, .keep_seen = true}));
        CHECK(model.score(unknown, all_items()) == scores);
        check_memory_of_caller(model, unknown);
        if constexpr (explains<M>) {
            CHECK(model.explain(unknown, 0, 5).empty());
            CHECK(folded.explain(0, 5).empty());
        }
    }
}

template <class M>
void check_errors(const M& model) {
    for (const std::uint32_t unknown : {std::uint32_t{ContractLog::items}, 0xFFFFFFFFU}) {
        for (const std::size_t user : {std::size_t{0}, std::size_t{ContractLog::silent_user}, size_max}) {
            CHECK_THROWS_AS((void)model.score(user, Ids{0, unknown}), InvalidArgument);
            if constexpr (explains<M>) {
                CHECK_THROWS_AS((void)model.explain(user, unknown, 1), InvalidArgument);
            }
        }
        CHECK_THROWS_AS((void)model.fold_in(Ids{unknown}), InvalidArgument);
        CHECK_THROWS_AS((void)model.fold_in(Ids{1}).score(Ids{unknown}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)model.fold_in(Ids{1, 0, 1}), InvalidArgument);
}

template <class M>
std::vector<List> lists_of(const M& model) {
    std::vector<List> lists;
    for (std::size_t user = 0; user < ContractLog::users; ++user) {
        lists.push_back(model.recommend(user, {.k = size_max}));
    }
    return lists;
}

// Asks a model of any size for everything it can say about one user: known items and finite numbers.
template <class M>
void use_all(const M& model) {
    const Ids items(model.items() > 0 ? 1 : 0, 0);
    const auto check_list = [&](const List& list) {
        REQUIRE(std::all_of(list.begin(), list.end(),
                            [&](const auto& item) { return item.id < model.items() && math::is_finite(item.score); }));
    };
    const auto check_scores = [](const std::vector<float>& scores) {
        REQUIRE(std::all_of(scores.begin(), scores.end(), [](const float& score) { return math::is_finite(score); }));
    };
    check_list(model.recommend(0, {.keep_seen = true}));
    check_scores(model.score(0, items));
    try {
        const auto folded = model.fold_in(items);
        check_list(folded.recommend({.keep_seen = true}));
        check_scores(folded.score(items));
        if constexpr (explains<M>) {
            for (const std::uint32_t item : items) {
                check_list(model.explain(0, item, 5));
                check_list(folded.explain(item, 5));
            }
        }
    } catch (const InvalidArgument&) {  // options from a forged file may leave a system without a solution
    }
}

template <class M>
void check_files(const M& model, const M& other, const data::Interactions& log, const typename M::Options& options) {
    const TempDir dir;
    model.save(dir / "a.fnl");
    const Bytes bytes = bytes_of(dir / "a.fnl");
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        M::fit(log, options, pool).save(dir / "b.fnl");
        CHECK(bytes_of(dir / "b.fnl") == bytes);
    }
    const M loaded = M::load(dir / "a.fnl", log);
    CHECK(lists_of(loaded) == lists_of(model));
    CHECK(loaded.fold_in(Ids{2, 5}).recommend() == model.fold_in(Ids{5, 2}).recommend());
    const auto answers = [](const M& saved) { return std::pair(lists_of(saved), saved.fold_in(Ids{0}).recommend()); };
    check_saved(model, other, answers, use_all<M>);
    // The file, its sections, and a cache line for each row of a matrix with a single column. Not what Eigen allocates.
    CHECK(allocated_bytes_of([&] { (void)M::load(dir / "a.fnl"); }) <= 20 * bytes.size());
}

template <class M>
void check_values(const M& model, const M& other) {
    static_assert(std::is_nothrow_move_constructible_v<M> && std::is_nothrow_move_assignable_v<M>);
    M source = model;
    M target = std::move(source);
    CHECK(lists_of(target) == lists_of(model));
    // NOLINTBEGIN(bugprone-use-after-move): what is left of it is what is tested
    CHECK(source.users() == 0);
    CHECK(source.items() == 0);
    CHECK(source.recommend(0).empty());
    CHECK(source.score(0, {}).empty());
    CHECK_THROWS_AS((void)source.score(0, Ids{0}), InvalidArgument);
    CHECK(source.fold_in({}).recommend().empty());
    CHECK_THROWS_AS((void)source.fold_in(Ids{0}), InvalidArgument);
    std::vector<float> scratch(ContractLog::items);
    List out(5);
    CHECK(source.recommend(0, {}, scratch, out).empty());
    CHECK(source.recommend_batch(Ids{0, 7}) == std::vector<List>(2));
    CHECK(source.similar_users(0, 5).empty());
    if constexpr (requires { source.similar_items(0, 1); }) {
        CHECK_THROWS_AS((void)source.similar_items(0, 5), InvalidArgument);
    }
    if constexpr (explains<M>) {
        CHECK_THROWS_AS((void)source.explain(0, 0, 5), InvalidArgument);
    }
    if constexpr (requires { source.predict(0, 0); }) {
        CHECK_THROWS_AS((void)source.predict(0, 0), InvalidArgument);
    }
    source.forget_user(0);
    const M empty_copy = source;
    CHECK(empty_copy.users() == 0);
    const TempDir dir;
    CHECK_THROWS_AS(source.save(dir / "a.fnl"), InvalidArgument);  // load() rejected the file
    CHECK_THROWS_AS(empty_copy.save(dir / "a.fnl"), InvalidArgument);
    // NOLINTEND(bugprone-use-after-move)
    source = other;
    CHECK(lists_of(source) == lists_of(other));
    target = std::move(source);
    CHECK(lists_of(target) == lists_of(other));

    // fold_in() of a model that ends takes its scorer: it is moved-from afterwards, unless fold_in() throws.
    M ending = model;
    CHECK_THROWS_AS((void)std::move(ending).fold_in(Ids{0xFFFFFFFF}), InvalidArgument);
    CHECK(lists_of(ending) == lists_of(model));  // NOLINT(bugprone-use-after-move)
    const auto folded = std::move(ending).fold_in(Ids{0, 1});
    CHECK(folded.recommend() == model.fold_in(Ids{0, 1}).recommend());
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK(ending.users() == 0);
    CHECK(ending.items() == 0);
    CHECK(ending.recommend(0).empty());
    CHECK_THROWS_AS((void)ending.score(0, Ids{0}), InvalidArgument);
    CHECK_THROWS_AS(ending.save(dir / "a.fnl"), InvalidArgument);
    // NOLINTEND(bugprone-use-after-move)

    CHECK(check_strong_guarantee([&] { return model; }, [&](M& changed) { changed = other; },
                                 [](const M& changed) { return lists_of(changed); }) > 0);
}

template <class M>
void check_folded_users(const M& model, const ContractLog& contract) {
    for (std::size_t user = 0; user < 3; ++user) {
        const Ids& history = contract.histories[user];
        auto folded = model.fold_in(history);
        // Training may have solved for the same user with other rounding, or with fewer steps of an iterative solver.
        // A new user has a training user with the same history as a neighbour, who is not a neighbour of himself.
        if constexpr (!has_neighbours<M>) {
            const std::vector<float> trained = model.score(user, all_items());
            const std::vector<float> scores = folded.score(all_items());
            const double largest = std::abs(*std::max_element(trained.begin(), trained.end()));
            for (std::size_t item = 0; item < trained.size(); ++item) {
                CHECK(std::abs(double{scores[item]} - trained[item]) <= 0.01 * largest);
            }
        }
        check_memory_of_caller(folded);
        const List list = folded.recommend();
        for (const Scored<>& item : folded.recommend({.k = size_max, .keep_seen = true})) {
            CHECK(item.id < ContractLog::taken_items);
        }
        auto stored = M(model).fold_in(history);  // of a model that is gone
        CHECK(stored.recommend() == list);
        CHECK(M(model).fold_in(history).recommend() == list);
        const auto moved = std::move(stored);
        CHECK(moved.recommend() == list);
        CHECK(stored.recommend() == list);  // NOLINT(bugprone-use-after-move): a move is a copy
        const auto nobody = model.fold_in({});
        CHECK(check_strong_guarantee([&] { return nobody; }, [&](auto& changed) { changed = folded; },
                                     [](const auto& changed) { return changed.recommend(); }) > 0);
    }
}

template <class M>
void check_batches(const M& model) {
    std::vector<std::uint32_t> users(ContractLog::users + 2);  // the last two are unknown
    std::iota(users.begin(), users.end(), 0U);
    users.push_back(3);
    users.push_back(0xFFFFFFFF);
    const auto is_even = [](std::uint32_t item) { return item % 2 == 0; };
    for (const cf::RecommendOptions& options :
         {cf::RecommendOptions{}, cf::RecommendOptions{.k = size_max, .keep_seen = true}, cf::RecommendOptions{.k = 0},
          cf::RecommendOptions{.k = 3, .least_score = 0.01F}}) {
        std::vector<List> expected;
        std::vector<List> even;
        for (const std::uint32_t user : users) {
            expected.push_back(model.recommend(user, options));
            even.push_back(model.recommend(user, options, is_even));
        }
        CHECK(model.recommend_batch(users, options) == expected);
        CHECK(model.recommend_batch(users, options, is_even) == even);
        Threads pool(3);
        CHECK(model.recommend_batch(users, options, pool) == expected);
        CHECK(model.recommend_batch(users, options, is_even, pool) == even);
    }
    CHECK(model.recommend_batch({}).empty());
}

template <class M>
void check_least_scores(const M& model) {
    for (std::size_t user = 0; user < 5; ++user) {
        const List all = model.recommend(user, {.k = size_max});
        for (const float least : {-std::numeric_limits<float>::infinity(), -0.5F, 0.0F, 0.5F, 2.0F,
                                  all.empty() ? 0.0F : all[all.size() / 2].score}) {
            List expected = all;
            std::erase_if(expected, [&](const auto& item) { return item.score < least; });
            CHECK(model.recommend(user, {.k = size_max, .least_score = least}) == expected);
            expected.resize(std::min<std::size_t>(expected.size(), 2));
            CHECK(model.recommend(user, {.k = 2, .least_score = least}) == expected);
        }
        CHECK(model.recommend(user, {.least_score = std::numeric_limits<float>::max()}).empty());
    }
}

// A list of similar items or users: best first, without the one that was asked about, above 0, a beginning of all.
template <class Similar>
void check_similar(std::size_t n, const Similar& similar) {
    for (std::uint32_t self = 0; self < n; ++self) {
        const List all = similar(self, size_max);
        CHECK(std::is_sorted(all.begin(), all.end(), ranks_before));
        for (const Scored<>& one : all) {
            CHECK((one.id < n && one.id != self && one.score > 0.0F));
        }
        for (const std::size_t k : {0U, 1U, 4U}) {
            List some = all;
            some.resize(std::min(some.size(), k));
            CHECK(similar(self, k) == some);
        }
    }
}

template <class M>
void check_similarities(const M& model) {
    check_similar(ContractLog::users, [&](std::uint32_t user, std::size_t k) { return model.similar_users(user, k); });
    for (const std::size_t nobody : {ContractLog::users, size_max}) {
        CHECK(model.similar_users(nobody, 5).empty());
    }
    if (M::needs_history) {
        CHECK(model.similar_users(ContractLog::silent_user, 5).empty());
    }
    if constexpr (requires { model.similar_items(0, 1); }) {
        check_similar(ContractLog::items,
                      [&](std::uint32_t item, std::size_t k) { return model.similar_items(item, k); });
        CHECK(model.similar_items(ContractLog::items - 1, 5).empty());  // nobody took it
        CHECK_THROWS_AS((void)model.similar_items(ContractLog::items, 5), InvalidArgument);
    }
}

// How often the bytes of these numbers stand in a file.
inline std::size_t count_of(const auto& numbers, const Bytes& file) {
    const auto bytes = std::as_bytes(std::span(numbers));
    std::size_t count = 0;
    auto at = file.begin();
    while ((at = std::search(at, file.end(), bytes.begin(), bytes.end())) != file.end()) {
        ++count;
        ++at;
    }
    return count;
}

// Whoever is forgotten is a user without a history, and the others stay as they were. The file holds neither the history
// nor the factors, and what nothing was learned from leaves no trace in any byte.
template <class M>
void check_forgetting(const M& model, const ContractLog& contract, const typename M::Options& options) {
    const TempDir dir;
    constexpr std::size_t user = 4;
    const Ids& history = contract.histories[user];
    REQUIRE(history.size() >= 4);
    M changed = model;
    changed.forget_user(user);
    changed.save(dir / "without.fnl");
    const Bytes without = bytes_of(dir / "without.fnl");
    model.save(dir / "with.fnl");
    const Bytes with = bytes_of(dir / "with.fnl");
    CHECK(count_of(history, without) + 1 == count_of(history, with));  // weights may have the same columns
    if constexpr (requires { model.user_factors(); }) {
        const MatrixView<const float> rows(model.user_factors());
        const auto row = rows.row(user);
        std::size_t same = 0;
        for (std::size_t other = 0; other < rows.rows(); ++other) {
            same += std::ranges::equal(rows.row(other), row) ? 1 : 0;
        }
        if (same == 1 && std::ranges::count(row, row[0]) != std::ranges::ssize(row)) {  // else others may have the same
            CHECK(count_of(row, with) == 1);
            CHECK(count_of(row, without) == 0);
        }
    }
    if constexpr (requires { model.user_factors(); }) {
        const auto nobody = model.fold_in({});
        CHECK(std::ranges::equal(MatrixView<const float>(changed.user_factors()).row(user), nobody.profile().factors));
    }
    for (const M& forgetful : {changed, M::load(dir / "without.fnl")}) {
        std::vector<List> expected = has_neighbours<M> ? lists_of(changed) : lists_of(model);
        expected[user] = model.fold_in({}).recommend({.k = size_max});
        CHECK(lists_of(forgetful) == expected);
        CHECK(forgetful.score(user, all_items()) == model.fold_in({}).score(all_items()));
        CHECK(forgetful.users() == ContractLog::users);
        for (const Scored<>& other : forgetful.similar_users(0, size_max)) {
            CHECK((other.id != user || !M::needs_history));
        }
    }
    changed.forget_user(user);  // once more, and who is unknown
    changed.forget_user(ContractLog::users);
    changed.forget_user(size_max);
    changed.save(dir / "again.fnl");
    CHECK(bytes_of(dir / "again.fnl") == without);
    static_assert(noexcept(changed.forget_user(user)));

    if constexpr (!cf::detail::ReadsValues<M>) {
        std::vector<data::Interaction> rows(contract.log.begin(), contract.log.end());
        rows.push_back({ContractLog::silent_user, 3, -1.0F});
        M dislikes = M::fit(data::Interactions::from_ids(rows, ContractLog::users, ContractLog::items), options);
        dislikes.forget_user(ContractLog::silent_user);
        dislikes.save(dir / "again.fnl");
        CHECK(bytes_of(dir / "again.fnl") == with);
    }
    for (std::size_t each = 0; each < ContractLog::users; ++each) {
        changed.forget_user(each);
    }
    changed.save(dir / "again.fnl");
    CHECK(lists_of(M::load(dir / "again.fnl")) ==
          std::vector<List>(ContractLog::users, model.fold_in({}).recommend({.k = size_max})));
}

// Values of fold_in: errors, and what they are if they are not given.
template <class M>
void check_values_of_folded_users(const M& model) {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    using Values = std::vector<float>;
    CHECK_THROWS_AS((void)model.fold_in(Ids{1, 2}, Values{1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{1}, Values{1.0F, 1.0F}), InvalidArgument);
#ifndef __FAST_MATH__
    CHECK_THROWS_AS((void)model.fold_in(Ids{1}, Values{std::numeric_limits<float>::quiet_NaN()}), InvalidArgument);
#endif
    CHECK_THROWS_AS((void)model.fold_in(Ids{1}, Values{infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)M(model).fold_in(Ids{1}, Values{-infinity}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{1, 1}, Values{1.0F, 1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{ContractLog::items}, Values{-1.0F}), InvalidArgument);
    CHECK(model.fold_in(Ids{5, 2}, Values{1.0F, 1.0F}).score(all_items()) ==
          model.fold_in(Ids{5, 2}).score(all_items()));
    CHECK(model.fold_in(Ids{7, 2, 5}, Values{3.0F, 1.0F, 2.0F}).recommend({.k = size_max}) ==
          M(model).fold_in(Ids{7, 2, 5}, Values{3.0F, 1.0F, 2.0F}).recommend({.k = size_max}));
}

// Rows with a value of 0 or less change nothing but that their items are not recommended to their users. A value of -1
// counted as a like.
template <class M>
void check_dislikes(const M& model, const ContractLog& contract, const typename M::Options& options) {
    std::vector<data::Interaction> rows(contract.log.begin(), contract.log.end());
    std::vector<Ids> disliked(ContractLog::users);
    Random random(3);
    for (std::uint32_t user = 0; user < ContractLog::users; ++user) {
        for (std::uint32_t item = 0; item < ContractLog::items; ++item) {
            if (random.uniform() < 0.2 && !std::ranges::binary_search(contract.histories[user], item)) {
                rows.push_back({user, item, random.uniform() < 0.5 ? -1.0F : 0.0F});
                disliked[user].push_back(item);
            }
        }
    }
    const M with = M::fit(data::Interactions::from_ids(rows, ContractLog::users, ContractLog::items), options);
    const auto check_user = [&](const auto& user, const List& all, const Ids& hidden) {
        List expected = all;
        std::erase_if(expected, [&](const auto& item) { return std::ranges::binary_search(hidden, item.id); });
        CHECK(user({.k = size_max}) == expected);
        expected.resize(std::min<std::size_t>(expected.size(), 3));
        CHECK(user({.k = 3}) == expected);
    };
    const TempDir dir;
    with.save(dir / "with.fnl");
    const M loaded = M::load(dir / "with.fnl");
    loaded.save(dir / "again.fnl");
    CHECK(bytes_of(dir / "again.fnl") == bytes_of(dir / "with.fnl"));
    for (std::size_t user = 0; user < ContractLog::users; ++user) {
        CAPTURE(user);
        CHECK(with.score(user, all_items()) == model.score(user, all_items()));
        const cf::RecommendOptions everything{.k = size_max, .keep_seen = true};
        CHECK(with.recommend(user, everything) == model.recommend(user, everything));
        const List all = model.recommend(user, {.k = size_max});
        check_user([&](const cf::RecommendOptions& how) { return with.recommend(user, how); }, all, disliked[user]);
        check_user([&](const cf::RecommendOptions& how) { return loaded.recommend(user, how); }, all, disliked[user]);
        Ids history = disliked[user];
        std::vector<float> values(history.size(), -2.0F);
        for (const std::uint32_t item : contract.histories[user]) {
            history.push_back(item);
            values.push_back(0.5F);
        }
        const std::vector<float> likes(contract.histories[user].size(), 0.5F);
        const auto folded = model.fold_in(history, values);
        check_user([&](const cf::RecommendOptions& how) { return folded.recommend(how); },
                   model.fold_in(contract.histories[user], likes).recommend({.k = size_max}), disliked[user]);
    }
    const auto answers = [](const M& saved) { return lists_of(saved); };
    check_saved(with, model, answers, use_all<M>);
}

template <class M>
constexpr bool updates = requires(M& model, const data::Interactions& log) { model.update(log); };

// update() with a log that has grown by a user, an item, and a row of a user who had none.
template <class M, class OptionsFor>
void check_updates(const M& model, const ContractLog& contract, const OptionsFor& options_for) {
    constexpr std::uint32_t user = ContractLog::users;
    constexpr std::uint32_t item = ContractLog::items;
    std::vector<data::Interaction> rows(contract.log.begin(), contract.log.end());
    rows.insert(rows.end(),
                {{user, item, 1.0F}, {user, 0, 1.0F}, {0, item, 1.0F}, {ContractLog::silent_user, 1, 1.0F}});
    const auto grown = data::Interactions::from_ids(rows, user + 1, item + 1);
    const auto options = options_for(item + 1);
    const TempDir dir;
    const auto bytes = [&](const M& saved) {
        saved.save(dir / "a.fnl");
        return bytes_of(dir / "a.fnl");
    };
    M updated = model;
    updated.update(grown, options);
    CHECK(updated.users() == user + 1);
    CHECK(updated.items() == item + 1);
    CHECK(updated.score(user, Ids{item})[0] != 0.0F);
    CHECK_FALSE(updated.recommend(user).empty());
    CHECK_FALSE(updated.recommend(ContractLog::silent_user).empty());
    const Bytes expected = bytes(updated);
    for (const std::size_t threads : {2U, 3U}) {
        Threads pool(threads);
        M same = model;
        same.update(grown, options, pool);
        CHECK(bytes(same) == expected);
    }
    // What a file holds is all that an update needs.
    model.save(dir / "b.fnl");
    M loaded = M::load(dir / "b.fnl");
    loaded.update(grown, options);
    CHECK(bytes(loaded) == expected);
    CHECK_NOTHROW(static_cast<void>(M::load(dir / "a.fnl", grown)));
    const Bytes fitted = bytes(M::fit(grown, options));
    M forgetful = updated;
    forgetful.forget_user(0);
    forgetful.update(grown, options);
    CHECK(forgetful.score(0, Ids{item})[0] != 0.0F);
    // A log that has shrunk is an error, and changes nothing. A moved-from model learns as fit() does.
    CHECK_THROWS_WITH_AS(updated.update(contract.log, options),
                         "update: number of users in the log must be at least 31, got 30", InvalidArgument);
    CHECK_THROWS_WITH_AS(updated.update(data::Interactions::from_ids({}, user + 1, item), options),
                         "update: number of items in the log must be at least 25, got 24", InvalidArgument);
    CHECK(bytes(updated) == expected);
    const M taken = std::move(updated);
    updated.update(grown, options);  // NOLINT(bugprone-use-after-move): what is left is tested
    CHECK(bytes(updated) == fitted);
    CHECK(bytes(taken) == expected);
}

}  // namespace detail

/// What every model of cf/ promises, whatever it learns: lists by score that hold each unseen item with evidence and no
/// other, users without a history, unknown users, items and arguments, memory of the caller, files, moves and copies,
/// values, lists of many users, similar users and items, forgotten users, updates.
/// One call in the test of each model; options should be such that it learns fast.
///
/// The log has 30 users, 2 of them without a history, and 24 items, 4 of which nobody took. Logs without rows, users or
/// items follow. If the check of sizes after a move fails, items() of a moved-from scorer is not 0.
///
///     check_model<EASE>({.lambda = 10.0F});
///     check_model<ContentBased>([](std::size_t items) { return ContentOptions{features_of(items)}; });
template <class M, class OptionsFor>
    requires std::invocable<const OptionsFor&, std::size_t>
void check_model(const OptionsFor& options_for) {
    const detail::ContractLog contract;
    const auto options = options_for(detail::ContractLog::items);
    const M model = M::fit(contract.log, options);
    CHECK(model.users() == detail::ContractLog::users);
    CHECK(model.items() == detail::ContractLog::items);
    detail::check_lists(model, contract);
    detail::check_memory_of_caller(model, std::size_t{0});
    detail::check_users_without_history(model);
    detail::check_errors(model);
    const M other = M::fit(log_of(std::vector<detail::Ids>(40, detail::Ids{0, 1}), 30), options_for(30));
    detail::check_files(model, other, contract.log, options);
    detail::check_values(model, other);
    detail::check_folded_users(model, contract);
    detail::check_values_of_folded_users(model);
    detail::check_batches(model);
    detail::check_least_scores(model);
    detail::check_similarities(model);
    detail::check_forgetting(model, contract, options);
    if constexpr (!cf::detail::ReadsValues<M>) {
        detail::check_dislikes(model, contract, options);
    }
    if constexpr (detail::updates<M>) {
        detail::check_updates(model, contract, options_for);
    }

    // Logs without rows, without users, without anything.
    for (const auto& [users, items] : {std::pair{5U, 3U}, std::pair{0U, 3U}, std::pair{5U, 0U}, std::pair{0U, 0U}}) {
        const M silent = M::fit(data::Interactions::from_ids({}, users, items), options_for(items));
        CHECK(silent.recommend(0).empty());
        CHECK(silent.recommend(7, {.keep_seen = true}).empty());
        CHECK(silent.score(0, {}).empty());
        CHECK(silent.fold_in({}).recommend().empty());
        const TempDir dir;
        silent.save(dir / "silent.fnl");
        CHECK(M::load(dir / "silent.fnl").items() == items);
    }
}

/// The same, with options for logs of any number of items.
template <class M>
void check_model(const typename M::Options& options = {}) {
    check_model<M>([&](std::size_t) { return options; });
}

}  // namespace funnel::testing
