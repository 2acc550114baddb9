// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages about slates: what lambda and theta do, which similarities are kernels, what calibration
// gives, and how a recommender that learns from its own lists narrows what users see. All from synthetic worlds, so
// that every machine gets the same figures up to rounding.
//
//   slates_bench [JSON]
#include "support/bench.hpp"

#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/linalg/symmetric_eigen.hpp>
#include <funnel/metrics/coverage.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/intra_list_distance.hpp>
#include <funnel/rerank/calibrated.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/kernel_dpp.hpp>
#include <funnel/rerank/mmr.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

using Positions = std::vector<std::size_t>;

constexpr std::size_t places = 10;

std::string text_of(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

void add(bench::Report& report, const std::string& name, const char* unit, double value, const std::string& setup) {
    report.add({.name = name + " " + unit, .ours = bench::single(value), .unit = unit, .setup = setup});
}

// Row i: an equal share for each genre of item i.
Matrix<float> genre_shares(const data::ItemMetadata& items) {
    Matrix<float> shares(items.size(), items.genre_names().size());
    for (std::size_t item = 0; item < items.size(); ++item) {
        for (const std::uint16_t genre : items[item].genres) {
            shares(item, genre) = 1.0F / static_cast<float>(items[item].genres.size());
        }
    }
    return shares;
}

// The mean share of each genre in a list of items.
std::vector<float> mean_shares(std::span<const std::uint32_t> items, MatrixView<const float> shares) {
    std::vector<float> mean(shares.cols(), 0.0F);
    for (const std::uint32_t item : items) {
        for (std::size_t g = 0; g < mean.size(); ++g) {
            mean[g] += shares(item, g) / static_cast<float>(items.size());
        }
    }
    return mean;
}

// KL(target || 0.99 mean + 0.01 target), in nats: Steck's measure of miscalibration.
double divergence(std::span<const float> target, std::span<const float> mean) {
    double sum = 0.0;
    for (std::size_t g = 0; g < target.size(); ++g) {
        const double p = target[g];
        if (p > 0.0) {
            sum += p * std::log(p / (0.99 * static_cast<double>(mean[g]) + 0.01 * p));
        }
    }
    return sum;
}

double entropy_in_bits(std::span<const float> shares) {
    double sum = 0.0;
    for (const float share : shares) {
        const double p = share;
        sum -= p > 0.0 ? p * std::log2(p) : 0.0;
    }
    return sum;
}

std::vector<std::vector<std::uint32_t>> histories_of(const data::Interactions& log) {
    std::vector<std::vector<std::uint32_t>> histories(log.users());
    for (const data::Interaction& row : log) {
        histories[row.user].push_back(row.item);
    }
    return histories;
}

// Scores from 0 (the last candidate) to 1 (the first).
std::vector<float> scaled(std::span<const Scored<>> candidates) {
    const float low = candidates.back().score;
    const float range = std::max(candidates.front().score - low, 1e-9F);
    std::vector<float> relevance;
    for (const Scored<>& candidate : candidates) {
        relevance.push_back((candidate.score - low) / range);
    }
    return relevance;
}

Matrix<float> rows_of(std::span<const Scored<>> candidates, MatrixView<const float> items) {
    Matrix<float> rows(candidates.size(), items.cols());
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        std::copy_n(items.row(candidates[i].id).begin(), items.cols(), rows.row(i).begin());
    }
    return rows;
}

// ---- One list per user, from candidates of a model

/// Lists that were computed before, as a model.
struct Lists {
    std::vector<std::vector<Scored<>>> of_user;

    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const cf::RecommendOptions& options) const {
        const auto& list = of_user[user];
        return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(options.k, list.size()))};
    }
};

/// What a re-ranker knows of a request.
struct Request {
    std::span<const Scored<>> candidates;
    std::vector<float> relevance;  // scaled
    Matrix<float> shares;          // of genres, per candidate
    std::span<const float> taste;  // shares of genres in the history of the user
};

class Slates {
public:
    explicit Slates(bench::Report& report)
        : report_(report),
          split_(data::split_random(world_.log())),
          shares_(genre_shares(world_.item_metadata())),
          histories_(histories_of(split_.train)) {
        for (const auto& history : histories_) {
            tastes_.push_back(mean_shares(history, shares_));
        }
    }

    void vary_lambda() {
        const auto add_model = [&](const std::string& name, const auto& model) {
            const auto candidates = candidates_of(model);
            for (const float lambda : {1.0F, 0.9F, 0.7F, 0.5F, 0.3F, 0.0F}) {
                measure(name + ", MMR " + text_of(static_cast<double>(lambda)), candidates, [&](const Request& it) {
                    return rerank::mmr(it.relevance, it.shares, {.k = places, .lambda = lambda});
                });
            }
            measure(name + ", MMR 0.7 of raw scores", candidates, [&](const Request& it) {
                std::vector<float> raw;
                for (const Scored<>& candidate : it.candidates) {
                    raw.push_back(candidate.score);
                }
                return rerank::mmr(raw, it.shares, {.k = places, .lambda = 0.7F});
            });
        };
        add_model("EASE", cf::EASE::fit(split_.train, {}, pool_));
        add_model("ImplicitALS", cf::ImplicitALS::fit(split_.train, {.factors = 16}, pool_));
        add_model("Popularity", cf::Popularity::fit(split_.train));
    }

    void vary_theta_and_weight() {
        const auto candidates = candidates_of(cf::EASE::fit(split_.train, {}, pool_));
        for (const float theta : {0.0F, 0.5F, 0.7F, 0.9F, 0.97F}) {
            const std::string of = text_of(static_cast<double>(theta));
            measure("DPP of genres, theta " + of, candidates, [&](const Request& it) {
                return rerank::dpp(it.relevance, it.shares, {.k = places, .theta = theta});
            });
            measure("DPP of genres and items, theta " + of, candidates, [&](const Request& it) {
                return rerank::kernel_dpp(it.relevance, rerank::Similarities{mostly_cosines(it.shares)},
                                          {.k = places, .theta = theta})
                    .positions();
            });
        }
        for (const double weight : {0.0, 0.2, 0.5, 0.8, 0.95}) {
            measure("calibrated, weight " + text_of(weight), candidates, [&](const Request& it) {
                return rerank::calibrated(it.relevance, it.shares, it.taste, {.k = places, .weight = weight});
            });
        }
    }

private:
    // 0.9 cosine + 0.1 identity: items of equal genres are alike, but not equal.
    [[nodiscard]] static Matrix<float> mostly_cosines(MatrixView<const float> rows) {
        Matrix<float> values(rows.rows(), rows.rows());
        std::vector<double> lengths;
        const auto product = [&](std::size_t i, std::size_t j) {
            double sum = 0.0;
            for (std::size_t g = 0; g < rows.cols(); ++g) {
                sum += static_cast<double>(rows(i, g)) * static_cast<double>(rows(j, g));
            }
            return sum;
        };
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            lengths.push_back(std::sqrt(product(i, i)));
        }
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (std::size_t j = 0; j < rows.rows(); ++j) {
                values(i, j) = i == j ? 1.0F : static_cast<float>(0.9 * product(i, j) / (lengths[i] * lengths[j]));
            }
        }
        return values;
    }

    template <class Model>
    [[nodiscard]] Lists candidates_of(const Model& model) const {
        Lists lists;
        for (std::size_t user = 0; user < split_.train.users(); ++user) {
            lists.of_user.push_back(model.recommend(user, {.k = 100}));
        }
        return lists;
    }

    template <class Select>
    void measure(const std::string& name, const Lists& candidates, const Select& select) {
        Lists slates;
        double distance = 0.0;
        double kept = 0.0;
        double miscalibration = 0.0;
        double users = 0.0;
        for (std::size_t user = 0; user < candidates.of_user.size(); ++user) {
            const auto& list = candidates.of_user[user];
            std::vector<Scored<>> slate;
            if (!list.empty() && !histories_[user].empty()) {
                const Request request{list, scaled(list), rows_of(list, shares_), tastes_[user]};
                std::vector<std::uint32_t> items;
                for (const std::size_t pick : select(request)) {
                    slate.push_back({list[pick].id, 1.0F / static_cast<float>(slate.size() + 1)});
                    items.push_back(list[pick].id);
                    kept += pick < places ? 1.0 : 0.0;
                }
                distance += metrics::intra_list_distance(slate, shares_);
                miscalibration += divergence(tastes_[user], mean_shares(items, shares_));
                users += 1.0;
            }
            slates.of_user.push_back(std::move(slate));
        }
        const auto figures = metrics::evaluate(slates, split_.train, split_.test, {}, pool_).warm();
        add(report_, name, "ndcg@10", figures.at("ndcg@10"), setup_);
        add(report_, name, "genre distance", distance / users, setup_);
        add(report_, name, "divergence", miscalibration / users, setup_);
        add(report_, name, "coverage@10", figures.at("coverage@10"), setup_);
        add(report_, name, "kept of the top 10", kept / users, setup_);
    }

    bench::Report& report_;
    data::SyntheticWorld world_;
    data::Split split_;
    Matrix<float> shares_;
    std::vector<std::vector<std::uint32_t>> histories_;
    std::vector<std::vector<float>> tastes_;
    std::string setup_ =
        "synthetic world of 943 users and 1,682 items, 20 % of the rows held out, random split; 100 "
        "candidates per user, 10 are shown; relevance is scaled per user unless it says raw";
    Threads pool_;
};

// ---- Which similarities are kernels

// The picks of a greedy selection that trusts its kernel, as is common: no test of the determinants.
Positions trusting_greedy(MatrixView<const double> kernel, std::size_t k) {
    const std::size_t n = kernel.rows();
    std::vector<double> left(n);
    for (std::size_t i = 0; i < n; ++i) {
        left[i] = kernel(i, i);
    }
    std::vector<std::vector<double>> factors;
    Positions picks;
    while (picks.size() < k) {
        const auto pick = static_cast<std::size_t>(std::max_element(left.begin(), left.end()) - left.begin());
        if (!(left[pick] > 1e-10)) {
            break;
        }
        std::vector<double> factor(n);
        for (std::size_t i = 0; i < n; ++i) {
            factor[i] = kernel(pick, i);
            for (const auto& earlier : factors) {
                factor[i] -= earlier[pick] * earlier[i];
            }
            factor[i] /= std::sqrt(left[pick]);
        }
        for (std::size_t i = 0; i < n; ++i) {
            left[i] -= factor[i] * factor[i];
        }
        left[pick] = -1e300;
        factors.push_back(std::move(factor));
        picks.push_back(pick);
    }
    return picks;
}

void compare_similarities(bench::Report& report) {
    constexpr std::size_t n = 100;
    constexpr std::size_t dim = 16;
    constexpr int requests = 100;
    constexpr std::size_t k = 5;
    const std::string setup =
        "100 requests, each with 100 unit vectors of 16 dimensions in 20 clusters, 5 picks, all "
        "of one quality";
    struct Similarity {
        const char* name;
        double (*of)(double cosine, bool is_same);
    };
    const std::array similarities{
        Similarity{"cosine", [](double c, bool) { return c; }},
        Similarity{"(1 + cosine) / 2", [](double c, bool) { return (1.0 + c) / 2.0; }},
        Similarity{"exp(cosine)", [](double c, bool) { return std::exp(c); }},
        Similarity{"max(0, cosine)", [](double c, bool) { return std::max(0.0, c); }},
        Similarity{"absolute cosine", [](double c, bool) { return std::abs(c); }},
        Similarity{"cosine above 0.3", [](double c, bool) { return c > 0.3 ? c : 0.0; }},
        Similarity{"cosine in sixteenths", [](double c, bool) { return std::round(c * 16.0) / 16.0; }},
        Similarity{"1 - cosine", [](double c, bool) { return 1.0 - c; }},
        Similarity{"1 - cosine, diagonal 1", [](double c, bool is_same) { return is_same ? 1.0 : 1.0 - c; }},
    };
    for (const Similarity& similarity : similarities) {
        double least = 0.0;
        double invalid = 0.0;
        double found = 0.0;
        double alike = 0.0;
        double picked = 0.0;
        double with_picks = 0.0;
        for (int request = 0; request < requests; ++request) {
            Matrix<double> rows(n, dim);
            for (std::size_t i = 0; i < n; ++i) {
                Random own(static_cast<std::uint64_t>(request), i);
                Random centre(1'000 + static_cast<std::uint64_t>(request), own.below(20));
                double squared = 0.0;
                for (double& x : rows.row(i)) {
                    x = centre.normal() + 0.5 * own.normal();
                    squared += x * x;
                }
                for (double& x : rows.row(i)) {
                    x /= std::sqrt(squared);
                }
            }
            Matrix<double> cosines(n, n);
            Matrix<double> kernel(n, n);
            std::vector<double> diagonal(n);
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    for (std::size_t c = 0; c < dim; ++c) {
                        cosines(i, j) += rows(i, c) * rows(j, c);
                    }
                    cosines(i, j) = i == j ? 1.0 : cosines(i, j);
                    kernel(i, j) = similarity.of(cosines(i, j), i == j);
                }
                diagonal[i] = kernel(i, i);
            }
            const double smallest = linalg::symmetric_eigen(kernel).values.front();
            least += smallest / requests;
            invalid += smallest < -1e-9 ? 1.0 : 0.0;
            const auto row = [&](std::size_t j, std::span<double> out) {
                std::copy(kernel.row(j).begin(), kernel.row(j).end(), out.begin());
            };
            const auto slate = rerank::kernel_dpp(diagonal, row, {.k = k});
            found += slate.end == rerank::SlateEnd::NotPositiveSemidefinite ? 1.0 : 0.0;
            const Positions picks = trusting_greedy(kernel, k);
            picked += static_cast<double>(picks.size()) / requests;
            if (picks.size() > 1) {
                double sum = 0.0;
                for (const std::size_t a : picks) {
                    for (const std::size_t b : picks) {
                        sum += a != b ? cosines(a, b) : 0.0;
                    }
                }
                alike += sum / static_cast<double>(picks.size() * (picks.size() - 1));
                with_picks += 1.0;
            }
        }
        const std::string name = similarity.name;
        add(report, name, "least eigenvalue", least, setup);
        add(report, name, "requests with a negative eigenvalue", invalid, setup);
        add(report, name, "requests with a witness", found, setup);
        add(report, name, "picks without a test", picked, setup);
        add(report, name, "cosine of picks without a test", with_picks > 0.0 ? alike / with_picks : 0.0, setup);
    }
}

// ---- A recommender that learns from its own lists

/// Users with fixed tastes. Each round shows everyone ten items, the clicks enter the log, and the model is trained
/// again.
class Loop {
public:
    using Items = std::vector<std::uint32_t>;

    struct Visit {
        std::uint32_t user;
        std::size_t round;
        std::span<const Scored<>> candidates;
        const Items& history;
    };

    /// What users saw in a round, as means over the users.
    struct Round {
        double entropy = 0.0;   // of the genres of a slate, in bits
        double coverage = 0.0;  // share of the catalogue that was shown to anyone
        double overlap = 0.0;   // share of a slate that the next user saw as well
        double clicks = 0.0;
    };

    explicit Loop(std::uint64_t seed) : seed_(seed), world_(world_options(1.0, seed)) {
        const data::SyntheticWorld tastes(world_options(0.0, seed));  // the same tastes, without popularity
        for (std::size_t user = 0; user < world_.users(); ++user) {
            tastes_.push_back(tastes.affinities(user, 0));
        }
    }

    // show(visit): the items of a slate. once: an item is shown to a user at most once; otherwise until it is clicked.
    template <class Show>
    [[nodiscard]] std::vector<Round> run(bool once, const Show& show) {
        std::vector<data::Interaction> rows(world_.log().begin(), world_.log().end());
        is_closed_.assign(world_.users(), std::vector<bool>(world_.items(), false));
        for (const data::Interaction& row : rows) {
            is_closed_[row.user][row.item] = true;
        }
        std::vector<Round> past;
        const double each = 1.0 / static_cast<double>(world_.users());
        for (std::size_t round = 1; round <= rounds; ++round) {
            Round figures;
            const auto log = data::Interactions::from_ids(rows, world_.users(), world_.items());
            const auto model = cf::EASE::fit(log, {}, pool_);
            const auto histories = histories_of(log);
            std::vector<Items> slates;
            for (std::uint32_t user = 0; user < world_.users(); ++user) {
                const auto candidates =
                    model.recommend(user, {.k = 100}, [&](std::uint32_t item) { return !is_closed_[user][item]; });
                const Visit visit{user, round, candidates, histories[user]};
                slates.push_back(candidates.size() < places ? explore({}, places, visit) : show(visit));
                Random random(seed_ * rounds + round, stream("clicks"), user);
                for (const std::uint32_t item : slates.back()) {
                    const bool is_clicked = random.uniform() < click_chance(user, item);
                    if (is_clicked) {
                        rows.push_back({user, item, 1.0F, static_cast<double>(round) + 2e9});
                        figures.clicks += each;
                    }
                    is_closed_[user][item] = is_clicked || once;
                }
                figures.entropy += each * entropy_in_bits(mean_shares(slates.back(), shares_));
            }
            figures.coverage = metrics::coverage(metrics::count_shown(slates, world_.items()));
            figures.overlap = overlap(slates);
            past.push_back(figures);
        }
        return past;
    }

    [[nodiscard]] MatrixView<const float> shares() const { return shares_; }

    // Gives the last places to random items of the catalogue.
    [[nodiscard]] Items explore(Items items, std::size_t count, const Visit& visit) const {
        Random random(seed_ * rounds + visit.round, stream("exploration"), visit.user);
        items.resize(places - count);
        while (items.size() < places) {
            const auto item = static_cast<std::uint32_t>(random.below(world_.items()));
            if (!is_closed_[visit.user][item] && std::find(items.begin(), items.end(), item) == items.end()) {
                items.push_back(item);
            }
        }
        return items;
    }

    // The items that the user likes best.
    [[nodiscard]] Items best_of_taste(const Visit& visit) const {
        Items best;
        for (std::uint32_t item = 0; item < world_.items(); ++item) {
            if (!is_closed_[visit.user][item]) {
                best.push_back(item);
            }
        }
        const auto& taste = tastes_[visit.user];
        std::partial_sort(best.begin(), best.begin() + places, best.end(),
                          [&](std::uint32_t a, std::uint32_t b) { return taste[a] > taste[b]; });
        best.resize(places);
        return best;
    }

private:
    static constexpr std::size_t rounds = 10;

    [[nodiscard]] static data::SyntheticOptions world_options(double popularity, std::uint64_t seed) {
        return {.users = 200,
                .items = 500,
                .rows = 2'000,
                .popularity = popularity,
                .drift = 0.0,
                .cold_users = 0.0,
                .seed = seed};
    }

    [[nodiscard]] double click_chance(std::size_t user, std::size_t item) const {
        return 1.0 / (1.0 + std::exp(2.0 - tastes_[user][item]));
    }

    // The mean share of a slate that the next user sees as well.
    [[nodiscard]] static double overlap(const std::vector<Items>& slates) {
        double sum = 0.0;
        for (std::size_t user = 0; user < slates.size(); ++user) {
            const Items& other = slates[(user + 1) % slates.size()];
            for (const std::uint32_t item : slates[user]) {
                sum += std::find(other.begin(), other.end(), item) != other.end() ? 1.0 : 0.0;
            }
        }
        return sum / static_cast<double>(places * slates.size());
    }

    std::uint64_t seed_;
    data::SyntheticWorld world_;
    Matrix<float> shares_ = genre_shares(world_.item_metadata());
    std::vector<std::vector<double>> tastes_;
    std::vector<std::vector<bool>> is_closed_;  // user x item: may not be shown
    Threads pool_;
};

void run_loops(bench::Report& report) {
    using Items = Loop::Items;
    using Visit = Loop::Visit;
    const auto items_of = [](const Visit& visit, const Positions& positions) {
        Items items;
        for (const std::size_t position : positions) {
            items.push_back(visit.candidates[position].id);
        }
        return items;
    };
    const auto best = [](const Loop&, const Visit& visit) {
        Items items;
        for (std::size_t i = 0; i < places; ++i) {
            items.push_back(visit.candidates[i].id);
        }
        return items;
    };
    const auto mmr = [&](float lambda) {
        return [&items_of, lambda](const Loop& loop, const Visit& visit) {
            const auto rows = rows_of(visit.candidates, loop.shares());
            return items_of(visit, rerank::mmr(scaled(visit.candidates), rows, {.k = places, .lambda = lambda}));
        };
    };
    const auto calibrated = [&](const Loop& loop, const Visit& visit) {
        const auto rows = rows_of(visit.candidates, loop.shares());
        const auto taste = mean_shares(visit.history, loop.shares());
        return items_of(visit, rerank::calibrated(scaled(visit.candidates), rows, taste, {.k = places}));
    };
    const auto explore = [&](std::size_t count) {
        return [&best, count](const Loop& loop, const Visit& visit) {
            return loop.explore(best(loop, visit), count, visit);
        };
    };
    struct Policy {
        const char* name;
        bool once;
        std::function<Items(const Loop&, const Visit&)> show;
    };
    const std::vector<Policy> policies{
        {"best ten", true, best},
        {"best ten, shown until clicked", false, best},
        {"MMR 0.7", true, mmr(0.7F)},
        {"MMR 0.3", true, mmr(0.3F)},
        {"calibrated", true, calibrated},
        {"1 of 10 explore", true, explore(1)},
        {"2 of 10 explore", true, explore(2)},
        {"5 of 10 explore", true, explore(5)},
        {"all explore", true, explore(10)},
        {"true tastes", true, [](const Loop& loop, const Visit& visit) { return loop.best_of_taste(visit); }}};

    constexpr std::size_t worlds = 4;
    std::vector<std::vector<std::vector<Loop::Round>>> rounds(policies.size());  // policy, world, round
    for (std::uint64_t seed = 1; seed <= worlds; ++seed) {
        Loop loop(seed);
        for (std::size_t p = 0; p < policies.size(); ++p) {
            rounds[p].push_back(
                loop.run(policies[p].once, [&](const Visit& visit) { return policies[p].show(loop, visit); }));
        }
    }
    const std::string setup =
        "mean of 4 synthetic worlds of 200 users and 500 items, with 2,000 rows at the start; EASE trained again in "
        "each of 10 rounds, 10 items per user and round, each shown to a user at most once unless it says until "
        "clicked; a user clicks with the probability sigmoid(taste - 2), taste normal with standard deviation 1.5";
    const auto clicks_of = [](const std::vector<Loop::Round>& past) {
        double sum = 0.0;
        for (const Loop::Round& round : past) {
            sum += round.clicks;
        }
        return sum;
    };
    for (std::size_t p = 0; p < policies.size(); ++p) {
        const std::string name = policies[p].name;
        const auto mean = [&](const auto& figure) {
            double sum = 0.0;
            for (std::size_t w = 0; w < worlds; ++w) {
                sum += figure(w) / static_cast<double>(worlds);
            }
            return sum;
        };
        for (const std::size_t at : {std::size_t{0}, rounds[p][0].size() - 1}) {
            const std::string of = name + ", round " + std::to_string(at + 1);
            add(report, of, "genre entropy", mean([&](std::size_t w) { return rounds[p][w][at].entropy; }), setup);
            add(report, of, "share of the catalogue", mean([&](std::size_t w) { return rounds[p][w][at].coverage; }),
                setup);
            add(report, of, "overlap", mean([&](std::size_t w) { return rounds[p][w][at].overlap; }), setup);
            add(report, of, "clicks", mean([&](std::size_t w) { return rounds[p][w][at].clicks; }), setup);
        }
        const auto gain = [&](std::size_t w) { return clicks_of(rounds[p][w]) / clicks_of(rounds[0][w]) - 1.0; };
        const double average = mean(gain);
        const double variance = mean([&](std::size_t w) { return (gain(w) - average) * (gain(w) - average); });
        add(report, name, "clicks in all rounds", mean([&](std::size_t w) { return clicks_of(rounds[p][w]); }), setup);
        add(report, name, "gain over the best ten", 100.0 * average, setup);
        add(report, name, "standard error of the gain", 100.0 * std::sqrt(variance / (worlds - 1.0)), setup);
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("slates", argc, argv);
    compare_similarities(report);
    Slates slates(report);
    slates.vary_lambda();
    slates.vary_theta_and_weight();
    run_loops(report);
    return report.finish();
}
