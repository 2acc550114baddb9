// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/columns.hpp>
#include <funnel/nn/cross_network.hpp>
#include <funnel/nn/dot_interaction.hpp>
#include <funnel/nn/fm_interaction.hpp>
#include <funnel/nn/gated_experts.hpp>
#include <funnel/nn/parallel_layers.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"

#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <vector>

using namespace funnel::nn;
using namespace funnel::testing;

namespace {

// Rows that begin with the same numbers give the same, whether that part is computed once or for each row.
template <Layer L, std::size_t Head>
void check_split() {
    constexpr std::size_t rows = 7;
    LayerRun<L> run(rows);
    run.randomise(4);
    std::vector<double> tail;
    for (std::size_t i = 0; i < rows; ++i) {
        std::copy_n(run.x.begin(), Head, run.x.begin() + static_cast<std::ptrdiff_t>(i * L::in));
        tail.insert(tail.end(), run.x.begin() + static_cast<std::ptrdiff_t>(i * L::in + Head),
                    run.x.begin() + static_cast<std::ptrdiff_t>((i + 1) * L::in));
    }
    run.infer();
    std::vector<double> y(run.y.size());
    std::vector<double> scratch(detail::split_scratch<L>(rows));
    detail::infer_split<L, funnel::kernels::Scalar, Head, double>(
        run.parameters, run.statistics, std::span<const double>(run.x).first(Head),
        funnel::MatrixView<const double>(tail, rows, L::in - Head), funnel::MatrixView<double>(y, rows, L::out),
        scratch);
    CHECK(are_close(y, run.y, 1e-12));
}

// infer must give what forward gives, and both must not depend on whether dx is wanted.
template <Layer L>
void check_layer(std::size_t rows = 5) {
    CHECK(gradient_error<L>(rows) < 1e-6);
    LayerRun<L> run(rows);
    run.randomise(3);
    run.forward();
    const std::vector<double> y = run.y;
    run.infer();
    CHECK(are_close(run.y, y, 1e-12));
}

}  // namespace

TEST_CASE("FMInteraction, DotInteraction: published values") {
    LayerRun<FMInteraction<3, 2>> fm(1);
    fm.x = sines(6, 0.0);
    fm.forward();
    CHECK(fm.y[0] == doctest::Approx(-1.511641).epsilon(1e-6));
    check_layer<FMInteraction<4, 3>>();

    LayerRun<DotInteraction<3, 2>> dots(1);
    dots.x = sines(6, 0.0);
    dots.forward();
    CHECK(are_close(dots.y, joined({{dots.x[0], dots.x[1]}, {0.1187484, -0.806907, -0.823482}}), 1e-6));
    check_layer<DotInteraction<4, 3>>();
}

TEST_CASE("FMInteraction: the sum over all pairs, unlike the flattened form of torchrec") {
    LayerRun<FMInteraction<2, 2>> fm(1);
    fm.x = {1, 2, 3, 4};
    fm.forward();
    CHECK(fm.y[0] == 11.0);  // <(1, 2), (3, 4)>; the flattened form also counts 1 * 2, 1 * 4, ...: 35
}

TEST_CASE("CrossNetwork: published values and gradients of two layers") {
    LayerRun<CrossNetwork<3, 2>> run(2);
    run.x = sines(6, 0.0);
    run.parameters = joined({sines(9, 1.0, 0.5), sines(3, 4.0, 0.5), sines(9, 2.0, 0.5), sines(3, 5.0, 0.5)});
    run.dy.assign(6, 1.0);
    run.forward();
    run.backward();
    CHECK(are_close(run.y, std::vector<double>{0, 0.2430005, 1.299026, -0.01735645, -0.6073626, -0.5935148}, 1e-6));
    CHECK(
        are_close(run.dx, std::vector<double>{0.1008419, 0.3193582, 1.538224, -0.1182869, 0.663011, 0.5222567}, 1e-6));
    CHECK(are_close(std::span(run.gradient).first(12),
                    std::vector<double>{0.01897205, -0.1017439, -0.128917, -0.09805235, 1.283341, 1.484837, -0.1297525,
                                        1.483238, 1.732546, 0.1344392, 0.205398, 0.01629073},
                    1e-6));
    check_layer<CrossNetwork<3, 1>>();
    check_layer<CrossNetwork<3, 2>>();
    check_layer<CrossNetwork<4, 3>>();
}

TEST_CASE("Columns, AddUp: worked by hand") {
    LayerRun<Columns<4, 1, 2>> columns(1);
    columns.x = {1, 2, 3, 4};
    columns.dy = {5, 6};
    columns.forward();
    columns.backward();
    CHECK(columns.y == std::vector<double>{2, 3});
    CHECK(columns.dx == std::vector<double>{0, 5, 6, 0});
    LayerRun<AddUp<2, 2>> sum(1);
    sum.x = {1, 2, 3, 4};
    sum.dy = {5, 6};
    sum.forward();
    sum.backward();
    CHECK(sum.y == std::vector<double>{4, 6});
    CHECK(sum.dx == std::vector<double>{5, 6, 5, 6});
    check_layer<Columns<5, 0, 5>>();
    check_layer<AddUp<3, 2>>();
}

TEST_CASE("Parallel, Blocks: layers side by side are a layer, also inside others") {
    using Deep = Sequential<Dense<6, 5>, Tanh, Dense<5, 2>>;
    check_layer<Parallel<Deep, Columns<6, 2, 3>, Dense<6, 1>>>();
    check_layer<Blocks<Deep, Dense<3, 2>>>();
    check_layer<Sequential<Parallel<Deep, CrossNetwork<6, 2>>, Dense<8, 1>>>();
    check_layer<Sequential<Dense<4, 6>, Parallel<Deep, Deep>, AddUp<2, 2>>>();
    CHECK(gradient_error<Parallel<BatchNorm<4>, Dropout<4>, Dropout<4>>>(6) < 1e-6);
    static_assert(Parallel<Deep, Dense<6, 1>>::in == 6 && Parallel<Deep, Dense<6, 1>>::out == 3);
    static_assert(Blocks<Deep, Dense<3, 2>>::in == 9 && Blocks<Deep, Dense<3, 2>>::out == 4);

    // Two dropouts side by side draw different masks.
    LayerRun<Parallel<Dropout<50>, Dropout<50>>> masks(1);
    masks.x.assign(50, 1.0);
    masks.forward();
    CHECK(!std::equal(masks.y.begin(), masks.y.begin() + 50, masks.y.begin() + 50));
}

TEST_CASE("infer_split: the same outputs as for whole rows, for every layer") {
    using Deep = Sequential<Dense<6, 5>, ReLU, Dense<5, 2>>;
    check_split<Dense<6, 3>, 4>();
    check_split<Deep, 4>();
    check_split<CrossNetwork<6, 1>, 2>();
    check_split<CrossNetwork<6, 3>, 2>();
    check_split<Columns<6, 0, 3>, 4>();
    check_split<Columns<6, 1, 4>, 3>();
    check_split<Columns<6, 4, 2>, 3>();
    check_split<Columns<6, 3, 3>, 3>();
    check_split<FMInteraction<3, 2>, 2>();
    check_split<Blocks<Dense<3, 2>, Dense<3, 2>>, 4>();
    check_split<Parallel<Deep, CrossNetwork<6, 2>, Columns<6, 2, 3>, BatchNorm<6>>, 4>();
    check_split<Sequential<Parallel<Deep, CrossNetwork<6, 2>>, Dense<8, 1>>, 5>();
    check_split<Sequential<Sequential<Columns<6, 0, 6>, FMInteraction<3, 2>>, Dense<1, 1>>, 4>();
    check_split<Sequential<ReLU::bind<6>, Dense<6, 2>>, 3>();
}

TEST_CASE("GatedExperts: the published logits of MMoE and PLE") {
    const std::vector<double> x = sines(4, 0.0);
    const auto zeros = [](std::size_t count) { return std::vector<double>(count); };
    using Expert = Sequential<Dense<4, 3>, ReLU>;
    using Towers = Blocks<Dense<3, 1>, Dense<3, 1>>;
    const std::vector<double> towers = joined({sines(3, 6.0, 0.5), zeros(1), sines(3, 7.0, 0.5), zeros(1)});
    const auto expert = [&](double phase) { return joined({sines(12, phase, 0.5), zeros(3)}); };

    using MMoE =
        Sequential<Parallel<Expert, Expert, Expert, Dense<4, 3>, Dense<4, 3>>, GatedExperts<3, 2, 0, 3>, Towers>;
    LayerRun<MMoE> mmoe(1);
    mmoe.x = x;
    mmoe.parameters = joined({expert(1.0), expert(2.0), expert(3.0), expert(4.0), expert(5.0), towers});
    mmoe.forward();
    CHECK(are_close(mmoe.y, std::vector<double>{0.1829624, 0.2866227}, 1e-6));

    using PLE =
        Sequential<Parallel<Expert, Expert, Expert, Dense<4, 2>, Dense<4, 2>>, GatedExperts<3, 2, 1, 1>, Towers>;
    LayerRun<PLE> ple(1);
    ple.x = x;
    ple.parameters = joined(
        {expert(8.0), expert(9.0), expert(10.0), sines(8, 11.0, 0.5), zeros(2), sines(8, 12.0, 0.5), zeros(2), towers});
    ple.forward();
    CHECK(are_close(ple.y, std::vector<double>{0.2448902, 0.3041309}, 1e-6));

    check_layer<GatedExperts<3, 2, 0, 3>>();
    check_layer<GatedExperts<2, 3, 2, 1>>();
    check_layer<GatedExperts<2, 2, 2, 0>>();
    CHECK(
        gradient_error<
            Sequential<Parallel<Sequential<Dense<4, 3>, Tanh>, Sequential<Dense<4, 3>, Tanh>, Dense<4, 2>, Dense<4, 2>>,
                       GatedExperts<3, 2, 0, 2>, Towers>>(4) < 1e-6);
}

TEST_CASE("GatedExperts: logits of any size give weights that sum to 1") {
    LayerRun<GatedExperts<1, 1, 0, 2>> run(1);
    run.x = {3.0, 5.0, 1e4, -1e4};
    run.forward();
    CHECK(run.y[0] == 3.0);
}
