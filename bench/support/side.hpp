// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/json.hpp"
#include "support/machine.hpp"

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

namespace funnel::bench {

/// Our side of a comparison with a library that runs in Python: a program that waits for commands, so that
/// bench/peers/AREA.py can time both sides in turn, in paired rounds.
///
/// A command is a line of fields separated by tabs: a name, then key=value. The answer is one line with a JSON object:
/// numbers, or {"error": "message"}. The first line of the output describes the machine. The program ends with its
/// input.
///
///     int main() {
///         Side side;
///         side.on("search", [&](const Side::Arguments& arguments) {
///             const std::size_t ef = arguments.number("ef");
///             return Side::timed([&] { ... });
///         });
///         return side.serve();
///     }
class Side {
public:
    using Answer = std::map<std::string, double>;

    class Arguments {
    public:
        [[nodiscard]] const std::string& text(const std::string& key) const {
            const auto found = values_.find(key);
            if (found == values_.end()) {
                throw std::invalid_argument("the argument " + key + " is missing");
            }
            return found->second;
        }
        [[nodiscard]] std::size_t number(const std::string& key) const { return std::stoul(text(key)); }
        [[nodiscard]] float real(const std::string& key) const { return std::stof(text(key)); }

    private:
        friend class Side;
        std::map<std::string, std::string> values_;
    };

    void on(const std::string& command, std::function<Answer(const Arguments&)> action) {
        actions_[command] = std::move(action);
    }

    /// Seconds since it was made: elapsed, and CPU time of all threads of the process.
    class Stopwatch {
    public:
        [[nodiscard]] Answer read() const {
            return {{"wall", seconds(CLOCK_MONOTONIC) - wall_}, {"cpu", seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_}};
        }

    private:
        double wall_ = seconds(CLOCK_MONOTONIC);
        double cpu_ = seconds(CLOCK_PROCESS_CPUTIME_ID);
    };

    /// The time of one call.
    template <class Work>
    [[nodiscard]] static Answer timed(Work&& work) {
        const Stopwatch watch;
        work();
        return watch.read();
    }

    /// Returns   what main returns
    [[nodiscard]] int serve() {
        std::printf("%s\n", environment_json().c_str());
        std::fflush(stdout);
        for (std::string line; std::getline(std::cin, line);) {
            std::printf("%s\n", answer(line).c_str());
            std::fflush(stdout);
        }
        return 0;
    }

private:
    [[nodiscard]] static double seconds(clockid_t clock) {
        std::timespec now{};
        clock_gettime(clock, &now);
        return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1.0e-9;
    }

    [[nodiscard]] std::string answer(const std::string& line) {
        std::size_t end = line.find('\t');
        const std::string command = line.substr(0, end);
        Arguments arguments;
        while (end != std::string::npos) {
            const std::size_t begin = end + 1;
            end = line.find('\t', begin);
            const std::string field = line.substr(begin, end == std::string::npos ? end : end - begin);
            const std::size_t equals = field.find('=');
            if (equals == std::string::npos) {
                return "{\"error\": " + json("no '=' in the argument " + field) + "}";
            }
            arguments.values_[field.substr(0, equals)] = field.substr(equals + 1);
        }
        const auto action = actions_.find(command);
        if (action == actions_.end()) {
            return "{\"error\": " + json("there is no command " + command) + "}";
        }
        try {
            std::string out;
            for (const auto& [key, value] : action->second(arguments)) {
                out += (out.empty() ? "{" : ", ") + json(key) + ": " + json(value);
            }
            return out.empty() ? "{}" : out + "}";
        } catch (const std::exception& error) {
            return "{\"error\": " + json(error.what()) + "}";
        }
    }

    std::map<std::string, std::function<Answer(const Arguments&)>> actions_;
};

}  // namespace funnel::bench
