// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/gauss_legendre.hpp>
#include <funnel/bandits/posteriors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

namespace detail {

/// Probabilities that each of several independent random variables is among the k largest, by quadrature.
///
///     P(i) = integral of f_i(x) P(at most k - 1 of the others exceed x) dx
///
/// The probability inside is a Poisson-binomial one. It is computed without divisions: forwards over the arms before i,
/// backwards over those after i.
template <class Posteriors>
class TopKQuadrature {
public:
    TopKQuadrature(const Posteriors& posteriors, std::size_t k) : posteriors_(posteriors), k_(k) {
        supports_.reserve(posteriors.size());
        for (std::size_t i = 0; i < posteriors.size(); ++i) {
            supports_.push_back(posteriors.support(i));
        }
    }

    /// widest: the width of a panel over the scale of the narrowest arm there.  lost: the largest error of the total
    /// probability of an arm, of those that lie in the panels as a whole.
    [[nodiscard]] std::vector<double> operator()(double widest, double& lost) const {
        const std::size_t n = supports_.size();
        std::vector<double> result(n, 0.0);
        std::vector<double> above(n, 0.0);  // P(arm exceeds the end of the panel)
        std::vector<Arm> arms;
        std::vector<Nodes> forwards;
        std::vector<Nodes> backwards;
        const std::vector<double> ends = panels(widest);
        double lowest = ends.back();
        for (std::size_t panel = ends.size() - 1; panel-- > 0;) {
            lowest = ends[panel];
            const double half = 0.5 * (ends[panel + 1] - ends[panel]);
            Nodes t;
            for (std::size_t m = 0; m < t.size(); ++m) {
                t[m] = ends[panel] + half * (1.0 + gauss_legendre.nodes[m]);
            }
            const Nodes shared = posteriors_.shared(t);
            arms.clear();
            for (std::size_t i = 0; i < n; ++i) {
                if (supports_[i].high > ends[panel]) {
                    arms.push_back({.index = i});
                    fill(arms.back(), t, shared, half, ends[panel + 1], above);
                }
            }
            // P(at most k - 1 exceed) only falls from here on, and bounds what the panels below would add.
            if (add_panel(arms, half, forwards, backwards, result) < 1e-14) {
                break;
            }
        }
        lost = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            lost = supports_[i].low >= lowest ? std::max(lost, math::abs(above[i] - 1.0)) : lost;
        }
        return result;
    }

private:
    struct Arm {
        std::size_t index;
        Nodes density = {};
        Nodes exceeds = {};  ///< P(arm > t)
    };

    // Ends of the panels, ascending. Below the first, at least k arms are certain to exceed.
    [[nodiscard]] std::vector<double> panels(double widest) const {
        std::vector<double> lows;
        double high = supports_.front().high;
        for (const Support& support : supports_) {
            lows.push_back(support.low);
            high = std::max(high, support.high);
        }
        std::nth_element(lows.begin(), lows.begin() + static_cast<std::ptrdiff_t>(k_ - 1), lows.end(),
                         [](double x, double y) { return x > y; });
        std::vector<double> ends{lows[k_ - 1]};
        while (ends.back() < high) {
            const double at = ends.back();
            double width = std::min(high - at, posteriors_.widest_panel(at));
            for (std::size_t i = 0; i < supports_.size(); ++i) {
                const Support& support = supports_[i];
                if (support.high > at && support.low < at + width) {
                    const double scale = posteriors_.scale(i, std::max(at, support.low));
                    width = std::min(width, std::max(widest * scale, support.low - at));
                }
            }
            // A width that vanishes beside its position still takes a step.
            ends.push_back(std::max(at + width, math::nextafter(at, high)));
        }
        return ends;
    }

    void fill(Arm& arm, const Nodes& t, const Nodes& shared, double half, double end,
              std::vector<double>& above) const noexcept {
        const std::size_t i = arm.index;
        if (supports_[i].low >= end) {
            arm.exceeds.fill(1.0);
            return;
        }
        posteriors_.log_density(i, t, shared, arm.density);
        exp_each(arm.density);
        double total = 0.0;
        for (std::size_t m = 0; m < t.size(); ++m) {
            total += gauss_legendre.weights[m] * arm.density[m];
            // A fold, not a loop: so the outer loop becomes SIMD instructions, with the sum in a register.
            const double sum = [&]<std::size_t... J>(std::index_sequence<J...>) {
                return ((gauss_legendre.from_node[J][m] * arm.density[J]) + ...);
            }(std::make_index_sequence<GaussLegendre::size>{});
            arm.exceeds[m] = std::clamp(above[i] + half * sum, 0.0, 1.0);
        }
        above[i] += half * total;
    }

    // One more arm: u arms exceed if u did and it does not, or u - 1 did and it does.
    static void extend(std::span<Nodes> counts, const Nodes& exceeds) noexcept {
        for (std::size_t u = counts.size(); u-- > 0;) {
            for (std::size_t m = 0; m < exceeds.size(); ++m) {
                counts[u][m] *= 1.0 - exceeds[m];
                if (u > 0) {
                    counts[u][m] += counts[u - 1][m] * exceeds[m];
                }
            }
        }
    }

    // Returns P(at most k - 1 of all arms exceed the lowest node).
    [[nodiscard]] double add_panel(const std::vector<Arm>& arms, double half, std::vector<Nodes>& forwards,
                                   std::vector<Nodes>& backwards, std::vector<double>& result) const {
        // forwards[i k + u]: u of the arms before i exceed.  backwards[u]: at most u of those after i do.
        forwards.assign((arms.size() + 1) * k_, Nodes{});
        forwards[0].fill(1.0);
        for (std::size_t i = 0; i < arms.size(); ++i) {
            const auto now = std::span(forwards).subspan((i + 1) * k_, k_);
            for (std::size_t u = 0; u < k_; ++u) {
                now[u] = forwards[i * k_ + u];
            }
            extend(now, arms[i].exceeds);
        }
        backwards.resize(k_);
        for (Nodes& nodes : backwards) {
            nodes.fill(1.0);
        }
        for (std::size_t i = arms.size(); i-- > 0;) {
            Nodes others{};
            for (std::size_t u = 0; u < k_; ++u) {
                for (std::size_t m = 0; m < others.size(); ++m) {
                    others[m] += forwards[i * k_ + u][m] * backwards[k_ - 1 - u][m];
                }
            }
            double sum = 0.0;
            for (std::size_t m = 0; m < others.size(); ++m) {
                sum += gauss_legendre.weights[m] * arms[i].density[m] * others[m];
            }
            result[arms[i].index] += half * sum;
            extend(backwards, arms[i].exceeds);
        }
        return backwards[k_ - 1].front();
    }

    const Posteriors& posteriors_;
    std::size_t k_;
    std::vector<Support> supports_;
};

template <class Posteriors>
[[nodiscard]] std::vector<double> top_k_probabilities(const Posteriors& posteriors, std::size_t k) {
    const std::size_t n = posteriors.size();
    if (k == 0 || k >= n) {
        return std::vector<double>(n, k == 0 ? 0.0 : 1.0);
    }
    const TopKQuadrature<Posteriors> quadrature(posteriors, k);
    std::vector<double> result;
    double excess = 1.0;
    double lost = 1.0;
    for (double widest = 2.0; widest > 0.2 && !(math::abs(excess) < 1e-9 && lost < 1e-9); widest /= 2.0) {
        result = quadrature(widest, lost);
        excess = std::accumulate(result.begin(), result.end(), 0.0) / static_cast<double>(k) - 1.0;
    }
    require(math::abs(excess) < 1e-8 && lost < 1e-8,
            "propensities: the quadrature must converge; a posterior is too narrow");
    for (double& p : result) {
        p = std::min(p / (1.0 + excess), 1.0);
    }
    return result;
}

}  // namespace detail

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
