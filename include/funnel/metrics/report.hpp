// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// One line of a report, for example ndcg@10.
struct Figure {
    std::string name;
    double value;           ///< over a group of users; NaN if there is no data
    double standard_error;  ///< of the mean over users; NaN for coverage, gini, entropy, or below two users
};

/// The figures of one group of users.
class Summary {
public:
    Summary() = default;
    Summary(std::size_t users, std::vector<Figure> figures) : users_(users), figures_(std::move(figures)) {}

    Summary(const Summary&) = default;
    Summary(Summary&& other) noexcept : users_(std::exchange(other.users_, 0)), figures_(std::move(other.figures_)) {}
    Summary& operator=(const Summary& other) { return *this = Summary(other); }  // strong guarantee
    Summary& operator=(Summary&& other) noexcept {
        Summary taken(std::move(other));
        std::swap(users_, taken.users_);
        figures_.swap(taken.figures_);
        return *this;
    }
    ~Summary() = default;

    /// Number of users in the group. If it is 0, every figure is NaN.
    [[nodiscard]] std::size_t users() const noexcept { return users_; }

    /// All figures, one cut-off after the other.
    [[nodiscard]] std::span<const Figure> figures() const noexcept FUNNEL_LIFETIMEBOUND {
        return {figures_.data(), figures_.size()};
    }

    /// The value with this name, such as "ndcg@10".
    ///
    /// Errors    InvalidArgument if there is no such figure; the message lists those that exist
    [[nodiscard]] double at(std::string_view name) const { return figures_[find(name)].value; }

    /// Standard error of the mean: the standard deviation over users divided by the square root of their number. It
    /// tells how much the value depends on which users are in the test part.
    ///
    /// Errors    InvalidArgument if there is no such figure
    [[nodiscard]] double standard_error(std::string_view name) const { return figures_[find(name)].standard_error; }

protected:
    [[nodiscard]] std::size_t find(std::string_view name) const {
        for (std::size_t i = 0; i < figures_.size(); ++i) {
            if (figures_[i].name == name) {
                return i;
            }
        }
        std::string message = "Report: there is no \"" + std::string(name) + "\"; there are";
        for (const Figure& figure : figures_) {
            message += ' ' + figure.name;
        }
        raise<InvalidArgument>(message);
    }

private:
    std::size_t users_ = 0;
    std::vector<Figure> figures_;
};

/// Result of evaluate(): the figures over all evaluated users, over users with and without a training history, and per
/// user.
///
///     report.at("ndcg@10")                report.standard_error("ndcg@10")
///     report.warm().at("recall@20")       report.cold().users()
class Report : public Summary {
public:
    Report() = default;

    /// Builds a report from the figures of all users and of the two groups, with the same names in the same order, and
    /// one column per figure: one value per user in user_ids, or empty.
    ///
    /// Errors    InvalidArgument if the columns do not fit
    Report(Summary all, Summary warm, Summary cold, std::vector<std::uint32_t> user_ids,
           std::vector<std::vector<double>> columns, std::size_t skipped_users)
        : Summary(std::move(all)),
          warm_(std::move(warm)),
          cold_(std::move(cold)),
          user_ids_(std::move(user_ids)),
          columns_(std::move(columns)),
          skipped_users_(skipped_users) {
        require(columns_.size() == figures().size(), "Report: columns must have one element per figure");
        for (const std::vector<double>& column : columns_) {
            require(column.empty() || column.size() == user_ids_.size(),
                    "Report: each column must be empty or have one value per element of user_ids");
        }
    }

    Report(const Report&) = default;
    Report(Report&& other) noexcept
        : Summary(std::move(static_cast<Summary&>(other))),
          warm_(std::move(other.warm_)),
          cold_(std::move(other.cold_)),
          user_ids_(std::move(other.user_ids_)),
          columns_(std::move(other.columns_)),
          skipped_users_(std::exchange(other.skipped_users_, 0)) {}
    Report& operator=(const Report& other) { return *this = Report(other); }  // strong guarantee
    Report& operator=(Report&& other) noexcept {
        Report taken(std::move(other));
        Summary::operator=(std::move(static_cast<Summary&>(taken)));
        warm_ = std::move(taken.warm_);
        cold_ = std::move(taken.cold_);
        user_ids_.swap(taken.user_ids_);
        columns_.swap(taken.columns_);
        std::swap(skipped_users_, taken.skipped_users_);
        return *this;
    }
    ~Report() = default;

    /// Users with a training row.
    [[nodiscard]] const Summary& warm() const& noexcept FUNNEL_LIFETIMEBOUND { return warm_; }
    [[nodiscard]] Summary warm() && noexcept { return std::move(warm_); }
    /// Users without a training row. Only models that do not need a user's history can serve them.
    [[nodiscard]] const Summary& cold() const& noexcept FUNNEL_LIFETIMEBOUND { return cold_; }
    [[nodiscard]] Summary cold() && noexcept { return std::move(cold_); }
    [[nodiscard]] std::size_t warm_users() const noexcept { return warm_.users(); }
    [[nodiscard]] std::size_t cold_users() const noexcept { return cold_.users(); }

    /// Number of users left out because their test rows only repeat their training rows.
    [[nodiscard]] std::size_t skipped_users() const noexcept { return skipped_users_; }

    /// The evaluated users, ascending.
    [[nodiscard]] std::span<const std::uint32_t> user_ids() const noexcept FUNNEL_LIFETIMEBOUND { return user_ids_; }

    /// One value per user in user_ids(), for paired tests. Two reports on the same parts have the same users.
    ///
    /// Returns   NaN for the novelty of an empty list
    /// Errors    InvalidArgument if there is no such figure, or if it is over all lists together, such as coverage@10
    [[nodiscard]] std::span<const double> per_user(std::string_view name) const FUNNEL_LIFETIMEBOUND {
        const std::vector<double>& column = columns_[find(name)];
        if (column.size() != user_ids_.size()) {
            raise<InvalidArgument>("Report: \"" + std::string(name) + "\" has no value for a single user");
        }
        return column;
    }

private:
    Summary warm_;
    Summary cold_;
    std::vector<std::uint32_t> user_ids_;
    std::vector<std::vector<double>> columns_;
    std::size_t skipped_users_ = 0;
};

namespace detail {

struct Mean {
    double value = std::numeric_limits<double>::quiet_NaN();
    double standard_error = std::numeric_limits<double>::quiet_NaN();
};

// Mean of the values for which is_member(position) is true, without NaNs.
template <class IsMember>
[[nodiscard]] Mean mean_of(std::span<const double> values, const IsMember& is_member) {
    std::size_t count = 0;
    const auto sum_over = [&](const auto& term) {
        double sum = 0.0;
        count = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const bool counts = is_member(i) && !math::is_nan(values[i]);
            sum += counts ? term(values[i]) : 0.0;
            count += counts ? 1U : 0U;
        }
        return sum;
    };
    const double sum = sum_over([](double x) { return x; });
    const auto n = static_cast<double>(count);
    Mean mean;
    if (count > 0) {
        mean.value = sum / n;
    }
    if (count > 1) {
        const double squares = sum_over([&](double x) { return (x - mean.value) * (x - mean.value); });
        mean.standard_error = math::sqrt(squares / (n - 1.0) / n);
    }
    return mean;
}

}  // namespace detail

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel
