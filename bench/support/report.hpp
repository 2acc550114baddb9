// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/json.hpp"
#include "support/machine.hpp"
#include "support/timing.hpp"

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace funnel::bench {

/// A derived figure, such as 31.2 and "GB/s".
struct Rate {
    double value = 0.0;
    std::string unit;
};

/// Bytes per call and nanoseconds give GB/s, operations per call give "GFLOP/s".
[[nodiscard]] inline Rate rate(double work, double ns, std::string unit) {
    return {work / ns, std::move(unit)};
}

/// One comparison with a peer. ours and theirs are in the unit; less is better. theirs is empty without a peer.
struct Row {
    std::string name;
    std::string peer = {};
    Samples ours = {};
    std::optional<Samples> theirs = {};
    std::string unit = "ns";
    std::optional<double> target = {};  ///< the ratio to reach
    std::optional<std::size_t> differing =
        {};                             ///< results that differ from those of the peer, of all that were computed
    std::string setup = {};             ///< sizes, data, options
    std::optional<Samples> ratio = {};  ///< theirs / ours, of paired measurements
    std::optional<Rate> rate = {};
    std::optional<double> limit = {};  ///< what the machine could do at most, in the unit of the rate
};

/// A figure that is not a sample of anything, such as a number of bytes.
[[nodiscard]] inline Samples single(double value) {
    return {value, value, value, value, 1};
}

/// The rows of one area: prints each row when it is added, and writes all rows to a JSON file at the end. Every column
/// has one unit: where the unit changes, the head of the table is printed again.
///
///     int main(int argc, char** argv) {
///         Report report("kernels", argc, argv);
///         report.add({.name = "dot", .peer = "Eigen", .target = 1.0, .differing = 0}, compare(ours, theirs));
///         return report.finish();
///     }
///
/// The file is build/bench/AREA.json, or the first argument of the program.
class Report {
public:
    explicit Report(const std::string& area, int argc = 0, char** argv = nullptr)
        : path_(argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::path("build/bench") / (area + ".json")) {
        const Environment& here = environment();
        std::printf("%s, %s, commit %s\n%s, %u threads; %s; %s; %s\n", area.c_str(), here.date.c_str(),
                    here.commit.c_str(), here.processor.c_str(), here.threads, here.compiler.c_str(),
                    here.flags.c_str(), here.backend.c_str());
        std::printf(
            "memory, one thread: %.1f GB/s in order, %.1f GB/s in random blocks of 256 bytes; %zu MiB miss the "
            "caches\n",
            memory().stream_gb_s, memory().scattered_gb_s, memory().bytes >> 20);
    }

    void add(Row row) {
        const std::string rate_unit = row.rate ? row.rate->unit : "";
        const std::string head = row.unit + "|" + rate_unit;
        if (head != head_) {
            head_ = head;
            std::printf("\n%-34s %-12s %11s %11s %7s %13s %7s %6s %11s %8s  %s\n", "name", "peer",
                        ("ours " + row.unit).c_str(), "theirs", "ratio", "quartiles", "target", "differ",
                        rate_unit.c_str(), "of limit", "setup");
        }
        const std::optional<double> ratio = row.ratio ? std::optional(row.ratio->median) : std::nullopt;
        const bool missed = row.target && ratio && *ratio < *row.target;
        const std::string quartiles = row.ratio ? number(row.ratio->q25) + "-" + number(row.ratio->q75) : "-";
        const std::optional<double> of_limit =
            row.rate && row.limit ? std::optional(row.rate->value / *row.limit) : std::nullopt;
        std::printf("%-34s %-12s %11s %11s %7s %13s %7s %6s %11s %8s  %s%s\n", row.name.c_str(), row.peer.c_str(),
                    number(row.ours.median).c_str(),
                    number(row.theirs ? std::optional(row.theirs->median) : std::nullopt).c_str(),
                    number(ratio).c_str(), quartiles.c_str(), number(row.target).c_str(),
                    row.differing ? std::to_string(*row.differing).c_str() : "-",
                    number(row.rate ? std::optional(row.rate->value) : std::nullopt).c_str(), number(of_limit).c_str(),
                    row.setup.c_str(), missed ? "  missed" : "");
        std::fflush(stdout);
        rows_.push_back(std::move(row));
    }

    /// Adds a paired measurement of calls. Times are divided by per, the units of work per call.
    void add(Row row, const Comparison& times, double per = 1.0) {
        row.ours = scaled(times.ours, 1.0 / per);
        row.theirs = scaled(times.theirs, 1.0 / per);
        row.ratio = times.ratio;
        add(std::move(row));
    }

    /// Writes the file. Returns what main returns: 0, or 1 if results differ or the file cannot be written.
    [[nodiscard]] int finish() const {
        std::error_code ignored;  // if the folder cannot be created, writing the file fails below
        if (path_.has_parent_path()) {
            std::filesystem::create_directories(path_.parent_path(), ignored);
        }
        std::ofstream file(path_);
        file << "{\"environment\": " << environment_json() << ",\n \"rows\": [";
        bool all_agree = true;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Row& row = rows_[i];
            all_agree = all_agree && row.differing.value_or(0) == 0;
            file << (i == 0 ? "\n" : ",\n") << "  {\"name\": " << json(row.name) << ", \"peer\": " << json(row.peer)
                 << ", \"unit\": " << json(row.unit) << ", \"ours\": " << json(row.ours)
                 << ", \"theirs\": " << json(row.theirs) << ", \"ratio\": " << json(row.ratio)
                 << ", \"target\": " << json(row.target) << ", \"differing\": "
                 << json(row.differing ? std::optional(static_cast<double>(*row.differing)) : std::nullopt)
                 << ", \"rate\": " << json(row.rate ? std::optional(row.rate->value) : std::nullopt)
                 << ", \"rate_unit\": " << json(row.rate ? row.rate->unit : "") << ", \"limit\": " << json(row.limit)
                 << ", \"setup\": " << json(row.setup) << "}";
        }
        file << "\n ]}\n";
        file.flush();
        std::printf("%s %s\n", file ? "wrote" : "CANNOT WRITE", path_.string().c_str());
        if (!all_agree) {
            std::printf("RESULTS DIFFER: see the column \"differ\"\n");
        }
        return file && all_agree ? 0 : 1;
    }

private:
    [[nodiscard]] static std::string number(std::optional<double> value) {
        if (!value) {
            return "-";
        }
        char text[32];
        std::snprintf(text, sizeof text,
                      std::abs(*value) < 1.0      ? "%.3f"
                      : std::abs(*value) < 1000.0 ? "%.2f"
                                                  : "%.4g",
                      *value);
        return text;
    }

    [[nodiscard]] static std::string json(const std::optional<Samples>& samples) {
        if (!samples) {
            return "null";
        }
        return "{\"median\": " + bench::json(samples->median) + ", \"q25\": " + bench::json(samples->q25) +
               ", \"q75\": " + bench::json(samples->q75) +
               ", \"samples\": " + bench::json(static_cast<double>(samples->count)) + "}";
    }
    [[nodiscard]] static std::string json(std::optional<double> value) { return bench::json(value); }
    [[nodiscard]] static std::string json(const std::string& text) { return bench::json(text); }

    std::filesystem::path path_;
    std::vector<Row> rows_;
    std::string head_;
};

}  // namespace funnel::bench
