// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Similar items, three ways: by who took them, by what they are, and by what is in one basket.
//
//     g++ -std=c++20 -O2 -I include examples/22_similar_items.cpp -o /tmp/example && /tmp/example
#include <funnel/cf/bought_together.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/content/content_based.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/interactions_builder.hpp>
#include <funnel/features/term_vectors.hpp>

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

template <class Model>
void print_similar(const char* how, const Model& model, const funnel::data::Interactions& log, const char* name) {
    std::printf("%s, %s:", name, how);
    for (const auto& [item, score] : model.similar_items(*log.find_item(name), 3)) {
        std::printf("  %s %.2f", log.item_key(item).c_str(), static_cast<double>(score));
    }
    std::printf("\n");
}

}  // namespace

int main() {
    // Baskets of a camping shop. Nearly everybody takes a bag; the new lantern was sold once, alone.
    const std::vector<std::vector<const char*>> baskets{
        {"tent", "pegs", "bag"},
        {"tent", "pegs", "mat", "bag"},
        {"tent", "mat"},
        {"stove", "gas", "bag"},
        {"stove", "gas"},
        {"stove", "gas", "pot", "bag"},
        {"mat", "bag"},
        {"pot", "bag"},
        {"headlamp", "bag"},
        {"headlamp", "battery"},
        {"tent", "pegs"},
        {"battery", "headlamp", "bag"},
        {"lantern"},
        {"bag"},
        {"bag", "battery"},
    };
    std::map<std::string, std::string> words{
        {"tent", "light tent for two"},
        {"pegs", "steel pegs for a tent"},
        {"mat", "sleeping mat"},
        {"stove", "small gas stove"},
        {"gas", "gas for a stove"},
        {"pot", "pot of steel for a stove"},
        {"headlamp", "led lamp with strap"},
        {"battery", "battery for a led lamp"},
        {"bag", "paper bag"},
        {"lantern", "led lamp for a tent"},
    };
    funnel::data::InteractionsBuilder rows;
    for (std::size_t basket = 0; basket < baskets.size(); ++basket) {
        for (const char* item : baskets[basket]) {
            rows.add(std::to_string(basket), item);
        }
    }
    const auto log = std::move(rows).build();

    // By behaviour: the cosine of the sets of baskets. The bag is close to everything.
    const auto behaviour = funnel::cf::ItemKNN::fit(log);
    // Bought together: only pairs that chance does not explain, so the bag is gone.
    const auto together = funnel::cf::BoughtTogether::fit(log);
    // By content: words. It knows the lantern, too.
    std::vector<std::string> texts;
    for (std::uint32_t item = 0; item < log.items(); ++item) {
        texts.push_back(words[log.item_key(item)]);
    }
    const auto terms = funnel::features::TermVectors::fit(texts);
    const auto content = funnel::content::ContentBased::fit(log, {.features = terms.transform(texts)});

    for (const char* name : {"tent", "stove", "lantern"}) {
        print_similar("by behaviour", behaviour, log, name);
        print_similar("bought together", together, log, name);
        print_similar("by content", content, log, name);
    }

    // A cart: what goes with both.
    const std::vector<std::uint32_t> cart{*log.find_item("tent"), *log.find_item("stove")};
    std::printf("Cart with a tent and a stove:");
    for (const auto& [item, score] : together.fold_in(cart).recommend({.k = 3})) {
        std::printf("  %s %.2f", log.item_key(item).c_str(), static_cast<double>(score));
    }
    std::printf("\n");
}
