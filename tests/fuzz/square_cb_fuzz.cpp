// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/bandits/square_cb.hpp>

namespace funnel::fuzz::square_cb_target {
namespace {

void use_square_cb(const Input& input) {
    load_and_use<bandits::SquareCB>(input, [](bandits::SquareCB& policy) {
        const std::vector<float> context(policy.dimension(), 0.5F);
        double sum = 0.0;
        for (const double p : policy.propensities(context)) {
            check(p >= 0.0 && p <= 1.0, "propensities are probabilities");
            sum += p;
        }
        check(math::abs(sum - 1.0) < 1e-9, "propensities have the sum 1");
        check(policy.select(context) < policy.arms(), "the choice is an arm");
        policy.update(policy.arms() - 1, context, 1.0F);
        policy.add_arms(1);
    });
}

std::vector<std::string> square_cb_seeds() {
    bandits::SquareCB policy(2, 3, {.forgetting = 0.9});
    policy.update(1, std::vector{1.0F, 2.0F, 3.0F}, 1.0F);
    return {saved([&](const std::string& path) { policy.save(path); })};
}

const Registered square_cb({.name = "square_cb", .run = use_square_cb, .seeds = square_cb_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::square_cb_target
