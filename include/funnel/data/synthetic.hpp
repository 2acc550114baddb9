// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/portable_math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/synthetic_items.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

struct SyntheticOptions {
    std::size_t users = 943;     ///< defaults: the size of MovieLens-100K
    std::size_t items = 1682;    ///< at least 2
    std::size_t rows = 100'000;  ///< at most half of all pairs: users * (items / 2)
    std::size_t factors = 8;     ///< dimensions of the taste vectors
    double popularity = 1.0;     ///< in [0, 10]: weight of the item of rank r = 0, 1, ... is (r + 10)^-popularity
    double taste = 1.5;          ///< in [0, 10]: how much users differ: standard deviation of the log-odds
    double drift = 0.5;          ///< in [0, 1]: how much tastes and item trends change from the first day to the last
    double cold_users = 0.15;    ///< in [0, 1]: probability that a user arrives only in the last tenth of the time
    std::uint64_t seed = 1;
};

/// A synthetic world with known user preferences, and a log of what its users did. For tests, benchmarks, and
/// experiments without data.
///
/// Each user arrives at some time, stays for a while, and picks items without repetition. The probability of a pick is
///
///     P(item | user, time) = exp(affinity(user, item, time)) / sum of exp(affinity) over the items not yet picked
///     affinity = log popularity(item) + drift * trend(item) * (time - 1/2) + taste * <p(user, time), q(item)>
///
/// with time in [0, 1], in steps of 1/15 (16 eras of 16 days). trend is normal with standard deviation 2. <p, q> is
/// scaled to variance 1 at time 0. p moves from one normal vector towards another; drift is the part of the way that
/// it has gone at time 1. Items of one genre have similar q. User activity is log-normal, as in real logs. The value
/// of a row is a rating, 1 to 5: taste plus noise, without popularity. Times are whole seconds from 2017 on. Rows are
/// ordered by time.
///
/// The log, the metadata and every affinity have the same bits on every machine, compiler and standard library.
///
/// Cost      O(users * eras per user * items * factors + rows log items); 0.3 s for the defaults
/// Errors    InvalidArgument if a size is 0, rows is too large, or a number is out of range
class SyntheticWorld {
public:
    static constexpr std::size_t eras = 16;
    static constexpr std::int64_t first_second = 1'483'228'800;  // 2017-01-01
    static constexpr std::int64_t seconds_an_era = std::int64_t{16} * 86'400;

    explicit SyntheticWorld(const SyntheticOptions& options = {}) : options_(options) {
        require_between(options.users, 1, std::uint32_t(-1), "SyntheticWorld: users");
        require_between(options.items, 2, std::uint32_t(-1), "SyntheticWorld: items");
        require_at_least(options.factors, 1, "SyntheticWorld: factors");
        require(options.rows <= options.users * (options.items / 2),
                "SyntheticWorld: rows must be at most users * (items / 2)");
        require_between(options.popularity, 0.0, 10.0, "SyntheticWorld: popularity");
        require_between(options.taste, 0.0, 10.0, "SyntheticWorld: taste");
        require_between(options.drift, 0.0, 1.0, "SyntheticWorld: drift");
        require_between(options.cold_users, 0.0, 1.0, "SyntheticWorld: cold_users");
        metadata_ = synthetic_items(options.items, options.seed);
        make_items();
        make_users();
        make_log();
    }

    SyntheticWorld(const SyntheticWorld&) = default;
    SyntheticWorld(SyntheticWorld&&) noexcept = default;
    SyntheticWorld& operator=(const SyntheticWorld& other) {
        return *this = SyntheticWorld(other);
    }  // strong guarantee
    SyntheticWorld& operator=(SyntheticWorld&&) noexcept = default;
    ~SyntheticWorld() = default;

    [[nodiscard]] const Interactions& log() const noexcept FUNNEL_LIFETIMEBOUND { return log_; }
    [[nodiscard]] const ItemMetadata& item_metadata() const noexcept FUNNEL_LIFETIMEBOUND { return metadata_; }
    [[nodiscard]] std::size_t users() const noexcept { return log_.users(); }
    [[nodiscard]] std::size_t items() const noexcept { return log_.items(); }

    /// The era of a time. Times before the first era and NaN map to the first era, later times to the last.
    [[nodiscard]] static std::size_t era(double time) noexcept {
        const double place = (time - static_cast<double>(first_second)) / static_cast<double>(seconds_an_era);
        return math::is_nan(time) ? 0 : place >= eras ? eras - 1 : place > 0.0 ? static_cast<std::size_t>(place) : 0;
    }

    /// The true affinity of a user to every item in an era, in log-odds.
    ///
    /// Errors    InvalidArgument if there is no such user or era
    [[nodiscard]] std::vector<double> affinities(std::size_t user, std::size_t era) const {
        require(user < users() && era < eras, "SyntheticWorld: user and era must exist");
        const std::vector<double> taste = taste_of(user, era);
        std::vector<double> result(items());
        for (std::size_t item = 0; item < items(); ++item) {
            result[item] = affinity_to(item, taste, era);
        }
        return result;
    }

    /// The true affinity of a user to one item at a time.
    [[nodiscard]] double affinity(std::size_t user, std::size_t item, double time) const {
        require(user < users() && item < items(), "SyntheticWorld: user and item must exist");
        return affinity_to(item, taste_of(user, era(time)), era(time));
    }

private:
    static constexpr Stream item_stream = stream("synthetic.items");
    static constexpr Stream taste_stream = stream("synthetic.tastes");
    static constexpr Stream activity_stream = stream("synthetic.activity");
    static constexpr Stream pick_stream = stream("synthetic.picks");

    // Factors are multiples of 2^-10, so that sums of their products are exact, in any order and with any instruction
    // set.
    static double on_grid(double x) noexcept { return math::round(x * 1024.0) / 1024.0; }

    void make_items() {
        Matrix<double> centres(metadata_.genre_names().size(), options_.factors);
        for (std::size_t genre = 0; genre < centres.rows(); ++genre) {
            Random random(options_.seed, stream("synthetic.genres"), genre);
            for (double& x : centres.row(genre)) {
                x = random.normal();
            }
        }
        const auto popularity_rank =
            Random(options_.seed, stream("synthetic.places")).permutation<std::uint32_t>(options_.items);

        item_factors_ = Matrix<double>(options_.items, options_.factors);
        log_popularity_.resize(options_.items);
        trend_.resize(options_.items);
        for (std::size_t item = 0; item < options_.items; ++item) {
            Random random(options_.seed, item_stream, item);
            log_popularity_[item] = -options_.popularity * funnel::detail::portable_log(popularity_rank[item] + 10.0);
            trend_[item] = 2.0 * options_.drift * random.normal();
            const auto& genres = metadata_[item].genres;
            // One third of the variance belongs to the item itself, two thirds to its genres.
            const double scale = math::sqrt(2.0 / 3.0 / static_cast<double>(genres.size()));
            for (std::size_t f = 0; f < options_.factors; ++f) {
                double sum = 0.0;
                for (const std::uint16_t genre : genres) {
                    sum += centres(genre, f);
                }
                item_factors_(item, f) = on_grid(math::fma(scale, sum, math::sqrt(1.0 / 3.0) * random.normal()));
            }
        }
    }

    void make_users() {
        early_taste_ = Matrix<double>(options_.users, options_.factors);
        late_taste_ = Matrix<double>(options_.users, options_.factors);
        for (std::size_t user = 0; user < options_.users; ++user) {
            Random random(options_.seed, taste_stream, user);
            for (std::size_t f = 0; f < options_.factors; ++f) {
                early_taste_(user, f) = random.normal();
                late_taste_(user, f) = random.normal();
            }
        }
    }

    // The taste vector p of a user in an era.
    [[nodiscard]] std::vector<double> taste_of(std::size_t user, std::size_t era) const {
        std::vector<double> taste(options_.factors);
        const double moved = options_.drift * static_cast<double>(era) / (eras - 1);
        for (std::size_t f = 0; f < taste.size(); ++f) {
            const double change = late_taste_(user, f) - early_taste_(user, f);
            taste[f] = on_grid(math::fma(moved, change, early_taste_(user, f)));
        }
        return taste;
    }

    // The inner product <p, q> before scaling.
    [[nodiscard]] double taste_for(std::size_t item, std::span<const double> taste) const noexcept {
        const std::span<const double> factors = item_factors_.row(item);
        double sum = 0.0;
        for (std::size_t f = 0; f < taste.size(); ++f) {
            sum += taste[f] * factors[f];
        }
        return sum;
    }

    [[nodiscard]] double affinity_to(std::size_t item, std::span<const double> taste, std::size_t era) const noexcept {
        const double time = static_cast<double>(era) / (eras - 1) - 0.5;
        const double strength = options_.taste / math::sqrt(static_cast<double>(options_.factors));
        return math::fma(strength, taste_for(item, taste), math::fma(trend_[item], time, log_popularity_[item]));
    }

    // Rows per user: log-normal shares, at most half of the items each; they sum to the number of rows.
    [[nodiscard]] std::vector<std::size_t> activity() const {
        std::vector<double> share(options_.users);
        double total = 0.0;
        for (std::size_t user = 0; user < options_.users; ++user) {
            share[user] = funnel::detail::portable_exp(Random(options_.seed, activity_stream, user).normal());
            total += share[user];
        }
        const std::size_t most = options_.items / 2;
        std::vector<std::size_t> counts(options_.users);
        std::size_t left = options_.rows;
        for (std::size_t user = 0; user < options_.users; ++user) {
            const double fair = static_cast<double>(options_.rows) * (share[user] / total);
            counts[user] = std::min({static_cast<std::size_t>(fair), most, left});
            left -= counts[user];
        }
        for (std::size_t user = 0; left > 0; user = (user + 1) % options_.users) {
            if (counts[user] < most) {
                ++counts[user];
                --left;
            }
        }
        return counts;
    }

    void make_log() {
        const std::vector<std::size_t> counts = activity();
        std::vector<Interaction> rows;
        rows.reserve(options_.rows);
        for (std::size_t user = 0; user < options_.users; ++user) {
            Random random(options_.seed, pick_stream, user);
            pick_items(user, visits(counts[user], random), random, rows);
        }
        // Sort by time; at equal times, by user and then by order of the picks.
        std::vector<std::size_t> order(rows.size());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            order[row] = row;
        }
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return rows[a].time != rows[b].time ? rows[a].time < rows[b].time : a < b;
        });
        std::vector<Interaction> sorted(rows.size());
        for (std::size_t row = 0; row < rows.size(); ++row) {
            sorted[row] = rows[order[row]];
        }
        log_ = Interactions::from_ids(std::move(sorted), options_.users, options_.items);
    }

    // The times of a user's picks, ascending.
    [[nodiscard]] std::vector<std::int64_t> visits(std::size_t count, Random& random) const {
        constexpr std::int64_t duration = eras * seconds_an_era;
        const bool is_cold = random.uniform() < options_.cold_users;
        const auto begin = static_cast<std::int64_t>(random.below(duration / 10 * (is_cold ? 1 : 9))) +
                           (is_cold ? duration / 10 * 9 : 0);
        const auto stay = 1 + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(duration - begin)));
        std::vector<std::int64_t> times(count);
        for (std::int64_t& time : times) {
            time = first_second + begin + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(stay)));
        }
        std::sort(times.begin(), times.end());
        return times;
    }

    // Picks one item per time. Items already picked are rejected and drawn again; once they have half of the weight,
    // the sums are recomputed without them.
    void pick_items(std::size_t user, const std::vector<std::int64_t>& times, Random& random,
                    std::vector<Interaction>& rows) const {
        std::vector<bool> is_picked(options_.items, false);
        std::vector<double> weights(options_.items);
        std::vector<double> sums(options_.items);
        std::vector<double> taste;
        double total = 0.0;
        double picked = 0.0;
        std::size_t current_era = eras;  // none yet
        for (const std::int64_t time : times) {
            const std::size_t era_of_time = era(static_cast<double>(time));
            if (era_of_time != current_era) {
                current_era = era_of_time;
                taste = taste_of(user, current_era);
                for (std::size_t item = 0; item < options_.items; ++item) {
                    weights[item] = funnel::detail::portable_exp(affinity_to(item, taste, current_era));
                }
                picked = total;  // forces new sums
            }
            if (picked >= 0.5 * total) {
                total = picked = 0.0;
                for (std::size_t item = 0; item < options_.items; ++item) {
                    total += is_picked[item] ? 0.0 : weights[item];
                    sums[item] = total;
                }
            }
            std::size_t item = options_.items;
            while (item == options_.items || is_picked[item]) {
                const double target = random.uniform() * total;
                item = static_cast<std::size_t>(std::upper_bound(sums.begin(), sums.end(), target) - sums.begin());
            }
            is_picked[item] = true;
            picked += weights[item];

            const double scale = 1.0 / math::sqrt(static_cast<double>(options_.factors));
            const double rating = math::fma(0.7, random.normal(), math::fma(scale, taste_for(item, taste), 3.5));
            rows.push_back({static_cast<std::uint32_t>(user), static_cast<std::uint32_t>(item),
                            static_cast<float>(std::clamp(math::round(rating), 1.0, 5.0)), static_cast<double>(time)});
        }
    }

    SyntheticOptions options_;
    ItemMetadata metadata_;
    Matrix<double> item_factors_;
    std::vector<double> log_popularity_;
    std::vector<double> trend_;
    Matrix<double> early_taste_;
    Matrix<double> late_taste_;
    Interactions log_;
};

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
