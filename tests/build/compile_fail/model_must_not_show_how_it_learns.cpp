// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: private|inaccessible
#include <funnel/cf/item_knn.hpp>

int main() {
    const auto model = funnel::cf::ItemKNN::fit(funnel::data::Interactions());
    funnel::io::ContainerWriter file("cf.ItemKNN", 1);
#ifdef FUNNEL_EXPECT_FAILURE
    model.write(file);
#endif
    return static_cast<int>(model.items());
}
