// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What small weights save, and what they cost: the item tower of a trained two-tower model (136-256-64, unit vectors),
// frozen with floats, Float16, BFloat16 and bytes. Times of calls of 1 and of 1,000 rows, the relative error of the vectors,
// and for how many of the first ten items of a user they agree with those of floats.
//
//   frozen_tower_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/quality_gate.hpp>
#include <funnel/nn/softmax_losses.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <span>
#include <string>
#include <vector>

using namespace funnel;

namespace {

using Tower = nn::Tower<nn::Dense<136, 256>, nn::ReLU, nn::Dense<256, 64>, nn::L2Normalize<64>>;

constexpr std::size_t tastes = 16;
constexpr std::size_t batch = 256;
constexpr std::size_t items = 1000;
constexpr bench::TimingOptions timing{.samples = 15, .sample_seconds = 0.01, .clock = bench::Clock::ThreadCPU};
constexpr const char* data = "a trained item tower 136-256-64 of a two-tower model, computed data";

/// Users and the items that they take share a taste, which their features show through noise.
struct World {
    Matrix<float> of_users{tastes, Tower::in};
    Matrix<float> of_items{tastes, Tower::in};
    Random random{1};

    World() {
        fill(of_users);
        fill(of_items);
    }

    void fill(Matrix<float>& numbers) {
        for (std::size_t i = 0; i < numbers.rows(); ++i) {
            for (float& number : numbers.row(i)) {
                number = static_cast<float>(random.normal());
            }
        }
    }

    void pairs(Matrix<float>& users, Matrix<float>& taken) {
        fill(users);
        fill(taken);
        for (std::size_t i = 0; i < users.rows(); ++i) {
            for (std::size_t t = 0; t < tastes; ++t) {
                const auto taste = static_cast<float>(random.normal());
                for (std::size_t j = 0; j < Tower::in; ++j) {
                    users(i, j) += taste * of_users(t, j);
                    taken(i, j) += taste * of_items(t, j);
                }
            }
        }
    }
};

struct Side {
    explicit Side(std::uint64_t seed) : tower(seed) {}

    void step(const Matrix<float>& x) {
        std::fill(gradient.begin(), gradient.end(), 0.0F);
        tower.backward(x, dy, pass, gradient);
        adam.step(tower.parameters(), gradient);
    }

    Tower tower;
    Tower::Pass pass{batch};
    nn::Adam adam{Tower::Network::parameters};
    Matrix<float> dy{batch, Tower::out};
    std::vector<float> gradient = std::vector<float>(Tower::Network::parameters);
};

/// The first ten items of each user.
std::vector<std::vector<std::size_t>> first_ten(const Matrix<float>& users, const Matrix<float>& vectors) {
    std::vector<std::vector<std::size_t>> lists;
    std::vector<float> scores(vectors.rows());
    for (std::size_t u = 0; u < users.rows(); ++u) {
        for (std::size_t i = 0; i < vectors.rows(); ++i) {
            scores[i] = std::inner_product(users.row(u).begin(), users.row(u).end(), vectors.row(i).begin(), 0.0F);
        }
        std::vector<std::size_t> order(vectors.rows());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::partial_sort(order.begin(), order.begin() + 10, order.end(),
                          [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
        order.resize(10);
        std::sort(order.begin(), order.end());
        lists.push_back(std::move(order));
    }
    return lists;
}

double agreement(const Matrix<float>& users, const Matrix<float>& vectors, const Matrix<float>& expected) {
    const auto found = first_ten(users, vectors);
    const auto known = first_ten(users, expected);
    std::vector<std::size_t> same;
    for (std::size_t u = 0; u < found.size(); ++u) {
        std::set_intersection(found[u].begin(), found[u].end(), known[u].begin(), known[u].end(),
                              std::back_inserter(same));
    }
    return static_cast<double>(same.size()) / static_cast<double>(10 * found.size());
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("frozen_tower", argc, argv);
    World world;
    Side user(1);
    Side item(2);
    Matrix<float> users(batch, Tower::in);
    Matrix<float> taken(batch, Tower::in);
    nn::InBatchScratch<float> scratch;
    for (std::size_t step = 0; step < 300; ++step) {
        world.pairs(users, taken);
        const auto u = user.tower.forward(users, {}, user.pass);
        const auto v = item.tower.forward(taken, {}, item.pass);
        static_cast<void>(nn::in_batch_softmax<kernels::DefaultBackend, float>(
            {.users = u, .items = v, .log_q = {}}, {.temperature = 0.07}, scratch, user.dy.view(), item.dy.view()));
        user.step(users);
        item.step(taken);
    }

    Matrix<float> sample(items, Tower::in);
    Matrix<float> x(items, Tower::in);
    Matrix<float> people(items, Tower::in);
    world.pairs(people, sample);
    world.pairs(people, x);
    const Matrix<float> user_vectors = user.tower.infer(people);
    const auto floats = nn::freeze(item.tower);
    const auto halves = nn::freeze<kernels::Float16>(item.tower);
    const auto brains = nn::freeze<kernels::BFloat16>(item.tower);
    const auto bytes = nn::freeze<kernels::ScaledInt8>(item.tower, {.rows = sample, .tolerance = 0.05});
    const Matrix<float> expected = floats.infer(x);

    const auto errors = [&](const std::string& name, const auto& frozen) {
        const Matrix<float> y = frozen.infer(x);
        report.add({.name = name + ", relative error",
                    .ours = bench::single(nn::relative_error(y, expected)),
                    .unit = "",
                    .setup = data});
        report.add({.name = name + ", the same of the first ten",
                    .ours = bench::single(agreement(user_vectors, y, expected)),
                    .unit = "",
                    .setup = data});
    };
    errors("Float16", halves);
    errors("BFloat16", brains);
    errors("bytes", bytes);

    std::vector<float> memory(decltype(floats)::scratch(items));
    for (const std::size_t rows : {std::size_t{1}, items}) {
        const MatrixView<const float> some = x.view().rows_from(0, rows);
        Matrix<float> y(rows, Tower::out);
        const auto call = [&](const auto& frozen) {
            return [&] {
                frozen.infer(some, memory, y.view());
                bench::keep(y);
            };
        };
        const std::string size = rows == 1 ? ", 1 row" : ", 1000 rows";
        const auto beside = [&](const std::string& name, const auto& ours, const std::string& peer,
                                const auto& theirs) {
            report.add({.name = name + size, .peer = peer, .setup = data},
                       bench::compare(call(ours), call(theirs), timing));
        };
        beside("floats", floats, "BFloat16", brains);
        beside("Float16", halves, "floats", floats);
        beside("BFloat16", brains, "floats", floats);
        beside("bytes", bytes, "floats", floats);
        beside("bytes beside BFloat16", bytes, "BFloat16", brains);
    }
    return report.finish();
}
