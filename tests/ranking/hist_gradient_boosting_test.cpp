// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/hist_gradient_boosting.hpp>

#include "ranking/model_files.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

using funnel::Matrix;
using funnel::ranking::Forest;
using funnel::ranking::load_hist_gradient_boosting;
using funnel::ranking::read_hist_gradient_boosting;
using funnel::ranking::Tree;
using funnel::ranking::TreeEnsemble;
using namespace funnel::testing;

namespace {

// The header of an array in a ZIP archive: these first bytes, and the name after so many.
std::size_t place_of(const std::string& text, const std::string& first, std::size_t size, const std::string& name) {
    for (std::size_t at = 0; (at = text.find(first, at)) != std::string::npos; ++at) {
        if (text.substr(at + size).starts_with(name + ".npy")) {
            return at;
        }
    }
    FAIL("no array " << name);
    return 0;
}

// A checksum would hide what the reader checks, so it is computed again after a change. The first byte of the data of
// an array, and those that follow, are replaced.
std::string with_array(std::string text, const std::string& name, std::string_view data, std::size_t skip = 0) {
    const std::size_t header = text.find("\x93NUMPY", place_of(text, "PK\3\4", 30, name));
    const std::size_t begin = header + 10 + static_cast<unsigned char>(text[header + 8]) +
                              256U * static_cast<unsigned char>(text[header + 9]);
    text.replace(begin + skip, data.size(), data);
    const std::size_t entry = place_of(text, "PK\1\2", 46, name);
    const auto load = [&](std::size_t at) {
        return funnel::io::load_number<std::uint32_t>(std::as_bytes(std::span(text)).subspan(entry + at));
    };
    const auto content = std::as_bytes(std::span(text)).subspan(header, load(24));
    const auto crc = funnel::io::number_bytes(funnel::io::detail::crc32(content));
    return text.replace(entry + 16, 4, reinterpret_cast<const char*>(crc.data()), 4);
}

std::string error_of(const std::string& content) {
    return model_error(content, read_hist_gradient_boosting);
}

}  // namespace

TEST_CASE(
    "hist gradient boosting: raw predictions have the bits of scikit-learn, NaN and unknown categories included") {
    const Matrix<float> rows = funnel::io::read_npy<float>(model_path("hist_gradient_boosting", "rows.npy"));
    std::size_t models = 0;
    for (const auto& entry : std::filesystem::directory_iterator(model_path("hist_gradient_boosting"))) {
        if (entry.path().extension() != ".npz") {
            continue;
        }
        ++models;
        CAPTURE(entry.path().string());
        std::filesystem::path expected_path = entry.path();
        expected_path.replace_extension(".npy");
        const Matrix<double> expected = funnel::io::read_npy<double>(expected_path);
        const Forest forest = load_hist_gradient_boosting(entry.path());
        const std::size_t outputs = forest.outputs();
        REQUIRE(expected.cols() == 2 * outputs);
        const std::vector<double> raw = forest.score(rows.view());
        const std::vector<double> predictions = forest.predict(rows.view());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (std::size_t o = 0; o < outputs; ++o) {
                CHECK(raw[i * outputs + o] == expected(i, o));
                CHECK(ulps<std::uint64_t>(predictions[i * outputs + o], expected(i, outputs + o)) <= 2);
            }
        }
    }
    CHECK(models == 5);
}

TEST_CASE("hist gradient boosting: each defect of a file is rejected with the array that has it") {
    using namespace std::string_view_literals;
    const std::string good = text_of(model_path("hist_gradient_boosting", "categorical.npz"));
    REQUIRE(error_of(with_array(good, "version", "\1"sv)) == "no error");
    CHECK(error_of(with_array(good, "version", "\2"sv)).find("version: expected 1") != std::string::npos);
    CHECK(error_of(with_array(good, "link", "i"sv)) == "no error");
    CHECK(error_of(with_array(good, "link", "x"sv)).find("link: expected identity") != std::string::npos);
    CHECK(error_of(with_array(good, "fractions_are_unknown", "\2"sv)).find("fractions_are_unknown: expected 0 or 1") !=
          std::string::npos);
    CHECK(error_of(with_array(good, "features", "\1"sv)).find("has feature") != std::string::npos);
    CHECK(error_of(with_array(good, "left", "\0"sv)).find("which does not follow it") != std::string::npos);
    CHECK(error_of(with_array(good, "left", "\xff"sv)).find("tree 0: expected children below 9") != std::string::npos);
    CHECK(error_of(with_array(good, "right", "\xff"sv)).find("tree 0: expected children below 9") != std::string::npos);
    CHECK(error_of(with_array(good, "left", "\2"sv)).find("tree 0") != std::string::npos);
    CHECK(error_of(with_array(good, "is_leaf", "\1"sv)).find("tree 0") != std::string::npos);
    CHECK(error_of(with_array(good, "is_leaf", "\2"sv)).find("is_leaf: expected zeros and ones") != std::string::npos);
    CHECK(error_of(with_array(good, "tree_nodes", "\0"sv)).find("tree_nodes: expected sizes of trees") !=
          std::string::npos);
    CHECK(error_of(with_array(good, "tree_nodes", "\xff\xff\xff\xff"sv)).find("tree_nodes") != std::string::npos);
    CHECK(error_of(with_array(good, "tree_nodes", "\7"sv, 8)).find("tree 2: expected children below 7") !=
          std::string::npos);
    CHECK(error_of(with_array(good, "tree_output", "\1"sv)).find("output 1 of 1") != std::string::npos);
    CHECK(error_of(with_array(good, "threshold", "\0\0\0\0\0\0\xf8\x7f"sv)).find("threshold NaN") != std::string::npos);
    CHECK(error_of(with_array(good, "baseline", "\0\0\0\0\0\0\xf8\x7f"sv)).find("finite") != std::string::npos);
    CHECK(error_of(with_array(good, "count", "\0\0\0\0\0\0\xf0\xff"sv)).find("covers") != std::string::npos);
    const std::string flags = text_of(model_path("hist_gradient_boosting", "squared.npz"));
    const std::string short_tree = with_array(with_array(flags, "is_leaf", "\1"sv, 18), "tree_nodes", "\1"sv, 8);
    CHECK(error_of(short_tree).find("tree_nodes: expected a sum of 27 nodes") != std::string::npos);
    CHECK(
        error_of(with_array(good, "is_categorical", "\0\1"sv, 5)).find("tree 0: expected categories in splits only") !=
        std::string::npos);
    CHECK(error_of(with_array(flags, "is_categorical", "\1"sv)).find("left_categories: expected 1 sets") !=
          std::string::npos);
    const std::string packed = text_of(model_path("hist_gradient_boosting", "unsupported/compressed.npz"));
    CHECK(error_of(packed).find("np.savez, not np.savez_compressed") != std::string::npos);
}

TEST_CASE(
    "hist gradient boosting: categories with a fraction are unknown since scikit-learn 1.4, before they were "
    "truncated") {
    const std::string good = text_of(model_path("hist_gradient_boosting", "categorical.npz"));
    const auto scores = [&](std::uint8_t is_unknown, float category) {
        const TempDir dir;
        const std::string path = dir / "model.npz";
        const std::string text =
            with_array(good, "fractions_are_unknown", std::string(1, static_cast<char>(is_unknown)));
        put_bytes(path, std::as_bytes(std::span(text)));
        Matrix<float> row(1, 4);
        row(0, 2) = category;
        return load_hist_gradient_boosting(path).score(row.view());
    };
    CHECK(scores(0, 29.5F) == scores(0, 29.0F));  // 29 is listed by the first tree
    CHECK(scores(1, 29.5F) == scores(1, 30.0F));
    CHECK(scores(1, 29.5F) != scores(1, 29.0F));
}

TEST_CASE("hist gradient boosting: unknown categories go to the side of missing values, left, too") {
    using namespace std::string_view_literals;
    const std::string good = text_of(model_path("hist_gradient_boosting", "categorical.npz"));
    const TempDir dir;
    const std::string path = dir / "model.npz";  // nodes 5 and 14 are the splits on categories; both list 29
    const std::string text =
        with_array(with_array(good, "missing_goes_left", "\1"sv, 5), "missing_goes_left", "\1"sv, 14);
    put_bytes(path, std::as_bytes(std::span(text)));
    const Forest forest = load_hist_gradient_boosting(path);
    const auto scores = [&](float category) {
        Matrix<float> row(1, 4);
        row(0, 2) = category;
        return forest.score(row.view());
    };
    CHECK(scores(30.0F) == scores(29.0F));  // unknown
    CHECK(scores(33.0F) != scores(29.0F));  // known, not listed
}

TEST_CASE("hist gradient boosting: the weight of a split is that of its children") {
    const TreeEnsemble forest = read_hist_gradient_boosting(model_path("hist_gradient_boosting", "squared.npz"));
    for (const Tree& tree : forest.trees) {
        double sum = 0.0;
        for (const double cover : tree.leaf_covers) {
            sum += cover;
        }
        CHECK(tree.split_covers.front() == 300.0);
        CHECK(sum == 300.0);
    }
}

TEST_CASE("hist gradient boosting: 10,000 damaged files are rejected, or score the same") {
    const auto report =
        check_damage(bytes_of(model_path("hist_gradient_boosting", "categorical.npz")),
                     [](const std::string& path) { return scores_of_zeros(load_hist_gradient_boosting(path)); },
                     {.has_checksum = false, .head = 128, .bit_flips = 9600});
    CHECK(report.cases > 10'000);
    CHECK(report.accepted_other == 0);
}
