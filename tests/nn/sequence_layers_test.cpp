// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/gru.hpp>
#include <funnel/nn/target_attention.hpp>

#include "nn/gradient_check.hpp"
#include "nn/layer_checks.hpp"
#include "nn/loss_checks.hpp"

#include <funnel/nn/columns.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using namespace funnel::nn;
using namespace funnel::testing;

namespace {

template <std::size_t In, std::size_t Hidden>
std::vector<double> published_gru() {
    return joined({sines(3 * Hidden * In, 0.0, 0.5), sines(3 * Hidden * Hidden, 1.0, 0.5), sines(3 * Hidden, 2.0, 0.5),
                   sines(3 * Hidden, 3.0, 0.5)});
}

// Rows with lengths 0 to 3: what is after the last step, of `width` numbers after a head, has no gradient and changes
// nothing.
template <class Layer>
void check_padding(std::size_t head, std::size_t width, double padding) {
    LayerRun<Layer> run(4);
    run.randomise(3);
    lengths<3>(run);
    run.forward();
    run.backward();
    const std::vector<double> y = run.y;
    const std::vector<double> gradient = run.gradient;
    for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = head + width * i; j < Layer::in - 1; ++j) {
            CHECK(run.dx[i * Layer::in + j] == 0.0);
            run.x[i * Layer::in + j] = padding;
        }
    }
    run.forward();
    run.backward();
    CHECK(run.y == y);
    CHECK(run.gradient == gradient);
    run.infer();
    CHECK(run.y == y);
}

}  // namespace

TEST_CASE("GRU: the published states and gradients of two steps, gates in the order of PyTorch") {
    const std::vector<double> start = sines(2, 5.0, 0.5);
    const std::vector<double> steps = sines(6, 4.0);
    LayerRun<GRU<3, 2, 2>> run(1);
    run.parameters = published_gru<3, 2>();
    run.x = joined({start, steps, {2.0}});
    run.dy = {1, 1};
    run.forward();
    run.backward();
    CHECK(are_close(run.y, std::vector<double>{0.03139558, 0.3412107}, 1e-6));
    CHECK(are_close(std::span(run.dx).subspan(2, 6),
                    std::vector<double>{-0.07479874, 0.06653274, 0.1466943, 0.07644736, -0.03012582, -0.1090015},
                    1e-6));
    const std::span<const double> g = run.gradient;
    check_long(g.first(18), {-0.00543167, -0.004117509, 0.0009822703, 0.03460152}, 1.643345, -0.8109926);
    check_long(g.subspan(18, 12), {-0.01514878, 0.003355027, -0.02078015, 0.02228158}, -0.02560238, -0.1034425);
    CHECK(are_close(g.subspan(30),
                    std::vector<double>{0.04009433, 0.07433904, -0.1465556, -0.01702194, 0.8989238, 0.6784838,
                                        0.04009433, 0.07433904, -0.1465556, -0.01702194, 0.5752279, 0.1978076},
                    1e-6));

    // The state after one step, by a length of 1; and a row that continues from it.
    run.x.back() = 1.0;
    run.infer();
    CHECK(are_close(run.y, std::vector<double>{-0.2482025, 0.3685901}, 1e-6));
    LayerRun<GRU<3, 2, 1>> next(1);
    next.parameters = run.parameters;
    next.x = joined({run.y, {steps[3], steps[4], steps[5]}, {1.0}});
    next.infer();
    CHECK(are_close(next.y, std::vector<double>{0.03139558, 0.3412107}, 1e-6));
}

TEST_CASE("GRU: the published state of GRU4Rec, through a Dense layer") {
    LayerRun<Sequential<GRU<3, 2, 3>, Dense<2, 3>>> run(1);
    run.parameters = joined({published_gru<3, 2>(), sines(6, 4.0, 0.5), sines(3, 5.0, 0.5)});
    const std::vector<double> items = sines(18, 0.0, 0.5);
    const auto item = [&](std::size_t i) {
        return std::vector<double>(items.begin() + static_cast<std::ptrdiff_t>(3 * i),
                                   items.begin() + static_cast<std::ptrdiff_t>(3 * i + 3));
    };
    run.x = joined({{0, 0}, item(2), item(5), item(1), {3.0}});
    run.infer();
    std::vector<double> scores;
    for (std::size_t i = 0; i < 6; ++i) {
        scores.push_back(items[3 * i] * run.y[0] + items[3 * i + 1] * run.y[1] + items[3 * i + 2] * run.y[2]);
    }
    CHECK(are_close(scores, std::vector<double>{0.169814, -0.2178212, 0.2614686, -0.2998827, 0.3322947, -0.3580558},
                    1e-6));
}

TEST_CASE("GRU: gradients with lengths from 0 to all steps; padding changes nothing and has no gradient") {
    using Layer = GRU<3, 4, 3>;
    CHECK(gradient_error<Layer>(5, 1, lengths<3>) < 1e-6);
    CHECK(gradient_error<GRU<1, 1, 1>>(3, 2, lengths<1>) < 1e-6);
    LayerRun<Layer> run(1);
    run.randomise(3);
    run.x.back() = 0.0;
    run.forward();
    CHECK(std::equal(run.y.begin(), run.y.end(), run.x.begin()));  // a length of 0: the state of the row
    check_padding<Layer>(4, 3, 1e6);
}

TEST_CASE("GRU, TargetAttention: a length that is negative, not finite, not whole or too large is cut") {
    const auto check = []<class L>(L) {
        LayerRun<L> run(1);
        run.randomise(6);
        const auto output = [&](double length) {
            run.x.back() = length;
            run.infer();
            return run.y;
        };
        CHECK(output(-3.0) == output(0.0));
        CHECK(output(std::numeric_limits<double>::quiet_NaN()) == output(0.0));
        CHECK(output(-std::numeric_limits<double>::infinity()) == output(0.0));
        CHECK(output(1.9) == output(1.0));
        CHECK(output(1e300) == output(2.0));
        CHECK(output(std::numeric_limits<double>::infinity()) == output(0.0));
        CHECK(output(1.0) != output(2.0));
    };
    check(GRU<2, 3, 2>{});
    check(TargetAttention<4, 2, 2>{});
}

TEST_CASE("TargetAttention: worked by hand") {
    // All projections are the identity: weights are softmax(<q, x_j>), with one head of width 1.
    LayerRun<TargetAttention<1, 1, 3>> run(2);
    run.parameters = {1, 1, 1, 0, 0, 0, 1, 0.5};
    run.x = {1, std::log(2.0), 0, 99, 2, /* no steps */ 1, 7, 8, 9, 0};
    run.infer();
    CHECK(run.y[0] == doctest::Approx(2.0 / 3.0 * std::log(2.0) + 0.5));  // weights 2 / 3, 1 / 3
    CHECK(run.y[1] == 0.5);                                               // the bias
}

TEST_CASE("TargetAttention: the published outputs and gradients of causal attention") {
    // Row t attends from vector t to the vectors 0 .. t.
    const std::vector<double> x = sines(12, 0.0);
    const auto run_with = [&]<class L>(L) {
        LayerRun<L> run(3);
        run.parameters = joined({sines(16, 1.0, 0.5), sines(16, 2.0, 0.5), sines(16, 3.0, 0.5), std::vector<double>(12),
                                 sines(16, 4.0, 0.5), std::vector<double>(4)});
        run.x.clear();
        for (std::size_t t = 0; t < 3; ++t) {
            run.x.insert(run.x.end(), x.begin() + static_cast<std::ptrdiff_t>(4 * t),
                         x.begin() + static_cast<std::ptrdiff_t>(4 * t + 4));
            run.x.insert(run.x.end(), x.begin(), x.end());
            run.x.push_back(static_cast<double>(t + 1));
        }
        run.dy = sines(12, 6.0);
        run.forward();
        run.backward();
        std::vector<double> dx(12);
        for (std::size_t t = 0; t < 3; ++t) {
            for (std::size_t j = 0; j < 12; ++j) {
                dx[j] += run.dx[t * 17 + 4 + j];
            }
            for (std::size_t j = 0; j < 4; ++j) {
                dx[t * 4 + j] += run.dx[t * 17 + j];
            }
        }
        run.dx = dx;
        return run;
    };
    const auto one = run_with(TargetAttention<4, 1, 3>{});
    const std::span<const double> g1 = one.gradient;
    check_long(one.y, {-0.1837851, 0.02958037, 0.1451151, -0.2192875}, -0.2111102, 0.05610257);
    check_long(one.dx, {0.0004423713, 0.03629501, 0.03877819, 0.005608875}, 0.0259651, -0.06381365);
    check_long(g1.first(16), {0.02330709, 0.01330543, -0.008929187, -0.02295435}, 0.01723494, 0.1815674);
    check_long(g1.subspan(60, 16), {0.4861427, 0.2703821, -0.8396098, 0.8272291}, -0.7561586, -0.3224044);
    const auto two = run_with(TargetAttention<4, 2, 3>{});
    const std::span<const double> g2 = two.gradient;
    check_long(two.y, {-0.1837851, 0.02958037, 0.1451151, -0.2192875}, -0.5874237, -0.0418396);
    check_long(two.dx, {-0.0334717, 0.0290059, 0.06481561, 0.04103415}, 0.06055357, -0.1134622);
    check_long(g2.first(16), {0.03393692, 0.01906693, -0.0133331, -0.03347474}, 0.04666343, 0.1107709);
    check_long(g2.subspan(60, 16), {0.5954898, 0.2685952, -0.4214653, 0.4437616}, -0.9584968, -0.3135834);
}

TEST_CASE("TargetAttention: gradients with lengths from 0 to all steps; padding may be anything, also NaN") {
    using Layer = TargetAttention<4, 2, 3>;
    CHECK(gradient_error<Layer>(5, 1, lengths<3>) < 1e-6);
    CHECK(gradient_error<TargetAttention<3, 3, 2>>(4, 1, lengths<2>) < 1e-6);
    CHECK(gradient_error<TargetAttention<1, 1, 1>>(3, 1, lengths<1>) < 1e-6);
    check_padding<Layer>(4, 4, std::numeric_limits<double>::quiet_NaN());
}

TEST_CASE("TargetAttention: the order of a history does not matter; scores of any size stay finite") {
    LayerRun<TargetAttention<2, 1, 2>> run(1);
    run.randomise(2);
    run.x.back() = 2.0;
    run.infer();
    const std::vector<double> y = run.y;
    std::swap(run.x[2], run.x[4]);
    std::swap(run.x[3], run.x[5]);
    run.infer();
    CHECK(are_close(run.y, y, 1e-12));
    run.x = {1e6, -1e6, 1e6, 1e6, -1e6, 1e6, 2};
    run.forward();
    run.backward();
    CHECK(std::all_of(run.y.begin(), run.y.end(), [](double v) { return std::isfinite(v); }));
    CHECK(std::all_of(run.dx.begin(), run.dx.end(), [](double v) { return std::isfinite(v); }));
}

TEST_CASE_TEMPLATE_DEFINE("GRU, TargetAttention: floats agree with doubles, the same bits for any number of threads",
                          Backend, sequence_backends) {
    check_floats<GRU<5, 40, 3>, Backend>(lengths<3>);
    check_floats<TargetAttention<40, 4, 3>, Backend>(lengths<3>);
}
TEST_CASE_TEMPLATE_APPLY(sequence_backends, HostBackends);

TEST_CASE("GRU, TargetAttention: a part of a larger network, and no rows at all") {
    using Network =
        Sequential<Parallel<TargetAttention<2, 1, 3>, Sequential<Columns<9, 2, 7>, Dense<7, 2>>>, Dense<4, 1>>;
    CHECK(gradient_error<Network>(4, 1, lengths<3>) < 1e-6);
    LayerRun<GRU<2, 3, 2>> none(0);
    none.forward();
    none.backward();
    none.infer();
    CHECK(none.gradient == std::vector<double>(none.gradient.size()));
    LayerRun<TargetAttention<2, 1, 2>> nothing(0);
    nothing.forward();
    nothing.backward();
    nothing.infer();
    CHECK(nothing.gradient == std::vector<double>(nothing.gradient.size()));
}
