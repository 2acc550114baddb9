// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/number_table.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/container.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/mapped_file.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// A type of keys: an integer of 8 to 64 bits that is no character type, or std::string.
template <class K>
concept KeyType = std::same_as<K, std::string> || (std::integral<K> && io::Number<K>);

/// A key and its score; a higher score is better.
template <KeyType Key>
struct ScoredKey {
    Key key;
    float score;

    friend bool operator==(const ScoredKey&, const ScoredKey&) = default;
};

/// An index whose vectors have keys of your own: numbers or strings.
///
///     auto index = Keyed<HNSW<Cosine>, std::string>::build(names, vectors);
///     for (auto [key, score] : index.search(query, {.k = 10})) { ... }
///     index.replace("blue shirt", new_vector);
///
/// The vectors of the index inside have dense ids. A key keeps its id when its vector is replaced. A new key gets the
/// smallest id whose key was removed, or else the next one, so the index does not grow while no more keys are added
/// than were removed. Ties go to the smaller id.
///
/// Cost      a key takes sizeof(Key), the characters of a long string, and 8 to 16 bytes of a hash table; a look-up is
///           O(1), also for keys that an attacker has chosen
template <class Index, KeyType Key = std::string>
class Keyed {
public:
    using BuildOptions = typename Index::BuildOptions;
    using SearchOptions = typename Index::SearchOptions;
    using KeyView = std::conditional_t<std::same_as<Key, std::string>, std::string_view, Key>;
    using Hits = std::vector<ScoredKey<Key>>;
    static constexpr std::string_view kind = "ann.Keyed";
    static constexpr std::uint32_t layout_version = 1;

    Keyed(const Keyed&) = default;
    /// The moved-from index is empty and has dimension 0.
    Keyed(Keyed&&) noexcept = default;
    Keyed& operator=(const Keyed& other) { return *this = Keyed(other); }  // strong guarantee
    Keyed& operator=(Keyed&&) noexcept = default;
    ~Keyed() = default;

    /// Builds an index of the rows; row i has keys[i].
    ///
    /// Errors    as Index::build;  InvalidArgument if there are not as many keys as rows, or a key occurs twice
    template <Executor E = Serial>
    [[nodiscard]] static Keyed build(std::span<const Key> keys, MatrixView<const float> vectors,
                                     const BuildOptions& options = {}, E&& executor = E{}) {
        if (keys.size() != vectors.rows()) {
            raise<InvalidArgument>("Keyed::build: " + std::to_string(keys.size()) + " keys for " +
                                   std::to_string(vectors.rows()) + " vectors");
        }
        std::vector<Key> copies(keys.begin(), keys.end());
        Table table;
        for (std::size_t i = 0; i < copies.size(); ++i) {
            if (put(table, copies, i) != Table::none) {
                raise<InvalidArgument>("Keyed::build: key " + text(copies[i]) + " occurs twice");
            }
        }
        return Keyed(Index::build(vectors, options, executor), std::move(copies), std::move(table));
    }

    [[nodiscard]] std::size_t size() const noexcept { return index_.size(); }
    [[nodiscard]] std::size_t dimension() const noexcept { return index_.dimension(); }
    [[nodiscard]] BuildOptions options() const noexcept { return index_.options(); }
    /// The index inside, whose ids key() translates.
    [[nodiscard]] const Index& index() const& noexcept FUNNEL_LIFETIMEBOUND { return index_; }

    [[nodiscard]] bool contains(KeyView key) const noexcept { return find(key).has_value(); }

    /// The id of a key in index(), or nullopt if the key is not in the index.
    [[nodiscard]] std::optional<std::uint32_t> find(KeyView key) const noexcept {
        if (keys_.empty()) {
            return std::nullopt;
        }
        const std::uint32_t id = table_[slot_of(table_, keys_, key)];
        return id != Table::none ? std::optional(id) : std::nullopt;
    }

    /// The key of an id, or the last one that it had.
    ///
    /// Errors    InvalidArgument if the id was never assigned
    [[nodiscard]] const Key& key(std::uint32_t id) const& FUNNEL_LIFETIMEBOUND {
        if (id >= keys_.size()) {
            raise<InvalidArgument>("Keyed::key: id " + std::to_string(id) + " is out of range");
        }
        return keys_[id];
    }

    /// The vector of a key, as Index::vector.
    ///
    /// Errors    InvalidArgument if the key is not in the index, or if the index does not keep its vectors
    [[nodiscard]] std::span<const float> vector(KeyView key) const& FUNNEL_LIFETIMEBOUND {
        return index_.vector(id_of(key, "vector"));
    }

    /// Bytes used by the index, the keys and their table. Of a string, its object and its characters count.
    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t characters = 0;
        if constexpr (std::same_as<Key, std::string>) {
            for (const Key& key : keys_) {
                characters += key.size();
            }
        }
        return index_.memory_bytes() + characters + keys_.size() * sizeof(Key) +
               (2 * table_.capacity() + free_.size()) * sizeof(std::uint32_t);
    }

    /// The nearest vectors, best first; with a filter, those whose keys pass. As Index::search.
    [[nodiscard]] Hits search(std::span<const float> query, const SearchOptions& options = {}) const {
        return with_keys(index_.search(query, options));
    }
    template <std::predicate<const Key&> F>
    [[nodiscard]] Hits search(std::span<const float> query, const SearchOptions& options, const F& filter) const {
        return with_keys(
            index_.search(query, options, [&](std::uint32_t id) -> bool { return filter(std::as_const(keys_[id])); }));
    }

    /// One search per row, in parallel.
    template <Executor E = Serial>
    [[nodiscard]] std::vector<Hits> search_batch(MatrixView<const float> queries, const SearchOptions& options = {},
                                                 E&& executor = E{}) const {
        std::vector<Hits> lists;
        lists.reserve(queries.rows());
        for (const auto& list : index_.search_batch(queries, options, executor)) {
            lists.push_back(with_keys(list));
        }
        return lists;
    }

    /// Adds a vector under a new key. A key that was removed is new again.
    ///
    /// Errors    as Index::add;  InvalidArgument if the key is in the index; on any failure nothing has changed
    void add(KeyView key, std::span<const float> vector) {
        if (contains(key)) {
            raise<InvalidArgument>("Keyed::add: key " + text(key) + " is already in the index");
        }
        Key copy(key);  // key may be a view of one of keys_
        detail::reserve_more(keys_, 1);
        reserve(table_, keys_, keys_.size() + 1);
        if (free_.empty()) {
            enter(index_.add(vector), std::move(copy));
        } else {
            const std::uint32_t id = free_.top();
            index_.replace(id, vector);
            free_.pop();
            enter(id, std::move(copy));
        }
    }

    /// Replaces the vector of a key.
    ///
    /// Errors    as Index::replace;  InvalidArgument if the key is not in the index; on any failure nothing has changed
    void replace(KeyView key, std::span<const float> vector) { index_.replace(id_of(key, "replace"), vector); }

    /// Removes a vector.
    ///
    /// Errors    InvalidArgument if the key is not in the index; on any failure nothing has changed
    void remove(KeyView key) {
        const std::uint32_t id = id_of(key, "remove");
        free_.push(id);  // the last step that can fail
        index_.remove(id);
        table_.erase(slot_of(table_, keys_, keys_[id]),
                     [&](std::uint32_t other, std::uint64_t seed) { return hash(seed, keys_[other]); });
    }

    /// Errors    IOError
    void save(const std::string& path) const {
        io::ContainerWriter file(kind, layout_version);
        const std::string inside(Index::file_kind);
        file.strings("index", std::span(&inside, 1));
        file.value("index_layout", Index::file_layout);
        if constexpr (std::same_as<Key, std::string>) {
            file.strings("keys", keys_);
        } else {
            file.array("keys", keys_);
        }
        index_.write(file);
        file.save(path);
    }

    /// Errors    IOError; CorruptData if the file is damaged, or was saved with another index, metric or type of keys
    [[nodiscard]] static Keyed load(const std::string& path) {
        return read(io::ContainerReader(path, kind, layout_version));
    }

    /// As load, but what Index::map maps stays in the file: see there. Keys are loaded.
    [[nodiscard]] static Keyed map(const std::string& path) {
        return read(io::ContainerReader(io::MappedFile(path), kind, layout_version));
    }

private:
    using Table = funnel::detail::NumberTable;
    using FreeIds = std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>>;  // smallest first

    Keyed(Index index, std::vector<Key> keys, Table table) noexcept
        : index_(std::move(index)), keys_(std::move(keys)), table_(std::move(table)) {}

    [[nodiscard]] static Keyed read(const io::ContainerReader& file) {
        const std::string inside = file.strings("index", 1)[0];
        const std::string expected(Index::file_kind);
        file.check(inside == expected, "index", "expected " + expected + ", found " + inside);
        const auto layout = file.value<std::uint32_t>("index_layout");
        file.check(layout >= 1 && layout <= Index::file_layout, "index_layout", "was written by a newer funnel");
        Index index = Index::read(file);
        std::vector<Key> keys;
        if constexpr (std::same_as<Key, std::string>) {
            keys = file.strings("keys", index.next_id());
        } else {
            keys = file.array<Key>("keys", index.next_id());
        }
        Table table;
        FreeIds free;
        for (std::uint32_t id = 0; id < keys.size(); ++id) {
            if (index.contains(id)) {
                file.check(put(table, keys, id) == Table::none, "keys", "must differ");
            } else {
                free.push(id);
            }
        }
        Keyed loaded(std::move(index), std::move(keys), std::move(table));
        loaded.free_ = std::move(free);
        return loaded;
    }

    [[nodiscard]] static std::uint64_t hash(std::uint64_t seed, KeyView key) noexcept {
        if constexpr (std::same_as<Key, std::string>) {
            return funnel::detail::hash_bytes(seed, key);
        } else {
            return funnel::detail::hash_word(seed, static_cast<std::uint64_t>(key));
        }
    }

    [[nodiscard]] static std::size_t slot_of(const Table& table, std::span<const Key> keys, KeyView key) noexcept {
        return table.find(hash(table.seed(), key), [&](std::uint32_t id) { return keys[id] == key; });
    }

    // Makes room for one more id.
    static void reserve(Table& table, const std::vector<Key>& keys, std::size_t ids) {
        table.reserve(ids + 1, [&](std::uint32_t id, std::uint64_t seed) { return hash(seed, keys[id]); });
    }

    // Enters the key of an id. Returns the id that the key had before, or none.
    static std::uint32_t put(Table& table, const std::vector<Key>& keys, std::size_t id) {
        reserve(table, keys, id + 1);
        return table.put(slot_of(table, keys, keys[id]), hash(table.seed(), keys[id]), static_cast<std::uint32_t>(id));
    }

    [[nodiscard]] static std::string text(KeyView key) {
        if constexpr (std::same_as<Key, std::string>) {
            return "\"" + std::string(key) + "\"";
        } else {
            return std::to_string(key);
        }
    }

    [[nodiscard]] std::uint32_t id_of(KeyView key, const char* function) const {
        const auto id = find(key);
        if (!id) {
            raise<InvalidArgument>(std::string("Keyed::") + function + ": key " + text(key) + " is not in the index");
        }
        return *id;
    }

    // The id has this key from here on. There is room for it.
    void enter(std::uint32_t id, Key key) noexcept {
        if (id == keys_.size()) {
            keys_.push_back(std::move(key));
        } else {
            keys_[id] = std::move(key);
        }
        table_.put(slot_of(table_, keys_, keys_[id]), hash(table_.seed(), keys_[id]), id);
    }

    [[nodiscard]] Hits with_keys(std::span<const Scored<>> hits) const {
        Hits list;
        list.reserve(hits.size());
        for (const Scored<>& hit : hits) {
            list.push_back({keys_[hit.id], hit.score});
        }
        return list;
    }

    Index index_;
    std::vector<Key> keys_;  // by id, removed ones included
    Table table_;            // the id of each key in the index
    FreeIds free_;           // removed ids
};

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel
