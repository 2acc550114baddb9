// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/checkpoint.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/tower.hpp>

#include <string>
#include <vector>

namespace funnel::fuzz::tower_target {
namespace {

using Network = nn::Tower<nn::Dense<2, 3>, nn::ReLU, nn::BatchNorm<3>, nn::Dense<3, 1>>;

const Registered tower({
    .name = "tower",
    .run =
        [](const Input& input) {
            attempt([&] {
                const Network loaded = Network::load(input.path);
                check_finite(loaded.parameters());
                check(loaded.has_valid_variances(), "variances are >= 0");
                static_cast<void>(loaded.infer(counting_matrix<float>(3, 2)));
                check_round_trip(loaded, Network::load,
                                 [](const std::string& path, const Network& of) { of.save(path); });
            });
            attempt([&] {
                Network network;
                nn::Adam adam(network.parameters().size());
                const nn::TrainingState state = nn::load_checkpoint(input.path, network, adam);
                check_finite(network.parameters());
                check_finite(adam.state(0));
                const std::string path = scratch_path(1);
                nn::save_checkpoint(path, network, adam, state);
                const std::string first = contents_of(path);
                check(nn::load_checkpoint(path, network, adam) == state, "what was written is read as it was");
                nn::save_checkpoint(path, network, adam, state);
                check(contents_of(path) == first, "what was written is read as it was");
                std::filesystem::remove(path);
            });
            attempt([&] {
                Network network;
                nn::Adam adam(network.parameters().size());
                Matrix<float> rows(3, 2);
                nn::RowAdagrad adagrad(3, 2);
                const nn::TrainedTable table{rows.view(), adagrad};
                static_cast<void>(nn::load_checkpoint(input.path, network, adam, table));
                for (std::size_t i = 0; i < 3; ++i) {
                    check_finite(rows.row(i));
                }
                check_finite(adagrad.state(0).row(0));
            });
        },
    .seeds =
        [] {
            const Network network;
            const nn::Adam adam(network.parameters().size());
            return std::vector<std::string>{
                saved([&](const std::string& path) { network.save(path); }),
                saved([&](const std::string& path) { nn::save_checkpoint(path, network, adam, {.step = 3}); }),
                saved([&](const std::string& path) {
                    Matrix<float> rows(3, 2);
                    nn::RowAdagrad adagrad(3, 2);
                    nn::save_checkpoint(path, network, adam, {.step = 3}, nn::TrainedTable{rows.view(), adagrad});
                })};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::tower_target
