// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/portable_math.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Philox4x32-10: a keyed function from a 128-bit counter to 128 random bits. It has no state, so any thread can
/// compute any draw of any stream directly, in any order.
///
/// Source    Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                                std::array<std::uint32_t, 2> key) noexcept {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
        const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

/// A purpose that random numbers are drawn for. Algorithms that share a seed draw independent numbers, because each has
/// its own streams.
struct Stream {
    std::uint64_t id = 0;

    /// A stream of its own for each number: for draws with two indices, such as (user, step).
    [[nodiscard]] constexpr Stream substream(std::uint64_t number) const noexcept {
        return {detail::hash_word(id, number)};
    }

    friend constexpr bool operator==(Stream, Stream) = default;
};

/// The stream of a name. The library names its streams after the header and the purpose, as in "fm.order".
///
/// Cost      O(length of the name); nothing at run time for a constexpr Stream
[[nodiscard]] constexpr Stream stream(std::string_view name) noexcept {
    return {detail::hash_name(name)};
}

/// A random number generator: one of 2^64 independent sequences of a seed and a stream. The same seed, stream and index
/// give the same bits on every machine, compiler and standard library.
///
/// Use a separate index for each row, user or step, so that results do not depend on the order of execution:
///
///     constexpr Stream start = stream("my_model.start");
///     parallel_for(executor, users, 64, [&](std::size_t user) { Random random(seed, start, user); ... });
///
/// It also works with the distributions and algorithms of the standard, but their results differ between standard
/// libraries.
class Random {
public:
    using result_type = std::uint32_t;

    /// Sequence `index` of the seed itself, for programs with a single purpose.
    explicit Random(std::uint64_t seed, std::uint64_t index = 0) noexcept : key_(seed), index_(index) {}

    /// Sequence `index` of a stream of the seed. Two streams of one seed have different keys, and so has one stream
    /// under two seeds. Any other two pairs of seed and stream have the same key with probability 2^-64.
    explicit Random(std::uint64_t seed, Stream stream, std::uint64_t index = 0) noexcept
        : key_(detail::hash_word(detail::hash_word(0, seed), stream.id)), index_(index) {}

    [[nodiscard]] static constexpr result_type min() noexcept { return 0; }
    [[nodiscard]] static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

    /// 32 random bits.
    result_type operator()() noexcept {
        if (used_ == 4) {
            block_ = philox4x32({low(position_), high(position_), low(index_), high(index_)}, {low(key_), high(key_)});
            ++position_;
            used_ = 0;
        }
        return block_[used_++];
    }

    /// Skips draws, with the same effect as that many calls of operator(). O(1).
    void discard(std::uint64_t draws) noexcept {
        const std::uint64_t left = 4 - used_;  // unused words of the current block
        if (draws < left) {
            used_ += static_cast<unsigned>(draws);
            return;
        }
        position_ += (draws - left) / 4;
        used_ = 4;
        for (std::uint64_t i = 0; i < (draws - left) % 4; ++i) {
            (*this)();
        }
    }

    /// Uniform in (0, 1): one of 2^52 equally likely values, never 0 or 1.
    [[nodiscard]] double uniform() noexcept { return (static_cast<double>(bits64() >> 12) + 0.5) * 0x1p-52; }

    /// Standard normal: mean 0, variance 1.
    [[nodiscard]] double normal() noexcept { return detail::normal_quantile(uniform()); }

    /// A uniformly distributed integer in [0, n).
    ///
    /// Errors    InvalidArgument if n is 0
    [[nodiscard]] std::uint64_t below(std::uint64_t n) {
        require(n > 0, "Random::below: n must be > 0, got 0");
        if (n <= std::uint64_t{1} << 32) {
            // Lemire, "Fast random integer generation in an interval", TOMACS 2019: the high half of bits * n. The few
            // products with a low half that would bias the result are drawn again.
            std::uint64_t product = (*this)() * n;
            if (low(product) < n) {
                const auto unfair = static_cast<std::uint32_t>((std::uint64_t{1} << 32) % n);
                while (low(product) < unfair) {
                    product = (*this)() * n;
                }
            }
            return product >> 32;
        }
        const int unused = std::countl_zero(n - 1);
        std::uint64_t draw = bits64() >> unused;
        while (draw >= n) {
            draw = bits64() >> unused;
        }
        return draw;
    }

    /// Shuffles the elements; all n! orders are equally likely (Fisher-Yates, from the back).
    template <class T>
    void shuffle(std::span<T> elements) {
        for (std::size_t i = elements.size(); i > 1; --i) {
            std::swap(elements[i - 1], elements[below(i)]);
        }
    }

    /// A random permutation of 0 .. n - 1: the ascending numbers, shuffled.
    ///
    /// Errors    InvalidArgument if I cannot represent n - 1
    template <std::integral I>
    [[nodiscard]] std::vector<I> permutation(std::size_t n) {
        require(n == 0 || n - 1 <= static_cast<std::make_unsigned_t<I>>(std::numeric_limits<I>::max()),
                "Random::permutation: n - 1 must be representable in I");
        std::vector<I> numbers(n);
        std::iota(numbers.begin(), numbers.end(), I{0});
        shuffle(std::span<I>(numbers.data(), n));
        return numbers;
    }

private:
    static constexpr std::uint32_t low(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x); }
    static constexpr std::uint32_t high(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x >> 32); }

    std::uint64_t bits64() noexcept {
        const std::uint64_t first = (*this)();
        return first << 32 | (*this)();
    }

    std::uint64_t key_;
    std::uint64_t index_;
    std::uint64_t position_ = 0;
    std::array<std::uint32_t, 4> block_{};
    unsigned used_ = 4;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel
