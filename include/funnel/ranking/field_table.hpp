// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/ranking/fields.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// The embeddings of all fields in one table, the rows of one field after those of another. If HasLinear, the last
/// column is a linear weight. An id that the table does not know counts as zeros.
template <class Schema, bool HasLinear>
class FieldTable {
public:
    static constexpr std::size_t width = Schema::width + (HasLinear ? 1 : 0);

    FieldTable() = default;

    /// Random embeddings; the linear weights are 0.
    ///
    /// Shapes    sizes: the number of ids of each field
    /// Errors    InvalidArgument if there is another number of fields, or 2^32 - 1 ids or more
    FieldTable(std::span<const std::size_t> sizes, float init_scale, std::uint64_t seed) {
        require_equal(sizes.size(), Schema::fields, "FieldRanker: number of sizes");
        for (std::size_t f = 0; f < Schema::fields; ++f) {
            first_[f + 1] = math::saturating_add(first_[f], sizes[f]);
        }
        require(first_.back() < std::numeric_limits<std::uint32_t>::max(),
                "FieldRanker: the number of ids of all fields must be below 2^32 - 1");
        rows_ = Matrix<float>(first_.back(), width);
        for (std::size_t i = 0; i < rows_.rows(); ++i) {
            Random random(seed, stream("field_ranker.table"), i);
            for (float& x : rows_.row(i).first(Schema::width)) {
                x = init_scale * static_cast<float>(random.normal());
            }
        }
    }

    /// The smallest table that knows all ids of these rows.
    [[nodiscard]] static std::array<std::size_t, Schema::fields> sizes_of(MatrixView<const std::uint32_t> ids) {
        std::array<std::size_t, Schema::fields> sizes{};
        for (std::size_t i = 0; i < ids.rows(); ++i) {
            for (std::size_t f = 0; f < Schema::fields; ++f) {
                sizes[f] = std::max(sizes[f], std::size_t{ids(i, f)} + 1);
            }
        }
        return sizes;
    }

    [[nodiscard]] MatrixView<float> rows() noexcept FUNNEL_LIFETIMEBOUND { return rows_.view(); }
    [[nodiscard]] MatrixView<const float> rows() const noexcept FUNNEL_LIFETIMEBOUND { return rows_.view(); }
    /// The number of the first row of each field, and the end.
    [[nodiscard]] std::span<const std::uint64_t> first_rows() const noexcept FUNNEL_LIFETIMEBOUND { return first_; }

    /// The row of an id, or the number of rows if the table does not know it.
    [[nodiscard]] std::size_t row_of(std::size_t field, std::uint32_t id) const noexcept {
        return id < first_[field + 1] - first_[field] ? first_[field] + id : rows_.rows();
    }

    /// The embeddings of ids, of the fields from `field` on, one after the other.
    void embed(std::span<const std::uint32_t> ids, std::size_t field, std::span<float> out) const noexcept {
        for (std::size_t f = 0; f < ids.size(); ++f) {
            const std::span<float> to = out.subspan(f * Schema::width, Schema::width);
            const std::size_t row = row_of(field + f, ids[f]);
            if (row < rows_.rows()) {
                std::copy_n(rows_.row(row).begin(), Schema::width, to.begin());
            } else {
                std::fill(to.begin(), to.end(), 0.0F);
            }
        }
    }

    /// The sum of the linear weights of ids, of the fields from `field` on.
    [[nodiscard]] float linear(std::span<const std::uint32_t> ids, std::size_t field) const noexcept {
        float sum = 0.0F;
        if constexpr (HasLinear) {
            for (std::size_t f = 0; f < ids.size(); ++f) {
                const std::size_t row = row_of(field + f, ids[f]);
                sum += row < rows_.rows() ? rows_(row, Schema::width) : 0.0F;
            }
        }
        return sum;
    }

    /// A row of the network: [user's dense | embeddings | item's dense].
    void fill(const FieldRows& rows, std::size_t i, std::span<float> out) const noexcept {
        embed(rows.ids.row(i), 0, out.subspan(Schema::user_dense, Schema::fields * Schema::width));
        if constexpr (Schema::dense > 0) {
            const std::span<const float> dense = rows.dense.row(i);
            std::copy_n(dense.begin(), Schema::user_dense, out.begin());
            std::copy(dense.begin() + Schema::user_dense, dense.end(),
                      out.begin() + Schema::user_dense + Schema::fields * Schema::width);
        }
    }

    template <class Writer>
    void write(Writer& file) const {
        file.array("first_rows", first_rows());
        file.matrix("table", rows());
    }

    template <class Reader>
    [[nodiscard]] static FieldTable read(const Reader& file) {
        FieldTable table;
        const auto first = file.template array<std::uint64_t>("first_rows", Schema::fields + 1);
        file.check(first.front() == 0 && std::is_sorted(first.begin(), first.end()), "first_rows",
                   "must ascend from 0");
        std::copy(first.begin(), first.end(), table.first_.begin());
        table.rows_ = file.template matrix<float>("table", first.back(), width);
        for (std::size_t i = 0; i < table.rows_.rows(); ++i) {
            file.check(math::all_finite(table.rows_.row(i)), "table", "must be finite");
        }
        return table;
    }

private:
    Matrix<float> rows_;
    std::array<std::uint64_t, Schema::fields + 1> first_{};
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
