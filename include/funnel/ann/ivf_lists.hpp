// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

inline constexpr std::uint32_t no_list = std::numeric_limits<std::uint32_t>::max();

inline constexpr std::size_t most_lists = std::size_t{1} << 24;

/// The number of lists for n vectors, unless it is given: 2 sqrt(n), at least 1.
[[nodiscard]] inline std::size_t number_of_lists(std::optional<std::size_t> lists, std::size_t n) noexcept {
    const double root = math::floor(2.0 * math::sqrt(static_cast<double>(n)));
    return lists ? *lists : std::clamp<std::size_t>(static_cast<std::size_t>(root), 1, most_lists);
}

/// What IVFFlat and IVFPQIndex ask of the options that they share.
inline void check_lists(std::optional<std::size_t> lists, const std::optional<double>& balance,
                        const std::string& function) {
    if (lists) {
        require_between(*lists, 1, most_lists, (function + ": lists").c_str());
    }
    if (balance) {
        require_between(*balance, 1.0, 0x1p24, (function + ": balance").c_str());
    }
}

/// The list of each vector of a new index.
template <class KMeans, class E>
[[nodiscard]] std::vector<std::uint32_t> divide(const KMeans& kmeans, MatrixView<const float> rows,
                                                const std::optional<double>& balance, E& executor) {
    return balance ? kmeans.assign_balanced(rows, *balance, executor) : kmeans.assign(rows, executor);
}

/// Saves and loads the option `balance`; a file without it has none.
template <class Writer>
void write_balance(Writer& file, const std::optional<double>& balance) {
    if (balance) {
        file.value("balance", *balance);
    }
}
template <class Reader>
[[nodiscard]] std::optional<double> read_balance(const Reader& file) {
    if (!file.has("balance")) {
        return std::nullopt;
    }
    const auto balance = file.template value<double>("balance");
    file.check(math::is_finite(balance) && balance >= 1.0 && balance <= 0x1p24, "balance", "must lie in [1, 2^24]");
    return balance;
}

/// The lists of an inverted file: which ids a list has, and their codes in the same order. Removal takes O(d): the last
/// of the list moves into the gap.
///
/// A Sequence is what a list stores of its vectors, in order (ann/codes.hpp).
template <class Sequence>
class InvertedLists {
public:
    InvertedLists() = default;
    InvertedLists(std::size_t lists, const Sequence& empty) : lists_(lists, List{empty, {}}) {}

    [[nodiscard]] std::size_t size() const noexcept { return lists_.size(); }

    /// The ids of a list and its codes. list < size() (not checked).
    [[nodiscard]] std::span<const std::uint32_t> ids(std::size_t list) const noexcept FUNNEL_LIFETIMEBOUND {
        return lists_[list].ids;
    }
    [[nodiscard]] const Sequence& codes(std::size_t list) const noexcept FUNNEL_LIFETIMEBOUND {
        return lists_[list].codes;
    }

    /// The list of each id; no_list if it was removed.
    [[nodiscard]] std::span<const std::uint32_t> list_of() const noexcept FUNNEL_LIFETIMEBOUND { return list_of_; }

    /// Adds the next id to a list, or to none. append_code(sequence) adds its code. It changes nothing if it fails, and
    /// then nothing here has changed either.
    template <class AppendCode>
    void append(std::uint32_t list, const AppendCode& append_code) {
        reserve_more(list_of_, 1);
        reserve_more(position_of_, 1);
        std::uint32_t position = 0;
        if (list != no_list) {
            auto& [codes, ids] = lists_[list];
            reserve_more(ids, 1);
            append_code(codes);
            position = static_cast<std::uint32_t>(ids.size());
            ids.push_back(static_cast<std::uint32_t>(list_of_.size()));
        }
        list_of_.push_back(list);
        position_of_.push_back(position);
    }

    /// Takes an id out of its list. It must be in one (not checked).
    void remove(std::uint32_t id) noexcept {
        FUNNEL_ASSERT(id < list_of_.size() && list_of_[id] != no_list);
        take_out(list_of_[id], position_of_[id]);
        list_of_[id] = no_list;
    }

    /// Moves an id, which may be in no list, to the end of a list with another code. As append.
    template <class AppendCode>
    void replace(std::uint32_t id, std::uint32_t list, const AppendCode& append_code) {
        FUNNEL_ASSERT(id < list_of_.size() && list < lists_.size());
        auto& [codes, ids] = lists_[list];
        reserve_more(ids, 1);
        append_code(codes);
        ids.push_back(id);
        const std::uint32_t old_position = std::exchange(position_of_[id], static_cast<std::uint32_t>(ids.size() - 1));
        if (const std::uint32_t old_list = std::exchange(list_of_[id], list); old_list != no_list) {
            take_out(old_list, old_position);
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        std::size_t bytes = (list_of_.size() + position_of_.size()) * sizeof(std::uint32_t);
        for (const List& list : lists_) {
            bytes += list.codes.memory_bytes() + list.ids.size() * sizeof(std::uint32_t);
        }
        return bytes;
    }

private:
    struct List {
        Sequence codes;
        std::vector<std::uint32_t> ids;
    };

    void take_out(std::uint32_t list, std::uint32_t position) noexcept {
        auto& [codes, ids] = lists_[list];
        codes.remove(position);
        if (position + std::size_t{1} < ids.size()) {
            ids[position] = ids.back();
            position_of_[ids[position]] = position;
        }
        ids.pop_back();
    }

    std::vector<List> lists_;
    std::vector<std::uint32_t> list_of_;
    std::vector<std::uint32_t> position_of_;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel
