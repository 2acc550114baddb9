// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/filters.hpp>
#include <funnel/core/config.hpp>
#include <funnel/core/item_filter.hpp>

#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// A filter of all ids, asked for those of one shard.
template <class F>
class ShardFilter {
public:
    ShardFilter(const F& filter FUNNEL_LIFETIMEBOUND, std::size_t shards, std::size_t shard) noexcept
        : filter_(&filter), shards_(static_cast<std::uint32_t>(shards)), shard_(static_cast<std::uint32_t>(shard)) {}

    [[nodiscard]] bool operator()(std::uint32_t id) const noexcept(is_nothrow_filter<F>) {
        return (*filter_)(id * shards_ + shard_);
    }

    [[nodiscard]] std::size_t count() const noexcept
        requires(is_bitmap<F> || is_id_list<F>)
    {
        return filter_->count() / shards_;
    }

    // A callable is asked about the ids of the shard, as any other filter is.
    template <class Visit>
        requires(is_bitmap<F> || is_id_list<F>)
    friend void for_each_id(const ShardFilter& filter, std::size_t count, const Visit& visit) {
        for_each_id(*filter.filter_, count * filter.shards_, [&](std::uint32_t id) {
            if (id % filter.shards_ == filter.shard_) {
                visit(id / filter.shards_);
            }
        });
    }

private:
    const F* filter_;
    std::uint32_t shards_;
    std::uint32_t shard_;
};

template <class F>
inline constexpr bool is_id_list<ShardFilter<F>> = is_id_list<F>;
template <class F>
inline constexpr bool is_bitmap<ShardFilter<F>> = is_bitmap<F>;

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
