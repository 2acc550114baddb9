// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Dense item x item weights: row j holds what item j adds to the score of every item.
///
/// Cost      4 n^2 bytes
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class DenseWeights {
public:
    static constexpr std::size_t lookup_cost = 16;  // measured, for thousands of items

    DenseWeights() = default;

    /// Shapes    weights: items x items, row-major
    /// Errors    InvalidArgument unless weights has items x items elements
    DenseWeights(std::vector<float> weights, std::size_t items) : weights_(std::move(weights)), items_(items) {
        require(items == 0 ? weights_.empty() : weights_.size() / items == items && weights_.size() % items == 0,
                "DenseWeights: weights must have items x items elements");
    }

    DenseWeights(const DenseWeights&) = default;
    DenseWeights(DenseWeights&& other) noexcept
        : weights_(std::move(other.weights_)), items_(std::exchange(other.items_, 0)) {}
    DenseWeights& operator=(const DenseWeights& other) { return *this = DenseWeights(other); }  // strong guarantee
    DenseWeights& operator=(DenseWeights&& other) noexcept {
        DenseWeights taken(std::move(other));
        weights_.swap(taken.weights_);
        std::swap(items_, taken.items_);
        return *this;
    }
    ~DenseWeights() = default;

    [[nodiscard]] std::size_t items() const noexcept { return items_; }
    // NOLINTNEXTLINE(bugprone-exception-escape): the constructor checks the shape
    [[nodiscard]] MatrixView<const float> matrix() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {weights_, items_, items_};
    }
    void matrix() const&& = delete;

    /// Here and below, items must be below items() (not checked).
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

    /// Adds the section to a file. This object must outlive the call of file.save().
    template <class Writer>
    void write(Writer& file) const {
        file.array("weights", weights_);
    }

    /// Reads the section that write() added.
    ///
    /// Errors    CorruptData if the section is missing or invalid
    template <class Reader>
    static DenseWeights read(const Reader& file, std::size_t items) {
        auto weights = file.template array<float>("weights", items * items);
        file.check(math::all_finite(weights), "weights", "must be finite");
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
