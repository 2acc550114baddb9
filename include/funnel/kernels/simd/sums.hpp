// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/simd/batch.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

// What dot, squared_l2, cosine and score_rows share: sums over i of terms in a[i] and b[i].
//
// Four groups of accumulators hide the latency of an addition; more gained nothing. They live in registers
// only if every index into them is a constant and no loop runs over them, hence unroll and add_up. The order
// of additions depends on the length alone, not on the number of rows that are summed together.
namespace funnel::inline FUNNEL_ABI::kernels::simd {

inline constexpr std::size_t groups = 4;

// Terms: the sums of a kernel. set starts them, add goes on.
struct Products {
    static constexpr std::size_t count = 1;

    template <class Arch>
    [[gnu::always_inline]] static void set(Batch<Arch>* sums, const Batch<Arch>& a, const Batch<Arch>& b) noexcept {
        sums[0] = a * b;
    }
    template <class Arch>
    [[gnu::always_inline]] static void add(Batch<Arch>* sums, const Batch<Arch>& a, const Batch<Arch>& b) noexcept {
        sums[0] = fma(a, b, sums[0]);
    }
};

struct SquaredDifferences {
    static constexpr std::size_t count = 1;

    template <class Arch>
    [[gnu::always_inline]] static void set(Batch<Arch>* sums, const Batch<Arch>& a, const Batch<Arch>& b) noexcept {
        const Batch<Arch> difference = a - b;
        sums[0] = difference * difference;
    }
    template <class Arch>
    [[gnu::always_inline]] static void add(Batch<Arch>* sums, const Batch<Arch>& a, const Batch<Arch>& b) noexcept {
        const Batch<Arch> difference = a - b;
        sums[0] = fma(difference, difference, sums[0]);
    }
};

struct ProductsAndSquares {
    static constexpr std::size_t count = 3;

    template <class Arch>
    [[gnu::always_inline]] static void set(Batch<Arch>* sums, const Batch<Arch>& a, const Batch<Arch>& b) noexcept {
        sums[0] = a * b;
        sums[1] = a * a;
        sums[2] = b * b;
    }
    template <class Arch>
    [[gnu::always_inline]] static void add(Batch<Arch>* sums, const Batch<Arch>& a, const Batch<Arch>& b) noexcept {
        sums[0] = fma(a, b, sums[0]);
        sums[1] = fma(a, a, sums[1]);
        sums[2] = fma(b, b, sums[2]);
    }
};

// sums[0] + sums[step] + ... (Groups of them), in pairs.
template <std::size_t Groups, std::size_t Step, class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> add_up(const Batch<Arch>* sums) noexcept {
    if constexpr (Groups == 1) {
        return sums[0];
    } else {
        constexpr std::size_t half = (Groups + 1) / 2;
        return add_up<half, Step>(sums) + add_up<Groups - half, Step>(sums + half * Step);
    }
}

/// The sums of a and each row, row by row. Dim is the length n, or std::dynamic_extent.
template <class Terms, class Arch, std::size_t Dim, std::size_t Rows>
[[nodiscard, gnu::always_inline]] inline std::array<float, Rows * Terms::count> sums_of(
    const float* a, const std::array<const float*, Rows>& rows, std::size_t n) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    constexpr std::size_t step = Rows * Terms::count;  // accumulators of a group
    std::array<float, step> results{};

    const auto finish = [&]<std::size_t Groups>(const Batch<Arch>* sums, std::integral_constant<std::size_t, Groups>)
                            __attribute__((always_inline)) {
                                unroll<step>([&](auto s) __attribute__((always_inline)) {
                                    results[s] = sum_of_lanes(add_up<Groups, step>(sums + s));
                                });
                            };

    if constexpr (Dim == std::dynamic_extent) {
        std::array<Batch<Arch>, groups * step> sums;
        unroll<groups * step>([&](auto s) __attribute__((always_inline)) { sums[s] = Batch<Arch>(0.0F); });
        const auto add = [&](auto group, std::size_t at) __attribute__((always_inline)) {
            const auto from_a = Batch<Arch>::load_unaligned(a + at);
            unroll<Rows>([&](auto r) __attribute__((always_inline)) {
                Terms::add(sums.data() + group * step + r * Terms::count, from_a,
                           Batch<Arch>::load_unaligned(rows[r] + at));
            });
        };
        std::size_t i = 0;
        for (; n - i >= groups * lanes; i += groups * lanes) {
            unroll<groups>([&](auto group) __attribute__((always_inline)) { add(group, i + group * lanes); });
        }
        unroll<groups - 1>([&](auto group) __attribute__((always_inline)) {
            if (n - i >= lanes) {
                add(group, i);
                i += lanes;
            }
        });
        if (i < n) {
            const auto from_a = load_first<Arch>(a + i, n - i);
            unroll<Rows>([&](auto r) __attribute__((always_inline)) {
                Terms::add(sums.data() + (groups - 1) * step + r * Terms::count, from_a,
                           load_first<Arch>(rows[r] + i, n - i));
            });
        }
        finish(sums.data(), std::integral_constant<std::size_t, groups>{});
    } else if constexpr (Dim > 0) {
        constexpr std::size_t full = Dim / lanes;
        constexpr std::size_t rest = Dim % lanes;
        constexpr std::size_t used = std::min(groups, full + (rest > 0 ? 1 : 0));
        constexpr std::size_t started = std::min(groups, full);
        constexpr std::size_t in_blocks = full - full % groups;
        std::array<Batch<Arch>, used * step> sums;
        const auto apply = [&](auto group, std::size_t batch, auto terms) __attribute__((always_inline)) {
            const auto from_a = Batch<Arch>::load_unaligned(a + batch * lanes);
            unroll<Rows>([&](auto r) __attribute__((always_inline)) {
                terms(sums.data() + group * step + r * Terms::count, from_a,
                      Batch<Arch>::load_unaligned(rows[r] + batch * lanes));
            });
        };
        const auto set = [](Batch<Arch>* s, const Batch<Arch>& x, const Batch<Arch>& y)
                             __attribute__((always_inline)) { Terms::set(s, x, y); };
        const auto add = [](Batch<Arch>* s, const Batch<Arch>& x, const Batch<Arch>& y)
                             __attribute__((always_inline)) { Terms::add(s, x, y); };

        unroll<started>([&](auto group) __attribute__((always_inline)) { apply(group, group, set); });
        for (std::size_t batch = groups; batch < in_blocks; batch += groups) {
            unroll<groups>([&](auto group) __attribute__((always_inline)) { apply(group, batch + group, add); });
        }
        if constexpr (full > groups) {
            unroll<full % groups>([&](auto group)
                                      __attribute__((always_inline)) { apply(group, in_blocks + group, add); });
        }
        if constexpr (rest > 0) {
            const auto from_a = load_first<Arch>(a + full * lanes, rest);
            unroll<Rows>([&](auto r) __attribute__((always_inline)) {
                Batch<Arch>* last = sums.data() + (used - 1) * step + r * Terms::count;
                const auto from_row = load_first<Arch>(rows[r] + full * lanes, rest);
                if constexpr (full < groups) {
                    Terms::set(last, from_a, from_row);
                } else {
                    Terms::add(last, from_a, from_row);
                }
            });
        }
        finish(sums.data(), std::integral_constant<std::size_t, used>{});
    }
    return results;
}

}  // namespace funnel::kernels::simd
