// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Evaluates all users of a log of the shape of MovieLens-20M, with all metrics in one pass. The exit code is 1 if the
// process needs more than 1.5 times the memory of the log, or if threads change a figure.
//
//   evaluate_bench [JSON]
#include "support/bench.hpp"

#include <funnel/cf/popularity.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/report.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;

namespace {

constexpr std::size_t users = 138'493;
constexpr std::size_t items = 26'744;
constexpr std::size_t rows = 20'000'263;
constexpr std::size_t fewest = 20;  // rows of a user

/// The number of rows of each user: most have few, some have thousands.
std::vector<std::size_t> activities(Random& random) {
    std::vector<double> weights(users);
    std::generate(weights.begin(), weights.end(), [&] { return std::exp(1.2 * random.normal()); });
    const double scale =
        static_cast<double>(rows - fewest * users) / std::accumulate(weights.begin(), weights.end(), 0.0);
    std::vector<std::size_t> counts(users);
    std::transform(weights.begin(), weights.end(), counts.begin(), [&](double weight) {
        return std::min(items / 3, fewest + static_cast<std::size_t>(scale * weight));
    });
    std::size_t missing = rows - std::accumulate(counts.begin(), counts.end(), std::size_t{0});
    for (std::size_t user = 0; missing > 0; user = (user + 1) % users, --missing) {
        ++counts[user];
    }
    return counts;
}

/// An item; the first ones are popular.
std::uint32_t draw_item(Random& random) {
    const double x = random.uniform();
    return static_cast<std::uint32_t>(static_cast<double>(items) * x * x * x);
}

/// Every fifth row of a user is a test row. The whole log is never there, only its two parts.
data::Split make_log() {
    Random random(20, stream("bench.movielens_20m"));
    std::vector<data::Interaction> train;
    std::vector<data::Interaction> test;
    train.reserve(rows - rows / 5 + users);
    test.reserve(rows / 5 + users);
    std::vector<std::uint32_t> last_user(items, users);
    const std::vector<std::size_t> counts = activities(random);
    for (std::uint32_t user = 0; user < users; ++user) {
        for (std::size_t i = 0; i < counts[user]; ++i) {
            std::uint32_t item = draw_item(random);
            while (last_user[item] == user) {
                item = draw_item(random);
            }
            last_user[item] = user;
            (i % 5 == 4 ? test : train).push_back({.user = user, .item = item, .time = static_cast<double>(i)});
        }
    }
    data::Interactions first = data::Interactions::from_ids(std::move(train), users, items);
    data::Interactions second(std::move(test), first.user_keys(), first.item_keys());
    return {std::move(first), std::move(second)};
}

struct Request {
    std::size_t k;
};

/// Lists that cost nearly nothing, so that the time is that of evaluate(): a user gets k of the popular items.
struct Lists {
    [[nodiscard]] static std::vector<Scored<>> recommend(std::uint32_t user, const Request& request) {
        std::vector<Scored<>> list(request.k);
        for (std::size_t i = 0; i < list.size(); ++i) {
            list[i] = {static_cast<std::uint32_t>((user % 97 + 3 * i) % items), 1.0F / static_cast<float>(i + 1)};
        }
        return list;
    }
};

/// Figures that are not the same bits.
std::size_t differing(const metrics::Summary& a, const metrics::Summary& b) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < a.figures().size(); ++i) {
        const auto bits = [i](const metrics::Summary& of) {
            return std::bit_cast<std::uint64_t>(of.figures()[i].value);
        };
        count += bits(a) != bits(b) ? 1U : 0U;
    }
    return count;
}

double peak_megabytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) * 1024.0 / 1.0e6;
}

}  // namespace

int main(int argc, char** argv) {
    constexpr double most_memory = 1.5;  // times that of the log
    const metrics::EvaluateOptions options{.cutoffs = {10, 20}};
    Threads two(2);

    const data::Split parts = make_log();
    const double log_megabytes = static_cast<double>(rows * sizeof(data::Interaction)) / 1.0e6;
    metrics::Report on_one;
    metrics::Report on_two;
    const double seconds_of_one =
        bench::time_once_s([&] { on_one = metrics::evaluate(Lists{}, parts.train, parts.test, options); });
    const double seconds_of_two =
        bench::time_once_s([&] { on_two = metrics::evaluate(Lists{}, parts.train, parts.test, options, two); });
    const double megabytes = peak_megabytes();  // before the head of the report fills a gigabyte to measure its speed

    bench::Report report("evaluate", argc, argv);
    const std::string setup = "138,493 users, 26,744 items, 20,000,263 rows, a fifth of them test; " +
                              std::to_string(on_two.figures().size()) + " figures at k = 10 and 20";
    const auto add = [&](const std::string& name, double value, const std::string& unit) {
        report.add({.name = name, .ours = bench::single(value), .unit = unit, .setup = setup});
    };
    add("evaluate(), 1 thread", seconds_of_one, "s");
    report.add({.name = "evaluate(), 2 threads",
                .ours = bench::single(seconds_of_two),
                .unit = "s",
                .differing = differing(on_one, on_two),
                .setup = setup});
    const auto fit = [&] { return cf::Popularity::fit(parts.train, {}, two); };
    add("fit Popularity", bench::time_once_s([&] { bench::keep(fit()); }), "s");
    const auto popularity = fit();
    const auto evaluate = [&] { bench::keep(metrics::evaluate(popularity, parts.train, parts.test, options, two)); };
    add("evaluate Popularity, 2 threads", bench::time_once_s(evaluate), "s");
    add("memory of the log", log_megabytes, "MB");
    add("memory of the log and evaluate()", megabytes, "MB");
    const int result = report.finish();
    if (megabytes > most_memory * log_megabytes) {
        std::printf("TOO MUCH MEMORY: %.2f times that of the log, at most %.1f\n", megabytes / log_megabytes,
                    most_memory);
        return 1;
    }
    return result;
}
