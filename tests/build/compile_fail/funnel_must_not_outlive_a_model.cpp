// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect-clang: (?s)'local'.*\[-Werror,-Wreturn-stack-address\].*'ids'.*\[-Werror,-Wdangling\].*'item'
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

using namespace funnel::pipeline;

namespace {

struct Model {
    std::vector<funnel::Scored<>> recommend(std::uint32_t, const RecommendOptions& = {}) const { return {{1, 1.0F}}; }
};

auto make() {
    Model local;
#ifdef FUNNEL_EXPECT_FAILURE
    return named("model", local);
#else
    return named("model", std::move(local));
#endif
}

}  // namespace

int main() {
    const Funnel funnel(retrieve(make()));
    const auto moved_in = named("model", Model{});
    const std::uint32_t first = funnel.recommend(1)[0].id + moved_in.work.recommend(1)[0].id;
#ifdef FUNNEL_EXPECT_FAILURE
    const auto ids = Candidates(1).ids();
    const Candidate& item = funnel.recommend(1)[0];
    return static_cast<int>(first + item.id + ids.size());
#else
    return static_cast<int>(first) - 2;
#endif
}
