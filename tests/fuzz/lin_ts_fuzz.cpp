// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/bandits/lin_ts.hpp>

namespace funnel::fuzz::lin_ts_target {
namespace {

// A forged file may hold numbers that overflow, so estimates need not be finite; choices must be arms.
void use_lin_ts(const Input& input) {
    load_and_use<bandits::LinTS>(input, [](bandits::LinTS& policy) {
        const std::vector<float> context(policy.dimension(), 0.5F);
        check(policy.select(context) < policy.arms(), "the choice is an arm");
        policy.update(policy.arms() - 1, context, 1.0F);
        policy.add_arms(1);
        check(policy.select(context) < policy.arms(), "the choice is an arm");
        check_finite(policy.propensities(context));
    });
    load_and_use<bandits::SharedLinTS>(input, [](bandits::SharedLinTS& policy) {
        const Matrix<float> contexts = counting_matrix<float>(2, policy.dimension());
        check(policy.select(contexts) < 2, "the choice is a row");
        check_finite(policy.propensities(contexts, 3).probabilities);
        policy.update(contexts.row(0), 1.0F);
    });
}

std::vector<std::string> lin_ts_seeds() {
    bandits::LinTS policy(2, 3, {.forgetting = 0.9});
    policy.update(1, std::vector{1.0F, 2.0F, 3.0F}, 1.0F);
    bandits::SharedLinTS shared(2);
    shared.update(std::vector{1.0F, 2.0F}, 1.0F);
    return {saved([&](const std::string& path) { policy.save(path); }),
            saved([&](const std::string& path) { shared.save(path); })};
}

const Registered lin_ts({.name = "lin_ts", .run = use_lin_ts, .seeds = lin_ts_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::lin_ts_target
