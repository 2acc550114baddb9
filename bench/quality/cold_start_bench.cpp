// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages about cold start and hybrids: how good a list is after 0, 1, 2, ... interactions of a user.
//
//   cold_start_bench [JSON]    needs MovieLens-100K: ./dev data ml-100k
//
// Protocol: every fifth user is new, and no model sees their rows. The ratings of a new user who has at least 40 are put in
// an order: that of time, or a random one. The first n are the history; those from the 31st on are relevant, for every n.
// All films are ranked but the first 30. A stacker learns on the scores of one half of the new users and is measured on the
// other half, and the other way round.
#include "support/bench.hpp"

#include <funnel/cf/ease.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/content/cohort_popularity.hpp>
#include <funnel/content/cold_start.hpp>
#include <funnel/content/content_based.hpp>
#include <funnel/content/onboarding.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/read_item_metadata.hpp>
#include <funnel/data/read_user_metadata.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/embedding/sequences.hpp>
#include <funnel/features/term_vectors.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/pipeline/hybrid.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";
constexpr std::size_t first_relevant = 30;
constexpr std::size_t least_ratings = 40;
constexpr std::array<std::size_t, 9> counts{0, 1, 2, 3, 5, 8, 12, 20, 30};

/// A new user: what was taken so far, and how to tell models about it.
struct Newcomer {
    std::uint32_t user = 0;
    std::size_t k = 10;
    std::span<const std::uint32_t> history = {};
};

/// A model as a source that answers a newcomer, and scores items for them.
template <class Model>
struct Folded {
    const Model& model;

    [[nodiscard]] std::vector<Scored<>> operator()(const Newcomer& request, std::size_t n) const {
        return model.fold_in(request.history).recommend({.k = n});
    }
    [[nodiscard]] std::vector<float> operator()(const Newcomer& request, const pipeline::Candidates& candidates) const {
        return model.fold_in(request.history).score(candidates.ids());
    }
};
template <class Model>
Folded(const Model&) -> Folded<Model>;

/// Age band (under 18, 25, 35, 45, 56, older), gender and occupation of each user.
Matrix<std::uint32_t> attributes_of(const std::vector<data::UserInfo>& users) {
    constexpr std::array<int, 5> bands{18, 25, 35, 45, 56};
    std::map<std::string, std::uint32_t> occupations;
    Matrix<std::uint32_t> attributes(users.size(), 3);
    for (std::size_t user = 0; user < users.size(); ++user) {
        const int age = std::stoi(users[user].age);
        const auto occupation =
            occupations.try_emplace(users[user].occupation, static_cast<std::uint32_t>(occupations.size())).first;
        attributes(user, 0) =
            static_cast<std::uint32_t>(std::upper_bound(bands.begin(), bands.end(), age) - bands.begin());
        attributes(user, 1) = users[user].gender == "F" ? 1 : 0;
        attributes(user, 2) = occupation->second;
    }
    return attributes;
}

/// Words of the title and genres; a genre counts as a word of its own.
std::vector<std::string> texts_of(const data::ItemMetadata& items) {
    std::vector<std::string> texts;
    for (std::size_t item = 0; item < items.size(); ++item) {
        std::string text = items[item].title;
        for (const std::uint16_t genre : items[item].genres) {
            text += " genre_" + items.genre_names()[genre];
        }
        texts.push_back(text);
    }
    return texts;
}

class Curves {
public:
    /// order: "time" or "random".
    Curves(bench::Report& report, const data::Interactions& log, std::string order)
        : report_(report), order_(std::move(order)) {
        const embedding::Sequences sequences(log);
        for (std::uint32_t user = 0; user < log.users(); user += 5) {
            const auto sequence = sequences.of(user);
            if (sequence.size() >= least_ratings) {
                users_.push_back(user);
                newcomers_.emplace_back(sequence.begin(), sequence.end());
                if (order_ == "random") {
                    Random random(1, user);
                    std::shuffle(newcomers_.back().begin(), newcomers_.back().end(), random);
                }
            }
        }
    }

    /// NDCG@10 of a source for a newcomer with n interactions.
    template <class Source>
    [[nodiscard]] double ndcg(const Source& source, std::size_t newcomer, std::size_t n) const {
        const std::span<const std::uint32_t> sequence(newcomers_[newcomer]);
        const auto known = sequence.first(first_relevant);
        const auto relevant = sequence.subspan(first_relevant);
        std::vector<float> shown;
        for (const Scored<>& item :
             source(Newcomer{.user = users_[newcomer], .history = sequence.first(n)}, 10 + first_relevant)) {
            if (!has(known, item.id)) {
                shown.push_back(has(relevant, item.id) ? 1.0F : 0.0F);
            }
        }
        return metrics::ndcg(shown, std::vector<float>(relevant.size(), 1.0F), {.k = 10});
    }

    template <class Source>
    void add(const std::string& name, const Source& source) {
        for (const std::size_t n : counts) {
            double sum = 0.0;
            for (std::size_t i = 0; i < newcomers_.size(); ++i) {
                sum += ndcg(source, i, n);
            }
            add_value(name, n, sum);
        }
    }

    /// The same without any interaction.
    template <class Source>
    void add_first(const std::string& name, const Source& source) {
        double sum = 0.0;
        for (std::size_t i = 0; i < newcomers_.size(); ++i) {
            sum += ndcg(source, i, 0);
        }
        add_value(name, 0, sum);
    }

    /// A stacker of these sources.
    template <class... Sources>
    void add_stacked(const std::string& name, const pipeline::Named<Sources>&... sources) {
        std::array<double, counts.size()> sums{};
        for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
            const auto learned = learn(half, sources...);
            const auto combine = [&](std::span<const float> scores) {
                const MatrixView<const float> row(scores, 1, scores.size());
                return learned.score(row)[0];
            };
            const auto hybrid = pipeline::stacked(combine, {.depth = depth}, sources...);
            for (std::size_t i = 1 - half; i < newcomers_.size(); i += 2) {
                for (std::size_t at = 0; at < counts.size(); ++at) {
                    sums[at] += ndcg(hybrid, i, counts[at]);
                }
            }
        }
        for (std::size_t at = 0; at < counts.size(); ++at) {
            add_value(name, counts[at], sums[at]);
        }
    }

    /// How many films of a list of questions a newcomer knows, and how many newcomers know at least one.
    void add_questions(const std::string& name, std::span<const std::uint32_t> picks) {
        double knows_any = 0.0;
        for (const std::vector<std::uint32_t>& sequence : newcomers_) {
            knows_any +=
                std::any_of(picks.begin(), picks.end(), [&](auto pick) { return has(sequence, pick); }) ? 1 : 0;
        }
        report_.add({.name = name + ", " + std::to_string(picks.size()),
                     .ours = bench::single(knows_any / static_cast<double>(newcomers_.size())),
                     .unit = "share",
                     .setup = setup()});
    }

private:
    static constexpr std::size_t depth = 60;

    [[nodiscard]] static bool has(std::span<const std::uint32_t> items, std::uint32_t item) {
        return std::find(items.begin(), items.end(), item) != items.end();
    }

    [[nodiscard]] std::string setup() const {
        return "MovieLens-100K, " + std::to_string(newcomers_.size()) + " users that no model saw, ratings in " +
               order_ + " order";
    }

    void add_value(const std::string& name, std::size_t n, double sum) {
        report_.add({.name = name + ", " + order_ + ", " + std::to_string(n),
                     .ours = bench::single(sum / static_cast<double>(newcomers_.size())),
                     .unit = "ndcg@10",
                     .setup = setup()});
    }

    // A combiner that learned on every second newcomer, at all counts.
    template <class... Sources>
    [[nodiscard]] ranking::LogisticRegression learn(std::size_t half,
                                                    const pipeline::Named<Sources>&... sources) const {
        std::vector<float> rows;
        std::vector<float> labels;
        for (std::size_t i = half; i < newcomers_.size(); i += 2) {
            const std::span<const std::uint32_t> sequence(newcomers_[i]);
            for (const std::size_t n : counts) {
                const Newcomer request{.history = sequence.first(n)};
                std::vector<std::uint32_t> ids;
                const auto collect = [&](const auto& named) {
                    for (const Scored<>& item : named.work(request, depth)) {
                        if (!has(ids, item.id) && !has(sequence.first(first_relevant), item.id)) {
                            ids.push_back(item.id);
                        }
                    }
                };
                (collect(sources), ...);
                const Matrix<float> scores = pipeline::source_scores(request, ids, sources...);
                for (std::size_t row = 0; row < ids.size(); ++row) {
                    rows.insert(rows.end(), scores.row(row).begin(), scores.row(row).end());
                    labels.push_back(has(sequence.subspan(first_relevant), ids[row]) ? 1.0F : 0.0F);
                }
            }
        }
        return ranking::LogisticRegression::fit(MatrixView<const float>(rows, labels.size(), sizeof...(Sources)),
                                                labels);
    }

    bench::Report& report_;
    std::string order_;
    std::vector<std::uint32_t> users_;                   // the newcomers
    std::vector<std::vector<std::uint32_t>> newcomers_;  // their items
};

void measure(bench::Report& report, const data::Interactions& log, const data::ItemMetadata& items,
             const Matrix<std::uint32_t>& attributes) {
    const data::Interactions train = data::where(log, [&](std::size_t row) { return log[row].user % 5 != 0; });
    const auto popularity = cf::Popularity::fit(train);
    const auto cohorts = content::CohortPopularity::fit(train, attributes);
    const std::vector<std::string> texts = texts_of(items);
    const auto terms = features::TermVectors::fit(texts);
    const auto by_content = content::ContentBased::fit(train, {.features = terms.transform(texts)});
    const auto knn = cf::ItemKNN::fit(train, {.neighbours = 100});
    const auto ease = cf::EASE::fit(train, {.lambda = 200.0F});
    const auto popular_source = pipeline::named("popularity", Folded{popularity});
    const auto content_source = pipeline::named("content", Folded{by_content});
    const auto ease_source = pipeline::named("ease", Folded{ease});
    const auto by = [](const content::ColdStartPolicy& policy) {
        return [policy](const Newcomer& request) { return policy.weights(request.history.size()); };
    };
    const auto by_policy = by(content::ColdStartPolicy());
    const auto content_first = by(content::ColdStartPolicy({.content_half = 1.0, .collaborative_half = 12.0}));
    const auto by_count = [](const Newcomer& request) { return request.history.size() < 12 ? 0 : 1; };

    for (const char* order : {"time", "random"}) {
        Curves curves(report, log, order);
        curves.add("Popularity", Folded{popularity});
        for (const std::size_t known : {1U, 2U, 3U}) {
            curves.add_first("CohortPopularity, attributes " + std::to_string(known),
                             [&](const Newcomer& request, std::size_t n) {
                                 return cohorts.top(attributes.row(request.user).first(known), n);
                             });
        }
        curves.add("ContentBased", Folded{by_content});
        curves.add("ItemKNN", Folded{knn});
        curves.add("EASE", Folded{ease});
        curves.add("weighted", pipeline::weighted(by_policy, popular_source, content_source, ease_source));
        curves.add("content first", pipeline::weighted(content_first, popular_source, content_source, ease_source));
        curves.add("switching", pipeline::switching(by_count, popular_source, ease_source));
        curves.add("cascade", pipeline::cascade(ease_source, content_source, {.depth = 60}));
        curves.add_stacked("stacked", popular_source, content_source, ease_source);
    }
    Curves curves(report, log, "time");
    for (const std::size_t k : {1U, 2U, 3U, 5U, 10U}) {
        std::vector<std::uint32_t> most_popular;
        for (const Scored<>& item : popularity.fold_in({}).recommend({.k = k})) {
            most_popular.push_back(item.id);
        }
        curves.add_questions("the most popular", most_popular);
        curves.add_questions("onboarding_items", content::onboarding_items(train, {.k = k}));
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("cold_start", argc, argv);
    if (!std::filesystem::exists(movielens)) {
        std::printf("There is no %s: ./dev data fetches it. Nothing is measured.\n", movielens);
        return 0;
    }
    const data::Interactions log = data::read_interactions(movielens);
    const auto beside = [](const char* extension) {
        return std::filesystem::path(movielens).replace_extension(extension);
    };
    measure(report, log, data::read_item_metadata(beside(".item"), log),
            attributes_of(data::read_user_metadata(beside(".user"), log)));
    return report.finish();
}
