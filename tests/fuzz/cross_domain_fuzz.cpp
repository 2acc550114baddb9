// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/data/interactions.hpp>
#include <funnel/embedding/cross_domain.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace funnel::fuzz::cross_domain_target {
namespace {

using Network = nn::Sequential<nn::Dense<4, 3>, nn::L2Normalize<3>>;
using Model = embedding::BasicCrossDomain<4, kernels::DefaultBackend, Network, Network, Network>;

void load_and_use_vectors(const Input& input) {
    load_and_use<Model>(input, [](const Model& model) {
        std::vector<embedding::DomainItem> history;
        for (std::size_t d = 0; d < 2; ++d) {
            for (std::size_t i = 0; i < model.item_factors(d).rows(); ++i) {
                check_finite(model.item_factors(d).row(i));
                history.push_back({.domain = d, .item = static_cast<std::uint32_t>(i)});
            }
        }
        for (std::size_t i = 0; i < model.user_factors().rows(); ++i) {
            check_finite(model.user_factors().row(i));
        }
        check_finite(model.user_vector(history));
    });
}

std::vector<std::string> seeds() {
    const std::vector<data::Interaction> rows{{.user = 0, .item = 0, .time = 1.0}, {.user = 0, .item = 1, .time = 2.0}};
    const std::array<data::Interactions, 2> logs{data::Interactions::from_ids(rows, 2, 2),
                                                 data::Interactions::from_ids(rows, 2, 3)};
    return {saved([&](const std::string& path) { Model::fit(logs, {.training = {.epochs = 1}}).save(path); })};
}

const Registered cross_domain({
    .name = "cross_domain",
    .run = load_and_use_vectors,
    .seeds = seeds,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::cross_domain_target
