// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/read_item_metadata.hpp>
#include <funnel/data/synthetic.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace demo {

/// A log, and what is known about its items.
struct World {
    std::string name;
    std::string note;  ///< what the reader must know about it
    funnel::data::Interactions log;
    funnel::data::ItemMetadata items;

    [[nodiscard]] std::string title(std::uint32_t item) const {
        const std::string& known = items[item].title;
        return known.empty() ? "item " + log.item_key(item) : known;
    }

    [[nodiscard]] bool has_genres() const { return !items.genre_names().empty(); }

    /// Genres as vectors, one row an item: 1 where the item has the genre. Without genres, one column of zeros.
    [[nodiscard]] funnel::Matrix<float> genres() const {
        funnel::Matrix<float> rows(log.items(), has_genres() ? items.genre_names().size() : 1);
        for (std::size_t item = 0; item < rows.rows(); ++item) {
            for (const std::uint16_t genre : items[item].genres) {
                rows(item, genre) = 1.0F;
            }
        }
        return rows;
    }
};

/// Reads a MovieLens, RecBole or CSV log, with titles and genres from the usual file beside it, if there is one.
inline World read_world(const std::filesystem::path& path) {
    World world{path.filename().string(), "", funnel::data::read_interactions(path), {}};
    const std::filesystem::path folder = path.parent_path();
    for (const auto& candidate : {std::filesystem::path(path).replace_extension(".item"), folder / "u.item",
                                  folder / "movies.dat", folder / "movies.csv"}) {
        if (candidate != path && std::filesystem::exists(candidate)) {
            world.items = funnel::data::read_item_metadata(candidate, world.log);
            return world;
        }
    }
    world.note = "No file with titles and genres lies beside the log: lists show item keys and are not made diverse.";
    world.items = funnel::data::ItemMetadata(std::vector<funnel::data::ItemInfo>(world.log.items()), {});
    return world;
}

/// A world of our own making, for machines without a network.
inline World synthetic_world(std::uint64_t seed) {
    const funnel::data::SyntheticWorld synthetic({.seed = seed});
    return {"synthetic world", "These are not real ratings: nobody rated anything, and titles and genres are made up.",
            synthetic.log(), synthetic.item_metadata()};
}

}  // namespace demo
