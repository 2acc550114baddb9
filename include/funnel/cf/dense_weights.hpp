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

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

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

    DenseWeights(const DenseWeights&) = default;
    DenseWeights(DenseWeights&& other) noexcept
        : weights_(std::move(other.weights_)), items_(std::exchange(other.items_, 0)) {}
    DenseWeights& operator=(DenseWeights other) noexcept {
        weights_.swap(other.weights_);
        std::swap(items_, other.items_);
        return *this;
    }
    ~DenseWeights() = default;

    [[nodiscard]] std::size_t items() const noexcept { return items_; }
    // NOLINTNEXTLINE(bugprone-exception-escape): the constructor made sure of the shape
    [[nodiscard]] MatrixView<const float> matrix() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {weights_, items_, items_};
    }
    void matrix() const&& = delete;

    /// Both items are below items() (not checked), as are those of the functions below.
    [[nodiscard]] float weight(std::uint32_t from, std::uint32_t to) const noexcept {
        FUNNEL_ASSERT(to < items_);
        return row(from)[to];
    }

    [[nodiscard]] std::size_t mean_row() const noexcept { return items_; }
    void add_row(std::uint32_t from, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(scores.size() == items_);
        kernels::axpy<Backend>(1.0F, row(from), scores);
    }
    void clear_row(std::uint32_t from, float mark, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(scores.size() == items_);
        const std::span<const float> weights = row(from);
        for (std::size_t to = 0; to < weights.size(); ++to) {
            scores[to] = weights[to] != 0.0F && scores[to] == mark ? 0.0F : scores[to];
        }
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
        FUNNEL_ASSERT(from < items_);
        return {weights_.data() + from * items_, items_};
    }

    std::vector<float> weights_;
    std::size_t items_ = 0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel
