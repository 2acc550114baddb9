// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/int8_bound.hpp>
#include <funnel/ann/int8_candidates.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/prefetch.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/half_rows.hpp>
#include <funnel/kernels/int8_rows.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/scores_not_below.hpp>
#include <funnel/quantise/half.hpp>
#include <funnel/quantise/int8.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// How rows of codes are written and multiplied with a query. The elements of a query are padded with zeros to the
/// width of a row.
template <class Codes>
struct RowCode;

/// quantise/int8.hpp
template <>
struct RowCode<Int8> {
    using Quantiser = quantise::Int8Quantiser;
    using Query = quantise::Int8PreparedQuery;
    using Element = std::uint8_t;
    using Product = std::int32_t;
    template <Metric M>
    static constexpr float shared_scale = 0.0F;  // each vector has its own

    static constexpr auto elements = &Query::bytes;
    [[nodiscard]] static float step(const Query& query) noexcept { return query.step; }

    struct Terms {
        float scale = 0.0F;
        double squares = 0.0;       // of scale * code
        quantise::Int8Terms exact;  // for Int8Bound
    };
    template <Metric M>
    static Terms encode(const Quantiser& quantiser, std::span<const float> row, std::span<Element> out) {
        const quantise::Int8Terms terms =
            quantiser.encode(row, [&](std::size_t j, int byte) { out[j] = static_cast<Element>(byte + 128); });
        const double length = double{terms.scale} * terms.byte_length;
        return {terms.scale, length * length, terms};
    }
    template <kernels::HostBackend Backend, std::size_t Width>
    [[gnu::always_inline]] static void multiply(std::span<const std::int8_t, Width> query,
                                                MatrixView<const Element> rows, std::span<const std::uint32_t> ids,
                                                std::span<Product> out) noexcept {
        kernels::int8_row_dots<Backend>(query, rows, ids, out);
    }
};

/// quantise/half.hpp
template <>
struct RowCode<F16> {
    using Quantiser = quantise::HalfQuantiser;
    using Query = quantise::HalfPreparedQuery;
    using Element = kernels::Float16;
    using Product = float;
    template <Metric M>
    static constexpr float shared_scale = M::normalises ? Quantiser::unit_scale : 0.0F;

    static constexpr auto elements = &Query::elements;
    [[nodiscard]] static float step(const Query&) noexcept { return 1.0F; }

    template <Metric M>
    static quantise::HalfTerms encode(const Quantiser& quantiser, std::span<const float> row,
                                      std::span<Element> out) noexcept {
        return quantiser.encode(row, M::normalises ? shared_scale<M> : quantiser.scale_of(row), out);
    }
    template <kernels::HostBackend Backend, std::size_t Width>
    [[gnu::always_inline]] static void multiply(std::span<const float, Width> query, MatrixView<const Element> rows,
                                                std::span<const std::uint32_t> ids, std::span<Product> out) noexcept {
        kernels::score_half_rows<InnerProduct, Backend>(query, rows, ids, out);
    }
};

/// What a search in a graph scores: one code per vector, in the order of ids, for access in any order. A code is a row
/// of elements and a scale per vector. The scores are in the scale of the metric: higher is better. If is_exact is
/// false, they are approximate.
///
///     inner product: mean . q + scale step (c . b),          q = step b
///     L2:            2 scale step (c . b) - |scale c|^2 - |q - mean|^2,  q - mean = step b
template <Metric M, std::size_t Dim, CodeType Codes, kernels::HostBackend Backend>
class CodeRows;

/// The vectors themselves, which the index keeps.
template <Metric M, std::size_t Dim, kernels::HostBackend Backend>
class CodeRows<M, Dim, F32, Backend> {
public:
    struct Query {};  // a query prepared for score()
    static constexpr bool is_exact = true;

    CodeRows() = default;
    explicit CodeRows(MatrixView<const float>) noexcept {}
    void append(MatrixView<const float>) noexcept {}
    void set(std::uint32_t, std::span<const float>) noexcept {}
    void keep_first(std::size_t) noexcept {}

    void reserve(Query&) const noexcept {}
    void prepare(std::span<const float>, Query&) const noexcept {}
    [[gnu::always_inline]] void score(std::span<const float, Dim> query, const Query&, MatrixView<const float> rows,
                                      std::span<const std::uint32_t> ids, std::span<float> out) const noexcept {
        kernels::score_rows<typename M::Stored, Backend>(query, rows, ids, out);
        bound<M>(out.first(ids.size()));
    }
    [[gnu::always_inline]] void prefetch(MatrixView<const float> rows, std::uint32_t id) const noexcept {
        prefetch_elements(rows.data() + id * rows.stride(), Dim == std::dynamic_extent ? rows.cols() : Dim);
    }

    [[nodiscard]] static std::size_t memory_bytes() noexcept { return 0; }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t, std::size_t) noexcept { return 0; }
    template <class Writer>
    void write(Writer&) const noexcept {}
    template <class Reader>
    [[nodiscard]] static CodeRows read(const Reader&, MatrixView<const float>) noexcept {
        return {};
    }
};

template <Metric M, std::size_t Dim, CodeType Codes, kernels::HostBackend Backend>
class CodeRows {
    using Code = RowCode<Codes>;
    using Quantiser = typename Code::Quantiser;
    using Element = typename Code::Element;

public:
    static constexpr bool is_exact = false;
    static constexpr bool has_scan = std::same_as<Codes, Int8>;

    struct Nothing {};
    struct Query {
        typename Code::Query codes;
        float step = 0.0F;
        float offset = 0.0F;
        std::conditional_t<has_scan, Int8Candidates<M, Backend>, Nothing> candidates;  // of scan()
    };

    CodeRows() = default;

    /// Encodes all rows.
    explicit CodeRows(MatrixView<const float> rows) : CodeRows(rows, Quantiser::train(rows)) {}

    /// Encodes the last row. On failure nothing has changed.
    void append(MatrixView<const float> rows) {
        if (codes_.cols() == 0) {  // an empty index had no dimension yet
            *this = CodeRows(rows, Quantiser::train(rows.rows_from(0, 0)));
            return;
        }
        reserve_more(terms_, 1);
        reserve_more(halves_, 1);
        codes_.resize_rows(rows.rows());  // the last step that can fail
        if constexpr (has_terms) {
            terms_.push_back({});
        }
        if constexpr (is_l2 && has_scan) {
            halves_.push_back(0.0F);
        }
        encode(rows.row(rows.rows() - 1), rows.rows() - 1);
    }

    /// Row id has changed to this vector.
    void set(std::uint32_t id, std::span<const float> vector) noexcept { encode(vector, id); }

    /// Removes all codes except the first `count`.
    void keep_first(std::size_t count) {
        codes_.resize_rows(std::min(count, codes_.rows()));
        terms_.resize(std::min(count, terms_.size()));
        halves_.resize(std::min(count, halves_.size()));
    }

    /// Reserves memory, so that prepare does not allocate.
    void reserve(Query& prepared) const { (prepared.codes.*Code::elements).reserve(codes_.cols()); }

    void prepare(std::span<const float> query, Query& prepared) const {
        quantiser_.template prepare<M>(query, prepared.codes);
        (prepared.codes.*Code::elements).resize(codes_.cols());
        prepared.step =
            (is_l2 ? 2.0F : 1.0F) * (has_terms ? 1.0F : Code::template shared_scale<M>)*Code::step(prepared.codes);
        const double length = prepared.codes.length;
        prepared.offset = static_cast<float>(is_l2 ? -length * length : prepared.codes.at_mean);
    }

    [[gnu::always_inline]] void score(std::span<const float, Dim>, const Query& query, MatrixView<const float>,
                                      std::span<const std::uint32_t> ids, std::span<float> out) const noexcept {
        std::array<typename Code::Product, 32> products;
        const auto& elements = query.codes.*Code::elements;
        const std::span<const typename std::remove_cvref_t<decltype(elements)>::value_type, width> row_of_query(
            elements);
        for (std::size_t begin = 0; begin < ids.size(); begin += products.size()) {
            const auto some = ids.subspan(begin, std::min(products.size(), ids.size() - begin));
            Code::template multiply<Backend>(row_of_query, codes_.view(), some, std::span(products).first(some.size()));
            for (std::size_t i = 0; i < some.size(); ++i) {
                const float product = query.step * static_cast<float>(products[i]);
                float score = product + query.offset;
                if constexpr (has_terms) {
                    score = terms_[some[i]].scale * product + query.offset;
                }
                if constexpr (is_l2) {
                    score += terms_[some[i]].bias;
                }
                out[begin + i] = score;
            }
        }
    }

    /// The nearest vectors that pass, exactly; as scan of scan.hpp. It does not allocate after reserve().
    template <class Passes>
    std::span<Scored<>> scan(std::span<const float> query, MatrixView<const float> rows, const Passes& passes,
                             Query& prepared, std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) const
        requires has_scan
    {
        constexpr std::size_t block = Int8Candidates<M, Backend>::block;
        TopK<> best(out);
        prepare(query, prepared);
        Int8Candidates<M, Backend>& candidates = prepared.candidates;
        candidates.start({prepared.codes, query.size(), quantiser_.mean_length(), longest_, largest_error_},
                         out.size());
        const std::span<const std::int8_t, width> bytes_of_query(prepared.codes.bytes);
        const float step = prepared.codes.step;
        const float offset = candidates.bound().offset();
        std::array<std::uint32_t, block> ids;
        std::array<std::int32_t, block> dots{};
        std::array<float, block> lefts;
        std::array<Scored<>, block> reached;
        for (std::size_t begin = 0; begin < rows.rows(); begin += block) {
            const std::size_t size = std::min(block, rows.rows() - begin);
            std::iota(ids.begin(), ids.end(), static_cast<std::uint32_t>(begin));
            const auto some = std::span<const std::uint32_t>(ids).first(size);
            kernels::int8_row_dots<Backend>(bytes_of_query, codes_.view(), some, std::span(dots).first(size));
            for (std::size_t i = 0; i < size; ++i) {
                lefts[i] = terms_[begin + i].scale * (step * static_cast<float>(dots[i]) + offset);
                if constexpr (is_l2) {
                    lefts[i] += halves_[begin + i];
                }
            }
            const std::size_t count = kernels::scores_not_below<Backend>(std::span<const float>(lefts).first(size),
                                                                         candidates.threshold(), reached);
            for (const Scored<>& hit : std::span<const Scored<>>(reached).first(count)) {
                const std::uint32_t id = ids[hit.id];
                candidates.offer(id, hit.score, terms_[id].scale, passes(id));
            }
            candidates.end_block(query, rows, best);
        }
        candidates.finish(query, rows, best);
        return best.finish();
    }

    [[gnu::always_inline]] void prefetch(MatrixView<const float>, std::uint32_t id) const noexcept {
        prefetch_elements(codes_.row(id).data(), width == std::dynamic_extent ? codes_.cols() : width);
        if constexpr (has_terms) {
            __builtin_prefetch(terms_.data() + id);
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return quantiser_.memory_bytes() + codes_.rows() * codes_.stride() * sizeof(Element) +
               terms_.size() * sizeof(Terms) + halves_.size() * sizeof(float);
    }
    [[nodiscard]] static std::size_t memory_estimate(std::size_t n, std::size_t dimension) noexcept {
        constexpr std::size_t beside = (has_terms ? sizeof(Terms) : 0) + (is_l2 && has_scan ? sizeof(float) : 0);
        return n * (padded(dimension) * sizeof(Element) + beside) + dimension * sizeof(float);
    }

    /// A file has only the mean, and read() encodes the rows again: codes that are not in the file need no check.
    template <class Writer>
    void write(Writer& file) const {
        quantiser_.write(file);
    }
    template <class Reader>
    [[nodiscard]] static CodeRows read(const Reader& file, MatrixView<const float> rows) {
        return CodeRows(rows, Quantiser::read(file, rows.cols()));
    }

private:
    static constexpr bool is_l2 = std::same_as<typename M::Stored, L2>;
    static constexpr bool has_terms = Code::template shared_scale<M> == 0.0F;

    struct Scale {
        float scale = 0.0F;
    };
    struct ScaleAndBias {
        float scale = 0.0F;
        float bias = 0.0F;  // minus the squared length of the decoded vector
    };
    using Terms = std::conditional_t<is_l2, ScaleAndBias, Scale>;  // side by side: one cache miss

    [[nodiscard]] static constexpr std::size_t padded(std::size_t dimension) noexcept {
        constexpr std::size_t step = row_alignment / sizeof(Element);
        return (dimension + step - 1) / step * step;
    }
    static constexpr std::size_t width = Dim == std::dynamic_extent ? std::dynamic_extent : padded(Dim);

    CodeRows(MatrixView<const float> rows, Quantiser quantiser)
        : quantiser_(std::move(quantiser)),
          codes_(rows.rows(), padded(rows.cols())),
          terms_(has_terms ? rows.rows() : 0),
          halves_(is_l2 && has_scan ? rows.rows() : 0) {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            encode(rows.row(i), i);
        }
    }

    void encode(std::span<const float> row, std::size_t i) {
        const auto terms = Code::template encode<M>(quantiser_, row, codes_.row(i));
        if constexpr (has_terms) {
            terms_[i].scale = terms.scale;
        }
        if constexpr (is_l2) {
            terms_[i].bias = static_cast<float>(-terms.squares);
        }
        if constexpr (has_scan) {
            if constexpr (is_l2) {
                halves_[i] = CodeRounding::up(-0.5 * terms.exact.squares);
            }
            longest_ = std::max(longest_, terms.exact.byte_length);
            largest_error_ = std::max(largest_error_, terms.exact.error);
        }
    }

    Quantiser quantiser_;
    Matrix<Element> codes_;
    std::vector<Terms> terms_;    // empty if all vectors have the same scale
    std::vector<float> halves_;   // of L2, for scan(): minus half of the squared length of the vector, rounded up
    double longest_ = 0.0;        // for scan(): at least as large as the length of the bytes of any vector
    double largest_error_ = 0.0;  // and as its error, in units of its scale
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
