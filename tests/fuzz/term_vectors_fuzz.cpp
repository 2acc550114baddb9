// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/features/term_vectors.hpp>

namespace funnel::fuzz::term_vectors_target {
namespace {

const std::vector<std::string> texts{"the cat sat", "a dog and the cat", ""};

void use_term_vectors(const Input& input) {
    load_and_use<features::TermVectors>(input, [](const features::TermVectors& vectors) {
        const CSRMatrix<float> matrix = vectors.transform(texts);
        check_finite(std::vector<float>(matrix.values().begin(), matrix.values().end()));
    });
}

std::vector<std::string> term_vectors_seeds() {
    const auto saved_with = [](const features::TermOptions& options) {
        return saved([&](const std::string& path) { features::TermVectors::fit(texts, options).save(path); });
    };
    return {saved_with({}), saved_with({.longest = 2, .weights = features::TermWeights::BM25})};
}

const Registered term_vectors(
    {.name = "term_vectors", .run = use_term_vectors, .seeds = term_vectors_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::term_vectors_target
