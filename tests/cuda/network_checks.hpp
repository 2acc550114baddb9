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
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/cuda/freeze.cuh>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// Networks on a device beside those on the host, as part of check_device.
namespace funnel::testing {

/// Compares a frozen network with its copy on a device, for 0, 1 and 130 rows. `whole`: with small whole numbers, which
/// are exact.
template <class System, class Storage, class... Layers>
void check_network(Failures& failures, const std::string& name, bool whole) {
    nn::Tower<Layers...> tower(7);
    Random random(3);
    if (whole) {
        for (float& x : tower.parameters()) {
            x = static_cast<float>(random.below(7)) - 3.0F;
        }
    }
    for (float& x : tower.statistics()) {
        x = 0.5F + static_cast<float>(random.uniform());
    }
    const auto frozen = nn::freeze<Storage>(tower);
    const auto there = nn::to_device<System>(frozen);
    for (const std::size_t n : {0U, 1U, 130U}) {
        Matrix<float> x(n, frozen.in);
        for (std::size_t i = 0; i < n; ++i) {
            for (float& number : x.row(i)) {
                number = whole ? static_cast<float>(random.below(7)) - 3.0F : static_cast<float>(random.normal());
            }
        }
        const Matrix<float> expected = frozen.template infer<kernels::Scalar>(x);
        const Matrix<float> found = there.infer(x);
        bool is_same = found.rows() == n && found.cols() == frozen.out;
        for (std::size_t i = 0; i < n && is_same; ++i) {
            for (std::size_t j = 0; j < frozen.out; ++j) {
                const float error = std::fabs(found(i, j) - expected(i, j));
                is_same = is_same && error <= (whole ? 0.0F : 1e-5F * (1.0F + std::fabs(expected(i, j))));
            }
        }
        failures.check(is_same, "DeviceFrozen, " + name + ", " + std::to_string(n) + " rows");
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
    check_network<System, Storage, Dense<33, 64>, ReLU, BatchNorm<64>, Dropout<64>, Dense<64, 32>, L2Normalize<32>>(
        failures, "a tower, " + storage, false);
    check_network<System, Storage, BatchNorm<9>, ReLU, Dense<9, 4>, Tanh, Dense<4, 3>, Sigmoid>(
        failures, "functions, " + storage, false);
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
    check_two_tower<System>(failures);
}

}  // namespace funnel::testing
