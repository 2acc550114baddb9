// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/residual.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

using funnel::MatrixView;
using funnel::kernels::add_residual;
using funnel::kernels::weighted_squares;
using namespace funnel::testing;

namespace {

// Rows of d numbers of which `ids` chooses some, with a gap between rows. The memory ends with the last number.
struct Problem {
    std::size_t d;
    std::size_t stride;
    std::vector<float> elements;
    std::vector<std::uint32_t> ids;
    std::vector<float> weights;
    std::vector<float> targets;
    std::vector<float> x;
    std::vector<float> before;

    template <class Draw>
    Problem(std::size_t n, std::size_t width, const Draw& draw) : d(width), stride(width + 3) {
        const std::size_t rows = n + 2;
        elements = draw((rows - 1) * stride + d, 1);
        for (std::size_t i = 0; i < n; ++i) {
            ids.push_back(static_cast<std::uint32_t>((7 * i + 1) % rows));  // some rows twice, others never
        }
        weights = draw(n, 2);
        targets = draw(n, 3);
        x = draw(d, 4);
        before = draw(d + 2, 5);
    }

    [[nodiscard]] MatrixView<const float> rows() const { return {elements, ids.size() + 2, d, stride}; }

    template <class Backend>
    [[nodiscard]] std::vector<float> found(bool has_targets) const {
        std::vector<float> out = before;
        const std::span<const float> of_targets = has_targets ? std::span(targets) : std::span<const float>{};
        add_residual<Backend>(rows(), ids, weights, of_targets, x, std::span(out).subspan(1, d));
        return out;
    }

    // The sums in double, and for each the sum of absolute values.
    [[nodiscard]] std::pair<std::vector<double>, std::vector<double>> expected(bool has_targets) const {
        std::vector<double> sums(before.begin(), before.end());
        std::vector<double> sizes(before.size());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            double product = 0.0;
            double size = 0.0;
            for (std::size_t j = 0; j < d; ++j) {
                const double term = static_cast<double>(rows()(ids[i], j)) * static_cast<double>(x[j]);
                product += term;
                size += std::abs(term);
            }
            const double target = has_targets ? static_cast<double>(targets[i]) : 0.0;
            const auto weight = static_cast<double>(weights[i]);
            for (std::size_t j = 0; j < d; ++j) {
                const auto element = static_cast<double>(rows()(ids[i], j));
                sums[j + 1] += (target - weight * product) * element;
                sizes[j + 1] += (std::abs(target) + std::abs(weight) * size) * std::abs(element);
            }
        }
        return {sums, sizes};
    }
};

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("add_residual: worked by hand", Backend, residual_by_hand) {
    const std::vector<float> elements{1.0F, 2.0F, 9.0F, 9.0F, 0.0F, -1.0F};
    const MatrixView<const float> rows(elements, 3, 2);
    const std::vector<std::uint32_t> ids{2, 0};
    const std::vector<float> weights{1.0F, 2.0F};
    const std::vector<float> targets{1.0F, 3.0F};
    const std::vector<float> x{3.0F, 1.0F};
    // (0, -1) . x = -1: 1 + 1 = 2 times (0, -1).   (1, 2) . x = 5: 3 - 2 * 5 = -7 times (1, 2).
    std::vector<float> out{100.0F, 200.0F};
    add_residual<Backend>(rows, ids, weights, targets, x, out);
    CHECK(out == std::vector<float>{93.0F, 184.0F});
    // Without targets: 1 times (0, -1), and -10 times (1, 2).
    out = {0.0F, 0.0F};
    add_residual<Backend>(rows, ids, weights, {}, x, out);
    CHECK(out == std::vector<float>{-10.0F, -21.0F});
}
TEST_CASE_TEMPLATE_APPLY(residual_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("add_residual: agrees with the definition, and nothing is written around", Backend,
                          residual_definition) {
    const auto check = [](std::size_t n, std::size_t d, bool has_targets) {
        const Problem problem(n, d, [](std::size_t count, std::uint64_t stream) { return normals(count, stream); });
        const std::vector<float> out = problem.found<Backend>(has_targets);
        const auto [sums, sizes] = problem.expected(has_targets);
        double largest = 0.0;  // error in units of the rounding of a sum
        for (std::size_t j = 0; j < d; ++j) {
            const double allowed = unit_roundoff * static_cast<double>(n + d + 3) *
                                   (sizes[j + 1] + std::abs(static_cast<double>(problem.before[j + 1])));
            largest = std::max(largest, std::abs(static_cast<double>(out[j + 1]) - sums[j + 1]) / allowed);
        }
        CAPTURE(n);
        CAPTURE(d);
        CHECK(largest <= 1.0);
        CHECK(out.front() == problem.before.front());
        CHECK(out.back() == problem.before.back());
    };
    for (const std::size_t length : lengths()) {
        for (const bool has_targets : {false, true}) {
            check(length, 37, has_targets);
            check(21, length, has_targets);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(residual_definition, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("add_residual: exact on small whole numbers", Backend, residual_exact) {
    // Products of up to 40 numbers in [-1, 1], times weights and numbers in [-1, 1], are exact in float.
    const auto signs = [](std::size_t count, std::uint64_t stream) {
        std::vector<float> numbers = small_integers(count, stream);
        for (float& number : numbers) {
            number = number > 2.0F ? 1.0F : number < -2.0F ? -1.0F : 0.0F;
        }
        return numbers;
    };
    for (std::size_t n = 0; n <= 40; ++n) {
        for (std::size_t d = 1; d <= 40; ++d) {
            const Problem problem(n, d, signs);
            const auto [sums, sizes] = problem.expected(true);
            CHECK(problem.found<Backend>(true) == std::vector<float>(sums.begin(), sums.end()));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(residual_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("weighted_squares: worked by hand, and agrees with the definition", Backend,
                          squares_definition) {
    const std::vector<float> elements{1.0F, 2.0F, 9.0F, 9.0F, 0.0F, -1.0F};
    const std::vector<std::uint32_t> chosen{2, 0};
    const std::vector<float> weights{3.0F, 2.0F};
    const std::vector<float> direction{3.0F, 1.0F};
    // 3 (-1)^2 + 2 * 5^2
    CHECK(weighted_squares<Backend>(MatrixView<const float>(elements, 3, 2), chosen, weights, direction) == 53.0F);

    const auto check = [](std::size_t n, std::size_t d) {
        const Problem problem(n, d, [](std::size_t count, std::uint64_t stream) { return normals(count, stream); });
        double sum = 0.0;
        double size = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            double product = 0.0;
            double of_product = 0.0;
            for (std::size_t j = 0; j < d; ++j) {
                const double term =
                    static_cast<double>(problem.rows()(problem.ids[i], j)) * static_cast<double>(problem.x[j]);
                product += term;
                of_product += std::abs(term);
            }
            sum += static_cast<double>(problem.weights[i]) * product * product;
            size += std::abs(static_cast<double>(problem.weights[i])) * of_product * of_product;
        }
        const float found = weighted_squares<Backend>(problem.rows(), problem.ids, problem.weights, problem.x);
        CAPTURE(n);
        CAPTURE(d);
        CHECK(std::abs(static_cast<double>(found) - sum) <= unit_roundoff * static_cast<double>(n + 2 * d + 3) * size);
    };
    for (const std::size_t length : lengths()) {
        check(length, 37);
        check(21, length);
    }
}
TEST_CASE_TEMPLATE_APPLY(squares_definition, HostBackends);
