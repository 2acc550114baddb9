// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "support/ranker_contract.hpp"

#include <funnel/core/executor.hpp>
#include <funnel/features/feature_rows.hpp>
#include <funnel/ranking/fm.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using funnel::features::FeatureRows;
using funnel::ranking::FM;
using funnel::ranking::FMOptions;

enum class Defect : std::uint8_t { None, SparseBias, RepairsLabels, SeedOfThreads, NotFinite, MovesHalf };

Defect defect = Defect::None;

// A factorization machine with at most one defect, of which there is one at a time.
class Toy {
public:
    template <funnel::Executor E = funnel::Serial>
    static Toy fit(FeatureRows rows, std::span<const float> labels, FMOptions options, E&& executor = E{}) {
        std::vector<float> repaired(labels.begin(), labels.end());
        if (defect == Defect::RepairsLabels) {
            for (float& label : repaired) {
                label = label > 0.5F ? 1.0F : 0.0F;
            }
        }
        if (defect == Defect::SeedOfThreads) {
            options.seed = executor.concurrency();
        }
        return Toy(FM::fit(rows, repaired, options, executor));
    }

    Toy(const Toy&) = default;
    Toy(Toy&& other) noexcept : model_(defect == Defect::MovesHalf ? other.model_ : std::move(other.model_)) {}
    Toy& operator=(const Toy&) = default;
    Toy& operator=(Toy&&) noexcept = default;
    ~Toy() = default;

    [[nodiscard]] std::vector<float> score(FeatureRows rows) const {
        std::vector<float> scores = model_.score(rows);
        for (float& score : scores) {
            score += rows.is_sparse() && defect == Defect::SparseBias ? 0.01F : 0.0F;
            score *= defect == Defect::NotFinite ? 1e38F : 1.0F;
        }
        return scores;
    }
    [[nodiscard]] std::size_t features() const noexcept { return model_.features(); }
    void save(const std::string& path) const { model_.save(path); }
    [[nodiscard]] static Toy load(const std::string& path) { return Toy(FM::load(path)); }

private:
    explicit Toy(FM model) : model_(std::move(model)) {}

    FM model_;
};

void check_toy(Defect its_defect) {
    defect = its_defect;
    funnel::testing::check_ranker<Toy>(FMOptions{.factors = 2, .epochs = 3});
}

}  // namespace

TEST_CASE("ranker contract: passes for a sound ranker") {
    check_toy(Defect::None);
}

TEST_CASE("ranker contract: fails where sparse rows get other scores" * doctest::should_fail()) {
    check_toy(Defect::SparseBias);
}

TEST_CASE("ranker contract: fails where labels are repaired" * doctest::should_fail()) {
    check_toy(Defect::RepairsLabels);
}

TEST_CASE("ranker contract: fails where the number of threads has a say" * doctest::should_fail()) {
    check_toy(Defect::SeedOfThreads);
}

TEST_CASE("ranker contract: fails where a score overflows" * doctest::should_fail()) {
    check_toy(Defect::NotFinite);
}

TEST_CASE("ranker contract: fails where a moved-from ranker keeps what it knew" * doctest::should_fail()) {
    check_toy(Defect::MovesHalf);
}
