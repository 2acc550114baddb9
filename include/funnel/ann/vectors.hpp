// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/metric.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace funnel::inline FUNNEL_ABI::ann {

using kernels::Cosine;
using kernels::InnerProduct;
using kernels::L2;
using kernels::Metric;

namespace detail {

// Ids are below this, so that a search may mark one with its highest bit.
inline constexpr std::size_t max_vectors = std::size_t{1} << 31;

[[nodiscard]] inline double squared_length(std::span<const float> vector) noexcept {
    double sum = 0.0;
    for (const float x : vector) {
        sum += static_cast<double>(x) * static_cast<double>(x);
    }
    return sum;
}

/// What speaks against a vector under metric M, to follow "row 7 "; null if nothing does.
template <Metric M>
[[nodiscard]] const char* defect_of(std::span<const float> vector) noexcept {
    const double squares = squared_length(vector);
    if (!math::is_finite(squares)) {
        return "holds a NaN or an infinity";
    }
    if (M::normalises && squares == 0.0) {
        return "is the zero vector, which has no direction";
    }
    // Below this bound no inner product of two vectors overflows, so no score is ever a NaN.
    if (!M::normalises && squares > static_cast<double>(std::numeric_limits<float>::max())) {
        return "is too long: its squared length must fit a float";
    }
    return nullptr;
}

/// Puts a vector without defects into the form in which it is stored and compared: unit length under Cosine.
template <Metric M>
void prepare(std::span<const float> vector, std::span<float> out) noexcept {
    if constexpr (M::normalises) {
        const double scale = 1.0 / math::sqrt(squared_length(vector));
        std::transform(vector.begin(), vector.end(), out.begin(),
                       [scale](float x) { return static_cast<float>(static_cast<double>(x) * scale); });
    } else {
        std::copy(vector.begin(), vector.end(), out.begin());
    }
}

/// The score of a prepared query as users see it: rounding takes no cosine beyond 1.
template <Metric M>
[[nodiscard]] float bounded(float score) noexcept {
    if constexpr (M::normalises) {
        return std::clamp(score, -1.0F, 1.0F);
    } else {
        return score;
    }
}

/// The same for many, before any are ranked: what rounding put above 1 is a tie.
template <Metric M>
void bound(std::span<float> scores) noexcept {
    if constexpr (M::normalises) {
        for (float& score : scores) {
            score = bounded<M>(score);
        }
    }
}

[[noreturn]] inline void reject_vector(const char* function, const std::string& which, const char* defect) {
    raise<InvalidArgument>(std::string(function) + ": " + which + " " + defect);
}

/// The vectors of an index in prepared form, row = id, and which of them are removed. Ids are never used again.
template <Metric M>
class Vectors {
public:
    Vectors() = default;

    Vectors(MatrixView<const float> vectors, const char* function)
        : rows_(vectors.rows(), vectors.cols()), is_removed_(vectors.rows(), 0), live_(vectors.rows()) {
        if (vectors.rows() > 0 && vectors.cols() == 0) {
            raise<InvalidArgument>(std::string(function) + ": vectors must have at least one column");
        }
        if (vectors.rows() >= max_vectors) {
            raise<InvalidArgument>(std::string(function) + ": vectors must be fewer than 2^31");
        }
        for (std::size_t i = 0; i < vectors.rows(); ++i) {
            if (const char* defect = defect_of<M>(vectors.row(i))) {
                reject_vector(function, "row " + std::to_string(i), defect);
            }
            prepare<M>(vectors.row(i), rows_.row(i));
        }
    }

    [[nodiscard]] std::size_t dimension() const noexcept { return rows_.cols(); }
    [[nodiscard]] std::size_t count() const noexcept { return rows_.rows(); }
    [[nodiscard]] std::size_t live() const noexcept { return live_; }
    [[nodiscard]] MatrixView<const float> rows() const noexcept { return rows_.view(); }
    [[nodiscard]] std::span<const float> row(std::size_t id) const noexcept { return rows_.row(id); }
    [[nodiscard]] bool is_live(std::size_t id) const noexcept { return is_removed_[id] == 0; }

    std::uint32_t append(std::span<const float> vector, const char* function) {
        check(vector, "the vector", function);
        const std::size_t id = count();
        if (id + 1 >= max_vectors) {
            raise<InvalidArgument>(std::string(function) + ": an index holds fewer than 2^31 vectors");
        }
        is_removed_.reserve(std::max(id + 1, is_removed_.size() * 2));
        rows_.resize_rows(id + 1);
        prepare<M>(vector, rows_.row(id));
        is_removed_.push_back(0);
        ++live_;
        return static_cast<std::uint32_t>(id);
    }

    bool remove(std::size_t id, const char* function) {
        if (id >= count()) {
            raise<InvalidArgument>(std::string(function) + ": id " + std::to_string(id) + " is out of range");
        }
        if (!is_live(id)) {
            return false;
        }
        is_removed_[id] = 1;
        --live_;
        return true;
    }

    /// Whether a search can answer this query.
    [[nodiscard]] bool accepts(std::span<const float> vector) const noexcept {
        return vector.size() == dimension() && defect_of<M>(vector) == nullptr;
    }

    /// Throws what accepts() only notes; `which` is "the query" or "query 3".
    void check(std::span<const float> vector, const std::string& which, const char* function) const {
        if (vector.size() != dimension()) {
            raise<InvalidArgument>(std::string(function) + ": " + which + " has " + std::to_string(vector.size()) +
                                   " elements, the index has dimension " + std::to_string(dimension()));
        }
        if (const char* defect = defect_of<M>(vector)) {
            reject_vector(function, which, defect);
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return rows_.rows() * rows_.stride() * sizeof(float) + is_removed_.size();
    }

    /// Adds its sections to a file; the vectors must live until file.save.
    template <class Writer>
    void write(Writer& file) const {
        const std::string metric(M::name);
        file.strings("metric", std::span(&metric, 1));
        file.matrix("vectors", rows_);
        file.array("is_removed", is_removed_);
    }

    template <class Reader>
    [[nodiscard]] static Vectors read(const Reader& file) {
        const std::string metric = file.strings("metric", 1)[0];
        const std::string expected(M::name);
        file.check(metric == expected, "metric", "expected " + expected + ", found " + metric);

        Vectors vectors;
        vectors.rows_ = file.template matrix<float>("vectors");
        file.check(vectors.count() < max_vectors, "vectors", "must have fewer than 2^31 rows");
        for (std::size_t i = 0; i < vectors.count(); ++i) {
            file.check(defect_of<M>(vectors.row(i)) == nullptr, "vectors",
                       "must be finite, not too long and, under Cosine, not zero");
            file.check(!M::normalises || math::abs(squared_length(vectors.row(i)) - 1.0) < 1e-3, "vectors",
                       "must have unit length under Cosine");
        }
        vectors.is_removed_ = file.template array<std::uint8_t>("is_removed", vectors.count());
        for (const std::uint8_t flag : vectors.is_removed_) {
            file.check(flag <= 1, "is_removed", "must hold zeros and ones");
            vectors.live_ += flag == 0 ? 1 : 0;
        }
        return vectors;
    }

private:
    Matrix<float> rows_;
    std::vector<std::uint8_t> is_removed_;
    std::size_t live_ = 0;
};

}  // namespace detail
}  // namespace funnel::ann
