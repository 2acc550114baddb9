// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "cuda/dense_checks.hpp"
#include "cuda/failures.hpp"
#include "cuda/network_checks.hpp"
#include "ranking/random_forest.hpp"

#include <funnel/ann/cuda/scan.cuh>
#include <funnel/ann/flat.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/beta.hpp>
#include <funnel/kernels/cuda/beta.cuh>
#include <funnel/kernels/cuda/gemv.cuh>
#include <funnel/kernels/cuda/one_to_many.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/cuda/top_k.cuh>
#include <funnel/ranking/cuda/forest.cuh>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

// The same checks for every system: on the host by the unit tests, on a device by tests/cuda/device.cu. Vectors of
// small whole numbers make all of them exact, so that results compare with ==.
namespace funnel::testing {

inline Matrix<float> whole_numbers(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Matrix<float> matrix(rows, cols);
    Random random(seed);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& x : matrix.row(i)) {
            x = static_cast<float>(random.below(21)) - 10.0F;
        }
    }
    return matrix;
}

template <class System>
void check_one_to_many(Failures& failures) {
    using namespace kernels;
    for (const std::size_t cols : {1U, 7U, 64U}) {
        const Matrix<float> rows = whole_numbers(33, cols, cols);
        const Matrix<float> query = whole_numbers(1, cols, 100 + cols);
        const DeviceBuffer<float, System> rows_there{std::span<const float>(packed(rows))};
        const DeviceBuffer<float, System> query_there{query.row(0)};
        const DeviceRows view{rows_there.span().data, rows.rows(), cols};
        DeviceBuffer<float, System> out(rows.rows());

        const auto check = [&](auto metric, const std::string& name) {
            score_rows(Device<System>{}, metric, query_there.span(), view, out.span());
            std::vector<float> scores(rows.rows());
            out.copy_to(scores);
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                const float expected = decltype(metric)::template score<Scalar>(query.row(0), rows.row(i));
                const float error = scores[i] - expected;  // 0 but for the division and root of Cosine
                failures.check(error <= 1e-6F && error >= -1e-6F, name + ", row " + std::to_string(i));
            }
        };
        check(L2{}, "score_rows L2");
        check(InnerProduct{}, "score_rows InnerProduct");
        check(Cosine{}, "score_rows Cosine");

        gemv(Device<System>{}, view, query_there.span(), out.span());
        std::vector<float> product(rows.rows());
        out.copy_to(product);
        failures.check(product[32] == InnerProduct::score<Scalar>(query.row(0), rows.row(32)), "gemv");

        const std::vector<std::uint32_t> ids{5, 0, 32, 5};
        const DeviceBuffer<std::uint32_t, System> ids_there{std::span<const std::uint32_t>(ids)};
        DeviceBuffer<float, System> gathered(ids.size());
        score_rows(Device<System>{}, L2{}, query_there.span(), view, ids_there.span(), gathered.span());
        std::vector<float> some(ids.size());
        gathered.copy_to(some);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            failures.check(some[i] == L2::score<Scalar>(query.row(0), rows.row(ids[i])), "score_rows, gathered");
        }
    }
}

// Shapes below and above 1. The largest draws are the choices of Thompson sampling.
template <class System>
void check_beta(Failures& failures) {
    using namespace kernels;
    constexpr std::array<std::uint32_t, 2> key{7, 8};
    Random random(11);
    std::vector<float> a(1000);
    std::vector<float> b(1000);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = 0.25F * static_cast<float>(1 + random.below(40));
        b[i] = 0.5F * static_cast<float>(1 + random.below(2000));
    }
    const DeviceBuffer<float, System> a_there{std::span<const float>(a)};
    const DeviceBuffer<float, System> b_there{std::span<const float>(b)};
    DeviceBuffer<float, System> out(a.size());
    for (const std::uint64_t step : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 40}) {
        std::vector<float> expected(a.size());
        std::vector<float> drawn(a.size());
        kernels::beta<DefaultBackend>(a, b, key, step, expected);
        beta(Device<System>{}, a_there.span(), b_there.span(), key, step, out.span());
        out.copy_to(drawn);
        failures.check(drawn == expected, "beta, step " + std::to_string(step));

        kernels::beta_logit<DefaultBackend>(a, b, key, step, expected);
        beta_logit(Device<System>{}, a_there.span(), b_there.span(), key, step, out.span());
        out.copy_to(drawn);
        failures.check(drawn == expected, "beta_logit, step " + std::to_string(step));
        std::vector<Scored<>> best(10);
        const auto found = top_k(Device<System>{}, std::as_const(out).span(), {}, std::span(best));
        failures.check(std::vector<Scored<>>(found.begin(), found.end()) == funnel::top_k(expected, 10),
                       "choices of Thompson sampling, step " + std::to_string(step));
    }
}

template <class System>
void check_top_k(Failures& failures) {
    using namespace kernels;
    Random random(3);
    std::vector<float> scores(500);
    for (float& score : scores) {
        score = static_cast<float>(random.below(40)) - 20.0F;  // many ties, of either sign
    }
    scores[7] = infinity;
    scores[8] = -infinity;
    scores[9] = missing_value;
    scores[10] = -0.0F;
    scores[11] = 0.0F;
    scores[12] = -missing_value;
    const DeviceBuffer<float, System> there{std::span<const float>(scores)};
    for (const std::size_t k : {0U, 1U, 10U, 498U, 1000U}) {
        std::vector<Scored<>> out(k);
        const auto found = top_k(Device<System>{}, there.span(), {}, std::span(out));
        const std::vector<Scored<>> expected = funnel::top_k(scores, k);
        failures.check(std::vector<Scored<>>(found.begin(), found.end()) == expected,
                       "top_k, k = " + std::to_string(k));
    }

    std::vector<unsigned char> passes(scores.size(), 0);
    passes[3] = passes[8] = passes[9] = 1;
    const DeviceBuffer<unsigned char, System> passes_there{std::span<const unsigned char>(passes)};
    std::vector<Scored<>> out(5);
    const auto found = top_k(Device<System>{}, there.span(), passes_there.span(), std::span(out));
    failures.check(found.size() == 2 && found[0].id == 3 && found[1].id == 8, "top_k, with flags");

    const DeviceBuffer<float, System> nothing;
    failures.check(top_k(Device<System>{}, nothing.span(), {}, std::span(out)).empty(), "top_k of nothing");
}

template <class System, class M>
void check_flat(Failures& failures, const std::string& name) {
    using ann::Flat;
    const Matrix<float> vectors = whole_numbers(300, 17, 5);
    const Matrix<float> queries = whole_numbers(8, 17, 6);
    auto expected = Flat<M, std::dynamic_extent, ann::F32, kernels::Scalar>::build(vectors);
    auto index = Flat<M, std::dynamic_extent, ann::F32, kernels::Device<System>>::build(vectors);
    const auto odd = [](std::uint32_t id) { return id % 2 == 1; };
    const auto agree = [&](const std::string& when) {
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            for (const std::size_t k : {0U, 1U, 10U, 400U}) {
                const auto a = expected.search(queries.row(q), {.k = k});
                const auto b = index.search(queries.row(q), {.k = k});
                bool is_alike = a.size() == b.size();
                for (std::size_t i = 0; is_alike && i < a.size(); ++i) {
                    // Cosine stores rounded unit vectors: neighbours whose scores differ by rounding may change places.
                    const float error = a[i].score - b[i].score;
                    is_alike = M::normalises ? error <= 1e-6F && error >= -1e-6F : a[i] == b[i];
                }
                failures.check(is_alike, name + " " + when + ", k = " + std::to_string(k));
            }
            const auto a = expected.search(queries.row(q), {.k = 20}, odd);
            const auto b = index.search(queries.row(q), {.k = 20}, odd);
            failures.check(a.size() == b.size() && (M::normalises || a == b), name + " filtered, " + when);
        }
    };
    agree("after build");
    for (const std::uint32_t id : {0U, 17U, 299U}) {
        expected.remove(id);
        index.remove(id);
    }
    agree("after remove");
    expected.add(queries.row(0));
    failures.check(index.add(queries.row(0)) == 300, name + ": add gives the next id");
    agree("after add");
    failures.check(index.search_batch(queries, {.k = 3}).size() == queries.rows(), name + ": search_batch");
}

// Of vectors in one direction all cosines are 1, but for rounding: they are ties, and the smaller ids are the best.
template <class System>
void check_ties_of_cosine(Failures& failures) {
    const Matrix<float> directions = whole_numbers(20, 37, 7);
    Matrix<float> vectors(50, 37);
    for (std::size_t direction = 0; direction < directions.rows(); ++direction) {
        for (std::size_t i = 0; i < 50; ++i) {
            for (std::size_t j = 0; j < 37; ++j) {
                vectors(i, j) = directions(direction, j) * (1.0F + 0.37F * static_cast<float>(i));
            }
        }
        const auto index =
            ann::Flat<kernels::Cosine, std::dynamic_extent, ann::F32, kernels::Device<System>>::build(vectors);
        const auto hits = index.search(vectors.row(3), {.k = 10});
        failures.check(hits.size() == 10 && hits[0].score <= 1.0F, "Flat<Cosine>: no cosine above 1");
        for (std::size_t i = 1; i < hits.size(); ++i) {
            failures.check(hits[i - 1].score > hits[i].score || hits[i - 1].id < hits[i].id,
                           "Flat<Cosine>: order of ties");
        }
        for (std::uint32_t id = 0; id < 50; ++id) {  // who scores 1 and is left out has a larger id than all who are in
            const auto own = index.search(vectors.row(3), {.k = 50}, [&](std::uint32_t other) { return other == id; });
            const bool is_in = std::any_of(hits.begin(), hits.end(), [&](const auto& hit) { return hit.id == id; });
            failures.check(is_in || own[0].score < 1.0F || hits.back().score < 1.0F || id > hits.back().id,
                           "Flat<Cosine>: of ties the smaller ids");
        }
    }
}

template <class System>
void check_forest(Failures& failures, const ForestShape& shape, const std::string& name) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        TreeEnsemble trees = random_forest(seed, shape);
        trees.link = ranking::TreeLink::Sigmoid;
        const ranking::BasicForest<kernels::Device<System>> forest(trees);
        const ranking::BasicForest<kernels::Scalar> on_host(trees);
        for (const std::size_t n : {0U, 1U, 300U}) {
            const Matrix<float> rows = random_rows(seed + n, n, shape);
            const std::string what = name + ", seed " + std::to_string(seed) + ", " + std::to_string(n) + " rows";
            failures.check(bits(forest.score(rows)) == specified(trees, rows), "Forest::score, " + what);
            failures.check(bits(forest.predict(rows)) == bits(on_host.predict(rows)), "Forest::predict, " + what);
        }
    }
}

template <class System>
void check_forests(Failures& failures) {
    check_forest<System>(failures, {}, "numbers");
    check_forest<System>(failures, {.has_zero_rules = true, .missing = 3}, "zero is missing");
    check_forest<System>(failures, {.has_categories = true, .has_zero_rules = true}, "categories");
    check_forest<System>(failures, {.outputs = 3, .has_vector_leaves = true, .sums_in_float = true}, "vector leaves");
    check_forest<System>(failures, {.outputs = 2, .has_linear_leaves = true}, "linear leaves");
    check_forest<System>(failures, {.trees = 5, .leaves = 2000}, "large trees");
    check_forest<System>(failures, {.trees = 3, .leaves = 1}, "without splits");
    check_forest<System>(failures, {.trees = 0}, "without trees");

    const ranking::BasicForest<kernels::Device<System>> empty;
    failures.check(empty.score(MatrixView<const float>()).empty() && empty.outputs() == 1, "Forest without anything");
}

template <class System>
std::vector<std::string> check_device() {
    Failures failures;
    check_one_to_many<System>(failures);
    check_beta<System>(failures);
    check_top_k<System>(failures);
    check_flat<System, kernels::L2>(failures, "Flat<L2>");
    check_flat<System, kernels::InnerProduct>(failures, "Flat<InnerProduct>");
    check_flat<System, kernels::Cosine>(failures, "Flat<Cosine>");
    check_ties_of_cosine<System>(failures);
    check_forests<System>(failures);
    check_dense<System>(failures);
    check_networks<System>(failures);
    return failures.list();
}

}  // namespace funnel::testing
