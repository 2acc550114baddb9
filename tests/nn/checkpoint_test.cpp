// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/checkpoint.hpp>

#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/ftrl.hpp>
#include <funnel/nn/row_optimiser.hpp>
#include <funnel/nn/schedules.hpp>
#include <funnel/nn/sgd.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/nn/tower.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::kernels::Scalar;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

using Small = Tower<Dense<4, 6>, ReLU, BatchNorm<6>, Dropout<6>, Dense<6, 2>>;

// Steps `begin` to `end` of a training whose rows are drawn from seed and step.
template <class Optimiser>
void train(Small& tower, Optimiser& optimiser, const TrainingState& from, std::uint64_t end) {
    Small::Pass pass(16);
    const WarmUpCosine schedule(0.05, 5, 40);
    for (std::uint64_t step = from.step; step < end; ++step) {
        Random random(from.seed, step);
        Matrix<float> x(16, 4);
        for (std::size_t i = 0; i < 16; ++i) {
            for (float& number : x.row(i)) {
                number = static_cast<float>(random.normal());
            }
        }
        const auto y = tower.forward(x, {.seed = from.seed, .number = step}, pass);
        Matrix<float> dy(16, 2);
        for (std::size_t i = 0; i < 16; ++i) {
            dy(i, 0) = (y(i, 0) - x(i, 0)) / 16.0F;
            dy(i, 1) = (y(i, 1) + x(i, 2) * x(i, 3)) / 16.0F;
        }
        std::vector<float> gradient(tower.parameters().size());
        tower.backward(x, dy, pass, gradient);
        optimiser.set_learning_rate(schedule(step + 1));
        optimiser.step(tower.parameters(), gradient);
    }
}

std::vector<float> numbers_of(const Small& tower) {
    std::vector<float> all(tower.parameters().begin(), tower.parameters().end());
    all.insert(all.end(), tower.statistics().begin(), tower.statistics().end());
    return all;
}

}  // namespace

TEST_CASE("checkpoint: resumed training gives the bits of uninterrupted training") {
    const auto check_resumed = [](auto make) {
        Small whole(3);
        auto optimiser = make(whole.parameters().size());
        train(whole, optimiser, {.step = 0, .seed = 8}, 30);
        const TempDir dir;
        const std::string path = dir / "training.fnl";
        {
            Small first(3);
            auto part = make(first.parameters().size());
            train(first, part, {.step = 0, .seed = 8}, 12);
            save_checkpoint(path, first, part, {.step = 12, .seed = 8});
        }
        Small resumed(99);
        auto part = make(resumed.parameters().size());
        const TrainingState state = load_checkpoint(path, resumed, part);
        CHECK(state == TrainingState{.step = 12, .seed = 8});
        CHECK(part.steps() == 12);
        CHECK(numbers_of(resumed) != numbers_of(whole));
        train(resumed, part, state, 30);
        CHECK(numbers_of(resumed) == numbers_of(whole));
        CHECK(part.learning_rate() == optimiser.learning_rate());
    };
    check_resumed([](std::size_t n) { return Adam(n); });
    check_resumed([](std::size_t n) { return AdamW(n, {.weight_decay = 0.1}); });
    check_resumed([](std::size_t n) { return Adagrad(n); });
    check_resumed([](std::size_t n) { return SGD(n, {.momentum = 0.9, .nesterov = true}); });
    check_resumed([](std::size_t n) { return FTRL(n, {.l1 = 1e-4}); });
}

TEST_CASE("checkpoint: one whose schedule has reached a rate of 0 loads into an optimiser at 0") {
    const TempDir dir;
    Small tower(3);
    Adam adam(tower.parameters().size());
    adam.set_learning_rate(0.0);
    save_checkpoint(dir / "a.fnl", tower, adam, {.step = 40});
    CHECK(load_checkpoint(dir / "a.fnl", tower, adam).step == 40);
    CHECK(adam.learning_rate() == 0.0);
}

TEST_CASE("checkpoint: another tower, optimiser or size is rejected, and nothing changes") {
    const TempDir dir;
    const std::string path = dir / "a.fnl";
    Small tower(3);
    Adam adam(tower.parameters().size());
    train(tower, adam, {}, 2);
    save_checkpoint(path, tower, adam, {.step = 2});

    using Other = Tower<Dense<4, 5>, Tanh, Dense<5, 2>>;
    Other other;
    Adam other_adam(other.parameters().size());
    CHECK_THROWS_WITH_AS(load_checkpoint(path, other, other_adam),
                         doctest::Contains("expected [Dense 4 -> 5, Tanh 5 -> 5, Dense 5 -> 2], found [Dense 4 -> 6, "
                                           "ReLU 6 -> 6, BatchNorm 6 -> 6, Dropout 6 -> 6, Dense 6 -> 2]"),
                         CorruptData);
    SGD sgd(tower.parameters().size());
    const std::vector<float> before = numbers_of(tower);
    CHECK_THROWS_WITH_AS(load_checkpoint(path, tower, sgd), doctest::Contains("must be SGD"), CorruptData);
    CHECK(numbers_of(tower) == before);
    CHECK(sgd.steps() == 0);
    CHECK_THROWS_AS(save_checkpoint(path, tower, Adam(3), {}), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(Small::load(path)), CorruptData);  // a checkpoint is no tower
}

TEST_CASE("checkpoint: damaged and forged files are rejected, and nothing changes") {
    const TempDir dir;
    const std::string path = dir / "a.fnl";
    Small tower(3);
    Adam adam(tower.parameters().size());
    train(tower, adam, {}, 2);
    save_checkpoint(path, tower, adam, {.step = 2});
    const Bytes good = bytes_of(path);
    Small target(5);
    Adam target_adam(target.parameters().size());
    const std::vector<float> before = numbers_of(target);
    const auto load = [&](const std::string& from) {
        Small loaded = target;
        Adam loaded_adam = target_adam;
        try {
            static_cast<void>(load_checkpoint(from, loaded, loaded_adam));
        } catch (...) {
            CHECK(numbers_of(loaded) == before);
            CHECK(loaded_adam.steps() == 0);
            throw;
        }
        return numbers_of(loaded);
    };
    CHECK(check_damage(good, load, {.head = 1024, .bit_flips = 8'000}).cases >= 10'000);

    const auto says = [&](const Bytes& file, const char* message) {
        put_bytes(path, file);
        CHECK(error_of(path, load).find(message) != std::string::npos);
    };
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    says(with_section_number(good, "tower.parameters", 4, nan), "must be finite");
    says(with_section_number(good, "tower.statistics", 0, nan), "must be finite");
    says(with_section_number(good, "tower.statistics", 24, -1.0F), "variances must be >= 0");
    says(with_section_number(good, "optimiser.state0", 0, nan), "must be finite");
    says(with_section_number(good, "optimiser.state1", 0, -1.0F), "must be >= 0");
    says(with_section_number(good, "optimiser.rate", 0, -1.0), "must be finite and >= 0");
    says(with_section_number(good, "optimiser.steps", 0, std::numeric_limits<std::uint64_t>::max()), "must be smaller");
    CHECK(with_section_number(good, "tower.statistics", 0, -1.0F) != good);
    put_bytes(path, with_section_number(good, "tower.statistics", 0, -1.0F));
    CHECK(error_of(path, load) == "none");  // a mean may be negative
}

namespace {

// A tower whose rows are bags of two tables of embeddings, with sparse gradients.
template <class First, class Second>
struct SparseTraining {
    Small tower;
    Adam adam;
    Matrix<float> users;
    Matrix<float> items;
    First of_users;
    Second of_items;
    TrainingState state{.step = 0, .seed = 5};

    explicit SparseTraining(std::uint64_t seed)
        : tower(seed), adam(tower.parameters().size()), users(30, 2), items(20, 2), of_users(30, 2), of_items(20, 2) {
        Random random(seed);
        for (std::size_t i = 0; i < 30; ++i) {
            users(i, 0) = static_cast<float>(random.normal());
            items(i % 20, 1) = static_cast<float>(random.normal());
        }
    }

    void train(std::uint64_t end) {
        Small::Pass pass(8);
        SparseGradient<float> gradient_of_users;
        SparseGradient<float> gradient_of_items;
        for (; state.step < end; ++state.step) {
            Random random(state.seed, state.step);
            std::vector<std::uint32_t> user_ids;
            std::vector<std::uint32_t> item_ids;
            std::vector<std::size_t> starts{0};
            for (std::size_t i = 0; i < 8; ++i) {
                for (std::uint64_t j = random.below(4); j > 0; --j) {
                    user_ids.push_back(static_cast<std::uint32_t>(random.below(30)));
                    item_ids.push_back(static_cast<std::uint32_t>(random.below(20)));
                }
                starts.push_back(user_ids.size());
            }
            Matrix<float> x(8, 4);
            Matrix<float> dx(8, 4);
            const Bags user_bags{.ids = user_ids, .starts = starts};
            const Bags item_bags{.ids = item_ids, .starts = starts};
            pool_bags<Scalar, float>(users, user_bags, Pooling::Sum, x.view().columns_from(0, 2));
            pool_bags<Scalar, float>(items, item_bags, Pooling::Mean, x.view().columns_from(2, 2));
            const auto y = tower.forward<Scalar>(x, {.seed = state.seed, .number = state.step}, pass);
            Matrix<float> dy(8, 2);
            for (std::size_t i = 0; i < 8; ++i) {
                dy(i, 0) = y(i, 0) - 1.0F;
                dy(i, 1) = y(i, 1) + x(i, 0);
            }
            std::vector<float> gradient(tower.parameters().size());
            tower.backward<Scalar>(x, dy, pass, gradient, dx.view());
            pool_bags_gradient<Scalar, float>(user_bags, Pooling::Sum, dx.view().columns_from(0, 2), gradient_of_users);
            pool_bags_gradient<Scalar, float>(item_bags, Pooling::Mean, dx.view().columns_from(2, 2),
                                              gradient_of_items);
            adam.step(tower.parameters(), gradient);
            of_users.set_learning_rate(0.1 / static_cast<double>(state.step + 1));
            of_users.step(users.view(), gradient_of_users);
            of_items.step(items.view(), gradient_of_items);
        }
    }

    // A hash of all numbers.
    [[nodiscard]] std::uint64_t hash() const {
        std::uint64_t all = 0;
        const auto add = [&](std::span<const float> numbers) {
            for (const float x : numbers) {
                all = funnel::detail::hash_word(all, std::bit_cast<std::uint32_t>(x));
            }
        };
        add(numbers_of(tower));
        add(adam.state(0));
        add(adam.state(1));
        for (const MatrixView<const float> rows : {users.view(), items.view(), of_users.state(0), of_items.state(0)}) {
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                add(rows.row(i));
            }
        }
        return funnel::detail::hash_word(all, of_users.steps() + 1000 * of_items.steps());
    }

    void save(const std::string& path) {
        save_checkpoint(path, tower, adam, state, TrainedTable{users.view(), of_users},
                        TrainedTable{items.view(), of_items});
    }
    void load(const std::string& path) {
        state = load_checkpoint(path, tower, adam, TrainedTable{users.view(), of_users},
                                TrainedTable{items.view(), of_items});
    }
};

}  // namespace

TEST_CASE_TEMPLATE("checkpoint: resumed training of tables with sparse gradients gives the same hash", Training,
                   SparseTraining<LazyAdam, RowAdagrad>, SparseTraining<RowAdagrad, RowOptimiser<FTRLRule>>,
                   SparseTraining<RowOptimiser<SGDRule>, LazyAdam>) {
    const TempDir dir;
    Training whole(3);
    whole.train(40);
    Training first(3);
    first.train(17);
    first.save(dir / "a.fnl");
    Training resumed(99);
    resumed.train(2);
    resumed.load(dir / "a.fnl");
    CHECK(resumed.hash() == first.hash());
    CHECK(resumed.of_users.steps() == 17);
    CHECK(resumed.of_users.learning_rate() == first.of_users.learning_rate());
    resumed.train(40);
    CHECK(resumed.hash() == whole.hash());
    // Without the state of a table it would not be the same.
    Training without(99);
    without.load(dir / "a.fnl");
    without.of_users = Training(3).of_users;
    without.train(40);
    CHECK(without.hash() != whole.hash());
}

TEST_CASE("checkpoint: tables of other shapes, rules and numbers are rejected, and nothing changes") {
    using Training = SparseTraining<LazyAdam, RowAdagrad>;
    const TempDir dir;
    const std::string path = dir / "a.fnl";
    Training training(3);
    training.train(5);
    training.save(path);
    const Bytes good = bytes_of(path);
    Training target(4);
    const std::uint64_t before = target.hash();
    const auto says = [&](const auto& load, const char* message) {
        CHECK_THROWS_WITH_AS(load(), doctest::Contains(message), CorruptData);
        CHECK(target.hash() == before);
    };
    says([&] { load_checkpoint(path, target.tower, target.adam); }, "must be 0");
    says([&] { load_checkpoint(path, target.tower, target.adam, TrainedTable{target.users.view(), target.of_users}); },
         "must be 1");
    says(
        [&] {
            load_checkpoint(path, target.tower, target.adam, TrainedTable{target.items.view(), target.of_items},
                            TrainedTable{target.users.view(), target.of_users});
        },
        "table0");
    SparseTraining<RowAdagrad, LazyAdam> others(4);
    CHECK_THROWS_WITH_AS(others.load(path), doctest::Contains("must be RowAdagrad"), CorruptData);
    const auto load = [&](const std::string& from) {
        Training loaded(4);
        try {
            loaded.load(from);
        } catch (...) {
            CHECK(loaded.hash() == before);
            throw;
        }
        return loaded.hash();
    };
    check_damage(good, load, {.head = 64});
    const auto forgery_says = [&](const char* section, float number, const char* message) {
        put_bytes(path, with_section_number(good, section, 4, number));
        CHECK(error_of(path, load).find(message) != std::string::npos);
    };
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    forgery_says("table0", nan, "must be finite");
    forgery_says("table1", nan, "must be finite");
    forgery_says("table0.optimiser.state0", nan, "must be finite");
    forgery_says("table0.optimiser.state1", -1.0F, "must be >= 0");
    forgery_says("table1.optimiser.state0", -1.0F, "must be >= 0");
    forgery_says("table1.optimiser.state0", nan, "must be finite");
    LazyAdam wrong(29, 2);
    CHECK_THROWS_AS(
        save_checkpoint(path, training.tower, training.adam, {}, TrainedTable{training.users.view(), wrong}),
        InvalidArgument);
}

TEST_CASE("Tower: save and load") {
    Small tower(3);
    Adam adam(tower.parameters().size());
    train(tower, adam, {}, 2);
    const auto answers = [](const Small& of) { return numbers_of(of); };
    check_saved(tower, Small(4), answers, answers);
}

TEST_CASE("Tower: a moved-from tower has no parameters, and says so where it read what was not there") {
    Small tower(3);
    const Matrix<float> x(2, Small::in);
    const Small taken = std::move(tower);
    CHECK(taken.infer(x).rows() == 2);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK_THROWS_AS(static_cast<void>(tower.infer(x)), InvalidArgument);
    Small::Pass pass(2);
    CHECK_THROWS_AS(tower.forward(x, {}, pass), InvalidArgument);
    tower = taken;
    // NOLINTEND(bugprone-use-after-move)
    CHECK(numbers_of(tower) == numbers_of(taken));
}

TEST_CASE("Tower: another tower is rejected, with both lists of layers") {
    const TempDir dir;
    Tower<Dense<4, 6>, ReLU, Dense<6, 2>>().save(dir / "a.fnl");
    using Other = Tower<Dense<4, 6>, Tanh, Dense<6, 2>>;
    CHECK_THROWS_WITH_AS(static_cast<void>(Other::load(dir / "a.fnl")),
                         doctest::Contains("expected [Dense 4 -> 6, Tanh 6 -> 6, Dense 6 -> 2], found [Dense 4 -> 6, "
                                           "ReLU 6 -> 6, Dense 6 -> 2]"),
                         CorruptData);
}
