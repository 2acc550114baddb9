// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What our side and hnswlib's side of bench/peers/ann.py have in common: vectors from files, and timed searches.

#include "support/side.hpp"
#include "support/timing.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/io/npy.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <vector>

namespace funnel::bench {

/// The vectors and the hits of the last search.
struct SearchData {
    Matrix<float> items;
    Matrix<float> queries;
    std::vector<std::uint8_t> allowed;  // one flag per item: what a filter lets pass
    Matrix<std::uint32_t> hits;         // queries x k; no_hit where a search found fewer

    static constexpr std::uint32_t no_hit = ~std::uint32_t{0};

    /// Adds the commands that read the vectors and write the hits.
    void offer(Side& side) {
        side.on("items", [this](const Side::Arguments& arguments) -> Side::Answer {
            items = io::read_npy<float>(arguments.text("path"));
            return {{"rows", static_cast<double>(items.rows())}};
        });
        side.on("queries", [this](const Side::Arguments& arguments) -> Side::Answer {
            queries = io::read_npy<float>(arguments.text("path"));
            return {{"rows", static_cast<double>(queries.rows())}};
        });
        side.on("allowed", [this](const Side::Arguments& arguments) -> Side::Answer {
            const auto flags = io::read_npy<float>(arguments.text("path"));  // 1 x n, zeros and ones
            allowed.assign(flags.row(0).begin(), flags.row(0).end());
            return {{"rows", static_cast<double>(allowed.size())}};
        });
        side.on("hits", [this](const Side::Arguments& arguments) -> Side::Answer {
            io::write_npy(arguments.text("path"), hits);
            return {};
        });
    }

    /// Searches for each query, one after the other: find(i, k, ids) writes the ids of query i and returns their number.
    ///
    /// Returns   the time of all, or with latencies=1 in nanoseconds the median and the 99th percentile of one query: its
    ///           time is the median of five rounds, so that interrupts of the system are not counted as the index's
    template <class Find>
    [[nodiscard]] Side::Answer search_all(const Side::Arguments& arguments, const Find& find) {
        const std::size_t k = arguments.number("k");
        hits = Matrix<std::uint32_t>(queries.rows(), k);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            std::fill(hits.row(i).begin(), hits.row(i).end(), no_hit);
        }
        if (arguments.number("latencies") == 0) {
            return Side::timed([&] {
                for (std::size_t i = 0; i < queries.rows(); ++i) {
                    keep(find(i, k, hits.row(i)));
                }
            });
        }
        std::vector<std::array<double, 5>> rounds(queries.rows());
        for (std::size_t round = 0; round < 5; ++round) {
            for (std::size_t i = 0; i < queries.rows(); ++i) {
                const double begin = thread_seconds();
                keep(find(i, k, hits.row(i)));
                rounds[i][round] = 1e9 * (thread_seconds() - begin);
            }
        }
        std::vector<double> times;
        for (std::array<double, 5>& of_query : rounds) {
            std::sort(of_query.begin(), of_query.end());
            times.push_back(of_query[2]);
        }
        std::sort(times.begin(), times.end());
        return {{"p50", times[times.size() / 2]}, {"p99", times[times.size() * 99 / 100]}};
    }

private:
    [[nodiscard]] static double thread_seconds() noexcept {
        timespec now{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
    }
};

}  // namespace funnel::bench
