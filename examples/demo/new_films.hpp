// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "sources.hpp"

#include <funnel/bandits/thompson_slate.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <utility>
#include <vector>

namespace demo {

/// An item that was drawn for a user, and the probability that it is among those drawn.
struct Drawn {
    std::uint32_t id;
    double propensity;
};

/// The arms that a user may get, and a draw from them.
struct Arms {
    std::vector<std::uint32_t> ids;
    std::vector<double> alphas;  ///< of the posterior of each
    std::vector<double> betas;
    funnel::bandits::ThompsonSlate slate;
};

/// The newest films, of which the sources know little, as the arms of Thompson sampling. A film is
/// tried by each user who was active in the last twelfth of the training log, after the film appeared: a success if the
/// user chose it then, else a failure.
class NewFilms {
public:
    static constexpr std::size_t most = 60;
    static constexpr std::size_t least_rows = 3;

    NewFilms(const funnel::data::Interactions& train, const funnel::CSRMatrix<float>& histories)
        : histories_(histories), users_(train.users()) {
        std::vector<double> first_seen(train.items(), std::numeric_limits<double>::infinity());
        std::vector<std::size_t> rows(train.items(), 0);
        double now = -std::numeric_limits<double>::infinity();
        for (const auto& row : train) {
            first_seen[row.item] = std::min(first_seen[row.item], row.time);
            now = std::max(now, row.time);
            ++rows[row.item];
        }
        std::vector<std::uint32_t> items(train.items());
        std::iota(items.begin(), items.end(), std::uint32_t{0});
        std::erase_if(items, [&](std::uint32_t item) { return rows[item] < least_rows; });
        std::sort(items.begin(), items.end(), [&](std::uint32_t a, std::uint32_t b) {
            return std::pair(-first_seen[a], a) < std::pair(-first_seen[b], b);  // newest first
        });
        items.resize(std::min(items.size(), most));

        std::vector<double> last_active(train.users(), -std::numeric_limits<double>::infinity());
        std::set<std::pair<std::uint32_t, std::uint32_t>> chosen;  // item, user
        const double since = now - time_span(train) / 12.0;
        for (const auto& row : train) {
            if (row.time > since) {
                last_active[row.user] = std::max(last_active[row.user], row.time);
                chosen.insert({row.item, row.user});
            }
        }
        for (const std::uint32_t item : items) {
            double trials = 0.0;
            double successes = 0.0;
            for (std::uint32_t user = 0; user < train.users(); ++user) {
                if (last_active[user] >= first_seen[item]) {  // minus infinity before the last twelfth
                    trials += 1.0;
                    successes += chosen.contains({item, user}) ? 1.0 : 0.0;
                }
            }
            all_.ids.push_back(item);
            all_.alphas.push_back(1.0 + successes);
            all_.betas.push_back(1.0 + trials - successes);
        }
    }

    /// The arms that are neither in the history of the user nor among the candidates, and n of them, drawn. Another
    /// round is another draw.
    [[nodiscard]] Arms arms(std::uint32_t user, std::span<const std::uint32_t> candidates, std::size_t n,
                            std::uint64_t round = 0) const {
        const auto seen = histories_.row(user).columns;
        Arms arms;
        for (std::size_t i = 0; i < all_.ids.size(); ++i) {
            const std::uint32_t item = all_.ids[i];
            if (!std::ranges::binary_search(seen, item) && std::ranges::find(candidates, item) == candidates.end()) {
                arms.ids.push_back(item);
                arms.alphas.push_back(all_.alphas[i]);
                arms.betas.push_back(all_.betas[i]);
            }
        }
        arms.slate = funnel::bandits::thompson_slate(arms.alphas, arms.betas, round * users_ + user, {.k = n});
        return arms;
    }

    /// An Explorer.
    [[nodiscard]] std::vector<Drawn> operator()(const funnel::pipeline::Request& request,
                                                const funnel::pipeline::Candidates& candidates, std::size_t n) const {
        const Arms drawn = arms(request.user, candidates.ids(), n);
        std::vector<Drawn> items;
        for (const std::size_t arm : drawn.slate.arms) {
            items.push_back({drawn.ids[arm], drawn.slate.propensities[arm]});
        }
        return items;
    }

private:
    const funnel::CSRMatrix<float>& histories_;
    std::uint64_t users_;
    Arms all_;
};

}  // namespace demo
