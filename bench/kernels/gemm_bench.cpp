// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The three matrix products of a dense layer beside Eigen, for the default backend and for AVX2, and beside the
// multiply-adds that one core can do at most. All results are compared. --quick measures few sizes, for a rehearsal.

#include <funnel/kernels/gemm.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/peak.hpp"

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include <Eigen/Core>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {

namespace kernels = funnel::kernels;
using funnel::MatrixView;
using funnel::bench::Clock;
using funnel::bench::compare;
using funnel::bench::keep;
using funnel::bench::peak;
using funnel::bench::rate;
using funnel::bench::Report;
using funnel::bench::TimingOptions;

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr TimingOptions timing{.samples = 7, .sample_seconds = 0.005, .clock = Clock::ThreadCPU};

RowMajor random_matrix(std::size_t rows, std::size_t cols, std::uint64_t stream) {
    RowMajor matrix(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
    funnel::Random random(3, stream);
    for (float& element : std::span(matrix.data(), rows * cols)) {
        element = static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F;
    }
    return matrix;
}

/// A dense layer: rows of `in` numbers become rows of `out` numbers.
struct Shape {
    std::size_t rows;
    std::size_t in;
    std::size_t out;
};

/// Times ours(c) and theirs(c) for c of `rows` x `cols`, where each element is the sum of `depth` products.
template <class Ours, class Theirs>
void add(Report& report, const char* name, const Shape& shape, std::size_t rows, std::size_t cols, std::size_t depth,
         const Ours& ours, const Theirs& theirs) {
    RowMajor mine = RowMajor::Zero(static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
    RowMajor other = mine;
    ours(mine);
    theirs(other);
    const float allowed = 0x1p-23F * static_cast<float>(depth + 1);  // of products and numbers up to 1
    const auto agree = (mine - other).array().abs() <= allowed;
    const auto differing = static_cast<std::size_t>(agree.size() - agree.count());
    const auto times = compare([&] { ours(mine), keep(mine); }, [&] { theirs(other), keep(other); }, timing);
    const double operations = 2.0 * static_cast<double>(rows * cols * depth);
    report.add({.name = std::string(name) + ", rows " + std::to_string(shape.rows),
                .peer = "Eigen",
                .differing = differing,
                .setup = "layer " + std::to_string(shape.in) + "-" + std::to_string(shape.out),
                .rate = rate(operations, times.ours.median, "GFLOP/s"),
                .limit = peak().gflop_s},
               times);
}

template <class Backend>
void layer(Report& report, const std::string& suffix, const Shape& shape) {
    const RowMajor x = random_matrix(shape.rows, shape.in, 1);
    const RowMajor w = random_matrix(shape.out, shape.in, 2);
    const RowMajor dy = random_matrix(shape.rows, shape.out, 3);
    const RowMajor bias = random_matrix(1, shape.out, 4);
    add(
        report, ("gemm_nt" + suffix).c_str(), shape, shape.rows, shape.out, shape.in,
        [&](RowMajor& y) { kernels::gemm_nt<Backend>(x, w, std::span(bias.data(), shape.out), MatrixView<float>(y)); },
        [&](RowMajor& y) {
            y.noalias() = x * w.transpose();
            y.rowwise() += bias.row(0);
        });
    add(
        report, ("gemm_nn" + suffix).c_str(), shape, shape.rows, shape.in, shape.out,
        [&](RowMajor& dx) { kernels::gemm_nn<Backend>(dy, w, MatrixView<float>(dx)); },
        [&](RowMajor& dx) { dx.noalias() = dy * w; });
    add(
        report, ("gemm_tn" + suffix).c_str(), shape, shape.out, shape.in, shape.rows,
        [&](RowMajor& dw) { kernels::gemm_tn<Backend>(dy, x, MatrixView<float>(dw)); },
        [&](RowMajor& dw) { dw.noalias() += dy.transpose() * x; });
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const bool quick = funnel::bench::take_flag(arguments, "--quick");
    Report report("kernels_gemm", static_cast<int>(arguments.size()), arguments.data());
    const std::vector<Shape> shapes =
        quick ? std::vector<Shape>{{8, 136, 256}, {256, 136, 256}}
              : std::vector<Shape>{{1, 136, 256},  {8, 136, 256},   {64, 136, 256},   {256, 136, 256}, {1024, 136, 256},
                                   {256, 256, 64}, {256, 100, 100}, {256, 1024, 512}, {256, 64, 1}};
    for (const Shape& shape : shapes) {
        layer<kernels::DefaultBackend>(report, "", shape);
#if FUNNEL_HAS_SIMD && defined(__AVX512F__)
        layer<kernels::Simd<xsimd::fma3<xsimd::avx2>>>(report, ", AVX2", shape);
#endif
    }
    return report.finish();
}
