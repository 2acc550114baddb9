// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/prefetch.hpp>
#include <funnel/kernels/add_rows.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/sparse_gradient.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Bags of ids, such as the histories of a batch of users: bag b holds ids[starts[b]] .. ids[starts[b + 1] - 1].
struct Bags {
    std::span<const std::uint32_t> ids;
    std::span<const std::size_t> starts;  ///< ascending from 0 to ids.size(), one more than there are bags
    std::span<const float> weights{};     ///< one per id; empty: all are 1

    [[nodiscard]] std::size_t size() const noexcept { return starts.empty() ? 0 : starts.size() - 1; }
};

enum class Pooling {
    Sum,   ///< the sum of the rows of a bag, each times its weight
    Mean,  ///< that sum over the number of ids (not over the sum of the weights)
};

namespace detail {

inline void require_bags(const Bags& bags, std::size_t rows, const char* function) {
    require_size(bags.weights.empty() ? bags.ids.size() : bags.weights.size(), bags.ids.size(), function,
                 "number of weights");
    const std::size_t last = bags.starts.empty() ? 0 : bags.starts.back();
    require_size(last, bags.ids.size(), function, "last start of bags");
    require(bags.starts.empty() || bags.starts.front() == 0, "pool_bags: the first start of bags must be 0");
    require(std::is_sorted(bags.starts.begin(), bags.starts.end()), "pool_bags: starts of bags must be ascending");
    std::uint32_t largest = 0;  // compilers make vectors of this loop, but not of one that may end early
    for (const std::uint32_t id : bags.ids) {
        largest = std::max(largest, id);
    }
    if (!bags.ids.empty()) {
        require_below(largest, rows, "pool_bags: id of a bag");
    }
}

/// The weight of a position of a bag in its sum.
template <std::floating_point T>
[[nodiscard]] T pooled_weight(const Bags& bags, Pooling pooling, std::size_t bag, std::size_t at) noexcept {
    const T weight = bags.weights.empty() ? T{1} : static_cast<T>(bags.weights[at]);
    return pooling == Pooling::Mean ? weight / static_cast<T>(bags.starts[bag + 1] - bags.starts[bag]) : weight;
}

template <kernels::HostBackend Backend, std::floating_point T>
void add_scaled(T weight, std::span<const T> x, std::span<T> y) noexcept {
    if constexpr (std::same_as<T, float>) {
        kernels::axpy<Backend>(weight, x, y);
    } else {
        for (std::size_t i = 0; i < y.size(); ++i) {
            y[i] += weight * x[i];
        }
    }
}

// Adds the rows of a bag to their sum. Those of the ids that follow are asked for: in a large table, they are seldom in
// the cache.
template <kernels::HostBackend Backend, std::floating_point T>
void add_bag(MatrixView<const T> table, const Bags& bags, Pooling pooling, std::size_t bag, std::span<T> sum) noexcept {
    constexpr std::size_t together = 16;
    for (std::size_t first = bags.starts[bag]; first < bags.starts[bag + 1]; first += together) {
        const std::size_t count = std::min(together, bags.starts[bag + 1] - first);
        for (std::size_t at = first + count; at < std::min(first + count + together, bags.ids.size()); ++at) {
            prefetch_elements(table.row(bags.ids[at]).data(), table.cols());
        }
        std::array<T, together> weights{};
        for (std::size_t i = 0; i < count; ++i) {
            weights[i] = pooled_weight<T>(bags, pooling, bag, first + i);
        }
        const std::span<const std::uint32_t> ids = bags.ids.subspan(first, count);
        if constexpr (std::same_as<T, float>) {
            kernels::add_rows<Backend>(table, ids, std::span(weights).first(count), sum);
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                add_scaled<Backend, T>(weights[i], table.row(ids[i]), sum);
            }
        }
    }
}

}  // namespace detail

/// One vector per bag of ids: the sum or the mean of the rows of a table. An empty bag gives zeros.
///
/// Shapes    table: rows x d;  y: bags x d, overwritten
/// Cost      O(ids d)
/// Errors    InvalidArgument if a shape does not match, starts are not ascending, or an id is not below the rows of
///           table
template <kernels::HostBackend Backend = kernels::DefaultBackend, std::floating_point T, Executor E = Serial>
void pool_bags(std::type_identity_t<MatrixView<const T>> table, const Bags& bags, Pooling pooling, MatrixView<T> y,
               E&& executor = E{}) {
    detail::require_bags(bags, table.rows(), "pool_bags");
    require(y.rows() == bags.size() && y.cols() == table.cols(),
            "pool_bags: y must have one row per bag, as wide as the table");
    constexpr std::size_t bag_grain = 16;
    executor.for_range(bags.size(), bag_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t bag = begin; bag < end; ++bag) {
            const std::span<T> sum = y.row(bag);
            std::fill(sum.begin(), sum.end(), T{0});
            detail::add_bag<Backend, T>(table, bags, pooling, bag, sum);
        }
    });
}

/// The gradient of the rows of the table, from that of the pooled vectors.
///
/// Shapes    dy: bags x d
/// Errors    InvalidArgument if a shape does not match or starts are not ascending
template <kernels::HostBackend Backend = kernels::DefaultBackend, std::floating_point T, Executor E = Serial>
void pool_bags_gradient(const Bags& bags, Pooling pooling, std::type_identity_t<MatrixView<const T>> dy,
                        SparseGradient<T>& gradient, E&& executor = E{}) {
    detail::require_bags(bags, std::size_t{1} << 32, "pool_bags_gradient");
    require(dy.rows() == bags.size(), "pool_bags_gradient: dy must have one row per bag");
    std::vector<std::uint32_t> bag_of(bags.ids.size());
    for (std::size_t bag = 0; bag < bags.size(); ++bag) {
        std::fill(bag_of.begin() + static_cast<std::ptrdiff_t>(bags.starts[bag]),
                  bag_of.begin() + static_cast<std::ptrdiff_t>(bags.starts[bag + 1]), static_cast<std::uint32_t>(bag));
    }
    gradient.collect(
        bags.ids, dy.cols(),
        [&](std::size_t at, std::span<T> row) {
            detail::add_scaled<Backend, T>(detail::pooled_weight<T>(bags, pooling, bag_of[at], at), dy.row(bag_of[at]),
                                           row);
        },
        executor);
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
