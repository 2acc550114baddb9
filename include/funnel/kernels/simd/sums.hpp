// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <cstddef>
#include <span>

// Shared by dot, squared_l2, cosine and score_rows: sums over i of terms in a[i] and b[i].
//
// Order of additions:
//   1. Blocks of four batches go into four groups of accumulators. This hides the latency of an addition; more groups
//      gave no gain. A vector shorter than four batches uses one accumulator, because summing four would take longer.
//   2. The groups are summed in pairs.
//   3. The remaining full batches are added one by one, then the elements that do not fill a batch.
//   4. The lanes are summed.
// The order depends only on the length. It does not depend on the number of rows summed together, or on whether the
// length is known at compile time. One exception: a length known at compile time may use batches of half the size.
//
// Accumulators stay in registers only if every index into them is a constant and no loop runs over them. Hence unroll
// and add_up. Everything is always_inline: for a short vector, a call would cost half of the time.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

inline constexpr std::size_t groups = 4;

// Terms: the sums that a kernel needs. set assigns the first terms, add adds further ones.
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

// sums[0] + sums[Step] + ... (Groups terms), summed in pairs.
template <std::size_t Groups, std::size_t Step, class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> add_up(const Batch<Arch>* sums) noexcept {
    if constexpr (Groups == 1) {
        return sums[0];
    } else {
        constexpr std::size_t half = (Groups + 1) / 2;
        return add_up<half, Step>(sums) + add_up<Groups - half, Step>(sums + half * Step);
    }
}

/// How a batch of floats is loaded from elements of type T. simd/half.hpp has those for floats of 16 bits.
template <class Arch, class T>
struct RowElements;

template <class Arch>
struct RowElements<Arch, float> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const float* p) noexcept {
        return Batch<Arch>::load_unaligned(p);
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_first(const float* p, std::size_t count) noexcept {
        return simd::load_first<Arch>(p, count);
    }
};

/// The sums for a and each row, in row order. Dim is the length n, or std::dynamic_extent.
template <class Terms, class Arch, std::size_t Dim, std::size_t Rows, class T = float>
[[nodiscard, gnu::always_inline]] inline std::array<float, Rows * Terms::count> sums_of(
    const float* a, const std::array<const T*, Rows>& rows, std::size_t n) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    constexpr std::size_t step = Rows * Terms::count;  // accumulators per group
    if constexpr (Dim % lanes == lanes / 2 && Dim < groups * lanes && is_avx512<Arch>) {
        return sums_of<Terms, Half<Arch>, Dim>(a, rows, n);  // half-size batches, so that no batch is partial
    }
    const std::size_t length = Dim == std::dynamic_extent ? n : Dim;
    const std::size_t in_blocks = length - length % (groups * lanes);
    const std::size_t in_batches = length - length % lanes;

    // Loads position at of a and of each row, and applies the terms to the accumulators of one group.
    const auto apply = [&](auto terms, Batch<Arch>* sums, std::size_t at, auto load) __attribute__((always_inline)) {
        const Batch<Arch> from_a = load(a + at);
        unroll<Rows>(
            [&](auto r) __attribute__((always_inline)) { terms(sums + r * Terms::count, from_a, load(rows[r] + at)); });
    };
    const auto set = [](Batch<Arch>* s, const Batch<Arch>& x, const Batch<Arch>& y)
                         __attribute__((always_inline)) { Terms::set(s, x, y); };
    const auto add = [](Batch<Arch>* s, const Batch<Arch>& x, const Batch<Arch>& y)
                         __attribute__((always_inline)) { Terms::add(s, x, y); };
    const auto batch = []<class E>(const E* p) __attribute__((always_inline)) { return RowElements<Arch, E>::load(p); };
    const auto rest = [&]<class E>(const E* p) __attribute__((always_inline)) {
        return RowElements<Arch, E>::load_first(p, length - in_batches);
    };

    std::array<Batch<Arch>, step> total;
    std::size_t i = 0;
    if (in_blocks > 0) {
        std::array<Batch<Arch>, groups * step> sums;
        unroll<groups>([&](auto group) __attribute__((always_inline)) {
            apply(set, sums.data() + group * step, group * lanes, batch);
        });
        for (i = groups * lanes; i < in_blocks; i += groups * lanes) {
            unroll<groups>([&](auto group) __attribute__((always_inline)) {
                apply(add, sums.data() + group * step, i + group * lanes, batch);
            });
        }
        unroll<step>([&](auto s) __attribute__((always_inline)) { total[s] = add_up<groups, step>(sums.data() + s); });
    } else if (in_batches > 0) {
        apply(set, total.data(), 0, batch);
        i = lanes;
    } else {
        apply(set, total.data(), 0, rest);
        i = length;
    }
    unroll<groups - 1>([&](auto) __attribute__((always_inline)) {
        if (i < in_batches) {
            apply(add, total.data(), i, batch);
            i += lanes;
        }
    });
    if (i < length) {
        apply(add, total.data(), i, rest);
    }

    std::array<float, step> results{};
    unroll<step>([&](auto s) __attribute__((always_inline)) { results[s] = sum_of_lanes(total[s]); });
    return results;
}

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel
