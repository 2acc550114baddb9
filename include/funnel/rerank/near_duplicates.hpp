// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/rerank/finite_norms.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Removes items whose key has occurred before: copies of a film, offers of a product.
///
/// Shapes    keys: n, best first
/// Returns   the positions of the first item of each key, in their order
/// Cost      O(n) time and memory
template <std::integral Key>
[[nodiscard]] std::vector<std::size_t> remove_duplicates(std::span<const Key> keys) {
    std::unordered_set<Key> found;
    found.reserve(keys.size());
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (found.insert(keys[i]).second) {
            kept.push_back(i);
        }
    }
    return kept;
}

/// Overload for vectors and arrays of the default id type, from which the template cannot deduce Key.
[[nodiscard]] inline std::vector<std::size_t> remove_duplicates(std::span<const std::uint32_t> keys) {
    return remove_duplicates<std::uint32_t>(keys);
}

struct NearDuplicatesOptions {
    float similarity = 0.95F;  ///< in (0, 1]; from this cosine on, less 2e-6 for rounding, candidates are duplicates
};

/// A rule: no two items of the slate are near-duplicates, by the cosine of their embeddings.
///
/// Which of them is shown depends on the selection: the one that is picked first. A row of zeros is like no other.
///
/// Shapes    embeddings: n x d; the rows need not be unit vectors
/// Cost      allows: O(1);  place: O(n d), in vector kernels
/// Errors    InvalidArgument if similarity is out of range or a row is not finite or has a norm above 1.8e19
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class NearDuplicates {
public:
    /// Keeps a view: the embeddings must live as long as the rule.
    explicit NearDuplicates(MatrixView<const float> embeddings FUNNEL_LIFETIMEBOUND,
                            const NearDuplicatesOptions& options = {})
        : embeddings_(embeddings),
          similarity_(options.similarity),
          copies_(embeddings.rows(), 0),
          cosines_(embeddings.rows()) {
        require_between(options.similarity, 0.0, 1.0, "NearDuplicates: similarity");
        require(options.similarity > 0.0F, "NearDuplicates: similarity must be > 0");
        detail::require_finite_norms(embeddings, "NearDuplicates: embeddings");
    }

    explicit NearDuplicates(const Matrix<float>&&, const NearDuplicatesOptions& = {}) = delete;

    [[nodiscard]] std::size_t candidates() const noexcept { return embeddings_.rows(); }

    [[nodiscard]] bool allows(std::size_t candidate) const noexcept { return copies_[candidate] == 0; }

    void place(std::size_t candidate) {
        if (std::find(pinned_.begin(), pinned_.end(), candidate) == pinned_.end()) {
            count(candidate);
        }
    }

    /// The candidate will take a place later: its near-duplicates are not shown before it either.
    void pin(std::size_t candidate, std::size_t) {
        count(candidate);
        pinned_.push_back(candidate);
    }

private:
    static constexpr float rounding = 2e-6F;  // of a cosine in float

    void count(std::size_t candidate) noexcept {
        kernels::score_rows<kernels::Cosine, Backend>(embeddings_.row(candidate), embeddings_, cosines_);
        for (std::size_t i = 0; i < cosines_.size(); ++i) {
            copies_[i] += i != candidate && cosines_[i] >= similarity_ - rounding ? 1U : 0U;
        }
    }

    MatrixView<const float> embeddings_;
    float similarity_;
    std::vector<std::uint32_t> copies_;  // per candidate: its near-duplicates with a place
    std::vector<float> cosines_;
    std::vector<std::size_t> pinned_;
};

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel
