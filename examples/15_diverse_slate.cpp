// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rules of a slate: caps, a distance between films of a franchise, a quota for new films, a pin, and a blocked film. What
// could not be kept is reported.
//
//     g++ -std=c++20 -O2 -I include examples/15_diverse_slate.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/matrix.hpp>
#include <funnel/rerank/calibrated.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/group_quota.hpp>
#include <funnel/rerank/groups.hpp>
#include <funnel/rerank/item_policy.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/slate_rules.hpp>
#include <funnel/rerank/window_cap.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

using namespace funnel::rerank;

namespace {

enum Genre : std::uint32_t { Action, Comedy, Drama };
enum Age : std::uint32_t { Old, New };

struct Film {
    const char* title;
    float relevance;
    std::vector<std::uint32_t> genres;
    std::uint32_t franchise;
    Age age;
    ItemPolicy policy = {};
};

const std::vector<Film> films{
    {"Space Wars", 0.95F, {Action}, 1, Old},        {"Space Wars 2", 0.94F, {Action}, 1, Old},
    {"Space Wars 3", 0.93F, {Action}, 1, Old},      {"Night Chase", 0.90F, {Action}, 2, Old, {.minimum_age = 18}},
    {"Car Chase", 0.85F, {Action, Comedy}, 3, Old}, {"The Wedding", 0.70F, {Comedy}, 4, Old},
    {"The Wedding 2", 0.65F, {Comedy}, 4, Old},     {"Lighthouse", 0.50F, {Drama}, 5, New},
    {"Two Rivers", 0.40F, {Drama}, 6, New},         {"Our Own Show", 0.10F, {Comedy}, 7, Old},
};

void print(const char* name, const std::vector<std::size_t>& slate) {
    std::printf("%s:\n", name);
    for (const std::size_t film : slate) {
        std::printf("    %.2f  %s\n", static_cast<double>(films[film].relevance), films[film].title);
    }
}

}  // namespace

int main() {
    constexpr std::size_t k = 7;
    std::vector<float> relevance;
    std::vector<std::uint32_t> franchise_of;
    std::vector<std::uint32_t> age_of;
    for (const Film& film : films) {
        relevance.push_back(film.relevance);
        franchise_of.push_back(film.franchise);
        age_of.push_back(film.age);
    }
    print("By relevance", fill_slate(relevance, k));

    // Rules speak about groups of candidates.
    const Groups genres(films.size(), [](std::size_t i) -> const auto& { return films[i].genres; });
    const Groups franchises(franchise_of);
    const Groups ages(age_of);
    const Viewer viewer{.age = 12};

    // From the most to the least important. Soft rules give way where a place would remain empty, the last one first.
    const auto rules_of_today = [&] {
        return SlateRules({.candidates = films.size(), .places = k, .pins = {{.candidate = 9, .place = 2}}},
                          hard("policy", AllowIf([&](std::size_t i) { return may_see(films[i].policy, viewer); })),
                          hard("new films", GroupQuota(ages, k, {{.group = New, .at_least = 1, .within = 4}})),
                          soft("two per genre", GroupCap(genres, {.at_most = 2})),
                          soft("franchises apart", spacing(franchises, k, 2)));
    };
    SlateRules rules = rules_of_today();
    print("\nBy relevance, under the rules", fill_slate(relevance, k, rules));
    for (const Relaxation& relaxed : rules.report().relaxed) {
        std::printf("    set aside at place %zu for %s: %s\n", relaxed.place + 1, films[relaxed.candidate].title,
                    relaxed.rule.c_str());
    }

    // The same rules, with selections that also look at similarity: MMR compares a film with the most similar pick, DPP
    // with all picks together. Films of the same genres are alike, but no film is a duplicate of another: the last columns
    // of its vector are its own.
    funnel::Matrix<float> vectors(films.size(), 3 + films.size());
    for (std::size_t i = 0; i < films.size(); ++i) {
        for (const std::uint32_t genre : films[i].genres) {
            vectors(i, genre) = 1.0F;
        }
        vectors(i, 3 + i) = 0.5F;
    }
    const auto select = [&](const auto& selection) { return under_rules(rules_of_today(), selection).positions; };
    print("\nBy MMR, under the rules",
          select([&](auto& rule) { return mmr(relevance, vectors, {.k = k, .lambda = 0.7F}, rule); }));
    print("\nBy DPP, under the rules",
          select([&](auto& rule) { return dpp(relevance, vectors, {.k = k, .theta = 0.7F}, rule); }));

    // Again the same rules: the user watches as much drama as action. Films with two genres count half
    // for each.
    funnel::Matrix<float> shares(films.size(), 3);
    for (std::size_t i = 0; i < films.size(); ++i) {
        for (const std::uint32_t genre : films[i].genres) {
            shares(i, genre) = 1.0F / static_cast<float>(films[i].genres.size());
        }
    }
    const std::vector<float> taste{0.4F, 0.2F, 0.4F};  // of Action, Comedy, Drama
    SlateRules again = rules_of_today();
    print("\nCalibrated, under the rules", calibrated(relevance, shares, taste, {.k = k, .weight = 0.8}, again));
}
