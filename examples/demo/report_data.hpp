// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace demo {

/// One line of the table of quality. What has no meaning for a line is NaN.
struct Quality {
    std::string stage;  ///< "source", "retrieved", "ranked", "shown"
    std::string name;
    double ndcg;           ///< NDCG@10 over all test users
    double ndcg_warm;      ///< ... over those with a history
    double ndcg_cold;      ///< ... over those without
    double recall;         ///< share of what users went on to take that is among the stage's first 100
    double list_distance;  ///< mean distance of the genres in a list of ten, 0 to 1
    double coverage;       ///< share of the catalogue that is in somebody's list of ten
};

/// How long one stage takes, in microseconds, and how many candidates go in and come out on average.
struct StageLatency {
    std::string stage;
    double median;
    double p99;
    double in;
    double out;
};

/// What another weight of relevance against diversity would give.
struct TradeOff {
    double lambda;
    double ndcg;
    double list_distance;
    double coverage;
};

/// One line of somebody's list.
struct Shown {
    std::string title;
    std::string because;  ///< in words
    bool is_hit;          ///< whether this user really went on to take it
};

/// Everything that the demo found out.
struct ReportData {
    std::string data;  ///< name of the data set
    std::string note;  ///< what the reader must know about it; may be empty
    std::size_t users;
    std::size_t items;
    std::size_t train_rows;
    std::size_t test_rows;
    std::size_t warm_users;
    std::size_t cold_users;
    std::vector<Quality> quality;
    std::vector<StageLatency> stages;
    std::vector<double> latencies;        ///< of whole requests, microseconds, in no order
    std::vector<std::size_t> popularity;  ///< rows of each item, largest first
    std::vector<TradeOff> trade_offs;     ///< by lambda, descending
    double lambda;                        ///< the one in use
    std::string user;                     ///< key of the user whose list is shown
    std::vector<std::string> history;     ///< titles this user took last, latest first
    std::vector<Shown> list;
    double seconds;     ///< that the whole demo took
    std::string build;  ///< compiler, backend and threads, in words
};

}  // namespace demo
