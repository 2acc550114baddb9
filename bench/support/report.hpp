// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "support/machine.hpp"
#include "support/timing.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel::bench {

/// One comparison with a peer. ours and theirs are times in the unit; less is better. theirs is empty without a peer.
struct Row {
    std::string name;
    std::string peer;
    double ours = 0.0;
    std::optional<double> theirs = {};
    std::string unit = "ns";
    std::optional<double> target = {};  ///< the ratio to reach
    bool same_result = true;            ///< both computed the same result
    std::string setup = {};             ///< sizes, data, options
    std::optional<double> ratio = {};   ///< overrides theirs / ours with the ratio of a paired measurement
    std::string rate = {};              ///< such as "31.2 GB/s"
};

/// "12.3 GB/s" from bytes per call, "4.5 GFLOP/s" from operations per call.
[[nodiscard]] inline std::string rate(double work, double ns, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text, "%.1f %s", work / ns, unit);
    return text;
}

/// The rows of one area: prints each row when it is added, and writes all rows to a JSON file at the end.
///
///     int main(int argc, char** argv) {
///         Report report("kernels", argc, argv);
///         report.add({.name = "dot", .peer = "Eigen", .ours = 5.1, .theirs = 5.4, .target = 1.0});
///         return report.finish();
///     }
///
/// The file is build/bench/AREA.json, or the first argument of the program.
class Report {
public:
    explicit Report(const std::string& area, int argc = 0, char** argv = nullptr)
        : path_(argc > 1 ? std::filesystem::path(argv[1]) : std::filesystem::path("build/bench") / (area + ".json")) {
        std::printf("%s: %s\n", area.c_str(), machine().c_str());
        std::printf("%-34s %-12s %11s %11s %7s %7s  %-4s %s\n", "name", "peer", "ours", "theirs", "ratio", "target",
                    "same", "rate, setup");
    }

    void add(Row row) {
        if (!row.ratio && row.theirs) {
            row.ratio = *row.theirs / row.ours;
        }
        const bool missed = row.target && row.ratio && *row.ratio < *row.target;
        std::printf("%-34s %-12s %11s %11s %7s %7s  %-4s %s%s%s%s\n", row.name.c_str(), row.peer.c_str(),
                    number(row.ours).c_str(), number(row.theirs).c_str(), number(row.ratio).c_str(),
                    number(row.target).c_str(), row.theirs ? (row.same_result ? "yes" : "NO") : "", row.rate.c_str(),
                    row.rate.empty() ? "" : ", ", row.setup.c_str(), missed ? "  missed" : "");
        std::fflush(stdout);
        rows_.push_back(std::move(row));
    }

    /// Adds a paired measurement of calls. Times are divided by per, the units of work per call.
    void add(Row row, const Comparison& times, double per = 1.0) {
        row.ours = times.ours.median / per;
        row.theirs = times.theirs.median / per;
        row.ratio = times.ratio;
        add(std::move(row));
    }

    /// Writes the file. Returns what main returns: 0, or 1 if the file cannot be written.
    [[nodiscard]] int finish() const {
        std::error_code ignored;  // if the folder cannot be created, writing the file fails below
        if (path_.has_parent_path()) {
            std::filesystem::create_directories(path_.parent_path(), ignored);
        }
        std::ofstream file(path_);
        file << "{\"machine\": " << quoted(machine()) << ",\n \"rows\": [";
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Row& row = rows_[i];
            file << (i == 0 ? "\n" : ",\n") << "  {\"name\": " << quoted(row.name) << ", \"peer\": " << quoted(row.peer)
                 << ", \"ours\": " << json(row.ours) << ", \"theirs\": " << json(row.theirs)
                 << ", \"unit\": " << quoted(row.unit) << ", \"ratio\": " << json(row.ratio)
                 << ", \"target\": " << json(row.target)
                 << ", \"same_result\": " << (row.same_result ? "true" : "false")
                 << ", \"setup\": " << quoted(row.setup) << "}";
        }
        file << "\n ]}\n";
        file.flush();
        std::printf("%s %s\n", file ? "wrote" : "CANNOT WRITE", path_.string().c_str());
        return file ? 0 : 1;
    }

private:
    [[nodiscard]] static std::string number(std::optional<double> value) {
        if (!value) {
            return "-";
        }
        char text[32];
        std::snprintf(text, sizeof text, std::abs(*value) < 1000.0 ? "%.2f" : "%.4g", *value);
        return text;
    }

    [[nodiscard]] static std::string json(std::optional<double> value) {
        if (!value || !std::isfinite(*value)) {
            return "null";
        }
        char text[32];
        std::snprintf(text, sizeof text, "%.6g", *value);
        return text;
    }

    [[nodiscard]] static std::string quoted(std::string_view text) {
        std::string out = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
        return out + '"';
    }

    std::filesystem::path path_;
    std::vector<Row> rows_;
};

}  // namespace funnel::bench
