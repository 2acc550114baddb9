// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/sgd_steps.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <class Arch>
[[gnu::always_inline]] inline void sgd_pair_step(Simd<Arch>, float step, float decay, std::span<float> u,
                                                 std::span<float> a, std::span<float> b) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch steps(step);
    const Batch decays(decay);
    std::size_t i = 0;
    for (; i + Batch::size <= u.size(); i += Batch::size) {
        const Batch before = Batch::load_unaligned(u.data() + i);
        const Batch x = Batch::load_unaligned(a.data() + i);
        const Batch y = Batch::load_unaligned(b.data() + i);
        simd::fma<Arch>(steps, x - y, decays * before).store_unaligned(u.data() + i);
        simd::fma<Arch>(steps, before, decays * x).store_unaligned(a.data() + i);
        simd::fnma<Arch>(steps, before, decays * y).store_unaligned(b.data() + i);
    }
    if (i < u.size()) {
        sgd_pair_step(simd::Shorter<Arch>{}, step, decay, u.subspan(i), a.subspan(i), b.subspan(i));
    }
}

template <class Arch>
[[gnu::always_inline]] inline void sgd_step(Simd<Arch>, float step, float decay, std::span<float> u,
                                            std::span<float> a) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch steps(step);
    const Batch decays(decay);
    std::size_t i = 0;
    for (; i + Batch::size <= u.size(); i += Batch::size) {
        const Batch before = Batch::load_unaligned(u.data() + i);
        const Batch x = Batch::load_unaligned(a.data() + i);
        simd::fma<Arch>(steps, x, decays * before).store_unaligned(u.data() + i);
        simd::fma<Arch>(steps, before, decays * x).store_unaligned(a.data() + i);
    }
    if (i < u.size()) {
        sgd_step(simd::Shorter<Arch>{}, step, decay, u.subspan(i), a.subspan(i));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel
