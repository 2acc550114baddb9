// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/checkpoint.hpp>

#include "support/damage.hpp"
#include "support/forgery.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/ftrl.hpp>
#include <funnel/nn/schedules.hpp>
#include <funnel/nn/sgd.hpp>
#include <funnel/nn/tower.hpp>

#include <doctest/doctest.h>

#include <algorithm>
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
using funnel::Random;
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

// Rewrites numbers of one section, with right checksums.
template <class T>
Bytes forged(const Bytes& file, const std::string& section, std::size_t at, T number) {
    Forgery forgery = Forgery::of(file);
    for (Forgery::Section& each : forgery.sections) {
        const std::string name(reinterpret_cast<const char*>(each.name.data()));
        if (name == section) {
            each.bytes = with_number(each.bytes, at, number);
        }
    }
    return forgery.file();
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
    says(forged(good, "tower.parameters", 4, nan), "must be finite");
    says(forged(good, "tower.statistics", 0, nan), "must be finite");
    says(forged(good, "tower.statistics", 24, -1.0F), "variances must be >= 0");
    says(forged(good, "optimiser.state0", 0, nan), "must be finite");
    says(forged(good, "optimiser.state1", 0, -1.0F), "must be >= 0");
    says(forged(good, "optimiser.rate", 0, -1.0), "must be finite and >= 0");
    says(forged(good, "optimiser.steps", 0, std::numeric_limits<std::uint64_t>::max()), "must be smaller");
    CHECK(forged(good, "tower.statistics", 0, -1.0F) != good);
    put_bytes(path, forged(good, "tower.statistics", 0, -1.0F));
    CHECK(error_of(path, load) == "none");  // a mean may be negative
}

TEST_CASE("Tower: save and load") {
    Small tower(3);
    Adam adam(tower.parameters().size());
    train(tower, adam, {}, 2);
    const auto answers = [](const Small& of) { return numbers_of(of); };
    check_saved(tower, Small(4), answers, answers);
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
