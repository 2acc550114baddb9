// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/arm_statistics.hpp>
#include <funnel/bandits/policy.hpp>
#include <funnel/bandits/probabilities.hpp>
#include <funnel/bandits/propensities.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/io/container.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/beta.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// What a reward between 0 and 1 means to a model of successes and failures.
enum class FractionalReward : std::uint32_t {
    Reject,  ///< an error
    Split,   ///< reward r is r of a success and 1 - r of a failure
    Draw,    ///< a success with probability r, drawn from the seed (Agrawal and Goyal, COLT 2012)
};

struct ThompsonBetaOptions {
    double prior_successes = 1.0;  ///< alpha of the prior, in [1e-6, 1e9]
    double prior_failures = 1.0;   ///< beta of the prior, in [1e-6, 1e9]
    double discount = 1.0;         ///< each reward first multiplies the counts of all arms by this, in (0, 1]
    double floor = 0.0;            ///< least propensity of the first arm, in [0, 1 / arms]; 0 if slates are logged
    FractionalReward fractional = FractionalReward::Reject;  ///< meaning of rewards other than 0 and 1
    std::uint64_t seed = 1;                                  ///< seed of the draws
};

/// Thompson sampling for clicks: plays the arm whose draw from its posterior is largest, so each arm is played with the
/// probability that it is the best one.
///
///     draw_i ~ Beta(prior_successes + S_i, prior_failures + F_i);  select the k largest draws
///     P(first = i) = floor + (1 - n floor) P(draw_i is the largest)
///
/// With a discount, S and F forget old rewards, for click rates that change; the prior never fades. Propensities are
/// exact (see beta_top_k_probabilities), so logs of this policy can evaluate other policies. Draws are floats: beyond
/// 1e10 rewards per arm, choices are coarser than the propensities say. With a floor, the first arm is drawn uniformly
/// with probability n floor. Ties go to the smaller arm.
///
/// Cost      select: n draws of kernels::beta_logit, and O(n + k log n);  update: O(1), with a discount O(n)
/// Source    Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 1933;  Chapelle and
///           Li, "An empirical evaluation of Thompson sampling", NIPS 2011
template <kernels::HostBackend Backend = kernels::DefaultBackend>
class BasicThompsonBeta {
public:
    /// Errors    InvalidArgument if there are no arms or an option is out of range
    explicit BasicThompsonBeta(std::size_t arms, const ThompsonBetaOptions& options = {}) : options_(options) {
        require_between(arms, 1, std::size_t{1} << 32, "ThompsonBeta: arms");
        require_between(options.prior_successes, least_prior, largest_prior, "ThompsonBeta: prior_successes");
        require_between(options.prior_failures, least_prior, largest_prior, "ThompsonBeta: prior_failures");
        require_positive(options.discount, "ThompsonBeta: discount");
        require_between(options.discount, 0.0, 1.0, "ThompsonBeta: discount");
        require_between(options.floor * static_cast<double>(arms), 0.0, 1.0, "ThompsonBeta: floor * arms");
        require(options.fractional <= FractionalReward::Draw,
                "ThompsonBeta: fractional must be one of its enumerators");
        counts_.successes.resize(arms);
        counts_.failures.resize(arms);
        find_shapes();
    }

    BasicThompsonBeta(const BasicThompsonBeta&) = default;
    BasicThompsonBeta(BasicThompsonBeta&&) noexcept = default;
    BasicThompsonBeta& operator=(const BasicThompsonBeta& other) {  // strong guarantee
        return *this = BasicThompsonBeta(other);
    }
    BasicThompsonBeta& operator=(BasicThompsonBeta&&) noexcept = default;
    ~BasicThompsonBeta() = default;

    /// min(k, arms) distinct arms, the largest draw first. For a log of slates, k > 1, use slate_propensities(k).
    [[nodiscard]] std::vector<std::size_t> select(std::size_t k) {
        std::vector<float> draws(arms());
        kernels::beta_logit<Backend>(alphas_, betas_, key(), step_, draws);
        std::vector<std::size_t> chosen;
        chosen.reserve(std::min(k, arms()) + 1);
        for (const auto& [arm, draw] : top_k(draws, k)) {
            chosen.push_back(arm);
        }
        if (options_.floor > 0.0 && k > 0) {
            Random random(options_.seed, stream("thompson_beta.floor"), step_);
            if (random.uniform() < options_.floor * static_cast<double>(arms())) {
                const std::size_t first = random.below(arms());
                const auto at = std::find(chosen.begin(), chosen.end(), first);
                chosen.erase(at == chosen.end() ? at - 1 : at);
                chosen.insert(chosen.begin(), first);
            }
        }
        ++step_;
        return chosen;
    }

    /// Learns from one reward.
    ///
    /// Errors    InvalidArgument if the arm does not exist, the reward does not lie in [0, 1], or it is neither 0 nor 1
    ///           and options.fractional is Reject
    void update(std::size_t arm, double reward) {
        require_below(arm, arms(), "ThompsonBeta::update: arm");
        require_between(reward, 0.0, 1.0, "ThompsonBeta::update: reward");
        double success = reward;
        if (reward > 0.0 && reward < 1.0) {
            require(options_.fractional != FractionalReward::Reject,
                    "ThompsonBeta::update: reward must be 0 or 1; see ThompsonBetaOptions::fractional");
            if (options_.fractional == FractionalReward::Draw) {
                Random random(options_.seed, stream("thompson_beta.reward"), fractions_++);
                success = random.uniform() < reward ? 1.0 : 0.0;
            }
        }
        if (options_.discount < 1.0) {
            for (std::size_t i = 0; i < arms(); ++i) {
                counts_.successes[i] *= options_.discount;
                counts_.failures[i] *= options_.discount;
                find_shape(i);
            }
        }
        counts_.successes[arm] += success;
        counts_.failures[arm] += 1.0 - success;
        find_shape(arm);
    }

    /// The probability of each arm to be selected first.
    ///
    /// Cost, Errors    as beta_top_k_probabilities
    [[nodiscard]] std::vector<double> propensities() const {
        std::vector<double> result = among_best(1);
        raise_to_floor(result, options_.floor);
        return result;
    }

    /// The probability of each arm to be among k selected ones.
    ///
    /// Cost      as beta_top_k_probabilities
    /// Errors    InvalidArgument also if there is a floor: it applies to the first place only
    [[nodiscard]] std::vector<double> slate_propensities(std::size_t k) const {
        require(!(options_.floor > 0.0), "ThompsonBeta::slate_propensities: the policy must have no floor");
        return among_best(k);
    }

    [[nodiscard]] std::size_t arms() const noexcept { return counts_.successes.size(); }
    /// The parameters of the posterior of an arm.
    ///
    /// Errors    InvalidArgument if the arm does not exist
    [[nodiscard]] double alpha(std::size_t arm) const {
        require_below(arm, arms(), "ThompsonBeta::alpha: arm");
        return options_.prior_successes + counts_.successes[arm];
    }
    [[nodiscard]] double beta(std::size_t arm) const {
        require_below(arm, arms(), "ThompsonBeta::beta: arm");
        return options_.prior_failures + counts_.failures[arm];
    }

    /// Adds an arm with the prior, with the next number.
    ///
    /// Errors    InvalidArgument if the floor leaves no room for one more arm
    void add_arm() {
        BasicThompsonBeta grown(arms() + 1, options_);
        std::copy(counts_.successes.begin(), counts_.successes.end(), grown.counts_.successes.begin());
        std::copy(counts_.failures.begin(), counts_.failures.end(), grown.counts_.failures.begin());
        take_counts_of(grown);
    }

    /// Removes an arm. The numbers of later arms fall by one; logs should name arms by keys of your own.
    ///
    /// Errors    InvalidArgument if the arm does not exist or is the last one
    void remove_arm(std::size_t arm) {
        require_below(arm, arms(), "ThompsonBeta::remove_arm: arm");
        require_at_least(arms(), 2, "ThompsonBeta::remove_arm: arms");
        const auto at = static_cast<std::ptrdiff_t>(arm);
        counts_.successes.erase(counts_.successes.begin() + at);
        counts_.failures.erase(counts_.failures.begin() + at);
        alphas_.erase(alphas_.begin() + at);
        betas_.erase(betas_.begin() + at);
    }

    /// Errors    IOError;  InvalidArgument if the policy is moved-from
    void save(const std::string& path) const {
        require(arms() > 0, "save: the policy must not be moved-from");
        io::ContainerWriter file(kind, layout_version);
        file.value("prior_successes", options_.prior_successes);
        file.value("prior_failures", options_.prior_failures);
        file.value("discount", options_.discount);
        file.value("floor", options_.floor);
        file.value("fractional", static_cast<std::uint32_t>(options_.fractional));
        file.value("seed", options_.seed);
        file.value("step", step_);
        file.value("fractions", fractions_);
        file.array("successes", counts_.successes);
        file.array("failures", counts_.failures);
        file.save(path);
    }

    /// Errors    IOError;  CorruptData if the file is damaged or holds something else
    [[nodiscard]] static BasicThompsonBeta load(const std::string& path) {
        const io::ContainerReader file(path, kind, layout_version);
        Counts counts{.successes = file.array<double>("successes"), .failures = {}};
        counts.failures = file.array<double>("failures", counts.successes.size());
        file.check(!counts.successes.empty(), "successes", "must have at least one arm");
        const auto is_count = [](const double& x) {
            return math::is_finite(x) && x >= 0.0 && x <= static_cast<double>(detail::most_plays);
        };
        file.check(std::all_of(counts.successes.begin(), counts.successes.end(), is_count), "successes",
                   "must lie in [0, 2^53]");
        file.check(std::all_of(counts.failures.begin(), counts.failures.end(), is_count), "failures",
                   "must lie in [0, 2^53]");
        const auto fractional = file.value<std::uint32_t>("fractional");
        const ThompsonBetaOptions options{.prior_successes = file.value<double>("prior_successes"),
                                          .prior_failures = file.value<double>("prior_failures"),
                                          .discount = file.value<double>("discount"),
                                          .floor = file.value<double>("floor"),
                                          .fractional = static_cast<FractionalReward>(fractional),
                                          .seed = file.value<std::uint64_t>("seed")};
        const auto is_prior = [](const double& x) {
            return math::is_finite(x) && x >= least_prior && x <= largest_prior;
        };
        file.check(is_prior(options.prior_successes), "prior_successes", "must lie in [1e-6, 1e9]");
        file.check(is_prior(options.prior_failures), "prior_failures", "must lie in [1e-6, 1e9]");
        file.check(math::is_finite(options.discount) && options.discount > 0.0 && options.discount <= 1.0, "discount",
                   "must lie in (0, 1]");
        file.check(math::is_finite(options.floor) && options.floor >= 0.0 &&
                       options.floor * static_cast<double>(counts.successes.size()) <= 1.0,
                   "floor", "must lie in [0, 1 / arms]");
        file.check(fractional <= static_cast<std::uint32_t>(FractionalReward::Draw), "fractional", "must be 0, 1 or 2");
        BasicThompsonBeta policy(counts.successes.size(), options);
        policy.counts_ = std::move(counts);
        policy.find_shapes();
        policy.step_ = file.value<std::uint64_t>("step");
        policy.fractions_ = file.value<std::uint64_t>("fractions");
        return policy;
    }

private:
    static constexpr std::string_view kind = "bandits.ThompsonBeta";
    static constexpr std::uint32_t layout_version = 1;
    static constexpr double least_prior = detail::least_shape;
    static constexpr double largest_prior = 1e9;

    struct Counts {
        std::vector<double> successes;  // in double: a float stops counting at 2^24
        std::vector<double> failures;
    };

    [[nodiscard]] std::array<std::uint32_t, 2> key() const noexcept {
        const std::uint64_t word =
            funnel::detail::hash_word(funnel::detail::hash_word(0, options_.seed), stream("thompson_beta.draws").id);
        return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
    }

    [[nodiscard]] std::vector<double> among_best(std::size_t k) const {
        std::vector<double> a(arms());
        std::vector<double> b(arms());
        for (std::size_t i = 0; i < arms(); ++i) {
            a[i] = alpha(i);
            b[i] = beta(i);
        }
        return beta_top_k_probabilities(a, b, k);
    }

    void find_shape(std::size_t arm) noexcept {
        alphas_[arm] = static_cast<float>(options_.prior_successes + counts_.successes[arm]);
        betas_[arm] = static_cast<float>(options_.prior_failures + counts_.failures[arm]);
    }

    void find_shapes() {
        alphas_.resize(arms());
        betas_.resize(arms());
        for (std::size_t i = 0; i < arms(); ++i) {
            find_shape(i);
        }
    }

    void take_counts_of(BasicThompsonBeta& other) {
        other.find_shapes();
        std::swap(counts_, other.counts_);
        alphas_.swap(other.alphas_);
        betas_.swap(other.betas_);
    }

    ThompsonBetaOptions options_;
    Counts counts_;
    std::vector<float> alphas_;  // of the posteriors, for the draws
    std::vector<float> betas_;
    std::uint64_t step_ = 0;
    std::uint64_t fractions_ = 0;  // rewards that were drawn
};

using ThompsonBeta = BasicThompsonBeta<>;

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel
