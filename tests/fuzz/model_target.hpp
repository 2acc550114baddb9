// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "fuzz/fuzz.hpp"

#include <funnel/data/interactions.hpp>

#include <limits>

namespace funnel::fuzz {

/// Asks a loaded model of cf/ for everything it can answer.
template <class M>
void load_and_recommend(const Input& input) {
    load_and_use<M>(input, [](const M& model) {
        const std::vector<std::uint32_t> items(model.items() > 0 ? 1 : 0, 0);
        for (const std::size_t user : {std::size_t{0}, model.users(), std::numeric_limits<std::size_t>::max()}) {
            check_list(model.recommend(user, {.k = 1000, .keep_seen = user > 0}), model.items());
            check_finite(model.score(user, items));
        }
        const auto folded = model.fold_in(items);
        check_list(folded.recommend({.keep_seen = true}), model.items());
        check_finite(folded.score(items));
        if constexpr (requires { model.explain(0, 0, 5); }) {
            try {
                check_list(model.explain(0, 0, 5), model.items());
            } catch (const InvalidArgument&) {  // no items, or shares that are not finite
            }
        }
    });
}

template <class M>
std::vector<std::string> model_seeds(const typename M::Options& options = {}) {
    const auto log =
        data::Interactions::from_ids({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0}, {2, 1}, {2, 3}, {3, 3}, {3, 2}}, 5, 5);
    const auto small = data::Interactions::from_ids({{0, 0}}, 1, 1);
    return {saved([&](const std::string& path) { M::fit(log, options).save(path); }),
            saved([&](const std::string& path) { M::fit(small, options).save(path); })};
}

}  // namespace funnel::fuzz
