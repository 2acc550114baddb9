// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace funnel::testing {

/// A simulated world: the reward of an arm is a linear function of the context plus noise.
class LinearWorld {
public:
    LinearWorld(std::size_t arms, std::size_t dimension, std::uint64_t seed) : seed_(seed), dimension_(dimension) {
        for (std::size_t arm = 0; arm < arms; ++arm) {
            thetas_.push_back(normals_of(Random(seed, 1000 + arm)));
        }
    }

    [[nodiscard]] std::vector<float> context(std::uint64_t step) const {
        return normals_of(Random(seed_, 1'000'000 + step));
    }
    [[nodiscard]] double mean(std::size_t arm, const std::vector<float>& context) const {
        double sum = 0.0;
        for (std::size_t j = 0; j < dimension_; ++j) {
            sum += static_cast<double>(thetas_[arm][j]) * static_cast<double>(context[j]);
        }
        return sum;
    }
    [[nodiscard]] float reward(std::size_t arm, const std::vector<float>& context, std::uint64_t step) const {
        return static_cast<float>(mean(arm, context) + 0.3 * Random(seed_, 5'000'000 + step).normal());
    }
    [[nodiscard]] std::size_t best(const std::vector<float>& context) const {
        std::size_t best = 0;
        for (std::size_t arm = 1; arm < thetas_.size(); ++arm) {
            best = mean(arm, context) > mean(best, context) ? arm : best;
        }
        return best;
    }

private:
    [[nodiscard]] std::vector<float> normals_of(Random random) const {
        std::vector<float> x(dimension_);
        for (float& element : x) {
            element = static_cast<float>(random.normal());
        }
        return x;
    }

    std::uint64_t seed_;
    std::size_t dimension_;
    std::vector<std::vector<float>> thetas_;
};

/// Lets a policy choose and learn; returns the share of the best arms among the last half of its choices.
template <class Policy>
double share_of_best(Policy& policy, const LinearWorld& world, std::size_t steps) {
    std::size_t found = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        const auto context = world.context(step);
        const std::size_t arm = policy.select(context);
        policy.update(arm, context, world.reward(arm, context, step));
        found += step >= steps / 2 && arm == world.best(context) ? 1 : 0;
    }
    return static_cast<double>(found) / static_cast<double>(steps - steps / 2);
}

/// In how many of the steps two policies choose different arms. Both learn the reward of the choice of the first.
///
/// Backends round differently: by about 1e-6 of what they compare. The two best of ten arms are about as far apart as 1,
/// so about one choice in 10^6 may differ.
template <class Policy, class Other>
std::size_t differing_choices(Policy& policy, Other& other, const LinearWorld& world, std::size_t steps) {
    std::size_t differing = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        const auto x = world.context(step);
        const std::size_t arm = policy.select(x);
        differing += other.select(x) == arm ? 0U : 1U;
        const float reward = world.reward(arm, x, step);
        policy.update(arm, x, reward);
        other.update(arm, x, reward);
    }
    return differing;
}

/// As differing_choices, for policies with one model: they choose among ten contexts.
template <class Policy, class Other>
std::size_t differing_rows(Policy& policy, Other& other, const LinearWorld& world, std::size_t steps) {
    std::size_t differing = 0;
    for (std::size_t step = 0; step < steps; ++step) {
        Matrix<float> rows(10, policy.dimension());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const auto x = world.context(10 * step + i);
            std::copy(x.begin(), x.end(), rows.row(i).begin());
        }
        const std::size_t row = policy.select(rows);
        differing += other.select(rows) == row ? 0U : 1U;
        const float reward = world.reward(0, world.context(10 * step + row), step);
        policy.update(rows.row(row), reward);
        other.update(rows.row(row), reward);
    }
    return differing;
}

}  // namespace funnel::testing
