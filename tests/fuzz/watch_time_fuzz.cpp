// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/ranking/watch_time.hpp>

namespace funnel::fuzz::watch_time_target {
namespace {

void use_watch_time(const Input& input) {
    load_and_use<ranking::WatchTimeQuantiles>(input, [](const ranking::WatchTimeQuantiles& quantiles) {
        std::vector<float> numbers;
        for (const float duration : {0.0F, 1.0F, 30.0F, 1e30F}) {
            for (const float share : {0.0F, 0.5F, 1.0F}) {
                const float time = quantiles.watch_time(duration, share);
                numbers.push_back(time);
                numbers.push_back(quantiles.quantile(duration, time));
            }
        }
        check_finite(numbers);
    });
}

std::vector<std::string> watch_time_seeds() {
    const std::vector<float> durations{10.0F, 10.0F, 20.0F, 30.0F, 40.0F};
    const std::vector<float> times{1.0F, 0.0F, 5.0F, 5.0F, 39.0F};
    return {saved([&](const std::string& path) {
        ranking::WatchTimeQuantiles::fit(durations, times, {.groups = 3}).save(path);
    })};
}

const Registered watch_time(
    {.name = "watch_time", .run = use_watch_time, .seeds = watch_time_seeds, .is_container = true});

}  // namespace
}  // namespace funnel::fuzz::watch_time_target
