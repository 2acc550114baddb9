// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Why was this recommended? In a linear model, a score is a sum over the items of the history: the shares are the reasons,
// and nothing is left out.
//
//     g++ -std=c++20 -O2 -I include -isystem /usr/include/eigen3 examples/24_explanations.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/content/content_based.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/interactions_builder.hpp>
#include <funnel/features/term_vectors.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace {

// Prints the best item of a user as "EASE  Dune 0.71 =  +0.45 Foundation  +0.26 Neuromancer".
template <class Model>
void print_reasons(const char* name, const Model& model, const funnel::data::Interactions& log, std::uint32_t user) {
    for (const auto& [item, score] : model.recommend(user, {.k = 1})) {
        std::printf("%-12s  %s %.2f =", name, log.item_key(item).c_str(), static_cast<double>(score));
        float sum = 0.0F;
        for (const auto& [reason, share] : model.explain(user, item, log.items())) {
            std::printf("  %+.2f %s", static_cast<double>(share), log.item_key(reason).c_str());
            sum += share;
        }
        std::printf("   (sum %.2f)\n", static_cast<double>(sum));
    }
}

}  // namespace

int main() {
    funnel::data::InteractionsBuilder rows;
    const std::vector<std::pair<const char*, std::vector<const char*>>> readers{
        {"ann", {"Dune", "Foundation", "Neuromancer"}},  {"bob", {"Dune", "Foundation", "Hyperion"}},
        {"cleo", {"Emma", "Persuasion", "Middlemarch"}}, {"dan", {"Emma", "Middlemarch"}},
        {"eve", {"Foundation", "Neuromancer"}},          {"finn", {"Dune", "Neuromancer", "Persuasion"}},
        {"gil", {"Foundation", "Neuromancer", "Emma"}},
    };
    for (const auto& [reader, books] : readers) {
        for (const char* book : books) {
            rows.add(reader, book);
        }
    }
    const auto log = std::move(rows).build();
    const std::uint32_t gil = *log.find_user("gil");

    // Behaviour: "because you read Foundation". A share below 0 speaks against the item.
    print_reasons("EASE", funnel::cf::EASE::fit(log, {.lambda = 1.0F}), log, gil);
    print_reasons("ItemKNN", funnel::cf::ItemKNN::fit(log), log, gil);
    // A factor model of least squares is linear in the history, too.
    print_reasons("ImplicitALS", funnel::cf::ImplicitALS::fit(log, {.factors = 4}), log, gil);

    // Content: "because it is like Foundation"; the words in common are the reason of the reason.
    const std::vector<std::pair<std::string, std::string>> blurbs{
        {"Dune", "desert planet empire"},      {"Foundation", "galactic empire falls"},
        {"Neuromancer", "cyberspace hackers"}, {"Hyperion", "pilgrims visit planet"},
        {"Emma", "matchmaking, village"},      {"Persuasion", "second love, captain"},
        {"Middlemarch", "marriages, village"},
    };
    std::vector<std::string> texts(log.items());
    for (const auto& [book, text] : blurbs) {
        texts[*log.find_item(book)] = text;
    }
    const auto terms = funnel::features::TermVectors::fit(texts);
    const auto content = funnel::content::ContentBased::fit(log, {.features = terms.transform(texts)});
    print_reasons("ContentBased", content, log, gil);

    // A visitor without an account gets reasons as well.
    const std::vector<std::uint32_t> clicked{*log.find_item("Emma")};
    const auto visitor = funnel::cf::EASE::fit(log, {.lambda = 1.0F}).fold_in(clicked);
    for (const auto& [item, score] : visitor.recommend({.k = 2})) {
        for (const auto& [reason, share] : visitor.explain(item, 1)) {
            std::printf("%s, because you looked at %s\n", log.item_key(item).c_str(), log.item_key(reason).c_str());
        }
    }
}
