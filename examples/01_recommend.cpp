// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A first recommendation: the input says who watched what, the output is a list with reasons.
//
//     g++ -std=c++20 -O2 -I include examples/01_recommend.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/item_knn.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/interactions_builder.hpp>

#include <cstdio>
#include <utility>

int main() {
    // Keys are arbitrary strings. To read files, see funnel::data::read_movielens, read_recbole, read_csv.
    funnel::data::InteractionsBuilder rows;
    rows.add("ann", "Alien");
    rows.add("ann", "Aliens");
    rows.add("bob", "Alien");
    rows.add("bob", "Aliens");
    rows.add("bob", "Blade Runner");
    rows.add("cleo", "Alien");
    rows.add("cleo", "Blade Runner");
    rows.add("dan", "Amelie");
    rows.add("dan", "Chocolat");
    rows.add("eve", "Amelie");
    rows.add("eve", "Alien");
    const funnel::data::Interactions log = std::move(rows).build();

    // Models identify users and items by dense ids, 0 .. n - 1. The log maps keys to ids and back.
    const auto model = funnel::cf::ItemKNN::fit(log);
    for (const char* name : {"ann", "eve"}) {
        const auto user = log.find_user(name);
        std::printf("%s:\n", name);
        for (const auto& [item, score] : model.recommend(*user, {.k = 3})) {
            std::printf("  %.2f %s", static_cast<double>(score), log.item_key(item).c_str());
            for (const auto& [because, share] : model.explain(*user, item, 1)) {
                std::printf(", because of %s", log.item_key(because).c_str());
            }
            std::printf("\n");
        }
    }
}
