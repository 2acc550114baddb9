// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Where a training stands.
struct TrainingState {
    std::uint64_t step = 0;  ///< steps that are done
    std::uint64_t seed = 1;  ///< of the random draws: order of rows, dropout

    friend bool operator==(const TrainingState&, const TrainingState&) = default;
};

namespace detail {

struct Checkpoint {
    static constexpr std::string_view kind = "nn.Checkpoint";
    static constexpr std::uint32_t layout_version = 1;
};

}  // namespace detail

/// Saves all that a training needs to go on: parameters, statistics, the state of the optimiser, step and seed. A
/// training that loads it gives the same bits as one without interruption, if its draws depend only on seed and step.
/// The file is written completely or not at all: an interrupted save leaves the old one.
///
/// Tower is a Tower<...>, Optimiser a DenseOptimiser of its parameters.
///
/// Errors    IOError;  InvalidArgument if the optimiser was made for another number of parameters
template <class Tower, class Optimiser>
void save_checkpoint(const std::string& path, const Tower& tower, const Optimiser& optimiser,
                     const TrainingState& state) {
    require(optimiser.parameters() == tower.parameters().size(),
            "save_checkpoint: the optimiser must be that of the parameters of the tower");
    io::ContainerWriter file(detail::Checkpoint::kind, detail::Checkpoint::layout_version);
    tower.write(file);
    optimiser.write(file);
    file.value("step", state.step);
    file.value("seed", state.seed);
    file.save(path);
}

/// Loads a checkpoint into a tower and its optimiser. The learning rate is that of the file, the other options stay
/// those of the optimiser. If it throws, both are unchanged.
///
/// Returns   the step and the seed
/// Errors    IOError;  CorruptData if the file is corrupt, or holds other layers or another optimiser; numbers that are
///           not finite count as corrupt
template <class Tower, class Optimiser>
TrainingState load_checkpoint(const std::string& path, Tower& tower, Optimiser& optimiser) {
    const io::ContainerReader file(path, detail::Checkpoint::kind, detail::Checkpoint::layout_version);
    Tower loaded = Tower::read(file);
    Optimiser loaded_optimiser = Optimiser::read(file, loaded.parameters().size(), optimiser.options());
    const TrainingState state{.step = file.value<std::uint64_t>("step"), .seed = file.value<std::uint64_t>("seed")};
    tower = std::move(loaded);
    optimiser = std::move(loaded_optimiser);
    return state;
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
