// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/data/interactions.hpp>
#include <funnel/embedding/two_tower_trainer.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

#include <filesystem>
#include <string>
#include <vector>

namespace funnel::fuzz::two_tower_run_target {
namespace {

using Network = nn::Sequential<nn::Dense<4, 3>, nn::L2Normalize<3>>;
using Trainer = embedding::TwoTowerTrainer<Network, Network, 4>;

data::Interactions small_log() {
    return data::Interactions::from_ids({{0, 0, 1, 1}, {0, 1, 1, 2}, {1, 1, 1, 3}, {1, 2, 1, 4}, {1, 0, 1, 5}}, 3, 4);
}

const Registered two_tower_run({
    .name = "two_tower_run",
    .run =
        [](const Input& input) {
            attempt([&] {
                Trainer trainer(small_log(), {});
                trainer.restore(input.path);
                check_finite(trainer.weights().user.parameters());
                check_finite(trainer.weights().item.parameters());
                const std::string path = scratch_path(1);
                trainer.save(path);
                const std::string first = contents_of(path);
                trainer.restore(path);
                trainer.save(path);
                check(contents_of(path) == first, "what was written is read as it was");
                std::filesystem::remove(path);
                static_cast<void>(trainer.epoch());
            });
        },
    .seeds =
        [] {
            Trainer trainer(small_log(), {});
            const std::string start = saved([&](const std::string& path) { trainer.save(path); });
            static_cast<void>(trainer.epoch());
            return std::vector<std::string>{start, saved([&](const std::string& path) { trainer.save(path); })};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::two_tower_run_target
