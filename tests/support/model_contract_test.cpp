// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "support/model_contract.hpp"

#include <funnel/cf/histories.hpp>
#include <funnel/cf/model.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using funnel::AcceptAll;
using funnel::ItemFilter;
using funnel::Matrix;
using funnel::Scored;
using funnel::cf::Profile;
using funnel::cf::RecommendOptions;
using Ids = std::vector<std::uint32_t>;
using List = std::vector<Scored<>>;

enum class Defect : std::uint8_t {
    None,
    // of the scorer
    ScoreOneDiffers,
    ListsUntakenItems,
    FoldsInDifferently,
    CountsThreads,
    CountsDislikes,
    KeepsFactors,
    ForgetsFactors,
    TrustsCounts,
    Allocates,
    MovesHalf,
    // of the model
    LargerIdFirst,
    RecommendsSeen,
    UnknownIsFirstUser,
    ScoresUnknownItems
};

Defect defect = Defect::None;

struct ToyOptions {};

// score(user, item) = number of users who took the item * number of items that the user took. It has at most one
// defect, of which there is one at a time.
class ToyScorer {
public:
    using Options = ToyOptions;
    static constexpr std::string_view kind = "tests.Toy";
    static constexpr bool needs_history = true;

    ToyScorer(const ToyScorer&) = default;
    ToyScorer(ToyScorer&& other) noexcept
        : items_(defect == Defect::MovesHalf ? other.items_ : std::exchange(other.items_, 0)),
          counts_(std::move(other.counts_)),
          factors_(std::move(other.factors_)) {}
    ToyScorer& operator=(const ToyScorer& other) { return *this = ToyScorer(other); }
    ToyScorer& operator=(ToyScorer&& other) noexcept {
        ToyScorer taken(std::move(other));
        items_ = taken.items_;
        counts_.swap(taken.counts_);
        std::swap(factors_, taken.factors_);
        return *this;
    }
    ~ToyScorer() = default;

    [[nodiscard]] std::size_t items() const noexcept { return items_; }
    [[nodiscard]] const Matrix<float>& user_factors() const noexcept { return factors_; }
    void forget_user(std::size_t user) noexcept {
        factors_(user, 0) = defect == Defect::KeepsFactors ? factors_(user, 0) : 0.0F;
    }
    [[nodiscard]] std::vector<float> fold_in_factors(std::span<const std::uint32_t> history) const {
        const std::size_t more = defect == Defect::FoldsInDifferently ? 1 : 0;
        return std::vector<float>(factors_.cols(), static_cast<float>(history.size() + more));
    }

    void score_all(const Profile& profile, std::span<float> scores) const noexcept {
        for (std::size_t item = 0; item < items_; ++item) {
            scores[item] = counts_[item] * profile.factors[0];
        }
        if (defect == Defect::Allocates) {
            const std::vector<float> copy(scores.begin(), scores.end());
            std::copy(copy.begin(), copy.end(), scores.begin());
        }
    }
    void keep_known_zeros(const Profile&, std::span<float> scores) const noexcept {
        if (defect != Defect::ListsUntakenItems) {
            std::fill(scores.begin(), scores.end(), 1.0F);
        }
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        const float more = defect == Defect::ScoreOneDiffers && item == 7 ? 1.0F : 0.0F;
        return counts_[item] * profile.factors[0] + more;
    }

    template <funnel::Executor E>
    static ToyScorer learn(const funnel::data::Interactions& log, const funnel::CSRMatrix<float>& user_item,
                           const ToyOptions&, E& executor) {
        ToyScorer scorer(std::vector<float>(log.items()), funnel::cf::Histories(user_item));
        for (const auto& row : log) {
            scorer.counts_[row.item] += row.value > 0.0F || defect == Defect::CountsDislikes ? 1.0F : 0.0F;
        }
        if (defect == Defect::CountsThreads && log.items() > 0) {
            scorer.counts_[0] += static_cast<float>(executor.concurrency());
        }
        return scorer;
    }
    template <class Writer>
    void write(Writer& file) const {
        file.array("counts", counts_);
    }
    template <class Reader>
    static ToyScorer read(const Reader& file, const funnel::cf::Histories& histories) {
        auto counts = file.template array<float>("counts", histories.items());
        if (defect != Defect::TrustsCounts) {
            file.check(std::all_of(counts.begin(), counts.end(), [](float n) { return n >= 0.0F && n <= 1e9F; }),
                       "counts", "must lie in [0, 1e9]");
        }
        ToyScorer scorer(std::move(counts), histories);
        if (defect == Defect::ForgetsFactors) {
            scorer.factors_ = Matrix<float>(histories.users(), 1);
        }
        return scorer;
    }

private:
    ToyScorer(std::vector<float> counts, const funnel::cf::Histories& histories)
        : items_(counts.size()), counts_(std::move(counts)), factors_(histories.users(), 1) {
        for (std::size_t user = 0; user < histories.users(); ++user) {
            factors_(user, 0) = static_cast<float>(histories.of(user).size());
        }
    }

    std::size_t items_;
    std::vector<float> counts_;
    Matrix<float> factors_;
};

using SoundModel = funnel::cf::Model<ToyScorer>;

// The defects that a scorer cannot have, because cf::Model does for it what is the same for all.
class Toy : public SoundModel {
public:
    template <funnel::Executor E = funnel::Serial>
    static Toy fit(const funnel::data::Interactions& log, const ToyOptions& options, E&& executor = E{}) {
        return Toy(SoundModel::fit(log, options, executor));
    }
    template <class... Log>
    static Toy load(const std::string& path, const Log&... log) {
        return Toy(SoundModel::load(path, log...));
    }
    template <ItemFilter F = AcceptAll>
    [[nodiscard]] List recommend(std::size_t user, const RecommendOptions& options = {}, const F& filter = {}) const {
        List list = SoundModel::recommend(known(user), changed(options), filter);
        order(list);
        return list;
    }
    template <ItemFilter F = AcceptAll>
    std::span<Scored<>> recommend(std::size_t user, const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out, const F& filter = {}) const
        noexcept(funnel::is_nothrow_filter<F>) {
        const auto list = SoundModel::recommend(known(user), changed(options), scratch, out, filter);
        order(list);
        return list;
    }
    [[nodiscard]] std::vector<float> score(std::size_t user, Ids items) const {
        if (defect == Defect::ScoresUnknownItems) {
            std::erase_if(items, [&](std::uint32_t item) { return item >= this->items(); });
        }
        return SoundModel::score(known(user), items);
    }

private:
    explicit Toy(SoundModel model) : SoundModel(std::move(model)) {}

    [[nodiscard]] std::size_t known(std::size_t user) const noexcept {
        return defect == Defect::UnknownIsFirstUser && user >= users() ? 0 : user;
    }
    static RecommendOptions changed(RecommendOptions options) noexcept {
        options.keep_seen = options.keep_seen || defect == Defect::RecommendsSeen;
        return options;
    }
    static void order(std::span<Scored<>> list) noexcept {
        if (defect == Defect::LargerIdFirst) {
            std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
                return a.score != b.score ? a.score > b.score : a.id > b.id;
            });
        }
    }
};

void check_toy(Defect its_defect) {
    defect = its_defect;
    funnel::testing::check_model<Toy>();
}

}  // namespace

TEST_CASE("model contract: passes for a sound model") {
    defect = Defect::None;
    funnel::testing::check_model<SoundModel>();
    check_toy(Defect::None);
}

TEST_CASE("model contract: fails where a dislike counts as a like" * doctest::should_fail()) {
    check_toy(Defect::CountsDislikes);
}

TEST_CASE("model contract: fails where a forgotten user leaves factors" * doctest::should_fail()) {
    check_toy(Defect::KeepsFactors);
}

TEST_CASE("model contract: fails where score() differs from the scores of the list" * doctest::should_fail()) {
    check_toy(Defect::ScoreOneDiffers);
}

TEST_CASE("model contract: fails where items that nobody took are listed" * doctest::should_fail()) {
    check_toy(Defect::ListsUntakenItems);
}

TEST_CASE("model contract: fails where a folded-in user gets other scores than in training" * doctest::should_fail()) {
    check_toy(Defect::FoldsInDifferently);
}

TEST_CASE("model contract: fails where the number of threads has a say" * doctest::should_fail()) {
    check_toy(Defect::CountsThreads);
}

TEST_CASE("model contract: fails where a member is not loaded" * doctest::should_fail()) {
    check_toy(Defect::ForgetsFactors);
}

TEST_CASE("model contract: fails where numbers in a file are not checked" * doctest::should_fail()) {
    check_toy(Defect::TrustsCounts);
}

TEST_CASE("model contract: fails where a list in the caller's memory allocates" *
          doctest::should_fail(funnel::testing::allocations_are_counted)) {
    check_toy(Defect::Allocates);
}

TEST_CASE("model contract: fails where a moved-from scorer keeps its size" * doctest::should_fail()) {
    check_toy(Defect::MovesHalf);
}

TEST_CASE("model contract: fails where ties go to the larger id" * doctest::should_fail()) {
    check_toy(Defect::LargerIdFirst);
}

TEST_CASE("model contract: fails where seen items are recommended" * doctest::should_fail()) {
    check_toy(Defect::RecommendsSeen);
}

TEST_CASE("model contract: fails where an unknown user is taken for another" * doctest::should_fail()) {
    check_toy(Defect::UnknownIsFirstUser);
}

TEST_CASE("model contract: fails where an unknown item is no error" * doctest::should_fail()) {
    check_toy(Defect::ScoresUnknownItems);
}
