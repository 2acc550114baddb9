// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Cold start: a visitor without a history gets what is popular among people like them; with each click, content and
// collaborative filtering count more. A book that nobody has read yet is found by its genre.
//
//     g++ -std=c++20 -O2 -I include examples/23_cold_start.cpp -o /tmp/example && /tmp/example
#include <funnel/ann/flat.hpp>
#include <funnel/cf/hybrid_mf.hpp>
#include <funnel/content/cohort_popularity.hpp>
#include <funnel/content/cold_start.hpp>
#include <funnel/content/content_based.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/pipeline/hybrid.hpp>
#include <funnel/pipeline/named.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr std::array<const char*, 4> genres{"science fiction", "romance", "crime", "history"};
constexpr std::uint32_t books = 40;  // book b is of genre b % 4
constexpr std::uint32_t readers = 200;

/// A request: who asks, what is known about them, and what they have clicked.
struct Visitor {
    std::uint32_t user = readers;  // not in the log
    std::size_t k = 5;
    std::span<const std::uint32_t> attributes = {};  // region, age band
    std::span<const std::uint32_t> history = {};
};

std::string title(std::uint32_t book) {
    return std::string(genres[book % 4]) + " " + std::to_string(book / 4 + 1);
}

}  // namespace

int main() {
    // An invented library. Readers of region 0 prefer genre 0 if they are young (band 0), genre 2 if not; those of region
    // 1 prefer genres 1 and 3. Low numbers are read most. The last book of each genre is new: nobody has read it.
    Matrix<std::uint32_t> attributes(readers, 2);
    std::vector<data::Interaction> rows;
    Random random(1);
    for (std::uint32_t reader = 0; reader < readers; ++reader) {
        const auto region = static_cast<std::uint32_t>(random.below(2));
        const auto band = static_cast<std::uint32_t>(random.below(2));
        attributes(reader, 0) = region;
        attributes(reader, 1) = band;
        for (std::uint32_t book = 0; book + 4 < books; ++book) {
            const double interest = book % 4 == region + 2 * band ? 0.6 : 0.1;
            if (random.uniform() < interest / (1.0 + 0.2 * static_cast<double>(book / 4))) {
                rows.push_back({reader, book});
            }
        }
    }
    const auto log = data::Interactions::from_ids(rows, readers, books);
    std::vector<Triplet<float>> genre_of;
    for (std::uint32_t book = 0; book < books; ++book) {
        genre_of.push_back({book, book % 4, 1.0F});
    }
    const CSRMatrix<float> features(genre_of, books, genres.size());

    // Three sources, from what needs least to what needs most.
    const auto cohorts = content::CohortPopularity::fit(log, attributes, {.prior = 20.0F});
    const auto by_content = content::ContentBased::fit(log, {.features = features});
    const auto hybrid = cf::HybridBPR::fit(log, {.item_features = features, .descent = {.factors = 8}});
    const content::ColdStartPolicy policy({.content_half = 2.0, .collaborative_half = 5.0});
    const auto blend =
        pipeline::weighted([&](const Visitor& visitor) { return policy.weights(visitor.history.size()); },
                           pipeline::named("cohort",
                                           [&](const Visitor& visitor, std::size_t n) {
                                               return cohorts.top(visitor.attributes, n, AcceptAll{}, visitor.history);
                                           }),
                           pipeline::named("content",
                                           [&](const Visitor& visitor, std::size_t n) {
                                               return by_content.fold_in(visitor.history).recommend({.k = n});
                                           }),
                           pipeline::named("collaborative", [&](const Visitor& visitor, std::size_t n) {
                               return hybrid.fold_in(visitor.history).recommend({.k = n});
                           }));

    // A young visitor of region 0, who turns out to read crime.
    const std::array<std::uint32_t, 2> young{0, 0};
    const std::vector<std::uint32_t> clicks{6, 2, 14, 18, 10, 22};
    for (const std::size_t n : {0U, 1U, 3U, 6U}) {
        const auto [popularity, content, collaborative] = policy.weights(n);
        std::printf("After %zu click(s) (cohort %.2f, content %.2f, collaborative %.2f):", n, popularity, content,
                    collaborative);
        const auto history = std::span(clicks).first(n);
        std::vector<std::uint32_t> seen(history.begin(), history.end());
        std::ranges::sort(seen);
        for (const auto& [book, score] : blend(Visitor{.attributes = young, .history = seen}, 5)) {
            std::printf("  %s", title(book).c_str());
        }
        std::printf("\n");
    }

    // A visitor about whom the region is all that is known.
    const std::array<std::uint32_t, 1> region{1};
    std::printf("Popular in region 1:");
    for (const auto& [book, score] : cohorts.top(region, 4)) {
        std::printf("  %s", title(book).c_str());
    }
    std::printf("\n");

    // Books 36 to 39 were never read. Their genres place them in the lists all the same.
    const auto fan = hybrid.fold_in(std::vector<std::uint32_t>{0, 4, 8, 12});
    std::size_t place = 1;
    for (const auto& [book, score] : fan.recommend({.k = books})) {
        if (book == 36) {
            std::printf("%s, which nobody has read, is number %zu for a fan of the genre.\n", title(book).c_str(),
                        place);
        }
        ++place;
    }

    // A book that is not in the log at all: its row goes into the index.
    auto index = ann::Flat<kernels::InnerProduct>::build(hybrid.item_factors());
    const std::array<std::uint32_t, 1> science_fiction{0};
    const std::array<float, 1> fully{1.0F};
    const std::uint32_t arrival = index.add(hybrid.item_vector({science_fiction, fully}));
    place = 1;
    for (const auto& [book, score] : index.search(fan.profile().factors, {.k = books + 1})) {
        if (book == arrival) {
            std::printf("One that arrived today is number %zu of %u in the index.\n", place, books + 1);
        }
        ++place;
    }
}
