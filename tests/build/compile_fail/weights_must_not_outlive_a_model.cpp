// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: deleted
#include <funnel/cf/item_knn.hpp>
#include <funnel/data/interactions.hpp>

int main() {
    const funnel::data::Interactions log;
#ifdef FUNNEL_EXPECT_FAILURE
    const auto& weights = funnel::cf::ItemKNN::fit(log).weights();
#else
    const auto model = funnel::cf::ItemKNN::fit(log);
    const auto& weights = model.weights();
#endif
    return static_cast<int>(weights.items());
}
