// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect-clang: (stack|dangling|temporary)
#include <funnel/cf/popularity.hpp>
#include <funnel/data/interactions.hpp>

namespace {

auto new_user(const funnel::data::Interactions& log) {
#ifdef FUNNEL_EXPECT_FAILURE
    const auto model = funnel::cf::Popularity::fit(log);
    return model.fold_in({});
#else
    return funnel::cf::Popularity::fit(log).fold_in({});  // keeps the model
#endif
}

}  // namespace

int main() {
    return new_user({}).recommend().empty() ? 0 : 1;
}
