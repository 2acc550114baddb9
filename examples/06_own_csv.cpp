// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Your own data: a CSV file with text keys and dates, one without a header, saving a model and loading it with its log,
// and the errors for broken files.
//
//     g++ -std=c++20 -O2 -I include examples/06_own_csv.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/popularity.hpp>
#include <funnel/core/error.hpp>
#include <funnel/data/csv.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/io/iso8601.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <stdlib.h>

using namespace funnel::data;
using funnel::cf::Popularity;

namespace {

// Holds the files of this example. Removed at the end.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        if (::mkdtemp(name_) == nullptr) {
            throw std::runtime_error("/tmp is not writable");
        }
        std::filesystem::current_path(name_);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() { std::filesystem::remove_all(name_); }

private:
    char name_[32] = "/tmp/funnel_example_XXXXXX";
};

}  // namespace

int main() {
    const TemporaryDirectory directory;
    std::ofstream("orders.csv") << "order,customer,article,price,day\n"
                                   "1,ann,\"Tea, green\",4.50,2024-03-01\n"
                                   "2,bob,\"Tea, green\",4.50,2024-03-02T09:30\n"
                                   "3,bob,Kettle,29.00,2024-03-02T09:30\n"
                                   "4,cleo,Kettle,29.00,2024-04-10 18:00:00\n"
                                   "5,cleo,Mug,7.20,2024-05-03\n"
                                   "6,ann,Mug,7.20,2024-05-04\n";

    // Columns are found by name. Dates become seconds since 1970.
    const auto log = read_csv("orders.csv", {.user = "customer", .item = "article", .time = "day"});
    std::printf("%zu orders, %zu customers, %zu articles\n", log.size(), log.users(), log.items());
    const auto [before, since] = split_by_time(log, {.cut = funnel::io::parse_iso8601("2024-04-01")});
    std::printf("%zu before April, %zu since\n", before.size(), since.size());

    // A purchase counts half as much after a month. Each article was ordered twice; mugs come first, as the latest.
    const auto model = Popularity::fit(log, {.half_life = 30.0 * 24 * 3600});
    model.save("popular.fnl");

    // The file holds only ids. load() checks that they mean the same users and items in this log.
    const auto again = Popularity::load("popular.fnl", log);
    const auto ann = log.find_user("ann");  // empty for a key that is not in the log
    for (const auto& [item, score] : again.recommend(*ann, {.k = 3, .keep_seen = true})) {
        std::printf("  %.2f %s\n", static_cast<double>(score), log.item_key(item).c_str());
    }

    // Without a header, columns are given by position. The delimiter is detected: tab, semicolon or comma.
    std::ofstream("clicks.tsv") << "1709251200\tKettle\tdan\n"
                                   "1709251260\tMug\tdan\n";
    const auto clicks = read_headerless_csv("clicks.tsv", {.user = 2, .item = 1, .time = 0});
    std::printf("%zu clicks of %s\n", clicks.size(), clicks.user_key(0).c_str());

    // Errors name the position, what was expected, and what was found.
    std::ofstream("broken.csv") << "user,item,time\n"
                                   "ann,Mug,2024-02-29\n"
                                   "bob,Mug,2023-02-29\n";
    try {
        static_cast<void>(read_csv("broken.csv", {.time = "time"}));
    } catch (const funnel::CorruptData& error) {
        std::printf("%s\n", error.what());
    }
    try {
        static_cast<void>(Popularity::load("popular.fnl", clicks));
    } catch (const funnel::InvalidArgument& error) {
        std::printf("%s\n", error.what());
    }
}
