// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/copy_on_write_matrix.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/metric.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

using kernels::Cosine;
using kernels::InnerProduct;
using kernels::L2;
using kernels::Metric;

namespace detail {

// Ids are below this, so that a search can use the highest bit of an id as a mark.
inline constexpr std::size_t max_vectors = std::size_t{1} << 31;

// Of estimates, and of files without the vectors themselves: the bytes of max_vectors vectors fit into 64 bits.
inline constexpr std::size_t max_dimension = std::size_t{1} << 28;

// Only Cosine accepts vectors longer than 2^62. Below that, squared distances and inner products are at most 2^126.
// Even with rounding they fit into a float, so a score is never infinite or NaN.
inline constexpr double max_squared_length = 0x1p124;

/// Reserves memory for `count` more elements, so that adding them cannot fail. Capacity grows geometrically.
template <class T>
void reserve_more(std::vector<T>& list, std::size_t count) {
    if (list.capacity() - list.size() < count) {
        list.reserve(std::max(list.size() + count, 2 * list.size()));
    }
}

[[nodiscard]] inline double squared_length(std::span<const float> vector) noexcept {
    double sum = 0.0;
    for (const float x : vector) {
        sum += static_cast<double>(x) * static_cast<double>(x);
    }
    return sum;
}

/// Why a vector is invalid under metric M, as the end of a message that starts with "row 7 "; null if it is valid.
template <Metric M>
[[nodiscard]] const char* defect_of(std::span<const float> vector) noexcept {
    const double squares = squared_length(vector);
    if (!math::is_finite(squares)) {
        return "holds a NaN or an infinity";
    }
    if (M::normalises && squares == 0.0) {
        return "is the zero vector, which has no direction";
    }
    if (!M::normalises && squares > max_squared_length) {
        return "is too long: its length must be at most 2^62";
    }
    return nullptr;
}

/// Converts a valid vector to the form in which it is stored and compared: unit length under Cosine.
///
/// Shapes    vector: d;  out: d (not checked)
template <Metric M>
void prepare(std::span<const float> vector, std::span<float> out) noexcept {
    FUNNEL_ASSERT(vector.size() == out.size());
    if constexpr (M::normalises) {
        const double scale = 1.0 / math::sqrt(squared_length(vector));
        std::transform(vector.begin(), vector.end(), out.begin(),
                       [scale](float x) { return static_cast<float>(static_cast<double>(x) * scale); });
    } else {
        std::copy(vector.begin(), vector.end(), out.begin());
    }
}

/// The score that users see. Under Cosine, it is clamped to [-1, 1], which rounding may exceed.
template <Metric M>
[[nodiscard]] float bounded(float score) noexcept {
    if constexpr (M::normalises) {
        return std::clamp(score, -1.0F, 1.0F);
    } else {
        return score;
    }
}

/// Applies bounded() to many scores. Call it before ranking, so that cosines rounded above 1 are ties.
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

/// Errors    InvalidArgument if a row is invalid under M
template <Metric M>
void check_rows(MatrixView<const float> vectors, const char* function) {
    for (std::size_t i = 0; i < vectors.rows(); ++i) {
        if (const char* defect = defect_of<M>(vectors.row(i))) {
            reject_vector(function, "row " + std::to_string(i), defect);
        }
    }
}

/// The vectors of an index in prepared form, with a flag for removed ones. Ids are row numbers.
///
/// drop_rows() gives the memory of the vectors back, for an index whose structure has its own copy of them. After that,
/// rows() is empty, except in a call of append of the structure.
template <Metric M>
class Vectors {
public:
    Vectors() = default;

    explicit Vectors(MatrixView<const float> vectors, const char* function = "Index::import")
        : rows_(Matrix<float>(vectors.rows(), vectors.cols())), live_(vectors.rows()) {
        if (vectors.rows() > 0 && vectors.cols() == 0) {
            raise<InvalidArgument>(std::string(function) + ": vectors must have at least one column");
        }
        if (vectors.rows() >= max_vectors) {
            raise<InvalidArgument>(std::string(function) + ": number of vectors must be below 2^31");
        }
        is_removed_.assign(vectors.rows(), 0);
        check_rows<M>(vectors, function);
        for (std::size_t i = 0; i < vectors.rows(); ++i) {
            prepare<M>(vectors.row(i), rows_.mutable_row(i));
        }
    }

    /// `count` vectors after drop_rows(). count < 2^31 (not checked).
    [[nodiscard]] static Vectors without_rows(std::size_t count, std::size_t dimension) {
        FUNNEL_ASSERT(count < max_vectors);
        Vectors vectors;
        vectors.rows_ = Matrix<float>(0, dimension);
        vectors.is_removed_.assign(count, 0);
        vectors.live_ = count;
        vectors.has_rows_ = false;
        return vectors;
    }

    [[nodiscard]] std::size_t dimension() const noexcept { return rows_.cols(); }
    [[nodiscard]] std::size_t count() const noexcept { return is_removed_.size(); }
    [[nodiscard]] std::size_t live() const noexcept { return live_; }
    [[nodiscard]] bool has_rows() const noexcept { return has_rows_; }
    [[nodiscard]] MatrixView<const float> rows() const noexcept FUNNEL_LIFETIMEBOUND { return rows_.view(); }
    /// The last vector, until drop_rows() is called. There must be one (not checked).
    [[nodiscard]] std::span<const float> last() const noexcept FUNNEL_LIFETIMEBOUND {
        return rows_.row(rows_.rows() - 1);
    }

    /// Gives the rows back. From here on, a vector that is added is kept until the next call.
    void drop_rows() {
        rows_ = Matrix<float>(0, dimension());
        has_rows_ = false;
    }

    /// id < count() (not checked).
    [[nodiscard]] bool is_live(std::size_t id) const noexcept {
        FUNNEL_ASSERT(id < count());
        return is_removed_[id] == 0;
    }

    /// Adds a vector and returns its id. On failure nothing has changed.
    std::uint32_t append(std::span<const float> vector, const char* function) {
        check(vector, "the vector", function);
        if (vector.empty()) {
            raise<InvalidArgument>(std::string(function) + ": the vector must have at least one element");
        }
        const std::less<> before;  // of pointers, also into different arrays
        if (rows_.rows() > 0 && !before(vector.data(), rows_.row(0).data()) && !before(last().data(), vector.data())) {
            return append(std::vector<float>(vector.begin(), vector.end()), function);  // own rows may move
        }
        const std::size_t id = count();
        if (id + 1 >= max_vectors) {
            raise<InvalidArgument>(std::string(function) + ": number of vectors must be below 2^31");
        }
        reserve_more(is_removed_, 1);
        rows_.resize_rows(rows_.rows() + 1);  // the last step that can fail
        prepare<M>(vector, rows_.mutable_row(rows_.rows() - 1));
        is_removed_.push_back(0);
        ++live_;
        return static_cast<std::uint32_t>(id);
    }

    /// Deletes all vectors except the first `count`, as if they had never been added.
    void keep_first(std::size_t count) {
        for (; this->count() > count; is_removed_.pop_back()) {
            live_ -= is_removed_.back() == 0 ? 1U : 0U;
        }
        rows_.resize_rows(has_rows_ ? std::min(count, rows_.rows()) : 0);
    }

    /// Copies rows that are mapped from a file, so that they can change. On failure nothing has changed.
    void own() { rows_.own(); }

    /// Gives an id, below count() (not checked), a prepared vector. It is live from here on. Call own() first.
    void set(std::uint32_t id, std::span<const float> prepared) noexcept {
        if (has_rows_) {
            std::copy(prepared.begin(), prepared.end(), rows_.mutable_row(id).begin());
        }
        live_ += is_live(id) ? 0U : 1U;
        is_removed_[id] = 0;
    }

    bool remove(std::size_t id, const char* function) {
        check_id(id, function);
        if (!is_live(id)) {
            return false;
        }
        is_removed_[id] = 1;
        --live_;
        return true;
    }

    /// Errors    InvalidArgument if the id was never assigned
    void check_id(std::size_t id, const char* function) const {
        if (id >= count()) {
            raise<InvalidArgument>(std::string(function) + ": id " + std::to_string(id) + " is out of range");
        }
    }

    /// Whether a search can answer this query.
    [[nodiscard]] bool accepts(std::span<const float> vector) const noexcept {
        return vector.size() == dimension() && defect_of<M>(vector) == nullptr;
    }

    /// Throws if accepts() returns false; `which` names the vector in the message: "the query" or "query 3".
    void check(std::span<const float> vector, const std::string& which, const char* function) const {
        if (vector.size() != dimension()) {
            raise<InvalidArgument>(std::string(function) + ": " + which + " has " + std::to_string(vector.size()) +
                                   " elements, the index has dimension " + std::to_string(dimension()));
        }
        if (const char* defect = defect_of<M>(vector)) {
            reject_vector(function, which, defect);
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept { return rows_.memory_bytes() + is_removed_.size(); }

    /// What memory_bytes() would return for n vectors.
    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension, bool has_rows) {
        const std::size_t stride = Matrix<float>(0, dimension).stride();
        return n + (has_rows ? n * stride * sizeof(float) : 0);
    }

    /// Adds the sections of the vectors to a file. The vectors must outlive the call of file.save. Without rows, the
    /// structure that reads the file must compare dimension() with what it has (not checked here).
    template <class Writer>
    void write(Writer& file) const {
        const std::string metric(M::name);
        file.strings("metric", std::span(&metric, 1));
        if (has_rows_) {
            file.matrix("vectors", rows_.view());
        } else {
            file.value("dimension", std::uint64_t{dimension()});
        }
        file.array("is_removed", is_removed_);
    }

    template <class Reader>
    [[nodiscard]] static Vectors read(const Reader& file, bool has_rows = true) {
        const std::string metric = file.strings("metric", 1)[0];
        const std::string expected(M::name);
        file.check(metric == expected, "metric", "expected " + expected + ", found " + metric);

        Vectors vectors;
        vectors.is_removed_ = file.template array<std::uint8_t>("is_removed");
        file.check(vectors.count() < max_vectors, "is_removed", "must have fewer than 2^31 elements");
        for (const std::uint8_t flag : vectors.is_removed_) {
            file.check(flag <= 1, "is_removed", "must hold zeros and ones");
            vectors.live_ += flag == 0 ? 1U : 0U;
        }
        vectors.has_rows_ = has_rows;
        if (!has_rows) {
            const auto dimension = file.template value<std::uint64_t>("dimension");
            file.check(dimension < max_dimension && (dimension > 0 || vectors.count() == 0), "dimension",
                       "must lie in [1, 2^28)");
            vectors.rows_ = Matrix<float>(0, dimension);
            return vectors;
        }
        vectors.rows_ = file.template copy_on_write_matrix<float>("vectors", vectors.count());
        for (std::size_t i = 0; i < vectors.count(); ++i) {
            const std::span<const float> row = vectors.rows_.row(i);
            file.check(defect_of<M>(row) == nullptr, "vectors",
                       "must be finite, not too long and, under Cosine, not zero");
            file.check(!M::normalises || math::abs(squared_length(row) - 1.0) < 1e-3, "vectors",
                       "must have unit length under Cosine");
        }
        return vectors;
    }

private:
    CopyOnWriteMatrix<float> rows_;
    std::vector<std::uint8_t> is_removed_;
    std::size_t live_ = 0;
    bool has_rows_ = true;
};

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
