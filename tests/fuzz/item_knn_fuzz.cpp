// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/item_knn.hpp>

namespace funnel::fuzz::item_knn_target {
namespace {

const Registered item_knn({
    .name = "item_knn",
    .run = load_and_recommend<cf::ItemKNN>,
    .seeds = [] { return model_seeds<cf::ItemKNN>(); },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::item_knn_target
