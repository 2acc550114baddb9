// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/embedding/two_tower.hpp>
#include <funnel/kernels/cuda/gemv.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/cuda/top_k.cuh>
#include <funnel/nn/cuda/freeze.cuh>
#include <funnel/nn/freeze.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <thrust/tabulate.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

namespace detail {

/// The input of the network of a user: the mean of the embeddings of some items, then features.
struct UserInputThere {
    const float* embeddings;
    const std::uint32_t* items;
    const float* features;
    std::size_t n_items;
    std::size_t width;

    FUNNEL_HOST_DEVICE float operator()(std::size_t j) const noexcept {
        if (j >= width) {
            return features[j - width];
        }
        float sum = 0.0F;
        for (std::size_t i = 0; i < n_items; ++i) {
            sum += embeddings[items[i] * width + j];
        }
        return n_items == 0 ? 0.0F : sum / static_cast<float>(n_items);
    }
};

}  // namespace detail

/// The serving part of a TwoTower model in device memory: the network of users, embeddings and item vectors. A request
/// is one pass of the network, a product with all item vectors, and a sort.
///
///     const auto there = embedding::DeviceTwoTower<kernels::CudaSystem, TwoTower<>>(model);
///     const auto hits = there.search(history, {}, 100);
///
/// Cost      making it: copies of the weights;  search: O(network + items x dimension + sort) on the device
template <class System, class Model>
class DeviceTwoTower {
public:
    explicit DeviceTwoTower(const Model& model)
        : user_(nn::freeze(model.user_tower())),
          histories_(kernels::packed(model.history_embeddings())),
          items_(kernels::packed(model.item_factors())),
          count_(model.items()),
          history_(model.history_length()) {}

    /// The vector of a user, as user_vector of the model.
    ///
    /// Errors    InvalidArgument if an item is unknown, or there are too few or too many features
    [[nodiscard]] std::vector<float> user_vector(std::span<const std::uint32_t> history,
                                                 std::span<const float> features = {}) const {
        const auto there = vector_there(history, features);
        std::vector<float> vector(there.size());
        there.copy_to(vector);
        return vector;
    }

    /// The k items with the highest scores for a user with this history and these features, best first; ties go to the
    /// smaller id. Items of the history may be among them.
    ///
    /// Errors    as user_vector
    [[nodiscard]] std::vector<Scored<>> search(std::span<const std::uint32_t> history, std::span<const float> features,
                                               std::size_t k) const {
        const auto vector = vector_there(history, features);
        kernels::DeviceBuffer<float, System> scores(count_);
        kernels::gemv(kernels::Device<System>{}, {items_.span().data, count_, Model::dimension}, vector.span(),
                      scores.span());
        std::vector<Scored<>> best(std::min(k, count_));
        const kernels::DeviceSpan<const float> all{scores.span().data, count_};
        const std::size_t found = kernels::top_k(kernels::Device<System>{}, all, {}, std::span<Scored<>>(best)).size();
        best.resize(found);
        return best;
    }

private:
    static constexpr std::size_t width = Model::width;
    using User = nn::DeviceFrozen<System, decltype(nn::freeze(std::declval<const Model&>().user_tower()))>;

    [[nodiscard]] kernels::DeviceBuffer<float, System> vector_there(std::span<const std::uint32_t> history,
                                                                    std::span<const float> features) const {
        for (const std::uint32_t item : history) {
            require_below(item, count_, "DeviceTwoTower: item of the history");
        }
        require_equal(features.size(), User::in - width, "DeviceTwoTower: number of features");
        const auto last = history.last(std::min<std::size_t>(history.size(), history_));
        const kernels::DeviceBuffer<std::uint32_t, System> items{last};
        const kernels::DeviceBuffer<float, System> features_there{features};
        kernels::DeviceBuffer<float, System> row(User::in);
        thrust::tabulate(System::policy(), row.span().begin(), row.span().end(),
                         detail::UserInputThere{histories_.span().data, items.span().data, features_there.span().data,
                                                last.size(), width});
        kernels::DeviceBuffer<float, System> vector(User::out);
        user_.infer({row.span().data, 1, User::in}, vector.span());
        return vector;
    }

    User user_;
    kernels::DeviceBuffer<float, System> histories_;
    kernels::DeviceBuffer<float, System> items_;
    std::size_t count_;
    std::uint64_t history_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
