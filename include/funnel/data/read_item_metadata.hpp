// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/key_numbers.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/item_metadata.hpp>
#include <funnel/data/recbole.hpp>
#include <funnel/io/delimited.hpp>
#include <funnel/io/utf8.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

namespace detail {

// Four digits are a year; any other text is not.
[[nodiscard]] inline std::optional<int> year_of(std::string_view text) {
    int year = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), year);
    const bool is_year = text.size() == 4 && error == std::errc{} && end == text.data() + 4 && year >= 0;
    return is_year ? std::optional(year) : std::nullopt;
}

// Collects the metadata in a file for the items of a log.
class ItemInfoGatherer {
public:
    explicit ItemInfoGatherer(const Interactions& log)
        : log_(log), items_(log.items()), is_known_(log.items(), false) {}

    // The number of a genre, in order of first occurrence.
    [[nodiscard]] std::uint16_t genre(const io::DelimitedRows& rows, std::string_view name) {
        const std::uint32_t number = genre_names_.number_of(name);
        if (number >= std::numeric_limits<std::uint16_t>::max()) {
            rows.reject("at most 65535 genres", "more");
        }
        return static_cast<std::uint16_t>(number);
    }

    // The genres of a list such as "Crime|Drama".
    [[nodiscard]] std::vector<std::uint16_t> genres(const io::DelimitedRows& rows, std::string_view list,
                                                    char separator) {
        std::vector<std::uint16_t> numbers;
        while (!list.empty()) {
            const std::size_t stop = std::min(list.find(separator), list.size());
            if (stop > 0) {
                numbers.push_back(genre(rows, list.substr(0, stop)));
            }
            list.remove_prefix(std::min(stop + 1, list.size()));
        }
        return numbers;
    }

    // title: "Heat (1995)" or "Heat"; year: "1995", or any text that is not a year.
    void add(const io::DelimitedRows& rows, std::size_t id_column, std::string_view title, std::string_view year,
             std::vector<std::uint16_t> genres) {
        const std::string_view key = rows.key(id_column, "an item id");
        const std::optional<std::uint32_t> item = log_.find_item(key);
        if (!item) {
            return;
        }
        if (is_known_[*item]) {
            rows.reject("each item once", io::Text::quote(key) + " twice");
        }
        is_known_[*item] = true;
        ItemInfo& info = items_[*item];
        info.genres = std::move(genres);
        const std::string_view trimmed = title.substr(0, title.find_last_not_of(' ') + 1);
        // A title that ends in "(1995)": the last six characters.
        if (trimmed.size() > 6 && trimmed.ends_with(')') && trimmed[trimmed.size() - 6] == '(') {
            info.year = year_of(trimmed.substr(trimmed.size() - 5, 4));
        }
        info.title =
            io::as_utf8(info.year ? trimmed.substr(0, trimmed.find_last_not_of(' ', trimmed.size() - 7) + 1) : title);
        info.year = info.year ? info.year : year_of(year);
    }

    // Use this form if genres already are positions in `names`.
    [[nodiscard]] ItemMetadata finish(std::vector<std::string> names) && {
        for (ItemInfo& item : items_) {
            std::sort(item.genres.begin(), item.genres.end());
            item.genres.erase(std::unique(item.genres.begin(), item.genres.end()), item.genres.end());
        }
        return {std::move(items_), std::move(names)};
    }

    // Use this form if genres were numbered by genre(): converts them to positions in the names, sorted bytewise.
    [[nodiscard]] ItemMetadata finish() && {
        std::vector<std::string> names = genre_names_.keys();
        std::sort(names.begin(), names.end());
        std::vector<std::uint16_t> positions(names.size());
        for (std::size_t i = 0; i < names.size(); ++i) {
            positions[genre_names_.known_number_of(names[i])] = static_cast<std::uint16_t>(i);
        }
        for (ItemInfo& item : items_) {
            for (std::uint16_t& genre : item.genres) {
                genre = positions[genre];
            }
        }
        return std::move(*this).finish(std::move(names));
    }

private:
    const Interactions& log_;
    std::vector<ItemInfo> items_;
    std::vector<bool> is_known_;
    funnel::detail::KeyNumbers genre_names_;
};

// u.item: id | title (year) | release date | video date | address | 19 flags
[[nodiscard]] inline ItemMetadata read_u_item(io::DelimitedRows& rows, ItemInfoGatherer gatherer) {
    const std::vector<std::string> names{"unknown", "Action",    "Adventure",   "Animation", "Children's",
                                         "Comedy",  "Crime",     "Documentary", "Drama",  //
                                         "Fantasy", "Film-Noir", "Horror",      "Musical",   "Mystery",
                                         "Romance", "Sci-Fi",    "Thriller",    "War",       "Western"};
    rows.expect_columns(5 + names.size());
    while (rows.next()) {
        std::vector<std::uint16_t> genres;
        for (std::size_t genre = 0; genre < names.size(); ++genre) {
            const std::string_view flag = rows.fields()[5 + genre];
            if (flag != "0" && flag != "1") {
                rows.reject("a genre as 0 or 1", io::Text::quote(flag));
            }
            if (flag == "1") {
                genres.push_back(static_cast<std::uint16_t>(genre));
            }
        }
        const std::string_view date = rows.fields()[2];  // 01-Jan-1995
        const std::string_view year = date.substr(date.size() - std::min<std::size_t>(date.size(), 4));
        gatherer.add(rows, 0, rows.fields()[1], year, std::move(genres));
    }
    return std::move(gatherer).finish(names);
}

}  // namespace detail

/// Reads titles, years and genres for the items of a log. The first line determines the format:
///
///     u.item (MovieLens 100K)    movies.dat (1M, 10M)    movies.csv (latest, 20M and up)    *.item (RecBole)
///
/// The year is removed from a title such as "Heat (1995)", and titles in Latin-1 become UTF-8. From a RecBole file,
/// these columns are used if they exist: movie_title, title or name; release_year or year; class, genre, genres or
/// categories, whose entries are separated by spaces.
///
/// Returns   one entry per item of the log; empty for items without a row; rows of other items are ignored. Genre
///           names: the 19 of u.item in their own order; for other files all names in the file, sorted bytewise
/// Cost      linear in the size of the file, which is in memory while it is read
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if the format is none of these or an item
///           occurs twice
[[nodiscard]] inline ItemMetadata read_item_metadata(const std::string& path, const Interactions& log) {
    io::Text text = io::Text::read(path);
    detail::ItemInfoGatherer gatherer(log);
    const std::string_view first = text.first_line();
    if (std::count(first.begin(), first.end(), '|') == 23) {
        io::DelimitedRows rows(std::move(text), "|");
        return detail::read_u_item(rows, std::move(gatherer));
    }

    if (first.find(":token") != std::string_view::npos) {
        RecBoleRows rows(std::move(text));
        const std::size_t id = rows.column("item_id");
        const auto first_of = [&](std::initializer_list<std::string_view> names) {
            std::optional<std::size_t> found;
            for (const std::string_view name : names) {
                found = found ? found : rows.find_column(name);
            }
            return found;
        };
        const auto title = first_of({"movie_title", "title", "name"});
        const auto year = first_of({"release_year", "year"});
        const auto genres = first_of({"class", "genre", "genres", "categories"});
        while (rows.next()) {
            const auto field = [&](std::optional<std::size_t> at) { return at ? rows.fields()[*at] : ""; };
            gatherer.add(rows, id, field(title), field(year), gatherer.genres(rows, field(genres), ' '));
        }
    } else {
        const bool has_header = first.find("movieId") != std::string_view::npos;
        if (!has_header && first.find("::") == std::string_view::npos) {
            text.reject(1, "items of MovieLens (u.item, movies.dat, movies.csv) or RecBole", io::Text::quote(first));
        }
        io::DelimitedRows rows(std::move(text),
                               has_header ? "," : "::", has_header ? io::Quotes::Allowed : io::Quotes::None);
        std::array<std::size_t, 3> columns{0, 1, 2};
        if (has_header) {
            rows.read_header();
            columns = {rows.column("movieId"), rows.column("title"), rows.column("genres")};
        } else {
            rows.expect_columns(3);
        }
        while (rows.next()) {
            const std::string_view genres = rows.fields()[columns[2]];
            gatherer.add(rows, columns[0], rows.fields()[columns[1]], "",
                         gatherer.genres(rows, genres == "(no genres listed)" ? "" : genres, '|'));
        }
    }
    return std::move(gatherer).finish();
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel
