// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/rerank.py: slates by MMR, DPP and calibration, and draws from k-DPPs.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/rerank/calibrated.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/kdpp.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_scratch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

using namespace funnel;
using bench::Side;

namespace {

/// Requests that are answered one after another: each has n candidates.
struct Requests {
    Matrix<float> features;   // all candidates: embeddings, or shares of genres
    Matrix<float> relevance;  // requests x n
    std::vector<rerank::SlateCandidates<>> prepared;
    rerank::SlateScratch scratch;

    [[nodiscard]] std::size_t size() const { return relevance.rows(); }
    [[nodiscard]] MatrixView<const float> rows(std::size_t request) const {
        return features.view().rows_from(request * relevance.cols(), relevance.cols());
    }
};

}  // namespace

int main() {
    Side side;
    Requests requests;
    Matrix<float> others;  // of each request: the target, or the embedding of the query
    Matrix<std::uint64_t> picks;

    // Answers all requests `times` times. Returns the time of one request. answer(request) returns its slate.
    const auto answer_all = [&](const Side::Arguments& arguments, const auto& answer) {
        const std::size_t times = arguments.number("times");
        picks = Matrix<std::uint64_t>(requests.size(), arguments.number("k"));
        Side::Answer time = Side::timed([&] {
            for (std::size_t t = 0; t < times; ++t) {
                for (std::size_t request = 0; request < requests.size(); ++request) {
                    const auto slate = answer(request);
                    require(slate.size() == picks.cols(), "a slate has fewer than k picks");
                    std::copy(slate.begin(), slate.end(), picks.row(request).begin());
                }
            }
        });
        for (auto& [clock, seconds] : time) {
            seconds /= static_cast<double>(times * requests.size());
        }
        return time;
    };

    side.on("load", [&](const Side::Arguments& arguments) -> Side::Answer {
        requests.features = io::read_npy<float>(arguments.text("features"));
        requests.relevance = io::read_npy<float>(arguments.text("relevance"));
        others = io::read_npy<float>(arguments.text("others"));
        require(requests.features.rows() == requests.size() * requests.relevance.cols(), "load: rows of features");
        require(others.rows() == requests.size(), "load: rows of others");
        requests.prepared.clear();
        for (std::size_t request = 0; request < requests.size(); ++request) {
            requests.prepared.emplace_back(requests.rows(request));
        }
        requests.scratch = rerank::SlateScratch(requests.relevance.cols(), requests.features.cols(), 100);
        return {{"requests", static_cast<double>(requests.size())}};
    });

    side.on("dpp", [&](const Side::Arguments& arguments) {
        const rerank::DPPOptions options{.k = arguments.number("k"), .alpha = arguments.real("alpha")};
        return answer_all(arguments, [&](std::size_t request) {
            return rerank::dpp(requests.relevance.row(request), requests.rows(request), options);
        });
    });
    side.on("dpp_prepared", [&](const Side::Arguments& arguments) {
        const rerank::DPPOptions options{.k = arguments.number("k"), .alpha = arguments.real("alpha")};
        std::vector<std::size_t> out(options.k);
        return answer_all(arguments, [&](std::size_t request) {
            const auto count = rerank::dpp(requests.relevance.row(request), requests.prepared[request],
                                           requests.scratch, out, options);
            return std::span(out).first(count.picks);
        });
    });
    side.on("mmr", [&](const Side::Arguments& arguments) {
        const rerank::MMROptions options{.k = arguments.number("k"), .lambda = arguments.real("lambda")};
        return answer_all(arguments, [&](std::size_t request) {
            return rerank::mmr(requests.relevance.row(request), requests.rows(request), options);
        });
    });
    side.on("mmr_prepared", [&](const Side::Arguments& arguments) {
        const rerank::MMROptions options{.k = arguments.number("k"), .lambda = arguments.real("lambda")};
        std::vector<std::size_t> out(options.k);
        return answer_all(arguments, [&](std::size_t request) {
            const auto count = rerank::mmr(requests.relevance.row(request), requests.prepared[request],
                                           requests.scratch, out, options);
            return std::span(out).first(count.picks);
        });
    });
    // Relevance is the cosine with the query, which is computed here.
    side.on("mmr_of_query", [&](const Side::Arguments& arguments) {
        const rerank::MMROptions options{.k = arguments.number("k"), .lambda = arguments.real("lambda")};
        std::vector<float> cosines(requests.relevance.cols());
        return answer_all(arguments, [&](std::size_t request) {
            kernels::score_rows<kernels::Cosine>(others.row(request), requests.rows(request), cosines);
            return rerank::mmr(cosines, requests.rows(request), options);
        });
    });
    side.on("calibrated", [&](const Side::Arguments& arguments) {
        const rerank::CalibratedOptions options{.k = arguments.number("k"),
                                                .weight = static_cast<double>(arguments.real("weight"))};
        return answer_all(arguments, [&](std::size_t request) {
            return rerank::calibrated(requests.relevance.row(request), requests.rows(request), others.row(request),
                                      options);
        });
    });
    side.on("picks", [&](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("path"), picks);
        return {};
    });

    // k-DPPs: the embeddings of the first request; its relevance is the quality.
    std::optional<rerank::KDPP> sampler;
    std::vector<std::size_t> drawn;
    const auto new_sampler = [&](const Side::Arguments& arguments) {
        return rerank::KDPP(requests.rows(0), requests.relevance.row(0), {.k = arguments.number("k")});
    };
    side.on("kdpp", [&](const Side::Arguments& arguments) -> Side::Answer {
        sampler = new_sampler(arguments);
        drawn.resize(sampler->k());
        return {{"rank", static_cast<double>(sampler->rank())}};
    });
    side.on("kdpp_warm", [&](const Side::Arguments& arguments) {
        const std::size_t times = arguments.number("times");
        Side::Answer time = Side::timed([&] {
            for (std::size_t t = 0; t < times; ++t) {
                sampler.value().sample(drawn);
                bench::keep(drawn);
            }
        });
        for (auto& [clock, seconds] : time) {
            seconds /= static_cast<double>(times);
        }
        return time;
    });
    side.on("kdpp_cold", [&](const Side::Arguments& arguments) {
        return Side::timed([&] { bench::keep(new_sampler(arguments).sample()); });
    });
    // Two rows: how often each candidate was drawn, and its exact probability.
    side.on("kdpp_inclusion", [&](const Side::Arguments& arguments) -> Side::Answer {
        Matrix<double> result(2, sampler.value().candidates());
        for (std::size_t draw = 0; draw < arguments.number("draws"); ++draw) {
            sampler->sample(drawn);
            for (const std::size_t candidate : drawn) {
                result(0, candidate) += 1.0;
            }
        }
        const auto exact = sampler->inclusion_probabilities();
        std::copy(exact.begin(), exact.end(), result.row(1).begin());
        io::write_npy(arguments.text("path"), result);
        return {};
    });
    return side.serve();
}
