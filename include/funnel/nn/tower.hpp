// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sequential.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A feed-forward network whose layers and sizes are known at compile time: a tower of a two-tower model, or a ranker.
///
///     Tower<Dense<136, 256>, ReLU, BatchNorm<256>, Dropout<256>, Dense<256, 64>, L2Normalize<64>> tower(seed);
///     const Matrix<float> vectors = tower.infer(rows);
///
/// All parameters lie in one array, in the order of the layers, and so do all statistics. Training is a loop of
/// forward(), a loss, backward() and a step of an optimiser on parameters():
///
///     decltype(tower)::Pass pass(batch.rows());
///     const auto y = tower.forward(batch, {.seed = 1, .number = step}, pass);
///     const Matrix<float> dy = ...;                                    // from a loss of y
///     std::fill(gradient.begin(), gradient.end(), 0.0F);
///     tower.backward(batch, dy, pass, gradient);
///     optimiser.step(tower.parameters(), gradient);
///
/// Results do not depend on the number of threads. Sizes that do not match fail to compile, with a message that names
/// the two layers.
///
/// Cost      infer: that of the layers, in blocks of block_rows rows whose intermediate results stay in cache
template <class... Layers>
class Tower {
public:
    using Network = Sequential<Layers...>;
    static constexpr std::size_t in = Network::in;
    static constexpr std::size_t out = Network::out;
    static constexpr std::size_t block_rows = 96;
    static constexpr std::string_view kind = "nn.Tower";
    static constexpr std::uint32_t layout_version = 1;

    /// Memory of a forward and a backward pass, of as many rows as the largest batch.
    class Pass {
    public:
        explicit Pass(std::size_t rows) : output_(rows, out), memory_(Network::memory(rows)) {}

        /// The largest batch.
        [[nodiscard]] std::size_t rows() const noexcept { return output_.rows(); }

    private:
        friend class Tower;

        Matrix<float> output_;
        std::vector<float, funnel::detail::RowAllocator<float>> memory_;
        Step step_{};
        std::size_t used_ = 0;  // rows of the last forward pass
    };

    /// A network with random parameters.
    explicit Tower(std::uint64_t seed = 1) : parameters_(Network::parameters), statistics_(Network::statistics) {
        Random random(seed, stream("tower.parameters"));
        Network::template initialise<float>(parameters_, statistics_, random);
    }

    /// Numbers of scratch memory that infer needs for that many rows.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        return Network::scratch(std::min(rows, block_rows));
    }

    /// The outputs for n rows, as in service: nothing is dropped, and BatchNorm uses what it collected.
    ///
    /// Shapes    x: n x in
    /// Returns   n x out; each row is the same whatever the other rows are
    /// Errors    InvalidArgument if x has another width, or the tower is moved-from
    template <kernels::HostBackend Backend = kernels::DefaultBackend>
    [[nodiscard]] Matrix<float> infer(MatrixView<const float> x) const {
        require_parameters("Tower::infer: the tower must not be moved-from");
        detail::require_width(x.cols(), in, "Tower::infer: x");
        Matrix<float> result(x.rows(), out);
        std::vector<float, funnel::detail::RowAllocator<float>> memory(scratch(x.rows()));
        infer<Backend>(x, memory, result.view());
        return result;
    }

    /// The same into memory of the caller.
    ///
    /// Shapes    x: n x in;  memory: scratch(n) or more;  y: n x out, not overlapping x or memory (not checked). The
    ///           tower must not be moved-from (not checked)
    template <kernels::HostBackend Backend = kernels::DefaultBackend>
    void infer(MatrixView<const float> x, std::span<float> memory, MatrixView<float> y) const noexcept {
        FUNNEL_ASSERT(x.cols() == in && y.cols() == out && x.rows() == y.rows() && memory.size() >= scratch(x.rows()));
        FUNNEL_ASSERT(parameters_.size() == Network::parameters);
        for (std::size_t begin = 0; begin < x.rows(); begin += block_rows) {
            const std::size_t rows = std::min(block_rows, x.rows() - begin);
            Network::template infer<Backend, float>(std::span<const float>(parameters_),
                                                    std::span<const float>(statistics_), x.rows_from(begin, rows),
                                                    y.rows_from(begin, rows), memory);
        }
    }

    /// The outputs for a batch of training. Updates the statistics.
    ///
    /// Shapes    x: n x in, n <= pass.rows()
    /// Returns   n x out, a view of memory of the pass
    /// Errors    InvalidArgument if x has another width or too many rows, or the tower is moved-from
    template <kernels::HostBackend Backend = kernels::DefaultBackend, Executor E = Serial>
    MatrixView<const float> forward(MatrixView<const float> x, const Step& step, Pass& pass FUNNEL_LIFETIMEBOUND,
                                    E&& executor = E{}) {
        require_parameters("Tower::forward: the tower must not be moved-from");
        detail::require_width(x.cols(), in, "Tower::forward: x");
        require(x.rows() <= pass.rows(), "Tower::forward: x must not have more rows than the pass");
        pass.step_ = step;
        pass.used_ = x.rows();
        const MatrixView<float> y = pass.output_.view().rows_from(0, x.rows());
        Network::template forward<Backend, float>(step, std::span<const float>(parameters_), std::span(statistics_), x,
                                                  y, std::span(pass.memory_), executor);
        return y;
    }

    /// Adds the gradient of a loss to `gradient`, for the batch of the last forward pass.
    ///
    /// Shapes    x: the batch;  dy: n x out, the derivatives of the loss;  gradient: one number per parameter;
    ///           dx: n x in, overwritten with the derivatives for x, or empty if they are not wanted
    /// Errors    InvalidArgument if a shape does not match, or the tower is moved-from
    template <kernels::HostBackend Backend = kernels::DefaultBackend, Executor E = Serial>
    void backward(MatrixView<const float> x, MatrixView<const float> dy, Pass& pass, std::span<float> gradient,
                  MatrixView<float> dx = {}, E&& executor = E{}) const {
        require_parameters("Tower::backward: the tower must not be moved-from");
        detail::require_width(x.cols(), in, "Tower::backward: x");
        detail::require_width(dy.cols(), out, "Tower::backward: dy");
        require(x.rows() == pass.used_ && dy.rows() == x.rows(),
                "Tower::backward: x and dy must have the rows of the last forward pass");
        require(gradient.size() == parameters_.size(), "Tower::backward: gradient must have one number per parameter");
        require(dx.rows() == 0 || (dx.rows() == x.rows() && dx.cols() == in),
                "Tower::backward: dx must have the shape of x, or be empty");
        Network::template backward<Backend, float>(pass.step_, std::span<const float>(parameters_), x,
                                                   MatrixView<const float>(pass.output_).rows_from(0, x.rows()), dy, dx,
                                                   gradient, std::span(pass.memory_), executor);
    }

    [[nodiscard]] std::span<float> parameters() noexcept FUNNEL_LIFETIMEBOUND { return parameters_; }
    [[nodiscard]] std::span<const float> parameters() const noexcept FUNNEL_LIFETIMEBOUND { return parameters_; }
    /// What BatchNorm collected.
    [[nodiscard]] std::span<float> statistics() noexcept FUNNEL_LIFETIMEBOUND { return statistics_; }
    [[nodiscard]] std::span<const float> statistics() const noexcept FUNNEL_LIFETIMEBOUND { return statistics_; }

    /// Saves the network, completely or not at all.
    ///
    /// Errors    IOError;  InvalidArgument if the tower is moved-from
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        write(file);
        file.save(path);
    }

    /// Loads a network.
    ///
    /// Errors    IOError;  CorruptData if the file is corrupt or holds other layers: the message names both lists
    [[nodiscard]] static Tower load(const std::string& path) {
        return read(io::ContainerReader(path, kind, layout_version));
    }

    /// Adds the network to a file, as the sections name.layers, name.parameters and name.statistics. It must not change
    /// until the file is saved.
    ///
    /// Errors    InvalidArgument if the tower is moved-from
    void write(io::ContainerWriter& file, const std::string& name = "tower") const {
        require_parameters("Tower: must not be saved when it is moved-from");
        file.strings(name + ".layers", detail::parts_in_words<Network>());
        file.array(name + ".parameters", parameters_);
        file.array(name + ".statistics", statistics_);
    }

    /// The network of a file, with the name that it was written with.
    ///
    /// Errors    CorruptData if the file has none, one of other layers (the message names both lists), numbers that are
    ///           not finite, or a variance < 0
    [[nodiscard]] static Tower read(const io::ContainerReader& file, const std::string& name = "tower") {
        const auto listed = [](const std::vector<std::string>& layers) {
            std::string list;
            for (const std::string& layer : layers) {
                list += (list.empty() ? "" : ", ") + layer;
            }
            return "[" + list + "]";
        };
        const std::vector<std::string> layers = file.strings(name + ".layers");
        file.check(layers == detail::parts_in_words<Network>(), name + ".layers",
                   "expected " + listed(detail::parts_in_words<Network>()) + ", found " + listed(layers));
        Tower tower;
        tower.read_numbers(file, name + ".parameters", name + ".statistics");
        file.check(tower.has_valid_variances(), name + ".statistics", "variances must be >= 0");
        return tower;
    }

    /// Whether no variance that BatchNorm collected is negative: for statistics that come from outside.
    [[nodiscard]] bool has_valid_variances() const {
        bool is_valid = true;
        each_tensor<Network>([&](const std::string& name, const LayerTensor& tensor, std::size_t first) {
            if (tensor.is_statistic && name.ends_with("running_var")) {
                const auto variances = std::span<const float>(statistics_).subspan(first, tensor.size());
                is_valid = is_valid && std::all_of(variances.begin(), variances.end(), [](float v) { return v >= 0; });
            }
        });
        return is_valid;
    }

private:
    void require_parameters(const char* message) const {
        require(parameters_.size() == Network::parameters && statistics_.size() == Network::statistics, message);
    }

    // Replaces the parameters and statistics by two sections of a file.
    template <class Reader>
    void read_numbers(const Reader& file, const std::string& parameters, const std::string& statistics) {
        const auto replace = [&](const std::string& section, std::span<float> numbers) {
            const std::vector<float> read = file.template array<float>(section, numbers.size());
            file.check(math::all_finite(read), section, "must be finite");
            std::copy(read.begin(), read.end(), numbers.begin());
        };
        replace(parameters, parameters_);
        replace(statistics, statistics_);
    }

    std::vector<float, funnel::detail::RowAllocator<float>> parameters_;
    std::vector<float, funnel::detail::RowAllocator<float>> statistics_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
