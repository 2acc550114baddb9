// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cuda/device_checks.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <string>
#include <tuple>
#include <utility>
#include <vector>

using funnel::kernels::CppSystem;
using funnel::kernels::Device;

static_assert(!funnel::kernels::HostBackend<Device<CppSystem>>);

TEST_CASE("Device: Thrust's host system gives what the plain loops give") {
    CHECK(funnel::testing::check_device<CppSystem>() == std::vector<std::string>{});
}

TEST_CASE("Device: a failed allocation in add() leaves the index as it was, and a moved-from index is empty") {
    using Index = funnel::ann::Flat<funnel::kernels::L2, std::dynamic_extent, funnel::ann::F32, Device<CppSystem>>;
    const auto vectors = funnel::testing::whole_numbers(20, 5, 1);
    const auto state = [&](const Index& index) {
        const funnel::testing::TempDir dir;
        index.save(dir / "index.fnl");
        Index grown = index;
        const auto next_id = grown.add(vectors.row(1));
        return std::tuple(funnel::testing::bytes_of(dir / "index.fnl"), index.size(), next_id,
                          index.search(vectors.row(3), {.k = 20}), grown.search(vectors.row(3), {.k = 20}));
    };
    const auto make = [&] { return Index::build(vectors); };
    const auto add = [&](Index& index) { index.add(vectors.row(2)); };
    CHECK(funnel::testing::check_strong_guarantee(make, add, state) > 0);

    Index index = make();
    const Index other = std::move(index);
    CHECK(other.search(vectors.row(3), {.k = 20}).size() == 20);
    CHECK(index.size() == 0);  // NOLINT(bugprone-use-after-move): that is what this is about
    CHECK(index.search({}).empty());
    CHECK_THROWS_AS(index.add(vectors.row(0)), funnel::InvalidArgument);
}

TEST_CASE("Device: a forest rejects what a forest on the host rejects, and a failed copy leaves it as it was") {
    using Forest = funnel::ranking::BasicForest<Device<CppSystem>>;
    auto trees = funnel::testing::random_forest(1, {});
    const Forest forest(trees);
    CHECK_THROWS_WITH_AS((void)forest.score(funnel::testing::whole_numbers(3, 6, 1)),
                         doctest::Contains("Forest::score: number of columns of rows must be 7"),
                         funnel::InvalidArgument);
    CHECK_THROWS_WITH_AS((void)forest.predict(funnel::testing::whole_numbers(3, 8, 1)),
                         doctest::Contains("Forest::predict"), funnel::InvalidArgument);
    trees.trees[3].splits[0].feature = 7;
    CHECK_THROWS_WITH_AS(Forest{trees}, doctest::Contains("tree 3"), funnel::InvalidArgument);
}

#ifdef _OPENMP
TEST_CASE("Device: Thrust on OpenMP gives what the plain loops give") {
    CHECK(funnel::testing::check_device<funnel::kernels::OmpSystem>() == std::vector<std::string>{});
}
#endif
