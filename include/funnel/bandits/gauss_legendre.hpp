// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <array>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits::detail {

/// Gauss-Legendre quadrature with 16 nodes on [-1, 1], exact for polynomials up to degree 31, and the integrals from
/// each node to 1 of the polynomial through given values at the nodes.
struct GaussLegendre {
    static constexpr std::size_t size = 16;
    using Values = std::array<double, size>;

    Values nodes{};    ///< ascending
    Values weights{};  ///< integral of f = sum of weights[i] f(nodes[i])
    std::array<Values, size>
        from_node{};  ///< integral of f from nodes[i] to 1 = sum over j of from_node[j][i] f(nodes[j])
};

[[nodiscard]] consteval GaussLegendre make_gauss_legendre() {
    constexpr std::size_t n = GaussLegendre::size;
    GaussLegendre rule;
    // P_0 .. P_n at x, by Bonnet's recurrence.
    const auto legendre = [](double x) {
        std::array<double, n + 1> p{1.0, x};
        for (std::size_t k = 1; k < n; ++k) {
            const auto m = static_cast<double>(k);
            p[k + 1] = ((2.0 * m + 1.0) * x * p[k] - m * p[k - 1]) / (m + 1.0);
        }
        return p;
    };
    constexpr std::array start{0.0950125098, 0.2816035507, 0.4580167776, 0.6178762444,
                               0.7554044083, 0.8656312023, 0.9445750230, 0.9894009349};
    std::array<std::array<double, n + 1>, n> p{};
    for (std::size_t i = 0; i < n / 2; ++i) {
        double x = start[i];
        double slope = 0.0;
        for (int step = 0; step < 3; ++step) {  // Newton; the first step reaches the accuracy of double
            const auto at = legendre(x);
            slope = static_cast<double>(n) * (x * at[n] - at[n - 1]) / (x * x - 1.0);
            x -= at[n] / slope;
        }
        rule.nodes[n / 2 + i] = x;
        rule.nodes[n / 2 - 1 - i] = -x;
        rule.weights[n / 2 + i] = rule.weights[n / 2 - 1 - i] = 2.0 / ((1.0 - x * x) * slope * slope);
    }
    for (std::size_t i = 0; i < n; ++i) {
        p[i] = legendre(rule.nodes[i]);
    }
    // The polynomial through f is the sum over k < n of (2 k + 1) / 2 P_k times the sum of weights[j] P_k(node j) f_j,
    // and the integral of P_k from x to 1 is (P_(k-1)(x) - P_(k+1)(x)) / (2 k + 1).
    for (std::size_t j = 0; j < n; ++j) {
        const double* at_j = p[j].data();  // pointers: compilers remember every call of operator[]
        for (std::size_t i = 0; i < n; ++i) {
            const double* at_i = p[i].data();
            double sum = 1.0 - rule.nodes[i];
            for (std::size_t k = 1; k < n; ++k) {
                sum += at_j[k] * (at_i[k - 1] - at_i[k + 1]);
            }
            rule.from_node[j][i] = 0.5 * rule.weights[j] * sum;
        }
    }
    return rule;
}

inline constexpr GaussLegendre gauss_legendre = make_gauss_legendre();

}  // namespace bandits::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
