// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/eligible.hpp>
#include <funnel/ann/int8_bound.hpp>
#include <funnel/ann/int8_candidates.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/half_rows.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/int8_scan.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/scores_not_below.hpp>
#include <funnel/quantise/half.hpp>
#include <funnel/quantise/int8.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

namespace detail {

/// A sequence of vectors, encoded, at positions 0, 1, ... All sequences of an index share a quantiser.
///
///     Quantiser                     what was learned from the vectors; train, memory_bytes, write, read
///     Query                         a query, prepared once per search: quantiser.prepare(query, prepared)
///     append(quantiser, row)        on failure nothing has changed
///     remove(position)              moves the last vector into the gap
///     above(query, begin, end, threshold, out)
///                                   {position, score} of the vectors in [begin, end) whose score is at least
///                                   `threshold`; end - begin <= block, begin is a multiple of block
///     bytes_per_vector(dimension), memory_bytes(), block, is_exact, cost
///
/// Scores are in the scale of the metric M::Stored. They are exact for F32, else about right.
template <class Codes, Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeSequence;

template <Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeSequence<F32, M, Dim, Backend> {
public:
    struct Query {
        std::span<const float> vector;
    };

    struct Quantiser {
        [[nodiscard]] static Quantiser train(MatrixView<const float>) noexcept { return {}; }
        static void prepare(std::span<const float> query FUNNEL_LIFETIMEBOUND, Query& prepared) noexcept {
            prepared.vector = query;
        }
        static void reserve(const Query&) noexcept {}
        [[nodiscard]] static std::size_t memory_bytes() noexcept { return 0; }
        template <class Writer>
        static void write(Writer&) noexcept {}
        template <class Reader>
        [[nodiscard]] static Quantiser read(const Reader&, std::size_t) noexcept {
            return {};
        }
    };

    static constexpr bool is_exact = true;
    static constexpr std::size_t block = 256;
    static constexpr double cost = 1.2;  // more than one by one: those that are not eligible are read, too

    CodeSequence() = default;
    explicit CodeSequence(std::size_t dimension) : rows_(0, dimension) {}

    [[nodiscard]] static std::size_t bytes_per_vector(std::size_t dimension) {
        return Matrix<float>(0, dimension).stride() * sizeof(float);
    }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return rows_.rows() * rows_.stride() * sizeof(float); }

    void append(const Quantiser&, std::span<const float> row) {
        rows_.resize_rows(rows_.rows() + 1);
        std::copy(row.begin(), row.end(), rows_.row(rows_.rows() - 1).begin());
    }

    // NOLINTNEXTLINE(bugprone-exception-escape): resize_rows throws only if it adds rows
    void remove(std::size_t position) noexcept {
        const std::span<const float> last = rows_.row(rows_.rows() - 1);
        if (position + 1 < rows_.rows()) {
            std::copy(last.begin(), last.end(), rows_.row(position).begin());
        }
        rows_.resize_rows(rows_.rows() - 1);
    }

    [[nodiscard]] std::size_t above(const Query& query, std::size_t begin, std::size_t end, float threshold,
                                    std::span<Scored<>> out) const {
        std::array<float, block> scores;
        kernels::score_rows<typename M::Stored, Backend>(query.vector, rows_.view().rows_from(begin, end - begin),
                                                         std::span(scores).first(end - begin));
        const std::size_t count =
            kernels::scores_not_below<Backend>(std::span<const float>(scores).first(end - begin), threshold, out);
        for (Scored<>& hit : out.first(count)) {
            hit.id += static_cast<std::uint32_t>(begin);
        }
        return count;
    }

private:
    Matrix<float> rows_;
};

/// A quantiser of quantise/ that prepares queries for the metric M.
template <class Learned, Metric M>
class QuantiserFor : public Learned {
public:
    QuantiserFor() = default;
    [[nodiscard]] static QuantiserFor train(MatrixView<const float> rows) { return Learned::train(rows); }
    template <class Query>
    void prepare(std::span<const float> query, Query& prepared) const {
        Learned::template prepare<M>(query, prepared);
    }
    template <class Reader>
    [[nodiscard]] static QuantiserFor read(const Reader& file, std::size_t dimension) {
        return Learned::read(file, dimension);
    }

private:
    QuantiserFor(Learned learned) : Learned(std::move(learned)) {}  // NOLINT(google-explicit-constructor)
};

template <Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeSequence<Int8, M, Dim, Backend> {
    static constexpr bool is_l2 = std::same_as<typename M::Stored, kernels::L2>;

public:
    struct Query : quantise::Int8PreparedQuery {
        Int8Candidates<M, Backend> candidates;  // of an exact scan
    };
    using Quantiser = QuantiserFor<quantise::Int8Quantiser, M>;

    static constexpr bool is_exact = false;
    static constexpr std::size_t block = 256;
    static constexpr std::size_t tile = 4;  // queries per pass of the kernel
    static constexpr double cost = code_cost;

    CodeSequence() = default;
    explicit CodeSequence(std::size_t dimension) : groups_(kernels::int8_groups(dimension)) {}

    [[nodiscard]] static std::size_t bytes_per_vector(std::size_t dimension) noexcept {
        return kernels::int8_groups(dimension) * kernels::int8_group + (is_l2 ? 2 : 1) * sizeof(float);
    }
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return bytes_.size() + (scales_.size() + biases_.size()) * sizeof(float);
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void append(const Quantiser& quantiser, std::span<const float> row) {
        if (size_ % kernels::int8_block == 0) {
            reserve_more(scales_, kernels::int8_block);
            reserve_more(biases_, is_l2 ? kernels::int8_block : 0);
            const std::size_t bytes = bytes_.size() + groups_ * kernels::int8_group_bytes;
            if (bytes > bytes_.capacity()) {
                bytes_.reserve(std::max(bytes, 2 * bytes_.size()));  // the last step that can fail
            }
            bytes_.resize(bytes, 128);
            scales_.resize(scales_.size() + kernels::int8_block);
            biases_.resize(is_l2 ? scales_.size() : 0);
        }
        ++size_;
        set(size_ - 1, quantiser, row);
    }

    /// Encodes another vector at a position that is below size() (not checked).
    void set(std::size_t position, const Quantiser& quantiser, std::span<const float> row) noexcept {
        FUNNEL_ASSERT(position < size_);
        const quantise::Int8Terms terms = quantiser.encode(row, [&](std::size_t j, int byte) {
            bytes_[kernels::int8_position(position, j, groups_)] = static_cast<std::uint8_t>(byte + 128);
        });
        scales_[position] = terms.scale;
        if constexpr (is_l2) {
            biases_[position] = CodeRounding::up(-0.5 * terms.squares);
        }
        largest_scale_ = std::max(largest_scale_, terms.scale);
        longest_ = std::max(longest_, terms.byte_length);
        largest_error_ = std::max(largest_error_, terms.error);
    }

    void remove(std::size_t position) noexcept {
        FUNNEL_ASSERT(position < size_);
        const std::size_t last = size_ - 1;
        for (std::size_t j = 0; j < groups_ * kernels::int8_group; ++j) {
            bytes_[kernels::int8_position(position, j, groups_)] = bytes_[kernels::int8_position(last, j, groups_)];
        }
        scales_[position] = scales_[last];
        if constexpr (is_l2) {
            biases_[position] = biases_[last];
        }
        if (last % kernels::int8_block == 0) {
            bytes_.resize(last * groups_ * kernels::int8_group);
            scales_.resize(last);
            biases_.resize(is_l2 ? last : 0);
        }
        size_ = last;
    }

    /// Twice the error that scores are expected to stay below: vectors whose scores differ by more are in the right
    /// order. It takes rounding errors as independent: each of a vector is at most scale / 2, and that of the query
    /// meets bytes of at most 127. Then the variance of a product is at most scale^2 (|query|^2 / 12 + 127^2 error^2);
    /// an error is taken as at most two standard deviations of the largest scale. Typical bytes are much smaller than
    /// 127, so this is four or five true ones.
    [[nodiscard]] static float margin(const Query& query, float largest_scale) noexcept {
        const double variance = query.length * query.length / 12.0 + 127.0 * 127.0 * query.error * query.error;
        const double error = 2.0 * static_cast<double>(largest_scale) * math::sqrt(variance);
        return static_cast<float>((is_l2 ? 2.0 : 1.0) * 2.0 * error);
    }

    [[nodiscard]] std::size_t above(const Query& query, std::size_t begin, std::size_t end, float threshold,
                                    std::span<Scored<>> out) const {
        // Under L2, score = 2 (product - |vector|^2 / 2) - |query|^2, all without the mean.
        const auto factor = is_l2 ? 2.0F : 1.0F;
        const auto constant = static_cast<float>(is_l2 ? -query.length * query.length : query.at_mean);
        // Lowered by more than rounding can take away from a score, so that ties with the threshold are hits.
        const float slack = (math::abs(threshold) + math::abs(constant)) * 0x1p-21F;
        kernels::Int8Scan scan{query.view(), query.step, 0.0F, (threshold - constant - slack) / factor, out};
        kernels::int8_scan<Backend>(range(begin, end), std::span(&scan, 1));
        for (Scored<>& hit : out.first(scan.count)) {
            hit.id += static_cast<std::uint32_t>(begin);
            hit.score = factor * hit.score + constant;
        }
        return scan.count;
    }

    /// Offers the vectors in [begin, end) to the candidates of up to four queries, as part of an exact scan.
    /// id_of(position) is the id of a vector.
    template <class IdOf, class Passes>
    void offer(std::span<Query> queries, std::size_t begin, std::size_t end, const IdOf& id_of,
               const Passes& passes) const {
        std::array<std::array<Scored<>, block>, tile> hits;
        std::array<kernels::Int8Scan, tile> scans;
        for (std::size_t q = 0; q < queries.size(); ++q) {
            const auto& candidates = queries[q].candidates;
            scans[q] = {queries[q].view(),      queries[q].step, candidates.bound().offset(),
                        candidates.threshold(), hits[q],         0};
        }
        const kernels::Int8Vectors vectors = range(begin, end);
        kernels::int8_scan<Backend>(vectors, std::span(scans).first(queries.size()));
        for (std::size_t q = 0; q < queries.size(); ++q) {
            for (const Scored<>& hit : std::span(hits[q]).first(scans[q].count)) {
                const std::uint32_t id = id_of(begin + hit.id);
                queries[q].candidates.offer(id, hit.score, vectors.scales[hit.id], passes(id));
            }
        }
    }

    /// The vectors in [begin, end), where begin is a multiple of 16 (not checked). Scale and bias of vector v are such
    /// that scale dot + bias, with the query's step, is about its product with the query: without the mean, and under
    /// L2 minus half of the vector's squared length, rounded up.
    [[nodiscard]] kernels::Int8Vectors range(std::size_t begin, std::size_t end) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(begin % kernels::int8_block == 0 && begin <= end && end <= size_);
        return {std::span(bytes_).subspan(begin * groups_ * kernels::int8_group),
                std::span<const float>(scales_).subspan(begin),
                is_l2 ? std::span<const float>(biases_).subspan(begin) : std::span<const float>(), end - begin};
    }

    /// At least as large as the scale of any vector.
    [[nodiscard]] float largest_scale() const noexcept { return largest_scale_; }
    /// At least as large as the length of the bytes of any vector.
    [[nodiscard]] double longest() const noexcept { return longest_; }
    /// At least as large as the error of any vector, in units of its scale.
    [[nodiscard]] double largest_error() const noexcept { return largest_error_; }

private:
    std::vector<std::uint8_t, funnel::detail::RowAllocator<std::uint8_t>> bytes_;
    std::vector<float> scales_;
    std::vector<float> biases_;
    std::size_t groups_ = 0;
    std::size_t size_ = 0;
    float largest_scale_ = 0.0F;
    double longest_ = 0.0;
    double largest_error_ = 0.0;
};

template <Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeSequence<F16, M, Dim, Backend> {
    static constexpr bool is_l2 = std::same_as<typename M::Stored, kernels::L2>;

public:
    using Query = quantise::HalfPreparedQuery;
    using Quantiser = QuantiserFor<quantise::HalfQuantiser, M>;

    static constexpr bool is_exact = false;
    static constexpr std::size_t block = 256;
    static constexpr double cost = 0.5;

    CodeSequence() = default;
    explicit CodeSequence(std::size_t dimension) : codes_(0, quantise::padded_halves(dimension)) {}

    [[nodiscard]] static std::size_t bytes_per_vector(std::size_t dimension) noexcept {
        return quantise::padded_halves(dimension) * sizeof(kernels::Float16) + (is_l2 ? 2 : 1) * sizeof(float);
    }
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return codes_.rows() * codes_.stride() * sizeof(kernels::Float16) +
               (scales_.size() + biases_.size()) * sizeof(float);
    }

    void append(const Quantiser& quantiser, std::span<const float> row) {
        reserve_more(scales_, 1);
        reserve_more(biases_, is_l2 ? 1 : 0);
        codes_.resize_rows(codes_.rows() + 1);  // the last step that can fail
        const quantise::HalfTerms terms = quantiser.encode(row, codes_.row(codes_.rows() - 1));
        scales_.push_back(terms.scale);
        if constexpr (is_l2) {
            biases_.push_back(static_cast<float>(-terms.squares));
        }
    }

    void remove(std::size_t position) noexcept {
        FUNNEL_ASSERT(position < codes_.rows());
        const std::size_t last = codes_.rows() - 1;
        const std::span<const kernels::Float16> moved = std::as_const(codes_).row(last);
        if (position < last) {
            std::copy(moved.begin(), moved.end(), codes_.row(position).begin());
        }
        scales_[position] = scales_[last];
        scales_.pop_back();
        if constexpr (is_l2) {
            biases_[position] = biases_[last];
            biases_.pop_back();
        }
        codes_.resize_rows(last);
    }

    [[nodiscard]] std::size_t above(const Query& query, std::size_t begin, std::size_t end, float threshold,
                                    std::span<Scored<>> out) const {
        std::array<float, block> products;
        kernels::score_half_rows<InnerProduct, Backend>(query.elements, codes_.view().rows_from(begin, end - begin),
                                                        std::span(products).first(end - begin));
        // Under L2, score = 2 product - |vector|^2 - |query|^2, all without the mean.
        const auto constant = static_cast<float>(is_l2 ? -query.length * query.length : query.at_mean);
        std::size_t count = 0;
        for (std::size_t i = begin; i < end; ++i) {
            float score = scales_[i] * ((is_l2 ? 2.0F : 1.0F) * products[i - begin]) + constant;
            if constexpr (is_l2) {
                score += biases_[i];
            }
            out[count] = {static_cast<std::uint32_t>(i), score};
            count += score >= threshold ? 1U : 0U;
        }
        return count;
    }

private:
    Matrix<kernels::Float16> codes_;
    std::vector<float> scales_;
    std::vector<float> biases_;  // of L2: minus the squared length of the decoded vector
};

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
