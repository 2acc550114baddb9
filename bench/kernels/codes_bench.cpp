// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that read codes of vectors (bytes, floats of 16 bits, product codes, bits), on the default backend beside
// Scalar and what the machine can do at most: reading from the second cache, the third one and memory, and products of
// bytes. All results are compared. --quick measures in the second cache only, for a rehearsal.

#include <funnel/kernels/fast_scan.hpp>
#include <funnel/kernels/half.hpp>
#include <funnel/kernels/half_rows.hpp>
#include <funnel/kernels/hamming.hpp>
#include <funnel/kernels/int8_rows.hpp>
#include <funnel/kernels/int8_scan.hpp>
#include <funnel/kernels/pq_scan.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/peak.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace {

namespace kernels = funnel::kernels;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Scored;
using funnel::bench::Clock;
using funnel::bench::compare;
using funnel::bench::keep;
using funnel::bench::memory;
using funnel::bench::peak;
using funnel::bench::Report;
using funnel::bench::TimingOptions;
using kernels::DefaultBackend;
using kernels::Float16;
using kernels::InnerProduct;
using kernels::Scalar;

constexpr std::size_t dim = 128;
constexpr double tie = 0.95;  // up to the noise of the machine
constexpr TimingOptions timing{.samples = 7, .sample_seconds = 0.01, .clock = Clock::ThreadCPU};

/// Where the codes lie, and how fast one thread can read there.
struct Place {
    std::string name;
    std::size_t bytes;
    double in_order;   // GB/s
    double scattered;  // GB/s, blocks of 256 bytes
};

template <class T>
std::vector<T> random_numbers(std::size_t n, std::uint64_t stream) {
    funnel::Random random(5, stream);
    std::vector<T> x(n);
    for (T& element : x) {
        element = static_cast<T>(random());
    }
    return x;
}

std::vector<std::uint32_t> shuffled_ids(std::size_t n) {
    std::vector<std::uint32_t> ids(n);
    std::iota(ids.begin(), ids.end(), 0U);
    funnel::Random random(6);
    for (std::size_t i = n - 1; i > 0; --i) {
        std::swap(ids[i], ids[random.below(i + 1)]);
    }
    return ids;
}

/// Measures run(backend), which fills `out` from `vectors` codes of `bytes` each.
template <class T, class Run>
void add(Report& report, const std::string& name, const Place& place, std::size_t vectors, double bytes, double limit,
         std::vector<T>& out, float tolerance, const Run& run) {
    run(Scalar{});
    const std::vector<T> expected = out;
    std::fill(out.begin(), out.end(), T{});
    run(DefaultBackend{});
    std::size_t differing = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const double difference = std::abs(static_cast<double>(out[i]) - static_cast<double>(expected[i]));
        differing += difference <= static_cast<double>(tolerance) ? 0U : 1U;  // NaN differs
    }
    const auto times = compare([&] { run(DefaultBackend{}); }, [&] { run(Scalar{}); }, timing);
    const auto per = static_cast<double>(vectors);
    report.add({.name = name + ", " + place.name,
                .peer = "Scalar",
                .target = tie,
                .differing = differing,
                .setup = std::to_string(vectors) + " vectors of " + std::to_string(static_cast<int>(bytes)) + " bytes",
                .rate = funnel::bench::rate(bytes, times.ours.median / per, "GB/s"),
                .limit = limit},
               times, per);
}

/// Rows of bytes by ids. The products of 64 bytes are one instruction with VNNI.
void int8_rows(Report& report, const Place& place) {
    const std::size_t n = place.bytes / dim;
    std::vector<std::uint8_t> rows = random_numbers<std::uint8_t>(n * dim, 1);
    std::replace(rows.begin(), rows.end(), std::uint8_t{0}, std::uint8_t{1});  // the range is [-127, 127]
    const std::vector<std::int8_t> query(dim, 77);
    const std::vector<std::uint32_t> ids = shuffled_ids(n);
    std::vector<std::int32_t> out(n);
    add(report, "int8_row_dots", place, n, dim, std::min(place.scattered, peak().int8_gop_s / 2.0), out, 0.0F,
        [&](auto backend) {
            kernels::int8_row_dots<decltype(backend)>(std::span<const std::int8_t, dim>(query),
                                                      MatrixView<const std::uint8_t>(rows, n, dim), ids, out);
            keep(out[0]);
        });
}

/// Blocks of bytes. Several queries share what is read, so that products become the limit.
void int8_scan(Report& report, const Place& place, std::size_t queries) {
    const std::size_t n = place.bytes / dim;  // whole blocks
    std::vector<std::uint8_t> blocks = random_numbers<std::uint8_t>(n * dim, 2);
    std::replace(blocks.begin(), blocks.end(), std::uint8_t{0}, std::uint8_t{1});
    const std::vector<std::int8_t> query(dim, 77);
    const std::vector<float> scales(n, 1.0F);
    std::vector<std::vector<Scored<>>> hits(queries, std::vector<Scored<>>(n));
    std::vector<float> counts(queries);
    const double limit = std::min(place.in_order, peak().int8_gop_s / 2.0 / static_cast<double>(queries));
    add(report, "int8_scan, queries " + std::to_string(queries), place, n, dim, limit, counts, 0.0F, [&](auto backend) {
        std::vector<kernels::Int8Scan> scans;
        for (std::size_t q = 0; q < queries; ++q) {  // 3 standard deviations: few vectors are hits
            scans.push_back({{query, 77 * dim}, 1.0F, 0.0F, 3.0F * 77.0F * 73.3F * 11.3F, hits[q], 0});
        }
        kernels::int8_scan<decltype(backend)>({blocks, scales, {}, n}, scans);
        for (std::size_t q = 0; q < queries; ++q) {
            counts[q] = static_cast<float>(scans[q].count);
        }
        keep(counts[0]);
    });
}

/// 64 codes of 4 bits per vector: two per byte.
void fast_scan(Report& report, const Place& place) {
    constexpr std::size_t m = 64;
    const std::size_t n = place.bytes / (m / 2) / 32 * 32;
    const auto blocks = random_numbers<std::uint8_t>(n * m / 2, 3);
    const auto tables = random_numbers<std::uint8_t>(m * 16, 4);
    std::vector<std::uint16_t> out(n);
    add(report, "fast_scan", place, n, m / 2, place.in_order, out, 0.0F, [&](auto backend) {
        kernels::fast_scan<decltype(backend)>(tables, blocks, out);
        keep(out[0]);
    });
}

/// 16 codes of 8 bits per vector.
void pq_scan(Report& report, const Place& place) {
    constexpr std::size_t m = 16;
    const std::size_t n = place.bytes / m / 32 * 32;
    const auto blocks = random_numbers<std::uint8_t>(n * m, 5);
    const auto tables = random_numbers<std::uint16_t>(m * 256, 6);
    std::vector<std::uint16_t> out(n);
    add(report, "pq_scan", place, n, m, place.in_order, out, 0.0F, [&](auto backend) {
        kernels::pq_scan<decltype(backend)>(tables, blocks, out);
        keep(out[0]);
    });
}

void hamming(Report& report, const Place& place, std::size_t words) {
    const std::size_t n = place.bytes / 8 / words;
    const auto codes = random_numbers<std::uint64_t>(n * words, 7);
    const auto query = random_numbers<std::uint64_t>(words, 8);
    std::vector<std::uint32_t> out(n);
    const std::string name = "hamming, " + std::to_string(64 * words) + " bits";
    add(report, name, place, n, static_cast<double>(8 * words), place.in_order, out, 0.0F, [&](auto backend) {
        kernels::hamming<decltype(backend)>(query, codes, out);
        keep(out[0]);
    });
}

/// Rows of floats of 16 bits, in order and by ids. A product and a sum per 2 bytes.
void half_rows(Report& report, const Place& place) {
    const std::size_t n = place.bytes / 2 / dim;
    std::vector<Float16> rows(n * dim);
    funnel::Random random(9);
    for (Float16& half : rows) {
        half = Float16::nearest(static_cast<float>(random() >> 8) * 0x1p-23F - 1.0F);
    }
    const MatrixView<const Float16> view(rows, n, dim);
    const std::vector<float> query(dim, 0.7F);
    const std::vector<std::uint32_t> ids = shuffled_ids(n);
    std::vector<float> out(n);
    constexpr float rounding = 128.0F * 128.0F * 0x1p-24F;
    add(report, "score_half_rows", place, n, 2.0 * dim, std::min(place.in_order, peak().gflop_s), out, rounding,
        [&](auto backend) {
            kernels::score_half_rows<InnerProduct, decltype(backend)>(query, view, out);
            keep(out[0]);
        });
    add(report, "score_half_rows, by id", place, n, 2.0 * dim, std::min(place.scattered, peak().gflop_s), out, rounding,
        [&](auto backend) {
            kernels::score_half_rows<InnerProduct, decltype(backend)>(std::span<const float, dim>(query), view, ids,
                                                                      out);
            keep(out[0]);
        });
}

/// Conversions. They read 4 bytes and write 2, or the other way round; the rate counts both.
void conversions(Report& report, const Place& place) {
    const std::size_t n = place.bytes / 8;
    std::vector<float> floats(n);
    funnel::Random random(10);
    for (float& x : floats) {
        x = static_cast<float>(random.normal());
    }
    std::vector<Float16> halves(n);
    std::vector<float> out(n);
    add(report, "to_half and to_float", place, n, 12.0, place.in_order, out, 0.0F, [&](auto backend) {
        kernels::to_half<decltype(backend)>(floats, std::span(halves));
        kernels::to_float<decltype(backend)>(std::span<const Float16>(halves), out);
        keep(out[0]);
    });
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const bool quick = funnel::bench::take_flag(arguments, "--quick");
    Report report("kernels_codes", static_cast<int>(arguments.size()), arguments.data());
    std::vector<Place> places;
    for (const auto& [name, bytes] : {std::pair("L2", std::size_t{512} << 10), std::pair("L3", std::size_t{8} << 20)}) {
        const double speed = funnel::bench::stream_gb_s(bytes);
        places.push_back({name, bytes, speed, speed});
    }
    places.push_back({"memory", memory().bytes, memory().stream_gb_s, memory().scattered_gb_s});
    if (quick) {
        places.resize(1);
    }
    for (const Place& place : places) {
        report.add({.name = "reading, " + place.name,
                    .ours = funnel::bench::single(place.in_order),
                    .unit = "GB/s",
                    .setup = std::to_string(place.bytes >> 10) + " KiB"});
    }
    report.add({.name = "peak, multiply and add",
                .ours = funnel::bench::single(peak().gflop_s),
                .unit = "GFLOP/s",
                .setup = "one core"});
    report.add({.name = "peak, products of bytes",
                .ours = funnel::bench::single(peak().int8_gop_s),
                .unit = "GOP/s",
                .setup = "one core; infinite: not measured without VNNI"});
    for (const Place& place : places) {
        int8_rows(report, place);
        int8_scan(report, place, 1);
        int8_scan(report, place, 4);
        fast_scan(report, place);
        pq_scan(report, place);
        hamming(report, place, 1);
        hamming(report, place, 16);
        half_rows(report, place);
        conversions(report, place);
    }
    return report.finish();
}
