// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/forest_target.hpp"

#include <funnel/io/npz.hpp>

namespace funnel::fuzz::npz_target {
namespace {

const Registered npz({
    .name = "npz",
    .run =
        [](const Input& input) {
            attempt([&] {
                const io::NPZ file = io::NPZ::read(input.path);
                check(!file.contains("no such array"), "only names of the file are found");
                for (const char* const name : {"a", "baseline", "feature"}) {
                    attempt([&] { static_cast<void>(file.array<float>(name)); });
                    attempt([&] { static_cast<void>(file.array<double>(name)); });
                    attempt([&] { static_cast<void>(file.array<std::uint32_t>(name)); });
                }
            });
        },
    .seeds = [] { return model_seeds("hist_gradient_boosting"); },
    .words = {"PK\1\2", "PK\3\4", "PK\5\6", "PK\6\6", "PK\6\7", "\xff\xff\xff\xff", ".npy", "\x93NUMPY", "<f8", "|u1"},
});

}  // namespace
}  // namespace funnel::fuzz::npz_target
