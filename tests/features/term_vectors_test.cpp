// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/features/term_vectors.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/sparse.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::features::TermOptions;
using funnel::features::TermVectors;
using funnel::features::TermWeights;
using funnel::testing::TempDir;

namespace {

using Texts = std::vector<std::string>;

const Texts animals{"The cat sat on the mat", "the dog sat", "Cats and dogs, dogs and cats!", ""};

// The entries of a row, by term.
std::map<std::string, double> row_of(const TermVectors& vectors, const CSRMatrix<float>& matrix, std::size_t i) {
    std::map<std::string, double> row;
    for (std::size_t at = 0; at < matrix.row(i).size(); ++at) {
        row[vectors.terms()[matrix.row(i).columns[at]]] = static_cast<double>(matrix.row(i).values[at]);
    }
    return row;
}

std::map<std::string, double> row_of(const TermVectors& vectors, const std::string& text) {
    const Texts texts{text};
    return row_of(vectors, vectors.transform(texts), 0);
}

double idf_of(const TermVectors& vectors, const std::string& term) {
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        if (vectors.terms()[i] == term) {
            return vectors.idf(i);
        }
    }
    return -1.0;
}

// What two objects make of the same texts; the same numbers, or the test fails.
auto answers_of(const TermVectors& vectors) {
    const CSRMatrix<float> matrix = vectors.transform(animals);
    return std::vector<float>(matrix.values().begin(), matrix.values().end());
}

}  // namespace

TEST_CASE("TermVectors: TF-IDF has the numbers of scikit-learn's TfidfVectorizer") {
    const auto vectors = TermVectors::fit(animals);
    CHECK(Texts(vectors.terms().begin(), vectors.terms().end()) ==
          Texts{"and", "cat", "cats", "dog", "dogs", "mat", "on", "sat", "the"});
    for (const char* term : {"the", "sat"}) {
        CHECK(idf_of(vectors, term) == doctest::Approx(1.51082562).epsilon(1e-8));
    }
    CHECK(idf_of(vectors, "cat") == doctest::Approx(1.91629073).epsilon(1e-8));
    const CSRMatrix<float> matrix = vectors.transform(animals);
    REQUIRE(matrix.rows() == 4);
    REQUIRE(matrix.cols() == 9);
    const auto near = [](double x) { return doctest::Approx(x).epsilon(1e-6); };
    auto row = row_of(vectors, matrix, 0);
    CHECK(row.size() == 5);
    CHECK(row["the"] == near(0.63802064));
    CHECK(row["sat"] == near(0.31901032));
    CHECK(row["cat"] == near(0.40462414));
    CHECK(row["mat"] == near(0.40462414));
    row = row_of(vectors, matrix, 1);
    CHECK(row["the"] == near(0.52640543));
    CHECK(row["dog"] == near(0.66767854));
    row = row_of(vectors, matrix, 2);
    CHECK(row.size() == 3);
    CHECK(row["dogs"] == near(0.57735027));
    CHECK(matrix.row(3).size() == 0);
}

TEST_CASE("TermVectors: terms of two tokens are scikit-learn's bigrams") {
    const auto vectors = TermVectors::fit(animals, {.longest = 2});
    Texts bigrams;
    for (const std::string& term : vectors.terms()) {
        if (term.find(' ') != std::string::npos) {
            bigrams.push_back(term);
        }
    }
    CHECK(bigrams == Texts{"and cats", "and dogs", "cat sat", "cats and", "dog sat", "dogs and", "dogs dogs", "on the",
                           "sat on", "the cat", "the dog", "the mat"});
    CHECK(vectors.size() == 21);
    CHECK(TermVectors::fit(animals, {.longest = 8}).terms().back() == "the mat");
}

TEST_CASE("TermVectors: BM25 scores documents as by its formula, and no idf is negative") {
    const auto vectors = TermVectors::fit(animals, {.weights = TermWeights::BM25});
    const CSRMatrix<float> matrix = vectors.transform(animals);
    const auto score = [&](std::size_t document, const Texts& query) {
        auto row = row_of(vectors, matrix, document);
        double sum = 0.0;
        for (const std::string& term : query) {
            sum += row[term];
        }
        return doctest::Approx(sum).epsilon(1e-6);
    };
    CHECK(1.78216076 == score(0, {"the", "cat"}));
    CHECK(0.75491277 == score(1, {"the", "cat"}));
    CHECK(0.0 == score(2, {"the", "cat"}));
    CHECK(0.55654153 == score(0, {"sat"}));
    CHECK(0.75491277 == score(1, {"sat"}));
    // A term of all documents: ln(N) - ln(1 + df), as some libraries have it, is negative.
    CHECK(TermVectors::fit(Texts{"same", "same"}, {.weights = TermWeights::BM25}).idf(0) ==
          doctest::Approx(std::log(1.2)));
}

TEST_CASE("TermVectors: the forms of idf and tf") {
    const Texts texts{"aa aa aa bb", "aa cc", "dd"};
    const auto plain = TermVectors::fit(texts, {.smooth = false});
    CHECK(idf_of(plain, "aa") == doctest::Approx(std::log(3.0 / 2.0) + 1.0));
    CHECK(idf_of(plain, "dd") == doctest::Approx(std::log(3.0) + 1.0));
    const auto sublinear = TermVectors::fit(texts, {.sublinear = true});
    auto row = row_of(sublinear, "aa aa aa bb");
    CHECK(row["aa"] / row["bb"] ==
          doctest::Approx((1.0 + std::log(3.0)) * idf_of(sublinear, "aa") / idf_of(sublinear, "bb")).epsilon(1e-6));
}

TEST_CASE("TermVectors: rare, frequent and surplus terms are left out, and unknown ones ignored") {
    const auto size = [](const TermOptions& options) { return TermVectors::fit(animals, options).size(); };
    CHECK(size({.min_documents = 2}) == 2);
    CHECK(size({.min_documents = 3}) == 0);
    CHECK(size({.min_documents = std::numeric_limits<std::size_t>::max()}) == 0);
    CHECK(size({.max_share = 0.49}) == 7);
    CHECK(size({.max_share = 0.5}) == 9);
    CHECK(size({.max_terms = 0}) == 0);
    const auto three = TermVectors::fit(animals, {.max_terms = 3});
    CHECK(Texts(three.terms().begin(), three.terms().end()) == Texts{"and", "sat", "the"});
    CHECK(row_of(three, "a cat") == std::map<std::string, double>{});
    CHECK(row_of(three, "cat sat").at("sat") == 1.0);
}

TEST_CASE("TermVectors: no documents, and documents without tokens") {
    const auto nothing = TermVectors::fit(Texts{});
    CHECK(nothing.size() == 0);
    CHECK(nothing.transform(animals).rows() == 4);
    CHECK(nothing.transform(Texts{}).rows() == 0);
    for (const TermWeights weights : {TermWeights::TfIdf, TermWeights::BM25}) {
        CHECK(TermVectors::fit(Texts{"", "!"}, {.weights = weights}).transform(animals).nonzeros() == 0);
    }
}

TEST_CASE("TermVectors: options outside their range are errors") {
    const auto fails = [](const TermOptions& options, const char* message) {
        CHECK_THROWS_WITH_AS(static_cast<void>(TermVectors::fit(animals, options)), message, InvalidArgument);
    };
    fails({.longest = 0}, "TermVectors::fit: longest must lie in [1, 8], got 0");
    fails({.longest = 9}, "TermVectors::fit: longest must lie in [1, 8], got 9");
    fails({.max_share = 0.0}, "TermVectors::fit: max_share must be in (0, 1]");
    fails({.max_share = std::nan("")}, "TermVectors::fit: max_share must be in (0, 1]");
    fails({.weights = static_cast<TermWeights>(7)}, "TermVectors::fit: weights must be TfIdf or BM25");
    CHECK_THROWS_AS(static_cast<void>(TermVectors::fit(animals, {.k1 = -1.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(TermVectors::fit(animals, {.k1 = 2e6})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(TermVectors::fit(animals, {.b = 1.5})), InvalidArgument);
}

TEST_CASE("TermVectors: a saved object transforms as before, and damaged files are errors") {
    const TempDir dir;
    for (const TermOptions& options :
         {TermOptions{}, TermOptions{.longest = 2, .weights = TermWeights::BM25, .k1 = 1.5, .b = 0.5},
          TermOptions{.smooth = false, .sublinear = true}}) {
        const auto vectors = TermVectors::fit(animals, options);
        vectors.save(dir / "terms.fnl");
        const auto loaded = TermVectors::load(dir / "terms.fnl");
        CHECK(answers_of(loaded) == answers_of(vectors));
        loaded.save(dir / "again.fnl");
        CHECK(funnel::testing::bytes_of(dir / "again.fnl") == funnel::testing::bytes_of(dir / "terms.fnl"));
    }
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "terms.fnl"),
                                  [](const std::string& path) { return answers_of(TermVectors::load(path)); });

    auto source = TermVectors::load(dir / "terms.fnl");
    const auto taken = std::move(source);
    CHECK(taken.size() > 0);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK(source.transform(animals).nonzeros() == 0);
    source.save(dir / "empty.fnl");
    // NOLINTEND(bugprone-use-after-move)
    CHECK(TermVectors::load(dir / "empty.fnl").transform(animals).nonzeros() == 0);
}
