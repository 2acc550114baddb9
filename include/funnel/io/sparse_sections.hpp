// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/sparse.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// The names of the three sections of a sparse matrix.
struct SparseSections {
    std::string_view offsets;
    std::string_view columns;
    std::string_view values;
};

/// Adds the sections of a matrix to a file. The matrix must outlive the call of file.save().
template <class Writer>
void write_sparse(Writer& file, const SparseSections& names, const CSRMatrix<float>& matrix) {
    file.array(names.offsets, matrix.offsets());
    file.array(names.columns, matrix.columns());
    file.array(names.values, matrix.values());
}

/// Reads the sections that write_sparse added.
///
/// Errors    CorruptData if sections are missing, do not match, or hold numbers that are not finite
template <class Reader>
[[nodiscard]] CSRMatrix<float> read_sparse(const Reader& file, const SparseSections& names, std::size_t rows,
                                           std::size_t cols) {
    const auto offsets = file.template array<std::uint64_t>(names.offsets, rows + 1);
    auto columns = file.template array<std::uint32_t>(names.columns);
    auto values = file.template array<float>(names.values, columns.size());
    file.check(
        offsets.front() == 0 && offsets.back() == columns.size() && std::is_sorted(offsets.begin(), offsets.end()),
        names.offsets, "must start at 0, end at the number of entries, and not decrease");
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t at = offsets[row]; at < offsets[row + 1]; ++at) {
            file.check(columns[at] < cols && (at == offsets[row] || columns[at - 1] < columns[at]), names.columns,
                       "must ascend in each row and be below the number of columns");
        }
    }
    file.check(math::all_finite(values), names.values, "must be finite");
    return CSRMatrix<float>::from_parts(std::vector<std::size_t>(offsets.begin(), offsets.end()), std::move(columns),
                                        std::move(values), cols);
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel
