// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/implicit_als.hpp>

#include "cf/random_log.hpp"
#include "support/damage.hpp"
#include "support/model_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Scored;
using funnel::Threads;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using List = std::vector<Scored<>>;
using Ids = std::vector<std::uint32_t>;

// Views of a model's factors; a temporary model, which would leave them dangling, does not give any.
template <class M>
concept GivesFactors = requires(M&& model) {
    std::forward<M>(model).user_factors();
    std::forward<M>(model).item_factors();
};
static_assert(GivesFactors<ImplicitALS&> && GivesFactors<const ImplicitALS&>);
static_assert(!GivesFactors<ImplicitALS> && !GivesFactors<const ImplicitALS>);

// The sections of a file that are neither histories nor factors.
struct Settings {
    float lambda = 1.0F;
    float alpha0 = 1.0F;
    float nu = 1.0F;
    float alpha = 1.0F;
    std::uint32_t objective = 0;
    std::uint32_t use_values = 0;

    void write(funnel::io::ContainerWriter& file) const {
        file.value("log_fingerprint", std::uint64_t{0});
        file.value("lambda", lambda);
        file.value("alpha0", alpha0);
        file.value("nu", nu);
        file.value("alpha", alpha);
        file.value("objective", objective);
        file.value("use_values", use_values);
    }
};

bool is_zero(std::span<const float> row) {
    return std::all_of(row.begin(), row.end(), [](float x) { return x == 0.0F; });
}

}  // namespace

TEST_CASE("ImplicitALS: keeps what every model promises") {
    testing::check_model<ImplicitALS>({.factors = 5, .iterations = 3});
    // As many iterations as let the conjugate gradients converge: a folded-in user starts from zero.
    testing::check_model<ImplicitALS>({.factors = 60, .iterations = 15, .solver = ALSSolver::ConjugateGradient});
    testing::check_model<ImplicitALS>({.factors = 8, .iterations = 60, .solver = ALSSolver::Blocks, .block = 4});
    testing::check_model<ImplicitALS>({.factors = 4,
                                       .lambda = 1.0F,
                                       .iterations = 3,
                                       .objective = ALSObjective::HuKorenVolinsky,
                                       .use_values = true,
                                       .alpha = 5.0F});
}

TEST_CASE("ImplicitALS: worked by hand") {
    // One user, one item, one factor: the loss (1 - wh)^2 + a (wh)^2 + l (1 + a)(w^2 + h^2) is least where w = h up to
    // sign and 1 - wh = a wh + l (1 + a), so wh = (1 - l (1 + a)) / (1 + a) = 1 / 1.25 - 0.1 = 0.7.
    const auto log = testing::log_of({{0}}, 1);
    const auto model = ImplicitALS::fit(log, {.factors = 1, .lambda = 0.1F, .alpha0 = 0.25F, .iterations = 100});
    CHECK(model.score(0, Ids{0})[0] == doctest::Approx(0.7).epsilon(1e-4));
    CHECK(std::abs(model.user_factors()(0, 0)) == doctest::Approx(std::sqrt(0.7)).epsilon(1e-3));
}

TEST_CASE("ImplicitALS: finds two groups of users and items") {
    // Users 0-4 take items 0-4, users 5-9 items 5-9, each without one of them.
    std::vector<Ids> histories(10);
    for (std::uint32_t user = 0; user < 10; ++user) {
        for (std::uint32_t item = 0; item < 10; ++item) {
            if (user / 5 == item / 5 && user != item) {
                histories[user].push_back(item);
            }
        }
    }
    const auto log = testing::log_of(histories, 10);
    for (const ALSSolver solver : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient, ALSSolver::Blocks}) {
        const auto model = ImplicitALS::fit(log, {.factors = 4, .iterations = 8, .solver = solver});
        for (std::uint32_t user = 0; user < 10; ++user) {
            CHECK(model.recommend(user, {.k = 1}).at(0).id == user);
        }
    }
}

TEST_CASE("ImplicitALS: scores are inner products of the factors; lists are sorted by them") {
    const auto log = testing::random_log(30, 40, 0.15, 4);
    const auto model = ImplicitALS::fit(log, {.factors = 5, .iterations = 3});
    const Histories histories(funnel::data::user_item_matrix(log));
    std::vector<float> scratch(model.items());
    List out(40);
    for (std::uint32_t user = 0; user < 30; ++user) {
        const List list = model.recommend(user, {.k = 40, .keep_seen = true});
        REQUIRE(list.size() == 40);
        CHECK(std::is_sorted(list.begin(), list.end(), funnel::ranks_before));
        for (const Scored<>& item : list) {
            double sum = 0.0;
            for (std::size_t k = 0; k < 5; ++k) {
                sum += static_cast<double>(model.user_factors()(user, k)) *
                       static_cast<double>(model.item_factors()(item.id, k));
            }
            CHECK(static_cast<double>(item.score) == doctest::Approx(sum).epsilon(1e-5));
            CHECK(model.score(user, Ids{item.id})[0] == item.score);
        }
        const auto same = model.recommend(user, {.k = 40}, scratch, out);
        CHECK(List(same.begin(), same.end()) == model.recommend(user, {.k = 40}));
        CHECK(same.size() == 40 - histories.of(user).size());
    }
}

TEST_CASE("ImplicitALS: folding in a training user's history gives the training user's list") {
    const auto log = testing::random_log(30, 40, 0.15, 4);
    const auto model = ImplicitALS::fit(log, {.factors = 5, .lambda = 0.1F, .iterations = 3});
    CHECK(model.options().lambda == 0.1F);
    const Histories histories(funnel::data::user_item_matrix(log));
    for (std::size_t user = 0; user < 30; ++user) {
        CHECK(model.fold_in(histories.of(user)).recommend() == model.recommend(user));
    }
    Ids all(40);
    for (std::uint32_t i = 0; i < 40; ++i) {
        all[i] = 39 - i;
    }
    CHECK(model.fold_in(all).recommend().empty());
    CHECK(model.fold_in({}).recommend().empty());
    CHECK(model.fold_in(Ids{3}).score(Ids{5, 6}).size() == 2);
    CHECK_THROWS_AS((void)model.fold_in(Ids{40}), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in(Ids{1, 1}), InvalidArgument);
}

TEST_CASE("ImplicitALS: the shares of an explanation sum up to the score, largest first") {
    const auto log = testing::random_log(30, 40, 0.15, 4);
    const auto model = ImplicitALS::fit(log, {.factors = 5, .lambda = 0.1F, .iterations = 3});
    const Histories histories(funnel::data::user_item_matrix(log));
    for (std::uint32_t user = 0; user < 30; ++user) {
        const std::span<const std::uint32_t> history = histories.of(user);
        for (const std::uint32_t item : {0U, 17U, 39U}) {
            const List shares = model.explain(user, item, 40);
            CHECK(shares.size() == history.size());
            CHECK(std::is_sorted(shares.begin(), shares.end(), funnel::ranks_before));
            double sum = 0.0;
            for (const Scored<>& share : shares) {
                CHECK(std::binary_search(history.begin(), history.end(), share.id));
                sum += static_cast<double>(share.score);
            }
            CHECK(static_cast<double>(model.score(user, Ids{item})[0]) ==
                  doctest::Approx(sum).scale(1.0).epsilon(1e-5));
            CHECK(model.explain(user, item, 2) == List(shares.begin(), shares.begin() + 2));
            CHECK(model.fold_in(history).explain(item, 40) == shares);
        }
    }
    CHECK(model.explain(0, 1, 0).empty());
    CHECK(model.fold_in({}).explain(1, 5).empty());
    CHECK_THROWS_AS((void)model.explain(0, 40, 1), InvalidArgument);
}

TEST_CASE("ImplicitALS: the seed decides, the number of threads does not; files come back, if undamaged") {
    const testing::TempDir dir;
    const auto log = testing::random_log(50, 60, 0.1, 4);
    for (const ALSSolver solver : {ALSSolver::ConjugateGradient, ALSSolver::Cholesky}) {
        const ImplicitALSOptions options{.factors = 5, .iterations = 3, .solver = solver};
        const auto model = ImplicitALS::fit(log, options);
        model.save(dir / "a.fnl");
        const auto bytes = testing::bytes_of(dir / "a.fnl");
        for (const std::size_t count : {1U, 2U, 4U}) {
            Threads pool(count);
            ImplicitALS::fit(log, options, pool).save(dir / "b.fnl");
            CHECK(testing::bytes_of(dir / "b.fnl") == bytes);
        }
        ImplicitALSOptions other = options;
        other.seed = 2;
        ImplicitALS::fit(log, other).save(dir / "b.fnl");
        CHECK(testing::bytes_of(dir / "b.fnl") != bytes);

        const auto loaded = ImplicitALS::load(dir / "a.fnl");
        for (std::size_t user = 0; user < log.users(); ++user) {
            CHECK(loaded.recommend(user) == model.recommend(user));
        }
        CHECK(loaded.options().factors == 5);
        CHECK(loaded.fold_in(Ids{1, 4}).recommend() == model.fold_in(Ids{4, 1}).recommend());
        loaded.save(dir / "b.fnl");
        CHECK(testing::bytes_of(dir / "b.fnl") == bytes);
    }
    testing::check_damage(testing::bytes_of(dir / "a.fnl"),
                          [](const auto& path) { return ImplicitALS::load(path).recommend(3); });
}

TEST_CASE("ImplicitALS: whole files with contents that cannot be are rejected") {
    const testing::TempDir dir;
    constexpr float infinity = std::numeric_limits<float>::infinity();
    const auto load_with = [&](const Settings& settings, std::vector<float> users, std::vector<float> items,
                               std::size_t rows = 1) {
        funnel::io::ContainerWriter file("cf.ImplicitALS", 2);
        const std::vector<std::uint64_t> offsets{0, 1};
        const Ids history{1};
        const std::vector<float> values{1.0F};
        settings.write(file);
        file.value("items", std::uint64_t{2});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.array("history_values", std::span(values));
        file.matrix("user_factors", funnel::MatrixView<const float>(users, rows, users.size() / rows));
        file.matrix("item_factors", funnel::MatrixView<const float>(items, 2, items.size() / 2));
        file.save(dir / "x.fnl");
        return ImplicitALS::load(dir / "x.fnl").recommend(0);
    };
    const std::vector<float> unit{1, 0, 0, 1};
    CHECK(load_with({}, {1, 2}, unit) == List{{0, 1.0F}});
    for (const float bad : {0.0F, -1.0F, infinity}) {
        CHECK_THROWS_AS((void)load_with({.lambda = bad}, {1, 2}, unit), CorruptData);
        CHECK_THROWS_AS((void)load_with({.alpha0 = bad}, {1, 2}, unit), CorruptData);
        CHECK_THROWS_AS((void)load_with({.alpha = bad}, {1, 2}, unit), CorruptData);
    }
    CHECK_THROWS_AS((void)load_with({.nu = infinity}, {1, 2}, unit), CorruptData);
    CHECK_NOTHROW((void)load_with({.objective = 2, .use_values = 1}, {1, 2}, unit));
    CHECK_THROWS_AS((void)load_with({.objective = 3}, {1, 2}, unit), CorruptData);
    CHECK_THROWS_AS((void)load_with({.use_values = 2}, {1, 2}, unit), CorruptData);
    CHECK_THROWS_AS((void)load_with({}, {1, infinity}, unit), CorruptData);
    CHECK_THROWS_AS((void)load_with({}, {1, 2}, {1, 0, 0, infinity}), CorruptData);
    CHECK_THROWS_AS((void)load_with({}, {1, 2, 3}, unit), CorruptData);
    CHECK_THROWS_AS((void)load_with({}, {1, 2, 3, 4}, unit, 2), CorruptData);  // two users
}

TEST_CASE("ImplicitALS: a file without factors is rejected, also one of nobody") {
    const testing::TempDir dir;
    const auto load_with = [&](std::size_t factors) {
        funnel::io::ContainerWriter file("cf.ImplicitALS", 2);
        const Histories nobody;
        Settings{}.write(file);
        nobody.write(file);
        file.matrix("user_factors", funnel::MatrixView<const float>({}, 0, factors));
        file.matrix("item_factors", funnel::MatrixView<const float>({}, 0, factors));
        file.save(dir / "x.fnl");
        return ImplicitALS::load(dir / "x.fnl").options().factors;
    };
    CHECK(load_with(3) == 3);
    CHECK_THROWS_AS((void)load_with(0), CorruptData);
}

TEST_CASE("ImplicitALS: edges of the log") {
    CHECK(ImplicitALS::fit({}).items() == 0);
    CHECK(ImplicitALS::fit({}).fold_in({}).recommend().empty());
    const auto silent = ImplicitALS::fit(funnel::data::Interactions::from_ids({}, 2, 3));
    CHECK(silent.recommend(1).empty());
    CHECK(is_zero(silent.user_factors().row(1)));

    for (const ALSSolver solver : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient}) {
        const auto model =
            ImplicitALS::fit(testing::log_of({{0, 1}, {0, 1, 2}, {}}, 4), {.factors = 2, .solver = solver});
        CHECK(model.recommend(2).empty());
        CHECK(is_zero(model.user_factors().row(2)));
        CHECK(is_zero(model.item_factors().row(3)));
        CHECK(model.recommend(1).empty());  // nobody took item 3
    }
    const auto unlearned = ImplicitALS::fit(testing::log_of({{0}}, 2), {.factors = 2, .iterations = 0});
    CHECK(!is_zero(unlearned.user_factors().row(0)));
    CHECK(is_zero(unlearned.item_factors().row(1)));
}

TEST_CASE("ImplicitALS: the first factors are of the length asked for, and no user's are an item's") {
    const auto model = ImplicitALS::fit(testing::log_of({{0}}, 1), {.factors = 1000, .iterations = 0, .stddev = 0.3F});
    const std::span<const float> user = model.user_factors().row(0);
    const std::span<const float> item = model.item_factors().row(0);
    const double length = std::sqrt(std::inner_product(user.begin(), user.end(), user.begin(), 0.0));
    CHECK(length == doctest::Approx(0.3).epsilon(0.1));
    CHECK_FALSE(std::equal(user.begin(), user.end(), item.begin()));
}

TEST_CASE("ImplicitALS: values and repetitions in the log do not matter") {
    const auto once = testing::log_of({{0, 1}, {1, 2}, {0, 2}}, 3);
    const auto often = funnel::data::Interactions::from_ids(
        {{0, 0, 5.0F}, {0, 1, 0.5F}, {0, 0, 2.0F}, {1, 1}, {1, 2, 1e-30F}, {2, 0}, {2, 2}, {2, 2}}, 3, 3);
    CHECK(ImplicitALS::fit(once, {.factors = 2}).recommend(0) == ImplicitALS::fit(often, {.factors = 2}).recommend(0));
}

// Factors of NaN came back, were saved, and could not be loaded.
TEST_CASE("ImplicitALS: first factors that overflow are refused, and not returned as NaN") {
    const testing::TempDir dir;
    const auto log = testing::random_log(20, 15, 0.3, 4);
    for (const ALSSolver solver : {ALSSolver::Cholesky, ALSSolver::ConjugateGradient}) {
        for (const std::size_t iterations : {0U, 1U, 5U}) {
            for (const float stddev : {1e10F, 1e17F, 1e19F, 1e20F, 1e30F, 3e38F}) {
                CAPTURE(stddev);
                const ImplicitALSOptions options{
                    .factors = 4, .iterations = iterations, .stddev = stddev, .solver = solver};
                try {
                    const auto model = ImplicitALS::fit(log, options);
                    Ids all(15);
                    std::iota(all.begin(), all.end(), 0U);
                    for (std::size_t user = 0; user < 20; ++user) {
                        for (const float score : model.score(user, all)) {
                            CHECK(funnel::math::is_finite(score));
                        }
                    }
                    for (const float score : model.fold_in(Ids{1, 2}).score(all)) {
                        CHECK(funnel::math::is_finite(score));
                    }
                    model.save(dir / "a.fnl");
                    CHECK(ImplicitALS::load(dir / "a.fnl").recommend(1) == model.recommend(1));
                } catch (const InvalidArgument& error) {
                    CHECK(std::string(error.what()).find("stddev") != std::string::npos);
                }
            }
            CHECK_THROWS_AS((void)ImplicitALS::fit(
                                log, {.factors = 4, .iterations = iterations, .stddev = 1e30F, .solver = solver}),
                            InvalidArgument);
        }
    }
}

// A file of 1 KB, with no user and 30,000 columns, took 3.4 GB.
TEST_CASE("ImplicitALS: a small file does not take much memory") {
    const testing::TempDir dir;
    const auto write = [&](std::size_t items, std::size_t factors) {
        funnel::io::ContainerWriter file("cf.ImplicitALS", 2);
        const std::vector<std::uint64_t> offsets{0};
        const std::vector<float> rows(items * factors, 0.5F);
        Settings{}.write(file);
        file.value("items", std::uint64_t{items});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span<const std::uint32_t>());
        file.matrix("user_factors", funnel::MatrixView<const float>({}, 0, factors));
        file.matrix("item_factors", funnel::MatrixView<const float>(rows, items, factors));
        file.save(dir / "x.fnl");
    };
    const auto load = [&] { return ImplicitALS::load(dir / "x.fnl"); };
    write(0, 30'000);
    CHECK_THROWS_AS((void)load(), CorruptData);
    write(1, 30'000);
    CHECK_THROWS_AS((void)load(), CorruptData);
    write(1, 1025);
    CHECK_THROWS_AS((void)load(), CorruptData);

    // d x d numbers are 4 MB each; of a hundred such models, nothing near that may stay.
    write(1, 1024);
    const std::size_t before = testing::detail::peak_memory();
    std::vector<ImplicitALS> models;
    for (int i = 0; i < 100; ++i) {
        models.push_back(load());
    }
    CHECK(testing::detail::peak_memory() < before + 100'000'000);
    // y . y = 256 for the only item: 256 / (256 + alpha0 256 + lambda (1 + alpha0)).
    CHECK(models[0].fold_in(Ids{0}).score(Ids{0})[0] == doctest::Approx(256.0 / 514.0));
}

TEST_CASE("ImplicitALS: whole files whose scores are not finite are rejected") {
    const testing::TempDir dir;
    const auto load_with = [&](float user, float item) {
        funnel::io::ContainerWriter file("cf.ImplicitALS", 2);
        const std::vector<std::uint64_t> offsets{0, 1};
        const Ids history{0};
        const std::vector<float> values{1.0F};
        Settings{}.write(file);
        file.value("items", std::uint64_t{1});
        file.array("history_offsets", std::span(offsets));
        file.array("history_items", std::span(history));
        file.array("history_values", std::span(values));
        file.matrix("user_factors", funnel::MatrixView<const float>(std::span(&user, 1), 1, 1));
        file.matrix("item_factors", funnel::MatrixView<const float>(std::span(&item, 1), 1, 1));
        file.save(dir / "x.fnl");
        return ImplicitALS::load(dir / "x.fnl").score(0, Ids{0})[0];
    };
    CHECK(load_with(1e20F, 1e18F) == 1e20F * 1e18F);
    CHECK_THROWS_AS((void)load_with(1e20F, 1e19F), CorruptData);
    CHECK_THROWS_AS((void)load_with(1e-20F, 1e20F), CorruptData);  // the square of the item, for fold_in
}

TEST_CASE("ImplicitALS: rejects what cannot work") {
    const auto log = testing::log_of({{0, 1}}, 2);
    constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {0.0F, -1.0F, not_a_number, infinity}) {
        CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.lambda = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.alpha0 = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.stddev = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.alpha = bad}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.nu = not_a_number}), InvalidArgument);
    CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.solver = static_cast<ALSSolver>(7)}), InvalidArgument);
    CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.objective = static_cast<ALSObjective>(3)}), InvalidArgument);
    CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.block = 0}), InvalidArgument);
    const auto model = ImplicitALS::fit(log, {.factors = 2});
    CHECK_THROWS_AS((void)model.score(0, Ids{2}), InvalidArgument);
    constexpr std::size_t too_many[] = {1025, std::size_t{1} << 40, std::numeric_limits<std::size_t>::max()};
    for (const std::size_t factors : too_many) {
        CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.factors = factors}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)ImplicitALS::fit(log, {.factors = 2, .nu = 1e6F}), InvalidArgument);  // 2.2^nu
}

// A value of -1 counted as a like.
TEST_CASE("ImplicitALS: a dislike lowers the score of the item, and of items like it") {
    // Users 0 to 4 take items 0 to 2 together, users 5 to 9 items 3 to 5.
    std::vector<funnel::data::Interaction> rows;
    for (std::uint32_t user = 0; user < 10; ++user) {
        for (std::uint32_t item = 0; item < 3; ++item) {
            rows.push_back({user, item + (user < 5 ? 0U : 3U)});
        }
    }
    const auto log = funnel::data::Interactions::from_ids(rows, 10, 6);
    for (const ALSObjective objective :
         {ALSObjective::Rendle, ALSObjective::HuKorenVolinsky, ALSObjective::Confidence}) {
        const ImplicitALSOptions options{
            .factors = 2, .lambda = 0.1F, .objective = objective, .use_values = true, .alpha = 4.0F};
        const auto model = ImplicitALS::fit(log, options);
        const Ids history{0, 3};
        const auto likes = model.fold_in(history).score(Ids{0, 1, 4});
        const auto dislikes = model.fold_in(history, std::vector<float>{-3.0F, 1.0F}).score(Ids{0, 1, 4});
        CHECK(dislikes[0] < likes[0] - 0.1F);
        CHECK(dislikes[1] < likes[1] - 0.1F);
        CHECK(dislikes[2] > 0.1F);
        const auto firm = model.fold_in(history, std::vector<float>{5.0F, 1.0F}).score(Ids{0, 1, 4});
        CHECK(firm[1] > likes[1]);
    }
    // Without use_values, a dislike is only not recommended.
    const auto model = ImplicitALS::fit(log, {.factors = 2});
    const auto folded = model.fold_in(Ids{0, 3}, std::vector<float>{-3.0F, 1.0F});
    CHECK(folded.score(Ids{1, 4}) == model.fold_in(Ids{3}).score(Ids{1, 4}));
    for (const Scored<>& item : folded.recommend()) {
        CHECK((item.id != 0 && item.id != 3));
    }
    CHECK(model.fold_in(Ids{0}, std::vector<float>{-1.0F}).recommend().empty());  // nothing is known
}

// What it learned from a log that has grown stays close to what more sweeps from the start give.
TEST_CASE("ImplicitALS: update starts from the factors at hand") {
    const auto log = testing::random_log(30, 20, 0.2, 3);
    auto model = ImplicitALS::fit(log, {.factors = 4, .iterations = 3});
    const auto longer = ImplicitALS::fit(log, {.factors = 4, .iterations = 5});
    model.update(log, {.factors = 4, .iterations = 2});
    for (std::size_t user = 0; user < 30; ++user) {
        CHECK(model.recommend(user) == longer.recommend(user));  // the same sweeps, the same bits
    }

    std::vector<funnel::data::Interaction> rows(log.begin(), log.end());
    rows.push_back({31, 21});
    rows.push_back({31, 2});
    const auto grown = funnel::data::Interactions::from_ids(rows, 32, 22);
    ImplicitALS serial = model;
    serial.update(grown, {.factors = 4, .iterations = 2});
    CHECK(serial.users() == 32);
    CHECK(serial.items() == 22);
    CHECK(serial.score(31, Ids{21})[0] > 0.1F);
    CHECK(serial.recommend(30).empty());
    Threads pool(4);
    model.update(grown, {.factors = 4, .iterations = 2}, pool);
    CHECK(model.recommend(31) == serial.recommend(31));

    const auto before = model.recommend(3);
    CHECK_THROWS_AS(model.update(log, {.factors = 4}), InvalidArgument);    // fewer users
    CHECK_THROWS_AS(model.update(grown, {.factors = 5}), InvalidArgument);  // another number of factors
    CHECK_THROWS_AS(model.update(grown, {.factors = 4, .lambda = -1.0F}), InvalidArgument);
    CHECK(model.recommend(3) == before);
}

TEST_CASE("ImplicitALS: a moved-from model knows nobody, so an update learns as fit does") {
    const auto log = testing::random_log(30, 20, 0.2, 3);
    ImplicitALS model = ImplicitALS::fit(log, {.factors = 4, .iterations = 3});
    const ImplicitALS taken = std::move(model);
    model.update(log, {.factors = 4, .iterations = 3});  // NOLINT(bugprone-use-after-move): what is left is tested
    CHECK(model.recommend(4) == taken.recommend(4));
}

// It threw "MatrixView: columns_from must not go past the last column".
TEST_CASE("ImplicitALS: explains nothing to a user whose history holds only dislikes") {
    const auto log = funnel::data::Interactions::from_ids({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0, -1.0F}}, 3, 3);
    for (const ALSObjective objective : {ALSObjective::Rendle, ALSObjective::HuKorenVolinsky}) {
        const auto model = ImplicitALS::fit(log, {.factors = 4, .iterations = 2, .objective = objective});
        CHECK(model.explain(2, 1, 5).empty());
        CHECK(model.fold_in(Ids{2, 0}, std::vector<float>{-1.0F, 0.0F}).explain(1, 5).empty());
        CHECK(model.explain(0, 2, 5).size() == 2);
    }
}

// The scores of such a user were read from behind the factors.
TEST_CASE("ImplicitALS: refuses to fold in a user with another number of factors") {
    const auto model = ImplicitALS::fit(funnel::testing::log_of({{0, 1}, {1, 2}}, 3), {.factors = 4, .iterations = 1});
    using Scorer = funnel::cf::ImplicitALSScorer<>;
    using User = funnel::cf::FoldedUser<Scorer>;
    CHECK_THROWS_AS((void)model.fold_in_factors(Ids{1, 3}, std::vector<float>(2)), InvalidArgument);
    CHECK_THROWS_AS((void)model.fold_in_factors(Ids{1}, std::vector<float>(2)), InvalidArgument);
    for (const std::size_t factors : {0U, 3U, 5U}) {
        CHECK_THROWS_AS((void)User(model, {{1}, {1.0F}}, std::vector<float>(factors)), InvalidArgument);
    }
    CHECK_THROWS_AS((void)User(model, {{1}}, std::vector<float>(4)), InvalidArgument);  // without a value
    CHECK(User(model, {{1}, {1.0F}}, std::vector<float>(4)).score(std::vector<std::uint32_t>{0}) ==
          std::vector<float>{0.0F});
}
