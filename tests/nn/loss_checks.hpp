// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/allocations.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/nn/loss.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace funnel::testing {

/// Five lists, two of them empty and one with a single item; labels 0, 1 (or up to `largest_label`).
struct LossSample {
    std::vector<double> scores;
    std::vector<float> labels;
    std::vector<std::size_t> group_sizes{0, 6, 1, 0, 9};

    explicit LossSample(std::uint64_t largest_label, double spread = 1.0) {
        Random random(7);
        for (int i = 0; i < 16; ++i) {
            scores.push_back(spread * random.normal());
            labels.push_back(static_cast<float>(random.below(largest_label + 1)));
        }
    }
};

/// (f(x + h) - f(x - h)) / 2h, for each x in turn. f reads the numbers themselves.
template <class F>
std::vector<double> central_differences(std::vector<double>& x, const F& f, double h = 1e-5) {
    std::vector<double> slopes;
    for (double& value : x) {
        const double before = value;
        value = before + h;
        const double above = f();
        value = before - h;
        const double below = f();
        value = before;
        slopes.push_back((above - below) / (2.0 * h));
    }
    return slopes;
}

inline bool are_close(std::span<const double> a, std::span<const double> b, double tolerance) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](double x, double y) { return std::abs(x - y) <= tolerance * std::max(1.0, std::abs(y)); });
}

template <nn::Loss L>
void check_loss_errors(const L& kind, const LossSample& sample) {
    const auto message_of = [&](std::vector<double> scores, std::vector<float> labels,
                                std::vector<std::size_t> groups) -> std::string {
        try {
            (void)nn::loss(kind, scores, labels, groups);
        } catch (const InvalidArgument& error) {
            return error.what();
        }
        return "no error";
    };
    const std::string name = L::name;
    const auto is_found = [](const std::string& text, const std::string& part) {
        CAPTURE(text);
        CAPTURE(part);
        CHECK(text.find(part) != std::string::npos);
    };
    for (const double wrong : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        auto scores = sample.scores;
        scores[3] = wrong;
        is_found(message_of(scores, sample.labels, sample.group_sizes),
                 name + ": the score at position 3 must be finite");
    }
    for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        auto labels = sample.labels;
        labels[4] = wrong;
        is_found(message_of(sample.scores, labels, sample.group_sizes),
                 name + ": the label at position 4 " + L::label_rule);
    }
    is_found(message_of(sample.scores, {1.0F}, {}), name + ": number of labels must be 16, got 1");
    is_found(message_of(sample.scores, sample.labels, {15}), name + ": sum of group_sizes must be 16, got 15");
    is_found(message_of(sample.scores, sample.labels, {17, std::numeric_limits<std::size_t>::max()}), "must be 16");

    nn::LossScratch scratch;
    std::vector<double> room(16);
    CHECK_THROWS_AS((void)nn::loss(kind, sample.scores, sample.labels, {}, scratch, std::span(room).first(15)),
                    InvalidArgument);
    CHECK_THROWS_AS((void)nn::loss(kind, sample.scores, sample.labels, {}, scratch, room, std::span(room).first(15)),
                    InvalidArgument);
    if (!L::has_hessian) {
        CHECK_THROWS_AS((void)nn::loss(kind, sample.scores, sample.labels, {}, scratch, room, room), InvalidArgument);
    }
}

/// What every loss promises: its gradient (and second derivatives) by central differences, one list at a time, finite
/// results for huge and for equal scores, no allocations with warm scratch memory, and errors.
///
/// is_differentiable: false if the gradient is not that of the value by definition
template <nn::Loss L>
void check_loss(const L& kind, std::uint64_t largest_label, bool is_differentiable = true) {
    LossSample sample(largest_label);
    const auto& [scores, labels, group_sizes] = sample;
    const std::size_t n = sample.scores.size();
    const nn::LossGradient whole = nn::loss(kind, sample.scores, sample.labels, sample.group_sizes);
    REQUIRE(whole.gradient.size() == n);
    if (is_differentiable) {
        const auto slopes = central_differences(
            sample.scores, [&] { return nn::loss(kind, sample.scores, sample.labels, sample.group_sizes).value; });
        CHECK(are_close(whole.gradient, slopes, 1e-7));
    }

    // One list at a time, with the number that it has among all lists.
    double sum = 0.0;
    std::vector<double> gradient;
    std::size_t begin = 0;
    for (std::size_t g = 0; g < group_sizes.size(); ++g) {
        std::vector<std::size_t> only(g + 1, 0);
        only.back() = group_sizes[g];
        const auto list = nn::loss(kind, std::span<const double>(sample.scores).subspan(begin, group_sizes[g]),
                                   std::span<const float>(sample.labels).subspan(begin, group_sizes[g]), only);
        sum += list.value;
        gradient.insert(gradient.end(), list.gradient.begin(), list.gradient.end());
        begin += group_sizes[g];
    }
    CHECK(sum == doctest::Approx(whole.value).epsilon(1e-12));
    CHECK(gradient == whole.gradient);

    nn::LossScratch scratch;
    std::vector<double> room(n, -7.0);
    std::vector<double> curvature(L::has_hessian ? n : 0, -7.0);
    const auto fill = [&] {
        return nn::loss(kind, sample.scores, sample.labels, sample.group_sizes, scratch, room, curvature);
    };
    CHECK(fill() == whole.value);
    CHECK(room == whole.gradient);
    CHECK(allocations_of([&] { (void)fill(); }) == 0);
    if (L::has_hessian && is_differentiable) {
        for (std::size_t i = 0; i < n; ++i) {
            const auto slope = central_differences(sample.scores, [&] {
                return nn::loss(kind, sample.scores, sample.labels, sample.group_sizes).gradient[i];
            })[i];
            CHECK(curvature[i] == doctest::Approx(slope).epsilon(1e-6));
        }
    }

    // All scores equal; all labels equal; far apart; nothing at all.
    const std::vector<double> zeros(n, 0.0);
    const std::vector<float> ones(n, 1.0F);
    LossSample far(largest_label, 1e100);
    for (const auto& result : {nn::loss(kind, zeros, sample.labels), nn::loss(kind, sample.scores, ones),
                               nn::loss(kind, zeros, ones), nn::loss(kind, far.scores, far.labels, far.group_sizes)}) {
        CHECK(math::is_finite(result.value));
        CHECK(std::all_of(result.gradient.begin(), result.gradient.end(),
                          [](const double& g) { return math::is_finite(g); }));
    }
    const auto nothing = nn::loss(kind, {}, {});
    CHECK(nothing.value == 0.0);
    CHECK(nothing.gradient.empty());
}

}  // namespace funnel::testing
