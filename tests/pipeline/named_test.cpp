// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/pipeline/funnel.hpp>
#include <funnel/pipeline/named.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using funnel::pipeline::Candidates;
using funnel::pipeline::fallback;
using funnel::pipeline::filter;
using funnel::pipeline::Funnel;
using funnel::pipeline::Named;
using funnel::pipeline::named;
using funnel::pipeline::rank;
using funnel::pipeline::Request;
using funnel::pipeline::rerank;
using funnel::pipeline::retrieve;

namespace {

struct Options {
    std::size_t k = 10;
};

struct Model {
    std::uint32_t first = 1;

    std::vector<Scored<>> recommend(std::uint32_t, const Options& options = {}) const {
        return options.k == 0 ? std::vector<Scored<>>{} : std::vector<Scored<>>{{first, 2.0F}, {first + 1, 1.0F}};
    }
    std::vector<double> score(std::uint32_t, std::span<const std::uint32_t> items) const {
        return {items.begin(), items.end()};
    }
};

struct Backwards {
    std::vector<std::size_t> operator()(const Request&, const Candidates& candidates) const {
        std::vector<std::size_t> order;
        for (std::size_t i = candidates.size(); i-- > 0;) {
            order.push_back(i);
        }
        return order;
    }
};

struct Even {
    bool operator()(const Request&, std::uint32_t id) const { return id % 2 == 0; }
};

}  // namespace

TEST_CASE("named: limits come along, whoever owns the work") {
    Model model;
    const auto shared = std::make_shared<const Model>();
    CHECK(named("lvalue", model, {.at_most = 3}).options.at_most == 3U);
    CHECK(named("rvalue", Model{}, {.at_most = 0}).options.at_most == 0U);
    CHECK(named("shared", shared, {.at_most = 5}).options.at_most == 5U);
    CHECK_FALSE(named("none", model).options.at_most);
}

TEST_CASE("named: refers to an lvalue, and takes over an rvalue") {
    Model model;
    const auto refers = named("model", model);
    static_assert(std::is_same_v<decltype(refers), const Named<Model&>>);
    CHECK(&refers.work == &model);
    CHECK(refers.name == "model");
    CHECK_FALSE(refers.options.at_most.has_value());

    const auto owns = named("model", Model{}, {.at_most = 3});
    static_assert(std::is_same_v<decltype(owns), const Named<Model>>);
    CHECK(owns.options.at_most == 3U);
}

TEST_CASE("named: a shared pointer is copied, and keeps the model alive as long as the funnel") {
    auto model = std::make_shared<const Model>(Model{.first = 1});
    auto other = std::make_shared<Model>(Model{.first = 10});
    auto backwards = std::make_shared<const Backwards>();
    auto even = std::make_shared<const Even>();
    const std::weak_ptr<const Model> alive = model;
    const auto make = [&] {
        return Funnel(retrieve(named("model", model), other), filter(even),
                      rank(named("ranker", model, {.at_most = 3})), rerank(named("backwards", backwards)),
                      fallback(model, named("other", std::as_const(other))));
    };
    {
        const auto funnel = make();
        static_assert(std::is_same_v<decltype(named("model", model)), Named<std::shared_ptr<const Model>>>);
        model.reset();
        other.reset();
        backwards.reset();
        even.reset();
        CHECK(alive.use_count() == 3);  // source, ranker and level
        // Found: 1 2, 10 11; even: 2 10; ranked by id: 10 2; backwards: 2 10. No level has another even item.
        const auto result = funnel.recommend(1, {.k = 5});
        REQUIRE(result.size() == 2);
        CHECK(result[0].id == 2);
        CHECK(result[1].id == 10);
        CHECK(result.trace.sources == std::vector<std::string>{"model", "source 1", "level 0", "other"});
        const auto copy = funnel;
        CHECK(alive.use_count() == 6);
    }
    CHECK(alive.expired());
}

TEST_CASE("named: an empty shared pointer is an error, where it is given and after a move") {
    const std::shared_ptr<const Model> none;
    CHECK_THROWS_WITH_AS((void)named("ease", none),
                         "ease: the shared pointer must not be empty; it or the funnel may have been moved from",
                         InvalidArgument);
    CHECK_THROWS_AS((void)retrieve(none), InvalidArgument);
    CHECK_THROWS_AS((void)rank(std::shared_ptr<Model>()), InvalidArgument);

    Funnel funnel(retrieve(std::make_shared<const Model>()), filter(std::make_shared<Even>()));
    const auto moved = std::move(funnel);
    CHECK(moved.recommend(1).size() == 1);
    CHECK_THROWS_AS((void)funnel.recommend(1), InvalidArgument);  // NOLINT(bugprone-use-after-move): on purpose
}
