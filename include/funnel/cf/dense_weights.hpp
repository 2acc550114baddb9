// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::cf {

/// Item x item weights of which hardly any is 0: row j holds what j says about every item.
///
/// Cost      4 n^2 bytes
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class DenseWeights {
public:
    static constexpr std::size_t lookup_cost = 16;  // measured, for thousands of items

    DenseWeights() = default;

    /// Row-major, n x n.
    ///
    /// Errors    InvalidArgument unless there are items x items weights
    DenseWeights(std::vector<float> weights, std::size_t items) : weights_(std::move(weights)), items_(items) {
        require(items == 0 ? weights_.empty() : weights_.size() / items == items && weights_.size() % items == 0,
                "DenseWeights: must hold items x items weights");
    }

    [[nodiscard]] std::size_t items() const noexcept { return items_; }
    // NOLINTNEXTLINE(bugprone-exception-escape): the constructor made sure of the shape
    [[nodiscard]] MatrixView<const float> matrix() const noexcept { return {weights_, items_, items_}; }

    [[nodiscard]] float weight(std::uint32_t from, std::uint32_t to) const noexcept { return row(from)[to]; }

    [[nodiscard]] std::size_t mean_row() const noexcept { return items_; }
    void add_row(std::uint32_t from, std::span<float> scores) const noexcept {
        kernels::axpy<Backend>(1.0F, row(from), scores);
    }

    /// Puts the section into a file that is being written; this object must outlive its save.
    template <class Writer>
    void write(Writer& file) const {
        file.array("weights", weights_);
    }

    /// Takes the section out of a file.
    ///
    /// Errors    CorruptData unless it is what write wrote
    template <class Reader>
    static DenseWeights read(const Reader& file, std::size_t items) {
        auto weights = file.template array<float>("weights", items * items);
        file.check(std::all_of(weights.begin(), weights.end(), [](float weight) { return math::is_finite(weight); }),
                   "weights", "must be finite");
        return {std::move(weights), items};
    }

private:
    [[nodiscard]] std::span<const float> row(std::uint32_t from) const noexcept {
        return {weights_.data() + from * items_, items_};
    }

    std::vector<float> weights_;
    std::size_t items_ = 0;
};

}  // namespace funnel::cf
