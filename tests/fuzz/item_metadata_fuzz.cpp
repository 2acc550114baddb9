// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/log_target.hpp"

#include <funnel/data/read_item_metadata.hpp>

namespace funnel::fuzz::item_metadata_target {
namespace {

const Registered item_metadata({
    .name = "item_metadata",
    .run =
        [](const Input& input) {
            static const data::Interactions log = data::Interactions::from_ids({{0, 1}, {1, 2}, {2, 3}}, 3, 4);
            attempt([&] {
                const data::ItemMetadata items = data::read_item_metadata(input.path, log);
                check(items.size() == log.items(), "there is one entry per item");
                for (std::size_t i = 0; i < items.size(); ++i) {
                    for (const std::uint16_t genre : items[i].genres) {
                        check(genre < items.genre_names().size(), "genres have names");
                    }
                }
            });
        },
    .seeds =
        [] {
            return std::vector<std::string>{
                "1|Toy Story (1995)|01-Jan-1995||http|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n",
                "2|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n",
                "1::Heat (1995)::Action|Crime\n2::Caf\xe9::Drama\n",
                "movieId,title,genres\n1,\"Usual, The (1999)\",Drama|War\n3,x,(no genres listed)\n",
                "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n1\tToy Story\t1995\tA B\n"};
        },
    .words = {"\t", "::", "\"", "\"\"", "\r\n", "\n", ",", ";", "1e308", "-0", "nan", "|", "(1995)", "movieId", "title",
              "genres", "item_id:token", "year:token"},
});

}  // namespace
}  // namespace funnel::fuzz::item_metadata_target
