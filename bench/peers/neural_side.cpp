// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// funnel's side of bench/peers/neural.py.

#include "support/bench.hpp"
#include "support/side.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/npy.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/embedding_bag.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/quality_gate.hpp>
#include <funnel/nn/row_optimiser.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/softmax_losses.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace funnel;
using bench::Side;
using kernels::BFloat16;
using kernels::ScaledInt8;
using nn::Dense;
using nn::ReLU;

namespace {

/// A network of one of the types that this program knows, with the numbers of a file.
class Network {
public:
    virtual ~Network() = default;
    virtual void infer(MatrixView<const float> x, MatrixView<float> y) = 0;
    [[nodiscard]] virtual std::size_t out() const = 0;
};

template <class Frozen>
class NetworkOf final : public Network {
public:
    explicit NetworkOf(Frozen frozen) : frozen_(std::move(frozen)) {}

    void infer(MatrixView<const float> x, MatrixView<float> y) override {
        memory_.resize(std::max(memory_.size(), Frozen::scratch(x.rows())));
        frozen_.infer(x, memory_, y);
    }
    [[nodiscard]] std::size_t out() const override { return Frozen::out; }

private:
    Frozen frozen_;
    std::vector<float> memory_;
};

template <class Frozen>
std::unique_ptr<Network> make(std::span<const float> parameters) {
    return std::make_unique<NetworkOf<Frozen>>(Frozen(parameters, {}));
}

template <class Storage>
using ItemTower = nn::Frozen<Storage, Dense<136, 256>, ReLU, Dense<256, 64>, nn::L2Normalize<64>>;

/// Bytes, behind a gate of rows like those of the comparison.
std::unique_ptr<Network> make_bytes(std::span<const float> parameters) {
    nn::Tower<Dense<136, 256>, ReLU, Dense<256, 64>, nn::L2Normalize<64>> tower(1);
    require(parameters.size() == tower.parameters().size(), "parameters must be those of the tower");
    std::copy(parameters.begin(), parameters.end(), tower.parameters().begin());
    Matrix<float> rows(100, 136);
    Random random(1);
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        for (float& number : rows.row(i)) {
            number = static_cast<float>(random.normal());
        }
    }
    return std::make_unique<NetworkOf<ItemTower<ScaledInt8>>>(
        nn::freeze<ScaledInt8>(tower, {.rows = rows, .tolerance = 0.02}));
}

using Maker = std::unique_ptr<Network> (*)(std::span<const float>);
const std::map<std::string, Maker> makers = {
    {"tower", &make<ItemTower<float>>}, {"tower, bf16", &make<ItemTower<BFloat16>>}, {"tower, int8", &make_bytes}};

// ---- Inference: load a network, then infer rows and write the outputs ----------------------------------------------

void add_inference(Side& side) {
    struct State {
        std::unique_ptr<Network> network;
        Matrix<float> x;
        Matrix<float> y;
    };
    const auto state = std::make_shared<State>();
    side.on("network", [state](const Side::Arguments& arguments) -> Side::Answer {
        const Matrix<float> parameters = io::read_npy<float>(arguments.text("parameters"));
        require(parameters.rows() == 1, "parameters must be an array of one row");
        state->network = makers.at(arguments.text("type"))(parameters.row(0));
        return {};
    });
    side.on("rows", [state](const Side::Arguments& arguments) -> Side::Answer {
        state->x = io::read_npy<float>(arguments.text("path"));
        state->y = Matrix<float>(state->x.rows(), state->network->out());
        return {};
    });
    side.on("infer", [state](const Side::Arguments& arguments) {
        const std::size_t times = arguments.number("times");
        Side::Answer time = Side::timed([&] {
            for (std::size_t i = 0; i < times; ++i) {
                state->network->infer(state->x, state->y);
                bench::keep(state->y);
            }
        });
        for (auto& [clock, seconds] : time) {
            seconds /= static_cast<double>(times);
        }
        return time;
    });
    side.on("write", [state](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("path"), state->y);
        return {};
    });
}

// ---- Training: steps of a two-tower model, on the same batch in every step ----------------------------------------------

class Training {
public:
    explicit Training(const Side::Arguments& arguments)
        : users_(io::read_npy<float>(arguments.text("users"))),
          items_(io::read_npy<float>(arguments.text("items"))),
          pass_of_users_(users_.rows()),
          pass_of_items_(items_.rows()),
          d_users_(users_.rows(), Network::out),
          d_items_(items_.rows(), Network::out),
          gradient_(Network::parameters) {
        const Matrix<float> log_q = io::read_npy<float>(arguments.text("log_q"));
        log_q_.assign(log_q.row(0).begin(), log_q.row(0).end());
        const auto load = [&](const char* name, nn::Tower<Network>& tower) {
            const Matrix<float> parameters = io::read_npy<float>(arguments.text(name));
            std::copy(parameters.row(0).begin(), parameters.row(0).end(), tower.parameters().begin());
        };
        load("user_parameters", user_);
        load("item_parameters", item_);
    }

    double step() {
        const auto u = user_.forward(users_, {}, pass_of_users_);
        const auto v = item_.forward(items_, {}, pass_of_items_);
        const double loss = nn::in_batch_softmax<kernels::DefaultBackend, float>(
            {.users = u, .items = v, .log_q = log_q_}, {.temperature = 0.07}, scratch_, d_users_.view(),
            d_items_.view());
        update(user_, users_, d_users_, pass_of_users_, of_user_);
        update(item_, items_, d_items_, pass_of_items_, of_item_);
        return loss;
    }

    [[nodiscard]] Matrix<float> vectors() const { return user_.infer(users_); }

private:
    using Network = nn::Sequential<Dense<136, 256>, ReLU, Dense<256, 64>, nn::L2Normalize<64>>;

    void update(nn::Tower<Network>& tower, const Matrix<float>& x, const Matrix<float>& dy,
                nn::Tower<Network>::Pass& pass, nn::Adam& adam) {
        std::fill(gradient_.begin(), gradient_.end(), 0.0F);
        tower.backward(x, dy, pass, gradient_);
        adam.step(tower.parameters(), gradient_);
    }

    Matrix<float> users_;
    Matrix<float> items_;
    std::vector<double> log_q_;
    nn::Tower<Network> user_;
    nn::Tower<Network> item_;
    nn::Tower<Network>::Pass pass_of_users_;
    nn::Tower<Network>::Pass pass_of_items_;
    nn::Adam of_user_{Network::parameters};
    nn::Adam of_item_{Network::parameters};
    nn::InBatchScratch<float> scratch_;
    Matrix<float> d_users_;
    Matrix<float> d_items_;
    std::vector<float> gradient_;
};

void add_training(Side& side) {
    const auto training = std::make_shared<std::optional<Training>>();
    side.on("training", [training](const Side::Arguments& arguments) -> Side::Answer {
        training->emplace(arguments);
        return {};
    });
    side.on("train", [training](const Side::Arguments& arguments) {
        double loss = 0.0;
        Side::Answer answer = Side::timed([&] {
            for (std::size_t i = 0; i < arguments.number("times"); ++i) {
                loss = training->value().step();
            }
        });
        answer["loss"] = loss;
        return answer;
    });
    side.on("write_vectors", [training](const Side::Arguments& arguments) -> Side::Answer {
        io::write_npy(arguments.text("path"), training->value().vectors());
        return {};
    });
}

// ---- Bags of embeddings ------------------------------------------------------------------------------------------------

void add_bags(Side& side) {
    struct State {
        Matrix<float> table;
        std::vector<std::uint32_t> ids;
        std::vector<std::size_t> starts;
        Matrix<float> y;
        Matrix<float> dy;
        nn::SparseGradient<float> gradient;
        std::optional<nn::RowOptimiser<nn::AdagradRule>> adagrad;

        [[nodiscard]] nn::Bags bags() const { return {.ids = ids, .starts = starts}; }
        void pool() { nn::pool_bags<kernels::DefaultBackend, float>(table, bags(), nn::Pooling::Mean, y.view()); }
    };
    const auto state = std::make_shared<State>();
    side.on("bags", [state](const Side::Arguments& arguments) -> Side::Answer {
        state->table = io::read_npy<float>(arguments.text("table"));
        const Matrix<std::uint32_t> ids = io::read_npy<std::uint32_t>(arguments.text("ids"));  // one bag per row
        state->ids.clear();
        state->starts.assign(1, 0);
        for (std::size_t i = 0; i < ids.rows(); ++i) {
            state->ids.insert(state->ids.end(), ids.row(i).begin(), ids.row(i).end());
            state->starts.push_back(state->ids.size());
        }
        state->y = Matrix<float>(ids.rows(), state->table.cols());
        state->dy = io::read_npy<float>(arguments.text("gradient"));
        state->adagrad.emplace(state->table.rows(), state->table.cols(), nn::AdagradOptions{.learning_rate = 0.05});
        return {};
    });
    side.on("pool", [state](const Side::Arguments& arguments) {
        return Side::timed([&] {
            for (std::size_t i = 0; i < arguments.number("times"); ++i) {
                state->pool();
                bench::keep(state->y);
            }
        });
    });
    side.on("step_bags", [state](const Side::Arguments& arguments) {
        return Side::timed([&] {
            for (std::size_t i = 0; i < arguments.number("times"); ++i) {
                state->pool();
                nn::pool_bags_gradient<kernels::DefaultBackend, float>(state->bags(), nn::Pooling::Mean, state->dy,
                                                                       state->gradient);
                state->adagrad->step(state->table.view(), state->gradient);
            }
        });
    });
    side.on("write_bags", [state](const Side::Arguments& arguments) -> Side::Answer {
        state->pool();
        io::write_npy(arguments.text("path"), state->y);
        return {};
    });
}

}  // namespace

int main() {
    Side side;
    add_inference(side);
    add_training(side);
    add_bags(side);
    return side.serve();
}
