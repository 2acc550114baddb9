// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "support/saved_contract.hpp"

#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace {

enum class Defect : std::uint8_t { None, ForgetsBias, CountsSaves, TrustsCount, AnyError, NeedsWeights };

Defect defect = Defect::None;
std::uint64_t saves = 0;

// The least that can be saved. It has at most one defect, of which there is one at a time.
struct Toy {
    float bias;
    std::vector<float> weights;

    void save(const std::string& path) const {
        funnel::io::ContainerWriter file("tests.Toy", 1);
        file.value("bias", bias);
        file.value("count", std::uint64_t{weights.size()} + (defect == Defect::CountsSaves ? ++saves : 0));
        file.array("weights", weights);
        file.save(path);
    }

    static Toy load(const std::string& path) {
        if (defect == Defect::AnyError) {
            try {
                return load_unharmed(path);
            } catch (const funnel::CorruptData&) {
                return Toy{0.0F, {}};
            }
        }
        return load_unharmed(path);
    }

private:
    static Toy load_unharmed(const std::string& path) {
        const funnel::io::ContainerReader file(path, "tests.Toy", 1);
        Toy toy{file.value<float>("bias"), file.array<float>("weights")};
        const auto count = file.value<std::uint64_t>("count");
        if (defect == Defect::TrustsCount) {
            toy.weights.resize(static_cast<std::size_t>(std::min(count, std::uint64_t{1} << 22)));  // 16 MB
        } else if (defect != Defect::CountsSaves) {
            file.check(count == toy.weights.size(), "count", "must be the number of weights");
        }
        file.check(defect != Defect::NeedsWeights || count > 0, "count", "must be at least 1");
        if (defect == Defect::ForgetsBias) {
            toy.bias = 0.0F;
        }
        return toy;
    }
};

void check_toy(Defect its_defect) {
    defect = its_defect;
    const auto answers = [](const Toy& toy) { return std::pair(toy.bias, toy.weights); };
    funnel::testing::check_saved(Toy{0.5F, {1.0F, 2.0F}}, Toy{1.5F, {3.0F}}, answers, answers,
                                 {.bit_flips = 20, .truncations = 2});
}

}  // namespace

TEST_CASE("saved contract: passes for a sound class") {
    check_toy(Defect::None);
}

TEST_CASE("saved contract: fails where a member is not loaded" * doctest::should_fail()) {
    check_toy(Defect::ForgetsBias);
}

TEST_CASE("saved contract: fails where the same object saves other bytes" * doctest::should_fail()) {
    check_toy(Defect::CountsSaves);
}

TEST_CASE("saved contract: fails where a file is believed to hold what it claims" *
          doctest::should_fail(funnel::testing::allocations_are_counted)) {
    check_toy(Defect::TrustsCount);
}

TEST_CASE("saved contract: fails where something is made of a corrupt file" * doctest::should_fail()) {
    check_toy(Defect::AnyError);
}

TEST_CASE("saved contract: fails where a moved-from object saves a file that load() rejects" * doctest::should_fail()) {
    check_toy(Defect::NeedsWeights);
}
