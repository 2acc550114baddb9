// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/bandits/logged_decision.hpp>

namespace funnel::fuzz::logged_decisions_target {
namespace {

const Registered logged_decisions({
    .name = "logged_decisions",
    .run =
        [](const Input& input) {
            attempt([&] {
                check_round_trip(
                    bandits::load_decisions(input.path),
                    [](const std::string& path) { return bandits::load_decisions(path); },
                    [](const std::string& path, const auto& decisions) { bandits::save_decisions(path, decisions); });
            });
        },
    .seeds =
        [] {
            const std::vector<bandits::LoggedDecision> decisions{{.context = 1, .arm = 2, .propensity = 0.5}};
            return std::vector{saved([&](const std::string& path) { bandits::save_decisions(path, decisions); })};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::logged_decisions_target
