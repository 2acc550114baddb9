// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/container_reader.hpp>
#include <funnel/io/container_writer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
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

/// A table of embeddings that is trained beside a tower, with its RowOptimiser.
template <class Optimiser>
struct TrainedTable {
    MatrixView<float> rows;
    Optimiser& optimiser;
};
template <class Optimiser>
TrainedTable(MatrixView<float>, Optimiser&) -> TrainedTable<Optimiser>;

namespace detail {

[[nodiscard]] inline std::string table_name(std::size_t position) {
    return "table" + std::to_string(position);
}

template <class Optimiser>
void write_table(io::ContainerWriter& file, std::size_t position, const TrainedTable<Optimiser>& table) {
    require(table.optimiser.rows() == table.rows.rows() && table.optimiser.width() == table.rows.cols(),
            "save_checkpoint: the optimiser of a table must be that of its shape");
    const std::string name = table_name(position);
    file.matrix(name, table.rows);
    table.optimiser.write(file, name + ".optimiser");
}

/// The table at a position and its optimiser, as a file has them.
///
/// Errors    CorruptData if the file has none of this shape and rule, or numbers that are not finite
template <class Optimiser>
[[nodiscard]] std::pair<Matrix<float>, Optimiser> read_table(const io::ContainerReader& file, std::size_t position,
                                                             const TrainedTable<Optimiser>& table) {
    const std::string name = table_name(position);
    Matrix<float> rows = file.matrix<float>(name, table.rows.rows(), table.rows.cols());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        file.check(math::all_finite(rows.row(i)), name, "must be finite");
    }
    return {std::move(rows), Optimiser::read(file, table.rows.rows(), table.rows.cols(), table.optimiser.options(),
                                             name + ".optimiser")};
}

template <class Optimiser>
void replace_table(const TrainedTable<Optimiser>& table, std::pair<Matrix<float>, Optimiser>& from) {
    for (std::size_t i = 0; i < table.rows.rows(); ++i) {
        std::copy(from.first.row(i).begin(), from.first.row(i).end(), table.rows.row(i).begin());
    }
    table.optimiser = std::move(from.second);
}

}  // namespace detail

/// Saves all that a training needs to go on: parameters, statistics, the state of the optimiser, tables of embeddings
/// with theirs, step and seed. A training that loads it gives the same bits as one without interruption, if its draws
/// depend only on seed and step. The file is written completely or not at all: an interrupted save leaves the old one.
///
///     save_checkpoint(path, tower, adam, {.step = 1000, .seed = 1}, TrainedTable{users.view(), row_adagrad});
///
/// Tower is a Tower<...>, Optimiser a DenseOptimiser of its parameters.
///
/// Errors    IOError;  InvalidArgument if an optimiser was made for another number of parameters or rows
template <class Tower, class Optimiser, class... TableOptimisers>
void save_checkpoint(const std::string& path, const Tower& tower, const Optimiser& optimiser,
                     const TrainingState& state, const TrainedTable<TableOptimisers>&... tables) {
    require(optimiser.parameters() == tower.parameters().size(),
            "save_checkpoint: the optimiser must be that of the parameters of the tower");
    io::ContainerWriter file(detail::Checkpoint::kind, detail::Checkpoint::layout_version);
    tower.write(file);
    optimiser.write(file);
    file.value("step", state.step);
    file.value("seed", state.seed);
    file.value("tables", std::uint64_t{sizeof...(tables)});
    [[maybe_unused]] std::size_t position = 0;
    (detail::write_table(file, position++, tables), ...);
    file.save(path);
}

/// Loads a checkpoint into a tower, its optimiser, and tables with theirs, in the order in which they were saved.
/// Learning rates are those of the file, the other options stay those of the optimisers. If it throws, nothing has
/// changed.
///
/// Returns   the step and the seed
/// Errors    IOError;  CorruptData if the file is corrupt, or holds other layers, other optimisers, or tables of other
///           numbers or shapes; numbers that are not finite count as corrupt
template <class Tower, class Optimiser, class... TableOptimisers>
TrainingState load_checkpoint(const std::string& path, Tower& tower, Optimiser& optimiser,
                              const TrainedTable<TableOptimisers>&... tables) {
    const io::ContainerReader file(path, detail::Checkpoint::kind, detail::Checkpoint::layout_version);
    Tower loaded = Tower::read(file);
    Optimiser loaded_optimiser = Optimiser::read(file, loaded.parameters().size(), optimiser.options());
    const TrainingState state{.step = file.value<std::uint64_t>("step"), .seed = file.value<std::uint64_t>("seed")};
    file.check(file.value<std::uint64_t>("tables") == sizeof...(tables), "tables",
               "must be " + std::to_string(sizeof...(tables)));
    auto loaded_tables = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple<std::pair<Matrix<float>, TableOptimisers>...>{detail::read_table(file, I, tables)...};
    }(std::index_sequence_for<TableOptimisers...>{});
    tower = std::move(loaded);
    optimiser = std::move(loaded_optimiser);
    std::apply([&](auto&... from) { (detail::replace_table(tables, from), ...); }, loaded_tables);
    return state;
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel
