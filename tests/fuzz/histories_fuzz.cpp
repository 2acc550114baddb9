// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/cf/histories.hpp>
#include <funnel/io/container.hpp>

#include <algorithm>
#include <functional>

namespace funnel::fuzz::histories_target {
namespace {

void save(const std::string& path, const cf::Histories& histories) {
    io::ContainerWriter file("fuzz", 1);
    histories.write(file);
    file.save(path);
}

const Registered histories({
    .name = "histories",
    .run =
        [](const Input& input) {
            attempt([&] {
                const io::ContainerReader file(input.path, "fuzz", 1);
                const auto read = cf::Histories::read(file);
                std::size_t entries = 0;
                for (std::size_t user = 0; user < read.users(); ++user) {
                    const std::span<const std::uint32_t> items = read.of(user);
                    entries += items.size();
                    check(std::adjacent_find(items.begin(), items.end(), std::greater_equal()) == items.end(),
                          "the items of a history ascend");
                    check(items.empty() || items.back() < read.items(), "histories hold known items");
                    const std::span<const std::uint32_t> disliked = read.disliked_by(user);
                    check(disliked.empty() || disliked.back() < read.items(), "users dislike known items");
                    check(!read.has_values() || read.values_of(user).size() == items.size(), "an item has a value");
                }
                check(entries == file.array<std::uint32_t>("history_items").size(), "every item belongs to a user");
                check_round_trip(
                    read,
                    [](const std::string& path) { return cf::Histories::read(io::ContainerReader(path, "fuzz", 1)); },
                    save);
            });
        },
    .seeds =
        [] {
            const std::vector<Triplet<float>> entries{{0, 1, 1.0F}, {0, 4, 1.0F}, {2, 0, 1.0F}, {2, 2, 1.0F}};
            const cf::Histories plain(CSRMatrix<float>(entries, 3, 5));
            const std::vector<Triplet<float>> mixed{{0, 1, 2.0F}, {0, 4, -1.0F}, {2, 0, 0.0F}, {2, 2, 0.5F}};
            const CSRMatrix<float> values(mixed, 3, 5);
            return std::vector{saved([&](const std::string& path) { save(path, plain); }),
                               saved([&](const std::string& path) { save(path, cf::Histories(values)); }),
                               saved([&](const std::string& path) { save(path, cf::Histories::with_values(values)); })};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::histories_target
