// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A complete recommender in one expression: two sources, a ranker, a diversity rule, a fallback. Then the trace of a
// request: how many items entered and left each stage, and how long it took.
//
//     g++ -std=c++20 -O2 -I include examples/08_small_funnel.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/pipeline/funnel.hpp>
#include <funnel/rerank/category_cap.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

using namespace funnel::pipeline;

namespace {

struct Film {
    const char* title;
    std::uint32_t genre;
    float views;    // by all users
    float quality;  // rated by critics
};

enum Genre : std::uint32_t { SciFi, Crime, Family };

const std::vector<Film> catalogue{
    {"Red Planet", SciFi, 90, 0.6F},      {"Star Harbour", SciFi, 80, 0.9F}, {"Orbit", SciFi, 20, 0.8F},
    {"The Ninth Clue", Crime, 70, 0.7F},  {"Night Train", Crime, 30, 0.9F},  {"Alibi", Crime, 10, 0.4F},
    {"Puddle Pirates", Family, 60, 0.5F}, {"Snow Bear", Family, 40, 0.8F},   {"Moon Kitchen", Family, 15, 0.7F}};

// A source is a model with recommend(user, {.k = n}), or a callable like these: it takes a request and returns scored
// items.
std::vector<funnel::Scored<>> popular(const Request&, std::size_t n) {
    std::vector<float> views;
    for (const Film& film : catalogue) {
        views.push_back(film.views);
    }
    return funnel::top_k(views, n);
}

std::vector<funnel::Scored<>> favourite_genre(const Request& request, std::size_t n) {
    if (request.user > 2) {
        return {};  // no data about this user: no candidates, not an error
    }
    std::vector<funnel::Scored<>> found;
    for (std::uint32_t id = 0; id < catalogue.size() && found.size() < n; ++id) {
        if (catalogue[id].genre == request.user) {  // users 0, 1, 2 love genres 0, 1, 2
            found.push_back({id, 1.0F});
        }
    }
    return found;
}

}  // namespace

int main() {
    // The ranker sees the candidates, and which sources found each. Here taste adds 0.5 to the quality.
    const auto ranker = [](const Request&, const Candidates& candidates) {
        std::vector<float> scores;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            scores.push_back(catalogue[candidates[i].id].quality + (candidates[i].is_from(0) ? 0.5F : 0.0F));
        }
        return scores;
    };

    // A rule returns positions, best first. This one allows at most two films per genre.
    const auto two_of_a_genre = [](const Request& request, const Candidates& candidates) {
        std::vector<std::uint32_t> genres;
        for (const std::uint32_t id : candidates.ids()) {
            genres.push_back(catalogue[id].genre);
        }
        return funnel::rerank::category_cap(genres, {.k = request.k, .per_category = 2});
    };

    const Funnel funnel(retrieve(named("favourite genre", favourite_genre), named("popular", popular, {.at_most = 4})),
                        rank(named("ranker", ranker)), rerank(named("two of a genre", two_of_a_genre)),
                        fallback(named("popular again", popular)));

    for (const std::uint32_t user : {0U, 7U}) {
        const Result result = funnel.recommend({.user = user, .k = 5, .exclude = {1}});  // film 1 was already seen
        std::printf("user %u\n", user);
        for (const Candidate& item : result) {
            std::printf("  %-16s %.2f ", catalogue[item.id].title, static_cast<double>(item.score));
            for (std::size_t s = 0; s < result.trace.sources.size(); ++s) {
                std::printf("%s", item.is_from(s) ? (" [" + result.trace.sources[s] + "]").c_str() : "");
            }
            std::printf("\n");
        }
        std::printf("\n%s\n", to_string(result.trace).c_str());
    }
}
