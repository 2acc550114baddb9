// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every kernel of the default backend against Scalar, the loop that a user would write, Eigen, and what the machine can
// do at most. Data is in the L1 cache, for scans also in main memory. All results are compared. --quick measures
// few sizes, for a rehearsal.

#include <funnel/kernels/axpy.hpp>
#include <funnel/kernels/distance.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/kernels/gemv.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/kernels/reduce.hpp>
#include <funnel/kernels/scale.hpp>
#include <funnel/kernels/sigmoid.hpp>
#include <funnel/kernels/softmax.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/peak.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace kernels = funnel::kernels;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::bench::Clock;
using funnel::bench::compare;
using funnel::bench::keep;
using funnel::bench::memory;
using funnel::bench::peak;
using funnel::bench::rate;
using funnel::bench::Report;
using funnel::bench::TimingOptions;
using kernels::DefaultBackend;
using kernels::InnerProduct;
using kernels::L2;
using kernels::Scalar;

using EigenVector = Eigen::Map<const Eigen::VectorXf>;
using EigenRows = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                             Eigen::Aligned64, Eigen::OuterStride<>>;

// Target ratio: a kernel must be as fast as its peer, up to the noise of the machine.
constexpr double tie = 0.95;

constexpr TimingOptions timing{.samples = 7, .sample_seconds = 0.003, .clock = Clock::ThreadCPU};

Matrix<float> random_rows(std::size_t rows, std::size_t cols) {
    funnel::Random random(1);
    Matrix<float> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& element : matrix.row(i)) {
            element = static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F;
        }
    }
    return matrix;
}

std::string label(const char* kernel, std::size_t dim) {
    return std::string(kernel) + " " + std::to_string(dim);
}

// Number of elements that differ by more than the tolerance allows, relative to the larger one of 1 and the element.
std::size_t count_differing(std::span<const float> a, std::span<const float> b, float tolerance) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        count += std::abs(a[i] - b[i]) <= tolerance * std::max(1.0F, std::abs(b[i])) ? 0U : 1U;  // NaN differs
    }
    return count;
}

EigenVector mapped(std::span<const float> x) {
    return {x.data(), static_cast<Eigen::Index>(x.size())};
}

// A kernel of two vectors, over rows that fit the L1 cache. Both callables must be always_inline. Otherwise g++ calls
// the one that several comparisons share, and inlines its peer, which is used once.
template <class Ours, class Theirs>
void pairs(Report& report, const char* kernel, const char* peer, std::size_t dim, double flops, Ours ours,
           Theirs theirs) {
    const Matrix<float> rows = random_rows(std::max<std::size_t>(2, 6144 / dim), dim);
    const auto over_rows = [&](auto&& score) {
        return [&rows, score] {
            const auto query = rows.row(0);
            float sum = 0.0F;
            for (std::size_t i = 1; i < rows.rows(); ++i) {
                sum += score(query, rows.row(i));
            }
            keep(sum);
        };
    };
    std::vector<float> a;
    std::vector<float> b;
    for (std::size_t i = 1; i < rows.rows(); ++i) {
        a.push_back(ours(rows.row(0), rows.row(i)));
        b.push_back(theirs(rows.row(0), rows.row(i)));
    }
    const auto times = compare(over_rows(ours), over_rows(theirs), timing);
    const auto per = static_cast<double>(rows.rows() - 1);
    report.add({.name = label(kernel, dim),
                .peer = peer,
                .target = tie,
                .differing = count_differing(a, b, 1.0e-6F * static_cast<float>(dim)),
                .setup = "rows in L1",
                .rate = rate(flops * static_cast<double>(dim), times.ours.median / per, "GFLOP/s"),
                .limit = std::min(peak().gflop_s, flops / 4.0 * peak().l1_gb_s)},
               times, per);
}

template <std::size_t Dim>
void all_pairs(Report& report) {
    using Span = std::span<const float>;
    const auto dot = [](Span a, Span b) __attribute__((always_inline)) { return kernels::dot(a, b); };
    const auto squared_l2 = [](Span a, Span b) __attribute__((always_inline)) { return kernels::squared_l2(a, b); };
    const auto cosine = [](Span a, Span b) __attribute__((always_inline)) { return kernels::cosine(a, b); };

    pairs(report, "dot", "Scalar", Dim, 2.0, dot,
          [](Span a, Span b) __attribute__((always_inline)) { return kernels::dot<Scalar>(a, b); });
    pairs(report, "dot", "plain loop", Dim, 2.0, dot, [](Span a, Span b) __attribute__((always_inline)) {
        float sum = 0.0F;
        for (std::size_t i = 0; i < a.size(); ++i) {
            sum += a[i] * b[i];
        }
        return sum;
    });
    pairs(report, "dot", "Eigen", Dim, 2.0, dot,
          [](Span a, Span b) __attribute__((always_inline)) { return mapped(a).dot(mapped(b)); });
    pairs(
        report, "dot, fixed", "Eigen, fixed", Dim, 2.0,
        [](Span a, Span b) __attribute__((always_inline)) {
            return kernels::dot(std::span<const float, Dim>(a.data(), Dim), std::span<const float, Dim>(b.data(), Dim));
        },
        [](Span a, Span b) __attribute__((always_inline)) {
            using Fixed = Eigen::Map<const Eigen::Matrix<float, static_cast<int>(Dim), 1>>;
            return Fixed(a.data()).dot(Fixed(b.data()));
        });
    pairs(report, "squared_l2", "Scalar", Dim, 3.0, squared_l2,
          [](Span a, Span b) __attribute__((always_inline)) { return kernels::squared_l2<Scalar>(a, b); });
    pairs(report, "squared_l2", "Eigen", Dim, 3.0, squared_l2,
          [](Span a, Span b) __attribute__((always_inline)) { return (mapped(a) - mapped(b)).squaredNorm(); });
    pairs(report, "cosine", "Scalar", Dim, 6.0, cosine,
          [](Span a, Span b) __attribute__((always_inline)) { return kernels::cosine<Scalar>(a, b); });
    pairs(report, "cosine", "Eigen", Dim, 6.0, cosine, [](Span a, Span b) __attribute__((always_inline)) {
        return mapped(a).dot(mapped(b)) / std::sqrt(mapped(a).squaredNorm() * mapped(b).squaredNorm());
    });
}

// score_rows and gemv. The rate counts the bytes of all rows per call. By id, every row is read once, in random order.
void scans(Report& report, std::size_t dim, std::size_t bytes, bool in_memory) {
    const std::string suffix = in_memory ? ", memory" : "";
    const std::string where = in_memory ? "rows in memory, " + std::to_string(bytes >> 20) + " MiB" : "rows in L1";
    const std::size_t n = std::max<std::size_t>(2, bytes / 4 / dim);
    const Matrix<float> matrix = random_rows(n, dim);
    const MatrixView<const float> rows = matrix;
    const Matrix<float> queries = random_rows(1, dim);
    const auto query = queries.row(0);
    std::vector<float> out(n);
    std::vector<float> their_out(n);
    std::vector<std::uint32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0U);
    funnel::Random random(2);
    for (std::size_t i = n - 1; i > 0; --i) {
        std::swap(ids[i], ids[random.below(i + 1)]);
    }
    const EigenRows eigen(rows.data(), static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(dim),
                          Eigen::OuterStride<>(static_cast<Eigen::Index>(rows.stride())));
    Eigen::Map<Eigen::VectorXf> eigen_out(out.data(), static_cast<Eigen::Index>(n));

    const auto add = [&](const char* kernel, const char* peer, double limit, auto ours, auto theirs) {
        theirs();
        their_out = out;
        std::fill(out.begin(), out.end(), 0.0F);
        ours();
        const std::size_t differing = count_differing(out, their_out, 1.0e-6F * static_cast<float>(dim));
        const auto times = compare(ours, theirs, timing);
        const auto per = static_cast<double>(n);
        report.add({.name = label(kernel, dim) + suffix,
                    .peer = peer,
                    .target = tie,
                    .differing = differing,
                    .setup = where,
                    .rate = rate(4.0 * static_cast<double>(dim), times.ours.median / per, "GB/s"),
                    .limit = limit},
                   times, per);
    };
    const double in_order = in_memory ? memory().stream_gb_s : peak().l1_gb_s;
    const double scattered = in_memory ? memory().scattered_gb_s : peak().l1_gb_s;
    const auto inner = [&] {
        kernels::score_rows<InnerProduct>(query, rows, out);
        keep(out[0]);
    };
    add("score_rows, dot", "one by one", in_order, inner, [&] {
        for (std::size_t i = 0; i < n; ++i) {
            out[i] = kernels::dot(query, rows.row(i));
        }
        keep(out[0]);
    });
    add("score_rows, dot", "Scalar", in_order, inner, [&] {
        kernels::score_rows<InnerProduct, Scalar>(query, rows, out);
        keep(out[0]);
    });
    add(
        "gemv", "Eigen", in_order,
        [&] {
            kernels::gemv(rows, query, out);
            keep(out[0]);
        },
        [&] {
            eigen_out.noalias() = eigen * mapped(query);
            keep(out[0]);
        });
    add(
        "score_rows, L2", "one by one", in_order,
        [&] {
            kernels::score_rows<L2>(query, rows, out);
            keep(out[0]);
        },
        [&] {
            for (std::size_t i = 0; i < n; ++i) {
                out[i] = L2::score(query, rows.row(i));
            }
            keep(out[0]);
        });
    add(
        "score_rows, dot, by id", "one by one", scattered,
        [&] {
            kernels::score_rows<InnerProduct>(query, rows, ids, out);
            keep(out[0]);
        },
        [&] {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                out[i] = kernels::dot(query, rows.row(ids[i]));
            }
            keep(out[0]);
        });
}

// Kernels on one or two vectors.
void passes(Report& report, std::size_t n) {
    const Matrix<float> input = random_rows(1, n);
    const auto x = input.row(0);
    Matrix<float> output(1, n);  // aligned, because a store across two pages would dominate the time
    const auto out = output.row(0);
    Eigen::Map<Eigen::VectorXf> eigen_out(out.data(), static_cast<Eigen::Index>(n));

    const auto add = [&](const char* kernel, const char* peer, auto ours, auto theirs) {
        const auto kept = [out](auto work) {
            return [work, out] {
                const auto value = work();
                keep(value);
                keep(out[0]);
            };
        };
        const auto results = [&](auto work) {
            std::copy(x.begin(), x.end(), out.begin());
            std::vector<float> all{work()};
            all.insert(all.end(), out.begin(), out.end());
            return all;
        };
        const std::vector<float> a = results(ours);
        const std::vector<float> b = results(theirs);
        const auto times = compare(kept(ours), kept(theirs), timing);
        report.add({.name = label(kernel, n),
                    .peer = peer,
                    .target = tie,
                    .differing = count_differing(a, b, 1.0e-7F * static_cast<float>(std::max<std::size_t>(n, 50))),
                    .setup = "in L1",
                    .rate = rate(static_cast<double>(n), times.ours.median, "G elements/s")},
                   times);
    };
    const auto both = [&](const char* kernel, auto run) {
        add(kernel, "Scalar", [run] { return run(DefaultBackend{}); }, [run] { return run(Scalar{}); });
    };
    both("axpy", [&](auto backend) { return kernels::axpy<decltype(backend)>(1.0e-9F, x, out), 0.0F; });
    both("scale", [&](auto backend) { return kernels::scale<decltype(backend)>(-1.0F, out), 0.0F; });
    both("sum", [&](auto backend) { return kernels::sum<decltype(backend)>(x); });
    both("max", [&](auto backend) { return kernels::max<decltype(backend)>(x); });
    both("argmax", [&](auto backend) { return static_cast<float>(kernels::argmax<decltype(backend)>(x)); });
    both("softmax", [&](auto backend) { return kernels::softmax<decltype(backend)>(x, out), 0.0F; });
    both("log_sum_exp", [&](auto backend) { return kernels::log_sum_exp<decltype(backend)>(x); });
    both("sigmoid", [&](auto backend) { return kernels::sigmoid<decltype(backend)>(x, out), 0.0F; });
    add(
        "axpy", "Eigen", [&] { return kernels::axpy(1.0e-9F, x, out), 0.0F; },
        [&] {
            eigen_out += 1.0e-9F * mapped(x);
            return 0.0F;
        });
    add(
        "softmax", "Eigen", [&] { return kernels::softmax(x, out), 0.0F; },
        [&] {
            eigen_out.array() = (mapped(x).array() - mapped(x).maxCoeff()).exp();
            eigen_out /= eigen_out.sum();
            return 0.0F;
        });
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const bool quick = funnel::bench::take_flag(arguments, "--quick");
    Report report("kernels", static_cast<int>(arguments.size()), arguments.data());
    report.add({.name = "peak, multiply and add",
                .ours = funnel::bench::single(peak().gflop_s),
                .unit = "GFLOP/s",
                .setup = "one core"});
    report.add({.name = "peak, reading the L1 cache",
                .ours = funnel::bench::single(peak().l1_gb_s),
                .unit = "GB/s",
                .setup = "one core"});
    all_pairs<64>(report);
    if (!quick) {
        all_pairs<8>(report);
        all_pairs<16>(report);
        all_pairs<32>(report);
        all_pairs<128>(report);
        all_pairs<768>(report);
    }
    for (const std::size_t dim : quick ? std::vector<std::size_t>{64} : std::vector<std::size_t>{16, 64, 128, 768}) {
        scans(report, dim, 24 << 10, false);
    }
    for (const std::size_t dim : quick ? std::vector<std::size_t>{64} : std::vector<std::size_t>{64, 768}) {
        scans(report, dim, memory().bytes, true);
    }
    for (const std::size_t n :
         quick ? std::vector<std::size_t>{100} : std::vector<std::size_t>{8, 16, 100, 256, 1024}) {
        passes(report, n);
    }
    return report.finish();
}
