// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/sparse_sections.hpp>

#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using funnel::CorruptData;
using funnel::CSRMatrix;
using funnel::Triplet;
using funnel::io::ContainerReader;
using funnel::io::ContainerWriter;
using funnel::testing::TempDir;

namespace {

constexpr funnel::io::SparseSections names{"begins", "places", "numbers"};

// Reads a 2 x 3 matrix of these sections; the message of the error, or "none".
std::string error_of(const std::vector<std::uint64_t>& offsets, const std::vector<std::uint32_t>& columns,
                     const std::vector<float>& values) {
    const TempDir dir;
    ContainerWriter file("test", 1);
    file.array("begins", offsets);
    file.array("places", columns);
    file.array("numbers", values);
    file.save(dir / "x.fnl");
    try {
        static_cast<void>(funnel::io::read_sparse(ContainerReader(dir / "x.fnl", "test", 1), names, 2, 3));
    } catch (const CorruptData& error) {
        const std::string message = error.what();
        return message.substr(message.find("section \""));
    }
    return "none";
}

bool says(const std::string& error, const std::string& section, const std::string& what) {
    return error.find("section \"" + section + "\"") == 0 && error.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("write_sparse, read_sparse: the same matrix, also without rows or entries") {
    const TempDir dir;
    for (const CSRMatrix<float>& matrix :
         {CSRMatrix<float>(std::vector<Triplet<float>>{{0, 2, 1.5F}, {1, 0, -2.0F}, {1, 1, 0.0F}}, 2, 3),
          CSRMatrix<float>(std::vector<Triplet<float>>{}, 2, 3), CSRMatrix<float>()}) {
        ContainerWriter file("test", 1);
        funnel::io::write_sparse(file, names, matrix);
        file.save(dir / "x.fnl");
        const auto read =
            funnel::io::read_sparse(ContainerReader(dir / "x.fnl", "test", 1), names, matrix.rows(), matrix.cols());
        CHECK(
            std::equal(read.offsets().begin(), read.offsets().end(), matrix.offsets().begin(), matrix.offsets().end()));
        CHECK(
            std::equal(read.columns().begin(), read.columns().end(), matrix.columns().begin(), matrix.columns().end()));
        CHECK(std::equal(read.values().begin(), read.values().end(), matrix.values().begin(), matrix.values().end()));
        CHECK(read.cols() == matrix.cols());
    }
}

TEST_CASE("read_sparse: sections that do not fit together are errors that name the section") {
    CHECK(error_of({0, 1, 2}, {2, 0}, {1.0F, 2.0F}) == "none");
    CHECK(says(error_of({1, 1, 2}, {2, 0}, {1.0F, 2.0F}), "begins", "must start at 0"));
    CHECK(says(error_of({0, 1, 3}, {2, 0}, {1.0F, 2.0F}), "begins", "end at the number of entries"));
    CHECK(says(error_of({0, 3, 2}, {2, 0}, {1.0F, 2.0F}), "begins", "not decrease"));
    CHECK(says(error_of({0, 2}, {2, 0}, {1.0F, 2.0F}), "begins", "3"));
    CHECK(says(error_of({0, 1, 2}, {3, 0}, {1.0F, 2.0F}), "places", "below the number of columns"));
    CHECK(says(error_of({0, 2, 2}, {1, 1}, {1.0F, 2.0F}), "places", "must ascend"));
    CHECK(says(error_of({0, 2, 2}, {1, 0}, {1.0F, 2.0F}), "places", "must ascend"));
    CHECK(says(error_of({0, 1, 2}, {2, 0}, {1.0F}), "numbers", "2"));
    CHECK(says(error_of({0, 1, 2}, {2, 0}, {1.0F, std::numeric_limits<float>::infinity()}), "numbers", "finite"));
}
