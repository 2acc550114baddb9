// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/int8_scan.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

namespace detail {

/// What a list stores of its vectors, in order. A class of its own for each type of code, with
///
///     Quantiser            what all lists share: static train(rows); prepare(query, Query&), which does not allocate
///                          after reserve(Query&); write, read, memory_bytes
///     Query                a prepared query, with a constant that is missing in all scores of codes
///     append(quantiser, row), remove(position)  the last vector moves into the gap
///     above(query, begin, end, threshold, out)  the vectors of a range, at most a block, whose score is not below a
///                          threshold: writes {position - begin, score}, returns their number
template <CodeType Codes, Metric M, kernels::HostBackend Backend>
class CodeSequence;

template <Metric M, kernels::HostBackend Backend>
class CodeSequence<F32, M, Backend> {
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
    static constexpr double cost = 1.0;

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
        std::size_t count = 0;
        for (std::size_t i = 0; i < end - begin; ++i) {
            const float score = bounded<M>(scores[i]);
            out[count] = {static_cast<std::uint32_t>(i), score};
            count += score >= threshold ? 1U : 0U;
        }
        return count;
    }

private:
    Matrix<float> rows_;
};

/// Bytes: after the mean of all vectors is subtracted, a vector is a scale times integers in [-127, 127], and so is the
/// query. The score lacks the part that depends on the query only:
///
///     <q, x>     = <q, mean> + <q, y>                     with y = x - mean
///     -|q - x|^2 = -|q - mean|^2 + 2 <q - mean, y> - |y|^2
template <Metric M, kernels::HostBackend Backend>
class CodeSequence<Int8, M, Backend> {
    static constexpr bool is_l2 = std::same_as<typename M::Stored, L2>;

public:
    struct Query {
        std::vector<std::int8_t> bytes;  // padded to whole groups
        std::int32_t sum = 0;
        float step = 0.0F;
        float constant = 0.0F;
    };

    class Quantiser {
    public:
        [[nodiscard]] static Quantiser train(MatrixView<const float> rows) {
            std::vector<double> sums(rows.cols());
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                const std::span<const float> row = rows.row(i);
                for (std::size_t j = 0; j < row.size(); ++j) {
                    sums[j] += static_cast<double>(row[j]);
                }
            }
            Quantiser quantiser;
            quantiser.mean_.resize(rows.cols());
            for (std::size_t j = 0; j < sums.size() && rows.rows() > 0; ++j) {
                quantiser.mean_[j] = static_cast<float>(sums[j] / static_cast<double>(rows.rows()));
            }
            return quantiser;
        }

        void reserve(Query& query) const { query.bytes.resize(kernels::int8_groups(mean_.size()) * group); }

        void prepare(std::span<const float> query, Query& prepared) const noexcept {
            float largest = 0.0F;
            double constant = 0.0;
            for (std::size_t j = 0; j < query.size(); ++j) {
                const float x = is_l2 ? query[j] - mean_[j] : query[j];
                largest = std::max(largest, math::abs(x));
                constant += is_l2 ? -static_cast<double>(x) * static_cast<double>(x)
                                  : static_cast<double>(x) * static_cast<double>(mean_[j]);
            }
            const double inverse = largest > 0.0F ? 127.0 / static_cast<double>(largest) : 0.0;
            prepared.sum = 0;
            for (std::size_t j = 0; j < query.size(); ++j) {
                const float x = is_l2 ? query[j] - mean_[j] : query[j];
                prepared.bytes[j] = static_cast<std::int8_t>(nearest_integer(static_cast<double>(x) * inverse));
                prepared.sum += prepared.bytes[j];
            }
            prepared.step = (is_l2 ? 2.0F : 1.0F) * largest / 127.0F;
            prepared.constant = static_cast<float>(constant);
        }

        [[nodiscard]] std::span<const float> mean() const noexcept FUNNEL_LIFETIMEBOUND { return mean_; }
        [[nodiscard]] std::size_t memory_bytes() const noexcept { return mean_.size() * sizeof(float); }

        template <class Writer>
        void write(Writer& file) const {
            file.array("mean", mean_);
        }
        template <class Reader>
        [[nodiscard]] static Quantiser read(const Reader& file, std::size_t dimension) {
            Quantiser quantiser;
            quantiser.mean_ = file.template array<float>("mean", dimension);
            file.check(defect_of<L2>(quantiser.mean_) == nullptr, "mean", "must be finite and not too long");
            return quantiser;
        }

    private:
        std::vector<float> mean_;
    };

    static constexpr bool is_exact = false;
    static constexpr std::size_t block = 256;
    static constexpr double cost = 0.25;

    CodeSequence() = default;
    explicit CodeSequence(std::size_t dimension) : groups_(kernels::int8_groups(dimension)) {}

    [[nodiscard]] static std::size_t bytes_per_vector(std::size_t dimension) noexcept {
        return kernels::int8_groups(dimension) * group + (is_l2 ? 2 : 1) * sizeof(float);
    }
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return bytes_.size() + (scales_.size() + biases_.size()) * sizeof(float);
    }

    void append(const Quantiser& quantiser, std::span<const float> row) {
        resize(size_ + 1);
        const std::span<const float> mean = quantiser.mean();
        float largest = 0.0F;
        for (std::size_t j = 0; j < row.size(); ++j) {
            largest = std::max(largest, math::abs(row[j] - mean[j]));
        }
        const float scale = largest / 127.0F;
        const double inverse = largest > 0.0F ? 127.0 / static_cast<double>(largest) : 0.0;
        double squares = 0.0;
        for (std::size_t j = 0; j < row.size(); ++j) {
            const double code = nearest_integer(static_cast<double>(row[j] - mean[j]) * inverse);
            bytes_[kernels::int8_position(size_, j, groups_)] = static_cast<std::uint8_t>(code + 128.0);
            squares += code * code;
        }
        scales_[size_] = scale;
        if constexpr (is_l2) {
            biases_[size_] = static_cast<float>(-squares * static_cast<double>(scale) * static_cast<double>(scale));
        }
        ++size_;
    }

    void remove(std::size_t position) noexcept {
        --size_;
        for (std::size_t j = 0; j < groups_ * group; ++j) {
            bytes_[kernels::int8_position(position, j, groups_)] = bytes_[kernels::int8_position(size_, j, groups_)];
        }
        scales_[position] = scales_[size_];
        if constexpr (is_l2) {
            biases_[position] = biases_[size_];
        }
        resize(size_);
    }

    [[nodiscard]] std::size_t above(const Query& query, std::size_t begin, std::size_t end, float threshold,
                                    std::span<Scored<>> out) const noexcept {
        const kernels::Int8Vectors vectors{.bytes = std::span(bytes_).subspan(begin * groups_ * group),
                                           .scales = std::span(scales_).subspan(begin),
                                           .biases = std::span(biases_).subspan(is_l2 ? begin : 0),
                                           .size = end - begin};
        kernels::Int8Scan scan{
            .query = {query.bytes, query.sum}, .step = query.step, .offset = 0.0F, .threshold = threshold, .hits = out};
        kernels::int8_scan<Backend>(vectors, std::span(&scan, 1));
        return scan.count;
    }

private:
    static constexpr std::size_t group = kernels::int8_group;

    // An integer, as a double: bytes are rounded from doubles, whose products with an inverse cannot overflow.
    [[nodiscard]] static double nearest_integer(double x) noexcept { return math::floor(x + 0.5); }

    // Whole blocks for `size` vectors, without other effects.
    void resize(std::size_t size) {
        const std::size_t padded = kernels::int8_blocks(size) * kernels::int8_block;
        bytes_.resize(padded * groups_ * group, std::uint8_t{128});
        scales_.resize(padded);
        biases_.resize(is_l2 ? padded : 0);
    }

    std::size_t groups_ = 0;
    std::size_t size_ = 0;
    std::vector<std::uint8_t, funnel::detail::RowAllocator<std::uint8_t>> bytes_;  // a register never spans cache lines
    std::vector<float> scales_;
    std::vector<float> biases_;
};

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
