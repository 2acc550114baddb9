// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// New users: a user who registered after training is not an error. Without a history, the fallback of a funnel answers.
// After a few clicks, fold_in gives recommendations with reasons, without training again.
//
//     g++ -std=c++20 -O2 -I include -isystem /usr/include/eigen3 examples/07_new_users.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/ease.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/interactions_builder.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <cstdint>
#include <cstdio>
#include <utility>
#include <vector>

int main() {
    funnel::data::InteractionsBuilder rows;
    const std::vector<std::pair<const char*, std::vector<const char*>>> readers{
        {"ann", {"Dune", "Foundation", "Neuromancer"}},  {"bob", {"Dune", "Foundation"}},
        {"cleo", {"Emma", "Persuasion", "Middlemarch"}}, {"dan", {"Emma", "Middlemarch"}},
        {"eve", {"Foundation", "Neuromancer"}},          {"finn", {"Dune", "Neuromancer", "Persuasion"}},
    };
    for (const auto& [reader, books] : readers) {
        for (const char* book : books) {
            rows.add(reader, book);
        }
    }
    const auto log = std::move(rows).build();
    const auto ease = funnel::cf::EASE::fit(log, {.lambda = 1.0F});  // a small penalty for small data
    const auto popular = funnel::cf::Popularity::fit(log);

    // A user who has just registered, with the next free id: the model returns an empty list.
    const auto newcomer = static_cast<std::uint32_t>(log.users());
    std::printf("The model knows %zu books for the newcomer.\n", ease.recommend(newcomer, {.k = 3}).size());

    // In a funnel, the fallback fills the list.
    using namespace funnel::pipeline;
    const Funnel library(retrieve(named("ease", ease)), fallback(named("popular", popular)));
    const Result shown = library.recommend(newcomer, {.k = 3});
    for (const Candidate& book : shown) {
        std::printf("  %s, which %.0f have read\n", log.item_key(book.id).c_str(), static_cast<double>(book.score));
    }

    // After two clicks: the same list that a user of the log with this history would get.
    const std::vector<std::uint32_t> clicked{*log.find_item("Dune"), *log.find_item("Emma")};
    const auto visitor = ease.fold_in(clicked);
    std::printf("After a click on Dune, and one on Emma:\n");
    for (const auto& [book, score] : visitor.recommend({.k = 3})) {
        std::printf("  %-12s %.2f =", log.item_key(book).c_str(), static_cast<double>(score));
        for (const auto& [because, share] : visitor.explain(book, 2)) {
            std::printf("  %+.2f for %s", static_cast<double>(share), log.item_key(because).c_str());
        }
        std::printf("\n");
    }
}
