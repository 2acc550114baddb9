// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemv.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace embedding {

struct HardPoolOptions {
    std::size_t size = 100;  ///< items per user, at least 1
    std::size_t skip = 0;    ///< best items that are left out before: the user may like them, and took no notice so far
};

/// For each user, the items that a model scores highest among those that the user did not take: where hard negatives of
/// training come from. An item that the user took is never in the pool of this user.
///
///     const Model now(trainer, options);
///     const auto index = ann::HNSW<Cosine>::build(now.item_factors());
///     trainer.set_hard_pools(HardPools::search(now.user_factors(), trainer.sequences(), index_search, {.size = 100}));
///
/// Source    Huang et al., "Embedding-based retrieval in Facebook search", KDD 2020 (section 6.1)
class HardPools {
public:
    HardPools() = default;

    /// Scores all items for each user.
    ///
    /// Shapes    user_vectors: one row per user of the sequences;  item_vectors: one row per item
    /// Cost      O(users items d); items x 5 bytes of memory per thread
    /// Errors    InvalidArgument if a shape does not match, or options.size is 0
    template <kernels::HostBackend Backend = kernels::DefaultBackend, Executor E = Serial>
    [[nodiscard]] static HardPools scored(MatrixView<const float> user_vectors, MatrixView<const float> item_vectors,
                                          const Sequences& sequences, const HardPoolOptions& options = {},
                                          E&& executor = E{}) {
        require(user_vectors.cols() == item_vectors.cols(),
                "HardPools: vectors of users and items must have the same length");
        const std::size_t items = item_vectors.rows();
        return made(
            sequences, user_vectors, items, options,
            [&](std::size_t user, std::span<const std::uint8_t> is_taken, std::span<Scored<>> best) {
                std::vector<float> scores(items);
                kernels::gemv<Backend>(item_vectors, user_vectors.row(user), scores);
                TopK<> top(best);
                for (std::uint32_t item = 0; item < items; ++item) {
                    if (is_taken[item] == 0) {
                        top.push(item, scores[item]);
                    }
                }
                return top.finish().size();
            },
            executor);
    }

    /// Searches an index for each user. search(vector, k) gives the best k items, best first: a range of Scored. It may
    /// be called by several threads.
    ///
    /// Shapes    user_vectors: one row per user of the sequences;  items: of the catalogue
    /// Cost      one search per user, for size + skip + the number of items that the user took
    /// Errors    InvalidArgument if a shape does not match, options.size is 0, or a search gives an unknown item
    template <class Search, Executor E = Serial>
    [[nodiscard]] static HardPools search(MatrixView<const float> user_vectors, std::size_t items,
                                          const Sequences& sequences, const Search& search,
                                          const HardPoolOptions& options = {}, E&& executor = E{}) {
        return made(
            sequences, user_vectors, items, options,
            [&](std::size_t user, std::span<const std::uint8_t> is_taken, std::span<Scored<>> best) {
                std::size_t count = 0;
                const std::size_t k = std::min(items, best.size() + sequences.of(user).size());
                for (const auto& hit : search(user_vectors.row(user), k)) {
                    require_below(hit.id, items, "HardPools: item that a search gives");
                    if (count < best.size() && is_taken[hit.id] == 0) {
                        best[count++] = {static_cast<std::uint32_t>(hit.id), hit.score};
                    }
                }
                return count;
            },
            executor);
    }

    [[nodiscard]] std::size_t users() const noexcept { return starts_.empty() ? 0 : starts_.size() - 1; }
    /// Of the catalogue: ids of pools are below it.
    [[nodiscard]] std::size_t items() const noexcept { return items_; }
    /// The pool of a user < users() (not checked), best item first.
    [[nodiscard]] std::span<const std::uint32_t> of(std::size_t user) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(user < users());
        return std::span<const std::uint32_t>(ids_).subspan(starts_[user], starts_[user + 1] - starts_[user]);
    }

private:
    // find(user, flags of taken items, best) fills `best` and returns how many there are.
    template <class Find, Executor E>
    [[nodiscard]] static HardPools made(const Sequences& sequences, MatrixView<const float> user_vectors,
                                        std::size_t items, const HardPoolOptions& options, const Find& find,
                                        E& executor) {
        require(user_vectors.rows() == sequences.users(), "HardPools: there must be one vector per user");
        require_at_least(options.size, 1, "HardPools: size");
        for (const std::uint32_t item : sequences.items()) {
            require_below(item, items, "HardPools: item that a user took");
        }
        const std::size_t most = std::min(items, math::saturating_add(options.size, options.skip));
        std::vector<std::vector<std::uint32_t>> found(sequences.users());
        constexpr std::size_t user_grain = 16;
        executor.for_range(found.size(), user_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            std::vector<std::uint8_t> is_taken(items);
            std::vector<Scored<>> best(most);
            for (std::size_t user = begin; user < end; ++user) {
                for (const std::uint32_t item : sequences.of(user)) {
                    is_taken[item] = 1;
                }
                const std::size_t count = find(user, is_taken, std::span<Scored<>>(best));
                for (std::size_t i = std::min(options.skip, count); i < count; ++i) {
                    found[user].push_back(best[i].id);
                }
                for (const std::uint32_t item : sequences.of(user)) {
                    is_taken[item] = 0;
                }
            }
        });
        HardPools pools;
        pools.items_ = items;
        for (const std::vector<std::uint32_t>& pool : found) {
            pools.ids_.insert(pools.ids_.end(), pool.begin(), pool.end());
            pools.starts_.push_back(pools.ids_.size());
        }
        return pools;
    }

    std::size_t items_ = 0;
    std::vector<std::size_t> starts_{0};  // empty after a move
    std::vector<std::uint32_t> ids_;
};

}  // namespace embedding
}  // namespace FUNNEL_ABI
}  // namespace funnel
