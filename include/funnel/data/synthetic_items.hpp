// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/data/item_metadata.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// Invented films, each with a title ("The Silent River"), a year up to 2016 (mostly recent), and one to three of 12
/// genres.
///
/// Returns   the same films on every machine; the first n are the same for every number of items
/// Errors    InvalidArgument if there are more than 2^32 - 1 items
[[nodiscard]] inline ItemMetadata synthetic_items(std::size_t items, std::uint64_t seed) {
    require(items <= std::numeric_limits<std::uint32_t>::max(), "synthetic_items: at most 2^32 - 1 items");
    constexpr std::array<const char*, 40> adjectives{
        "Silent",  "Crimson", "Broken", "Hidden",   "Golden", "Distant", "Restless", "Frozen",   "Burning", "Gentle",
        "Hollow",  "Secret",  "Velvet", "Northern", "Last",   "Paper",   "Electric", "Quiet",    "Iron",    "Borrowed",
        "Endless", "Savage",  "Lonely", "Radiant",  "Stolen", "Glass",   "Winter",   "Second",   "Wild",    "Forgotten",
        "Bitter",  "Emerald", "Sunken", "Midnight", "Honest", "Painted", "Thunder",  "Faithful", "Lucky",   "Perfect"};
    constexpr std::array<const char*, 40> nouns{
        "River",   "Garden",    "Letter", "Harbour",    "Witness", "Machine",  "Summer",    "Stranger",
        "Kingdom", "Mirror",    "Train",  "Orchard",    "Promise", "Island",   "Detective", "Circus",
        "Horizon", "Lantern",   "Winter", "Voyage",     "Shadow",  "Bridge",   "Melody",    "Heist",
        "Planet",  "Cathedral", "Desert", "Sister",     "Verdict", "Carnival", "Forest",    "Crown",
        "Signal",  "Tide",      "Engine", "Masquerade", "Road",    "Ghost",    "Empire",    "Dancer"};

    std::vector<std::string> genre_names{"Action", "Adventure", "Animation", "Comedy",  "Crime",   "Documentary",
                                         "Drama",  "Fantasy",   "Horror",    "Mystery", "Romance", "Western"};
    constexpr std::size_t titles = adjectives.size() * nouns.size();
    constexpr Stream item_stream = stream("synthetic_items.items");
    std::vector<ItemInfo> infos(items);
    for (std::size_t item = 0; item < items; ++item) {
        // 1007 and the number of titles are coprime, so each title is used once before the first sequel.
        const std::size_t title = (item * 1007 + seed % titles) % titles;
        const std::size_t part = item / titles + 1;
        std::string& words = infos[item].title;
        words.append("The ").append(adjectives[title / nouns.size()]).append(" ").append(nouns[title % nouns.size()]);
        if (part > 1) {
            words.append(" ").append(std::to_string(part));
        }

        Random random(seed, item_stream, item);
        infos[item].year = 2016 - static_cast<int>(std::min(random.below(60), random.below(60)));
        const std::size_t genres = 1 + random.below(3);
        while (infos[item].genres.size() < genres) {
            const auto genre = static_cast<std::uint16_t>(random.below(genre_names.size()));
            auto& own = infos[item].genres;
            const auto at = std::lower_bound(own.begin(), own.end(), genre);
            if (at == own.end() || *at != genre) {
                own.insert(at, genre);
            }
        }
    }
    return {std::move(infos), std::move(genre_names)};
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
