// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/scan.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/cuda/one_to_many.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/cuda/top_k.cuh>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <thrust/transform.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

// bounded() of vectors.hpp for device code, where std::clamp is not available.
struct Bounded {
    FUNNEL_HOST_DEVICE float operator()(float score) const noexcept {
        return score < -1.0F ? -1.0F : score > 1.0F ? 1.0F : score;
    }
};

/// A copy of the rows in device memory, scanned on the device. Include this header to use
/// Flat<M, std::dynamic_extent, F32, kernels::Device<System>>.
///
/// Cost      search: one pass over the rows and a sort of n keys; the filter runs on the host for every row, and
///           n bytes are copied to the device
template <Metric M, class System>
class ScanRows<M, kernels::Device<System>> {
public:
    /// Appends rows. On failure nothing has changed.
    void append(MatrixView<const float> rows) {
        elements_.append(kernels::packed(rows));
        count_ += rows.rows();
        cols_ = rows.cols();
    }

    /// Row id has changed to this vector.
    void set(std::uint32_t id, std::span<const float> vector) { elements_.set(id * cols_, vector); }

    template <ItemFilter Passes>
    [[nodiscard]] std::span<Scored<>> search(std::span<const float> query, MatrixView<const float>,
                                             const Passes& passes, std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) const {
        FUNNEL_ASSERT(count_ == 0 || query.size() == cols_);
        using Backend = kernels::Device<System>;
        std::vector<unsigned char> flags(count_);
        for (std::size_t i = 0; i < count_; ++i) {
            flags[i] = passes(static_cast<std::uint32_t>(i)) ? 1 : 0;
        }
        const kernels::DeviceBuffer<unsigned char, System> flags_there{std::span<const unsigned char>(flags)};
        const kernels::DeviceBuffer<float, System> query_there{query};
        kernels::DeviceBuffer<float, System> scores(count_);
        kernels::score_rows(Backend{}, typename M::Stored{}, query_there.span(),
                            kernels::DeviceRows{elements_.span().data, count_, cols_}, scores.span());
        if constexpr (M::normalises) {
            const auto all = scores.span();
            thrust::transform(System::policy(), all.begin(), all.end(), all.begin(), Bounded{});
        }
        return kernels::top_k(Backend{}, {scores.span().data, count_}, flags_there.span(), out);
    }

private:
    kernels::DeviceBuffer<float, System> elements_;
    std::size_t count_ = 0;
    std::size_t cols_ = 0;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
