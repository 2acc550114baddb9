// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "cuda/failures.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/embedding/cuda/two_tower.cuh>
#include <funnel/embedding/two_tower.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/columns.hpp>
#include <funnel/nn/cross_network.hpp>
#include <funnel/nn/cuda/freeze.cuh>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dice.hpp>
#include <funnel/nn/dot_interaction.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/fm_interaction.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/gated_experts.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/layer_norm.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/prelu.hpp>
#include <funnel/nn/quality_gate.hpp>
#include <funnel/nn/residual.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ratio>
#include <string>
#include <vector>

// Networks on a device beside those on the host, as part of check_device.
namespace funnel::testing {

template <class Storage>
inline constexpr bool is_byte = std::same_as<Storage, kernels::ScaledInt8>;

/// What the outputs of a frozen network and those of its tower may differ by, as nn::relative_error.
template <class Storage>
inline constexpr double storage_error = std::same_as<Storage, float>               ? 1e-5
                                        : std::same_as<Storage, kernels::Float16>  ? 2e-3
                                        : std::same_as<Storage, kernels::BFloat16> ? 2e-2
                                                                                   : 5e-2;

template <class Storage, class... Layers>
auto frozen_form(const nn::Tower<Layers...>& tower, [[maybe_unused]] MatrixView<const float> rows) {
    if constexpr (is_byte<Storage>) {
        return nn::freeze<Storage>(tower, {.rows = rows, .tolerance = storage_error<Storage>});
    } else {
        return nn::freeze<Storage>(tower);
    }
}

/// Whether `found` is `expected`, but for rounding: of the size of the largest number of its row. `exact`: the same.
[[nodiscard]] inline bool is_near(MatrixView<const float> found, MatrixView<const float> expected, bool exact) {
    bool is_same = found.rows() == expected.rows() && found.cols() == expected.cols();
    for (std::size_t i = 0; i < expected.rows() && is_same; ++i) {
        float largest = 0.0F;
        for (const float number : expected.row(i)) {
            largest = std::max(largest, std::fabs(number));
        }
        for (std::size_t j = 0; j < expected.cols(); ++j) {
            const float error = std::fabs(found(i, j) - expected(i, j));
            is_same = is_same && error <= (exact ? 0.0F : 1e-5F * (1.0F + largest));
        }
    }
    return is_same;
}

/// Compares a network on a device with the frozen one and with its tower, for 0, 1 and 130 rows. `whole`: with small
/// whole numbers, which are exact. Then bytes must be those of the host, too.
template <class System, class Storage, class... Layers>
void check_network(Failures& failures, const std::string& name, bool whole) {
    nn::Tower<Layers...> tower(7);
    Random random(3);
    for (float& x : tower.parameters()) {
        x = whole ? static_cast<float>(random.below(7)) - 3.0F : x + 0.1F * static_cast<float>(random.normal());
    }
    for (float& x : tower.statistics()) {
        x = 0.5F + static_cast<float>(random.uniform());
    }
    const auto rows = [&](std::size_t n) {
        Matrix<float> x(n, tower.in);
        for (std::size_t i = 0; i < n; ++i) {
            for (float& number : x.row(i)) {
                number = whole ? static_cast<float>(random.below(7)) - 3.0F : static_cast<float>(random.normal());
            }
        }
        return x;
    };
    const auto frozen = frozen_form<Storage>(tower, rows(50));
    const auto there = nn::to_device<System>(frozen);
    for (const std::size_t n : {0U, 1U, 130U}) {
        const std::string what = "DeviceFrozen, " + name + ", " + std::to_string(n) + " rows";
        const Matrix<float> x = rows(n);
        const Matrix<float> found = there.infer(x);
        const Matrix<float> expected = frozen.template infer<kernels::Scalar>(x);
        if (is_byte<Storage> && !whole) {  // what is rounded otherwise before a Dense layer may be another byte there
            failures.check(nn::relative_error(found, expected) <= 1e-3, what);
        } else {
            failures.check(is_near(found, expected, whole), what);
        }
        const Matrix<float> outputs = tower.template infer<kernels::Scalar>(x);
        failures.check(whole && !is_byte<Storage> ? is_near(found, outputs, true)
                                                  : nn::relative_error(found, outputs) <= storage_error<Storage>,
                       what + ": the tower");
    }
    bool is_rejected = false;
    try {
        static_cast<void>(there.infer(Matrix<float>(2, frozen.in + 1)));
    } catch (const InvalidArgument&) {
        is_rejected = true;
    }
    failures.check(is_rejected, "DeviceFrozen, " + name + ": rows of another width");
}

template <class System, class Storage>
void check_networks_of(Failures& failures, const std::string& storage) {
    using namespace nn;
    check_network<System, Storage, Dense<5, 3>>(failures, "Dense, " + storage, true);
    check_network<System, Storage, Dense<40, 70>, ReLU, Dense<70, 33>, ReLU>(failures, "two Dense, " + storage, true);
    check_network<System, Storage, Parallel<Dense<6, 35>, Sequential<Dense<6, 3>, ReLU>>, Dense<38, 1>>(
        failures, "two Dense side by side, " + storage, true);
    check_network<System, Storage, Dense<33, 64>, ReLU, BatchNorm<64>, Dropout<64>, Dense<64, 32>, L2Normalize<32>>(
        failures, "a tower, " + storage, false);
    check_network<System, Storage, BatchNorm<9>, ReLU, Dense<9, 4>, Tanh, Dense<4, 3>, Sigmoid>(
        failures, "functions, " + storage, false);
    check_network<System, Storage, Parallel<CrossNetwork<9, 2>, Sequential<Dense<9, 33>, ReLU, Dense<33, 6>>>,
                  Residual<Sequential<Dense<15, 8>, BatchNorm<8>, GELU, Dense<8, 15>>>, LayerNorm<15>, Dense<15, 1>>(
        failures, "a ranker, " + storage, false);
}

template <class System, class... Layers>
void check_layers_of(Failures& failures) {
    (check_network<System, float, Layers>(failures, nn::detail::words_of_layer<Layers>(), false), ...);
}

template <class System>
void check_layers(Failures& failures) {
    using namespace nn;
    check_layers_of<System, ReLU::bind<7>, LeakyReLU::bind<7>, Sigmoid::bind<7>, Tanh::bind<7>, Softplus::bind<7>,
                    SiLU::bind<7>, GELU::bind<7>, GELUTanh::bind<7>, PReLU<7>, PReLU<7, 7>, Dice<7>, BatchNorm<7>,
                    Dropout<7>, LayerNorm<7>, LayerNorm<33, std::ratio<1, 10>>, L2Normalize<7>>(failures);
    check_layers_of<System, CrossNetwork<5, 1>, CrossNetwork<9, 3>, FMInteraction<3, 5>, DotInteraction<4, 5>,
                    GatedExperts<5, 2, 0, 3>, GatedExperts<4, 2, 1, 2, true>, Columns<9, 2, 4>, AddUp<3, 4>,
                    Residual<Dropout<5>>, Residual<Dense<5, 5>>,
                    Residual<Sequential<Dense<5, 8>, BatchNorm<8>, ReLU, Residual<Dense<8, 8>>, Dense<8, 5>>>,
                    Parallel<Dense<5, 3>, Sequential<Columns<5, 1, 3>, Tanh>, Dropout<5>>,
                    Blocks<Dense<5, 3>, L2Normalize<4>, Sequential<Dense<3, 4>, PReLU<4>>>>(failures);
    constexpr LayerTensor last = CrossNetwork<9, 3>::tensors[5];
    failures.check(last.position == 2 && !last.is_statistic, "CrossNetwork: the names of its weights");
}

template <class System>
void check_two_tower(Failures& failures) {
    using namespace nn;
    using Net = Sequential<Dense<8, 16>, ReLU, Dense<16, 8>, L2Normalize<8>>;
    using Featured = Sequential<Dense<10, 16>, ReLU, Dense<16, 8>, L2Normalize<8>>;
    using Model = embedding::BasicTwoTower<Featured, Net, 8, kernels::Scalar>;
    std::vector<data::Interaction> rows;
    for (std::uint32_t user = 0; user < 40; ++user) {
        Random random(3, user);
        for (const std::uint32_t item : random.permutation<std::uint32_t>(10)) {
            rows.push_back({user, item + user % 2 * 10, 1.0F, static_cast<double>(rows.size())});
        }
    }
    Matrix<float> features(40, 2);
    for (std::size_t user = 0; user < 40; ++user) {
        features(user, user % 2) = 1.0F;
    }
    embedding::TwoTowerOptions options;
    options.epochs = 3;
    options.batch = 64;
    options.history = 4;
    options.user_features = features;
    const Model model = Model::fit(data::Interactions::from_ids(rows, 40, 20), options);
    const embedding::DeviceTwoTower<System, Model> there(model);
    const std::vector<std::vector<std::uint32_t>> histories{{}, {3}, {1, 2, 3, 4, 5, 6, 7}, {19, 0, 19}};
    for (const auto& history : histories) {
        const std::vector<float> of_user{0.0F, 1.0F};
        const std::vector<float> expected = model.user_vector(history, of_user);
        const std::vector<float> found = there.user_vector(history, of_user);
        bool is_close = expected.size() == found.size();
        for (std::size_t j = 0; j < expected.size() && is_close; ++j) {
            is_close = std::fabs(expected[j] - found[j]) < 1e-5F;
        }
        failures.check(is_close, "DeviceTwoTower::user_vector");
        std::vector<float> scores(model.items());
        model.score_all({{}, expected}, scores);
        for (const std::size_t k : {0U, 5U, 100U}) {
            const auto hits = there.search(history, of_user, k);
            bool is_right = hits.size() == (k < 20 ? k : 20);
            for (std::size_t i = 0; i < hits.size(); ++i) {
                is_right = is_right && std::fabs(hits[i].score - scores[hits[i].id]) < 1e-5F &&
                           (i == 0 || hits[i - 1].score >= hits[i].score);
            }
            for (std::size_t item = 0; item < 20 && !hits.empty(); ++item) {  // nobody better is missing
                bool is_listed = scores[item] <= hits.back().score + 1e-5F;
                for (const auto& hit : hits) {
                    is_listed = is_listed || hit.id == item;
                }
                is_right = is_right && is_listed;
            }
            failures.check(is_right, "DeviceTwoTower::search, k = " + std::to_string(k));
        }
    }
    int rejected = 0;
    const std::vector<std::uint32_t> unknown{20};
    for (const bool is_history : {true, false}) {
        try {
            static_cast<void>(is_history ? there.search(unknown, std::vector<float>(2), 3)
                                         : there.search({}, std::vector<float>(1), 3));
        } catch (const InvalidArgument&) {
            ++rejected;
        }
    }
    failures.check(rejected == 2, "DeviceTwoTower: unknown items and missing features");
}

template <class System>
void check_networks(Failures& failures) {
    check_networks_of<System, float>(failures, "float");
    check_networks_of<System, kernels::BFloat16>(failures, "bf16");
    check_networks_of<System, kernels::Float16>(failures, "f16");
    check_networks_of<System, kernels::ScaledInt8>(failures, "bytes");
    check_layers<System>(failures);
    check_two_tower<System>(failures);
}

}  // namespace funnel::testing
