// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What it saves to compute the user's part of a deep ranker once per request, and to pack its weights: 1,000 candidates
// of one user, 26 fields with embeddings of 16 numbers, 16 of which belong to the user (62 % of a row). The frozen ranker
// beside the ranker as it is trained, on whole rows, and for a plain network beside Eigen on whole rows. Results are
// compared; those of weights of 16 bits within 1 %.
//
//   deep_rankers_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/mlp.hpp>
#include <funnel/ranking/deep_rankers.hpp>
#include <funnel/ranking/frozen_field_ranker.hpp>
#include <funnel/ranking/multi_task.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

using namespace funnel;

namespace {

constexpr std::size_t candidates = 1000;
constexpr std::size_t ids_per_field = 1000;
constexpr bench::TimingOptions timing{.samples = 9, .sample_seconds = 0.02, .clock = bench::Clock::ThreadCPU};

using Schema = ranking::Fields<16, 10, 16>;
using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Candidates of one user, as a request and as whole rows.
struct Work {
    Matrix<std::uint32_t> rows{candidates, Schema::fields};
    Matrix<std::uint32_t> items{candidates, Schema::item_fields};

    Work() {
        Random random(7);
        for (std::size_t i = 0; i < candidates; ++i) {
            for (std::size_t f = 0; f < Schema::fields; ++f) {
                const bool is_user = f < Schema::user_fields;
                rows(i, f) = is_user && i > 0 ? rows(0, f) : static_cast<std::uint32_t>(random.below(ids_per_field));
                if (!is_user) {
                    items(i, f - Schema::user_fields) = rows(i, f);
                }
            }
        }
    }
};

std::size_t differing(const Matrix<float>& a, const Matrix<float>& b, float allowed = 1e-5F) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.rows(); ++i) {
        for (std::size_t t = 0; t < a.cols(); ++t) {
            count += std::abs(a(i, t) - b(i, t)) > allowed * (1.0F + std::abs(b(i, t))) ? 1U : 0U;
        }
    }
    return count;
}

const std::vector<std::size_t> sizes(Schema::fields, ids_per_field);

template <class Ranker>
void measure(bench::Report& report, const std::string& name, const Work& work) {
    const Ranker ranker(sizes, {.init_scale = 0.1F});
    const typename Ranker::Request request{.user_ids = work.rows.row(0).first(Schema::user_fields),
                                           .user_dense = {},
                                           .item_ids = work.items,
                                           .item_dense = {}};
    const auto frozen = ranking::freeze(ranker);
    const auto times = bench::compare([&] { bench::keep(frozen.score(request)); },
                                      [&] { bench::keep(ranker.score({.ids = work.rows})); }, timing);
    report.add({.name = name,
                .peer = "whole rows",
                .differing = differing(frozen.score(request), ranker.score({.ids = work.rows})),
                .setup = "1000 candidates, 26 fields x 16, 62 % of a row belong to the user"},
               times);
}

/// Storage of 16 bits differs by rounding.
template <class Storage>
inline constexpr float allowed_of = std::is_same_v<Storage, float> ? 1e-5F : 1e-2F;

/// The deep part of Wide & Deep on whole rows, by Eigen: embeddings are gathered, then a product per layer.
template <class Storage>
void beside_eigen(bench::Report& report, const std::string& name, const Work& work) {
    using Deep = nn::MLP<Schema::columns, 256, 128, 1>;
    using Ranker = ranking::FieldRanker<Schema, Deep>;
    const Ranker ranker(sizes, {.init_scale = 0.1F});
    const typename Ranker::Request request{.user_ids = work.rows.row(0).first(Schema::user_fields),
                                           .user_dense = {},
                                           .item_ids = work.items,
                                           .item_dense = {}};
    const std::span<const float> parameters = ranker.network().parameters();
    const auto layer = [&](std::size_t first, Eigen::Index out, Eigen::Index in) {
        const Eigen::Map<const RowMajor> weights(parameters.data() + first, out, in);
        const Eigen::Map<const Eigen::RowVectorXf> bias(parameters.data() + first + static_cast<std::size_t>(out * in),
                                                        out);
        return std::pair{RowMajor(weights), Eigen::RowVectorXf(bias)};  // clang 14 captures no names of its parts
    };
    constexpr auto in = static_cast<Eigen::Index>(Schema::columns);
    const auto first = layer(0, 256, in);
    const auto second = layer(Schema::columns * 256 + 256, 128, 256);
    const auto third = layer(Schema::columns * 256 + 256 + 256 * 128 + 128, 1, 128);
    RowMajor x(candidates, in);
    RowMajor h1(candidates, 256);
    RowMajor h2(candidates, 128);
    RowMajor y(candidates, 1);
    const auto eigen = [&] {
        for (std::size_t i = 0; i < candidates; ++i) {
            ranker.table().embed(work.rows.row(i), 0, std::span(x.data() + i * Schema::columns, Schema::columns));
        }
        h1.noalias() = x * first.first.transpose();
        h1 = (h1.rowwise() + first.second).cwiseMax(0.0F);
        h2.noalias() = h1 * second.first.transpose();
        h2 = (h2.rowwise() + second.second).cwiseMax(0.0F);
        y.noalias() = h2 * third.first.transpose();
        y = y.rowwise() + third.second;
        bench::keep(y);
    };
    eigen();
    Matrix<float> theirs(candidates, 1);
    for (std::size_t i = 0; i < candidates; ++i) {
        theirs(i, 0) = y(static_cast<Eigen::Index>(i), 0);
    }
    const auto frozen = ranking::freeze<Storage>(ranker);
    const auto times = bench::compare([&] { bench::keep(frozen.score(request)); }, eigen, timing);
    report.add({.name = name,
                .peer = "Eigen, whole rows",
                .target = 2.5,
                .differing = differing(frozen.score(request), theirs, allowed_of<Storage>),
                .setup = "1000 candidates, 26 fields x 16, 62 % of a row belong to the user"},
               times);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("deep_rankers", argc, argv);
    const Work work;
    beside_eigen<float>(report, "MLP 416-256-128-1", work);
    beside_eigen<kernels::BFloat16>(report, "MLP 416-256-128-1, BFloat16", work);
    measure<ranking::WideAndDeep<Schema, 256, 128>>(report, "WideAndDeep 256-128", work);
    measure<ranking::DeepFM<Schema, 256, 128>>(report, "DeepFM 256-128", work);
    measure<ranking::DCNv2<Schema, 2, 256, 128>>(report, "DCNv2, 2 cross layers, 256-128", work);
    measure<ranking::MMoE<Schema, 2, 4, nn::HiddenLayers<Schema::columns, 64>, nn::MLP<64, 32, 1>>>(
        report, "MMoE, 2 tasks, 4 experts of 64", work);
    return report.finish();
}
