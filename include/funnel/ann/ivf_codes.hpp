// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// Lists hold the vectors themselves.
struct F32 {};

namespace detail {

template <class Codes, Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeSequence;

template <Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeSequence<F32, M, Dim, Backend> {
public:
    struct Query {
        std::span<const float> vector;
    };

    struct Quantiser {
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
        for (std::size_t i = begin; i < end; ++i) {
            out[count] = {static_cast<std::uint32_t>(i), scores[i - begin]};
            count += scores[i - begin] >= threshold ? 1U : 0U;
        }
        return count;
    }

private:
    Matrix<float> rows_;
};

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
