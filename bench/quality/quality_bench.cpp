// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages in docs/algorithms/: how options change the quality of results. All rows but the times are
// the same in every run.
//
//   quality_bench [JSON]    MovieLens-100K if `./dev data` has fetched it, else the synthetic world
#include "support/bench.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/read_item_metadata.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/ground_truth.hpp>
#include <funnel/metrics/intra_list_distance.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/rerank/mmr.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";

std::string text_of(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

/// Lists that were computed before, as a model.
struct Lists {
    std::vector<std::vector<Scored<>>> of_user;

    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const cf::RecommendOptions& options) const {
        const auto& list = of_user[user];
        return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(options.k, list.size()))};
    }
};

template <class Model>
Lists lists_of(const Model& model, std::size_t users, std::size_t k) {
    Lists lists;
    for (std::size_t user = 0; user < users; ++user) {
        lists.of_user.push_back(model.recommend(user, {.k = k}));
    }
    return lists;
}

class Quality {
public:
    Quality(bench::Report& report, data::Interactions log, data::ItemMetadata items, std::string name)
        : report_(report),
          log_(std::move(log)),
          items_(std::move(items)),
          split_(data::split_random(log_)),
          data_(std::move(name)),
          setup_(data_ + ", 20 % of the rows held out, random split") {}

    void compare_models() {
        for (const auto& named :
             {std::pair("random split", split_), std::pair("time split", data::split_by_time(log_))}) {
            const std::string split_name = named.first;
            const auto& split = named.second;
            const auto add = [&](const std::string& name, const auto& model) {
                const auto figures = metrics::evaluate(model, split.train, split.test, {}, pool_).warm();
                report_.add({.name = name + ", " + split_name,
                             .ours = bench::single(figures.at("ndcg@10")),
                             .unit = "ndcg@10",
                             .setup = data_ + ", 20 % of the rows held out, " + split_name});
                report_.add({.name = name + " users, " + split_name,
                             .ours = bench::single(static_cast<double>(figures.users())),
                             .unit = "users",
                             .setup = data_ + ", 20 % of the rows held out, " + split_name});
            };
            add("Popularity", cf::Popularity::fit(split.train));
            add("ItemKNN", cf::ItemKNN::fit(split.train));
            add("EASE", cf::EASE::fit(split.train));
            add("ImplicitALS", cf::ImplicitALS::fit(split.train, {.factors = 16}));
        }
    }

    void vary_ease() {
        for (const float lambda : {1.0F, 10.0F, 50.0F, 100.0F, 200.0F, 500.0F, 1000.0F, 5000.0F}) {
            add_figures("EASE lambda " + text_of(static_cast<double>(lambda)),
                        cf::EASE::fit(split_.train, {.lambda = lambda}, pool_));
        }
        const auto model = cf::EASE::fit(split_.train, {}, pool_);
        const std::size_t n = model.items();
        std::vector<float> positive(n * n);
        std::size_t negatives = 0;
        for (std::uint32_t i = 0; i < n; ++i) {
            for (std::uint32_t j = 0; j < n; ++j) {
                const float weight = model.weights().weight(i, j);
                negatives += weight < 0.0F ? 1U : 0U;
                positive[i * n + j] = std::max(weight, 0.0F);
            }
        }
        report_.add({.name = "EASE share of negative weights",
                     .ours = bench::single(static_cast<double>(negatives) / static_cast<double>(n * (n - 1))),
                     .unit = "share",
                     .setup = setup_});
        std::vector<std::vector<std::uint32_t>> histories(split_.train.users());
        for (const data::Interaction& row : split_.train) {
            histories[row.user].push_back(row.item);
        }
        Lists clipped;
        for (const auto& history : histories) {
            std::vector<float> scores(n, 0.0F);
            for (const std::uint32_t from : history) {
                for (std::size_t to = 0; to < n; ++to) {
                    scores[to] += positive[from * n + to];
                }
            }
            for (const std::uint32_t item : history) {
                scores[item] = -1.0F;
            }
            std::vector<Scored<>> list;
            for (std::uint32_t item = 0; item < n; ++item) {
                list.push_back({item, scores[item]});
            }
            std::partial_sort(list.begin(), list.begin() + 10, list.end(), ranks_before);
            list.resize(10);
            clipped.of_user.push_back(std::move(list));
        }
        add_figures("EASE without negative weights", clipped);
    }

    void vary_als() {
        for (const std::size_t factors : {4U, 8U, 16U, 32U, 64U, 128U}) {
            add_figures("ImplicitALS factors " + std::to_string(factors),
                        cf::ImplicitALS::fit(split_.train, {.factors = factors}, pool_));
        }
        for (const float lambda : {0.001F, 0.01F, 0.03F, 0.1F, 0.3F}) {
            add_figures("ImplicitALS lambda " + text_of(static_cast<double>(lambda)),
                        cf::ImplicitALS::fit(split_.train, {.factors = 16, .lambda = lambda}, pool_));
        }
        for (const float alpha0 : {0.01F, 0.03F, 0.1F, 0.3F, 1.0F}) {
            add_figures("ImplicitALS alpha0 " + text_of(static_cast<double>(alpha0)),
                        cf::ImplicitALS::fit(split_.train, {.factors = 16, .alpha0 = alpha0}, pool_));
        }
        for (const std::size_t iterations : {1U, 2U, 4U, 8U, 16U, 32U}) {
            add_figures("ImplicitALS iterations " + std::to_string(iterations),
                        cf::ImplicitALS::fit(split_.train, {.factors = 16, .iterations = iterations}, pool_));
        }
        add_figures(
            "ImplicitALS CG-3",
            cf::ImplicitALS::fit(split_.train, {.factors = 16, .solver = cf::ALSSolver::ConjugateGradient}, pool_));
    }

    // NDCG@10 of a perfect ranker of the first k candidates of EASE, and two definitions of the ideal list.
    void ndcg_questions() {
        const auto model = cf::EASE::fit(split_.train, {}, pool_);
        const metrics::GroundTruth truth(split_.train, split_.test);
        const Lists lists = lists_of(model, split_.train.users(), 500);
        std::vector<std::vector<std::uint32_t>> wanted(split_.train.users());
        for (const data::Interaction& row : split_.test) {
            wanted[row.user].push_back(row.item);
        }
        const auto is_wanted = [&](std::size_t user, std::uint32_t item) {
            return std::find(wanted[user].begin(), wanted[user].end(), item) != wanted[user].end();
        };
        for (const std::size_t k : {10U, 20U, 50U, 100U, 200U, 500U}) {
            Lists best = lists;
            for (std::size_t user = 0; user < best.of_user.size(); ++user) {
                auto& list = best.of_user[user];
                list.resize(std::min(k, list.size()));
                for (Scored<>& hit : list) {
                    hit.score = is_wanted(user, hit.id) ? 1.0F : 0.0F;
                }
                std::sort(list.begin(), list.end(), ranks_before);
            }
            add_figures("perfect ranker of " + std::to_string(k) + " candidates", best);
        }
        double right = 0.0;
        double wrong = 0.0;
        double users = 0.0;
        for (const std::uint32_t user : truth.user_ids()) {
            if (lists.of_user[user].empty()) {
                continue;
            }
            std::vector<float> shown;
            for (std::size_t i = 0; i < std::min<std::size_t>(10, lists.of_user[user].size()); ++i) {
                shown.push_back(is_wanted(user, lists.of_user[user][i].id) ? 1.0F : 0.0F);
            }
            right += metrics::ndcg(shown, std::vector<float>(wanted[user].size(), 1.0F));
            wrong += metrics::ndcg(shown, shown);
            users += 1.0;
        }
        report_.add({.name = "EASE, best order of all relevant items",
                     .ours = bench::single(right / users),
                     .unit = "ndcg@10",
                     .setup = setup_});
        report_.add({.name = "EASE, best order of the shown items only",
                     .ours = bench::single(wrong / users),
                     .unit = "ndcg@10",
                     .setup = setup_});
    }

    // The ten of a hundred candidates of EASE that MMR selects; similarity is the cosine of genres.
    void vary_mmr() {
        Matrix<float> genres(log_.items(), items_.genre_names().size());
        for (std::size_t item = 0; item < genres.rows(); ++item) {
            for (const std::uint16_t genre : items_[item].genres) {
                genres(item, genre) = 1.0F;
            }
        }
        const auto model = cf::EASE::fit(split_.train, {}, pool_);
        const Lists candidates = lists_of(model, split_.train.users(), 100);
        const auto rerank = [&](const std::string& name, float lambda, bool is_scaled) {
            Lists slates;
            double distance = 0.0;
            double kept = 0.0;
            double users = 0.0;
            for (const auto& list : candidates.of_user) {
                std::vector<Scored<>> slate;
                if (!list.empty()) {
                    const float low = is_scaled ? list.back().score : 0.0F;
                    const float range = is_scaled ? std::max(list[0].score - low, 1e-9F) : 1.0F;
                    std::vector<float> relevance;
                    Matrix<float> rows(list.size(), genres.cols());
                    for (std::size_t i = 0; i < list.size(); ++i) {
                        relevance.push_back((list[i].score - low) / range);
                        std::copy_n(genres.row(list[i].id).begin(), genres.cols(), rows.row(i).begin());
                    }
                    for (const std::size_t pick : rerank::mmr(relevance, rows, {.k = 10, .lambda = lambda})) {
                        slate.push_back({list[pick].id, 1.0F / static_cast<float>(slate.size() + 1)});
                        kept += pick < 10 ? 1.0 : 0.0;
                    }
                    distance += metrics::intra_list_distance(slate, genres);
                    users += 1.0;
                }
                slates.of_user.push_back(std::move(slate));
            }
            const auto figures = metrics::evaluate(slates, split_.train, split_.test, {}, pool_).warm();
            const auto add = [&](const char* unit, double value) {
                report_.add({.name = name + " " + unit, .ours = bench::single(value), .unit = unit, .setup = setup_});
            };
            add("ndcg@10", figures.at("ndcg@10"));
            add("genre distance", distance / users);
            add("coverage@10", figures.at("coverage@10"));
            add("kept of the top 10", kept / users);
        };
        for (const float lambda : {1.0F, 0.9F, 0.7F, 0.5F, 0.3F, 0.0F}) {
            rerank("MMR lambda " + text_of(static_cast<double>(lambda)), lambda, true);
        }
        rerank("MMR lambda 0.7, not scaled", 0.7F, false);
    }

private:
    template <class Model>
    void add_figures(const std::string& name, const Model& model) {
        const auto figures = metrics::evaluate(model, split_.train, split_.test, {}, pool_).warm();
        report_.add({.name = name, .ours = bench::single(figures.at("ndcg@10")), .unit = "ndcg@10", .setup = setup_});
    }

    bench::Report& report_;
    data::Interactions log_;
    data::ItemMetadata items_;
    data::Split split_;
    std::string data_;
    std::string setup_;
    Threads pool_;
};

// Vectors in 200 clusters that overlap.
Matrix<float> clustered(std::size_t n, std::uint64_t seed) {
    constexpr std::size_t dim = 64;
    Matrix<float> vectors(n, dim);
    for (std::size_t i = 0; i < n; ++i) {
        Random own(seed, i);
        Random centre(7, own.below(200));
        for (float& x : vectors.row(i)) {
            x = static_cast<float>(0.6 * centre.normal() + own.normal());
        }
    }
    return vectors;
}

double recall(const ann::HNSW<ann::Cosine>& index, const Matrix<float>& queries,
              const std::vector<std::vector<Scored<>>>& truth, std::size_t ef) {
    std::size_t found = 0;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        for (const Scored<>& hit : index.search(queries.row(i), {.k = 10, .ef = ef})) {
            found += static_cast<std::size_t>(std::count_if(truth[i].begin(), truth[i].end(),
                                                            [&](const Scored<>& other) { return other.id == hit.id; }));
        }
    }
    return static_cast<double>(found) / static_cast<double>(10 * queries.rows());
}

// Time of one query, in microseconds of one core.
template <class Index>
double search_us(const Index& index, const Matrix<float>& queries, std::size_t ef) {
    auto scratch = index.scratch();
    std::vector<Scored<>> out(10);
    const auto search = [&] {
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            if constexpr (requires { index.options().M; }) {
                bench::keep(index.search(queries.row(i), {.k = 10, .ef = ef}, scratch, out));
            } else {
                bench::keep(index.search(queries.row(i), {.k = 10}, scratch, out));
            }
        }
    };
    return bench::time_ns(search, {.samples = 5, .clock = bench::Clock::ThreadCPU}).median * 1.0e-3 /
           static_cast<double>(queries.rows());
}

void vary_hnsw(bench::Report& report) {
    Threads pool;
    const Matrix<float> queries = clustered(200, 2);
    const auto add = [&](const std::string& name, double value, const char* unit, std::size_t n) {
        report.add({.name = name,
                    .ours = bench::single(value),
                    .unit = unit,
                    .setup = std::to_string(n) +
                             " vectors of 64 floats in 200 clusters, 200 queries, Cosine, k = 10; times of one core"});
    };
    for (const std::size_t n : {1'000U, 10'000U, 50'000U}) {
        const Matrix<float> vectors = clustered(n, 1);
        const auto exact = ann::Flat<ann::Cosine>::build(vectors);
        const auto truth = exact.search_batch(queries, {.k = 10}, pool);
        const auto index = ann::HNSW<ann::Cosine>::build(vectors, {}, pool);
        const std::string of = "of " + std::to_string(n);
        add("Flat time " + of, search_us(exact, queries, 0), "us", n);
        add("HNSW time " + of, search_us(index, queries, 64), "us", n);
        add("HNSW recall " + of, recall(index, queries, truth, 64), "recall@10", n);
        if (n != 10'000) {
            continue;
        }
        for (const std::size_t ef : {10U, 16U, 32U, 64U, 128U, 256U}) {
            add("HNSW recall, ef " + std::to_string(ef), recall(index, queries, truth, ef), "recall@10", n);
            add("HNSW time, ef " + std::to_string(ef), search_us(index, queries, ef), "us", n);
        }
        for (const std::size_t M : {4U, 8U, 16U, 32U}) {
            const auto other = ann::HNSW<ann::Cosine>::build(vectors, {.M = M}, pool);
            add("HNSW recall, M " + std::to_string(M), recall(other, queries, truth, 64), "recall@10", n);
            add("HNSW memory, M " + std::to_string(M),
                static_cast<double>(other.memory_bytes()) / static_cast<double>(n), "bytes per vector", n);
        }
        // A filter that 1 % of the vectors pass: afterwards, on the ten hits of a search, or inside the search.
        const auto passes = [](std::uint32_t id) { return id % 100 == 0; };
        std::size_t after = 0;
        std::size_t inside = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            for (const Scored<>& hit : index.search(queries.row(i), {.k = 10})) {
                after += passes(hit.id) ? 1U : 0U;
            }
            inside += index.search(queries.row(i), {.k = 10}, passes).size();
        }
        add("HNSW hits, filter after the search", static_cast<double>(after) / static_cast<double>(queries.rows()),
            "hits", n);
        add("HNSW hits, filter in the search", static_cast<double>(inside) / static_cast<double>(queries.rows()),
            "hits", n);
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("quality", argc, argv);
    const auto measure = [&](data::Interactions log, data::ItemMetadata items, const std::string& name) {
        Quality quality(report, std::move(log), std::move(items), name);
        quality.compare_models();
        quality.vary_ease();
        quality.vary_als();
        quality.ndcg_questions();
        quality.vary_mmr();
    };
    if (std::filesystem::exists(movielens)) {
        const auto log = data::read_interactions(movielens);
        measure(log, data::read_item_metadata(std::filesystem::path(movielens).replace_extension(".item"), log),
                "MovieLens-100K");
    } else {
        std::printf("There is no %s: ./dev data fetches it. This uses the synthetic world.\n", movielens);
        const data::SyntheticWorld world;
        measure(world.log(), world.item_metadata(), "synthetic world");
    }
    vary_hnsw(report);
    return report.finish();
}
