// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rules around a model: a filter, a boost for new items, a limit on repeated impressions, and a limit per category. The
// trace of a request shows what each stage did.
//
//     g++ -std=c++20 -O2 -I include examples/11_trace_and_rules.cpp -o /tmp/example
//     /tmp/example
//
// Only the milliseconds differ from run to run.
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/pipeline/funnel.hpp>
#include <funnel/rerank/category_cap.hpp>
#include <funnel/rerank/freshness.hpp>
#include <funnel/rerank/seen.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

using namespace funnel::pipeline;

namespace {

// Your own request: it must have user and k; the rules use the rest.
struct Visit {
    std::uint32_t user;
    std::size_t k;
    int no_older_than;                     // year of the films that may be shown
    std::vector<std::uint32_t> was_shown;  // today: each item as many times as it was shown
};

}  // namespace

int main() {
    const funnel::data::SyntheticWorld world({.users = 800, .items = 600, .rows = 30'000});
    const auto& films = world.item_metadata();
    const auto similar = funnel::cf::ItemKNN::fit(world.log(), {.neighbours = 100});
    const auto popular = funnel::cf::Popularity::fit(world.log());
    const auto age_of = [&](std::uint32_t film) { return 2017.0 - films[film].year.value_or(1900); };

    // A filter accepts or rejects one item. It applies to the whole list, including items of the fallback.
    const auto is_new_enough = [&](const Visit& visit, std::uint32_t film) {
        return age_of(film) <= 2017 - visit.no_older_than;
    };
    // A ranker returns one new score per candidate. Here, the score of a new film grows by up to 50 %.
    const auto fresh_first = [&](const Visit&, const Candidates& candidates) {
        std::vector<double> ages;
        for (const std::uint32_t film : candidates.ids()) {
            ages.push_back(age_of(film));
        }
        return funnel::rerank::freshness(
            candidates.scores(), ages,
            {.weight = 0.5F, .half_life = 5.0, .boost = funnel::rerank::Boost::Multiplicative});
    };
    // A rule returns the positions of the candidates to keep, in their new order.
    const auto not_too_often = [](const Visit& visit, const Candidates& candidates) {
        return funnel::rerank::remove_seen(candidates.ids(), visit.was_shown, {.times = 2});
    };
    const auto one_of_a_genre = [&](const Visit& visit, const Candidates& candidates) {
        const auto genres = [&](std::size_t i) -> const auto& { return films[candidates.ids()[i]].genres; };
        return funnel::rerank::category_cap(candidates.size(), genres, {.k = visit.k, .per_category = 1});
    };

    const Funnel cinema(retrieve(named("similar", similar, {.at_most = 60}), named("popular", popular)),
                        filter(named("new enough", is_new_enough)), rank(named("fresh first", fresh_first)),
                        rerank(named("not too often", not_too_often), named("one of a genre", one_of_a_genre)),
                        fallback(named("popular anyway", popular)));

    Visit visit{.user = 5, .k = 6, .no_older_than = 1990, .was_shown = {}};
    const auto show = [&] {
        const Result result = cinema.recommend(visit);
        for (const Candidate& film : result) {
            std::printf("%-22s %d ", films[film.id].title.c_str(), films[film.id].year.value_or(0));
            for (const std::uint16_t genre : films[film.id].genres) {
                std::printf(" %s", films.genre_names()[genre].c_str());
            }
            std::printf("\n");
        }
        std::printf("\n%s\n", to_string(result.trace).c_str());
        return result;
    };

    // Later that day, each of these films has been shown twice, and only new films are allowed. The rules keep fewer
    // than six films, so the fallback adds some. The fallback applies filters, but not rules: a film of the first list
    // appears again.
    for (const Candidate& film : show()) {
        visit.was_shown.insert(visit.was_shown.end(), 2, film.id);
    }
    visit.no_older_than = 2015;
    show();
}
