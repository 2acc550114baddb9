// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/synthetic.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

struct OracleOptions {
    std::size_t k = 10;      ///< length of the list
    bool keep_seen = false;  ///< true: items of the training history may be recommended
};

/// A recommender that knows the true preferences of a synthetic world. Apart from chance, no model can be better on a
/// test part. Evaluate it like a model.
///
/// It knows when each user is active, but not the items. The score of an item is the probability that a pick is this
/// item, averaged over the times of the user's test rows. For users without a test row, it uses the last era.
///
/// Cost      per list: O(eras of the user's test rows * items * factors)
class SyntheticOracle {
public:
    /// The world must outlive the oracle; train and test must be parts of its log.
    ///
    /// Errors    InvalidArgument if train or test have other numbers of users or items than the world
    SyntheticOracle(const SyntheticWorld& world FUNNEL_LIFETIMEBOUND, const Interactions& train,
                    const Interactions& test)
        : world_(world), histories_(world.users()), visits_(world.users() * SyntheticWorld::eras, 0) {
        require(train.users() == world.users() && train.items() == world.items() && test.users() == world.users() &&
                    test.items() == world.items(),
                "SyntheticOracle: train and test must be parts of the world's log");
        for (const Interaction& row : train) {
            histories_[row.user].push_back(row.item);
        }
        for (const Interaction& row : test) {
            ++visits_[row.user * SyntheticWorld::eras + SyntheticWorld::era(row.time)];
        }
    }

    SyntheticOracle(SyntheticWorld&& world, const Interactions& train, const Interactions& test) = delete;

    /// Errors    InvalidArgument if there is no such user
    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const OracleOptions& options = {}) const {
        require_below(user, std::min(histories_.size(), world_.users()), "SyntheticOracle: user");
        constexpr std::size_t eras = SyntheticWorld::eras;
        const auto visits = [&](std::size_t era) { return visits_[user * eras + era]; };
        double rows = 0.0;
        for (std::size_t era = 0; era < eras; ++era) {
            rows += visits(era);
        }
        std::vector<unsigned char> is_seen(world_.items(), 0);
        if (!options.keep_seen) {
            for (const std::uint32_t item : histories_[user]) {
                is_seen[item] = 1;
            }
        }

        std::vector<double> chances(world_.items(), 0.0);
        for (std::size_t era = 0; era < eras; ++era) {
            const double share = rows > 0.0 ? visits(era) / rows : era + 1 == eras ? 1.0 : 0.0;
            if (share == 0.0) {
                continue;
            }
            std::vector<double> weights = world_.affinities(user, era);
            double total = 0.0;
            for (std::size_t item = 0; item < weights.size(); ++item) {
                weights[item] = is_seen[item] != 0 ? 0.0 : funnel::detail::portable_exp(weights[item]);
                total += weights[item];
            }
            for (std::size_t item = 0; item < weights.size() && total > 0.0; ++item) {
                chances[item] = math::fma(share, weights[item] / total, chances[item]);
            }
        }
        std::vector<Scored<>> list(options.k < chances.size() ? options.k : chances.size());
        TopK<> best({list.data(), list.size()});
        for (std::uint32_t item = 0; item < chances.size(); ++item) {
            if (is_seen[item] == 0) {
                best.push(item, static_cast<float>(chances[item]));
            }
        }
        funnel::detail::keep_first(list, best.finish().size());
        return list;
    }

private:
    const SyntheticWorld& world_;
    std::vector<std::vector<std::uint32_t>> histories_;  // items of each user's training rows
    std::vector<std::uint32_t> visits_;                  // users x eras: number of test rows
};

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
