// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace demo {

/// One line of the table of quality. What has no meaning for a line is NaN.
struct Quality {
    std::string stage;  ///< "source", "retrieved", "ranked", "re-ranked", "shown"
    std::string name;
    double ndcg;           ///< NDCG@10 over all test users
    double ndcg_warm;      ///< ... over those with a history
    double ndcg_cold;      ///< ... over those without
    double recall;         ///< share of what users went on to choose that is among the stage's first 100
    double list_distance;  ///< mean distance of the genres in a list of ten, 0 to 1; NaN without genres
    double coverage;       ///< share of the catalogue that is in somebody's list of ten

    std::vector<double> ndcg_of_user;      ///< NDCG@10 of each evaluated user; the same users for every stage
    std::vector<double> recall_of_user;    ///< recall@10 of each of them
    std::vector<double> distance_of_user;  ///< mean distance of genres in the list of each of them; NaN without genres
};

/// How much better one stage is than another by one metric, compared user by user.
struct Gain {
    double lift;  ///< mean difference, relative to the mean of the baseline
    double low;   ///< 95 % confidence interval of the lift
    double high;
    double p_value;  ///< of the hypothesis that there is no difference, two-sided
};

/// Two stages, compared by the users of one group.
struct Comparison {
    std::string group;     ///< who, in words
    std::string subject;   ///< the stage, in words
    std::string baseline;  ///< the stage to beat, in words
    std::size_t users;
    Gain ndcg;
    Gain recall;
};

/// How long one stage takes, in microseconds, and how many candidates go in and come out on average.
struct StageLatency {
    std::string stage;
    double median;
    double p99;
    double in;
    double out;
};

/// What one step of the last mile costs and gains, for users with a history.
struct Step {
    std::string name;
    std::string before;  ///< the step it is compared with
    Gain ndcg;
    std::optional<Gain> distance;  ///< mean distance of the genres in a list
    double coverage;               ///< items in somebody's list of ten, more than before
    double microseconds;           ///< median of a request: drawing what to explore, and selecting the slate
};

/// How rules and exploration fared in the lists that are shown to users with a history.
struct SlateCount {
    std::size_t places = 0;
    std::map<std::string, std::size_t> set_aside = {};  ///< places at which a rule was set aside, by its name
    std::size_t explored = 0;                           ///< places with a film that was drawn
};

/// What a policy would have earned per explored place: as estimated from the log of another, and as the test rows say.
struct PolicyValue {
    std::string policy;  ///< in words
    double estimate;
    double standard_error;
    double truth;
};

/// What another weight of relevance against diversity would give.
struct TradeOff {
    std::string selection;  ///< "MMR" or "DPP"
    double weight;          ///< lambda or theta
    double ndcg;
    double list_distance;
    double coverage;
};

/// One line of somebody's list.
struct Shown {
    std::string title;
    std::string because;  ///< in words
    bool is_hit;          ///< whether this user went on to choose it
};

/// Everything that the demo found out.
struct ReportData {
    std::string data;  ///< name of the data set
    std::string note;  ///< what the reader must know about it; may be empty
    std::size_t users;
    std::size_t items;
    std::size_t train_rows;
    std::size_t test_rows;
    std::size_t warm_users;     ///< evaluated users with a history
    std::size_t cold_users;     ///< ... and without one
    std::size_t skipped_users;  ///< test users left out: their test rows only repeat training rows
    bool has_genres;            ///< without genres nothing can be said about diversity
    std::vector<Quality> quality;
    std::vector<Comparison> comparisons;  ///< rankers with the order of retrieval, the list that is shown with sources
    std::string choice_of_ranker;         ///< which ranker serves and why, in words
    std::string ranker;                   ///< how the forest was saved and loaded, in words
    std::vector<StageLatency> stages;
    std::vector<double> latencies;        ///< of whole requests, microseconds, in no order
    std::vector<std::size_t> popularity;  ///< rows of each item, largest first
    std::vector<TradeOff> trade_offs;     ///< by selection, then by weight, descending; empty without genres
    std::vector<Step> steps;              ///< of the last mile
    SlateCount slates;
    std::size_t decisions;  ///< that were logged for the policies below
    std::vector<PolicyValue> policies;
    double lambda;                     ///< the one in use
    std::string user;                  ///< key of the user whose list is shown; empty if there is none
    std::string choice;                ///< how this user was chosen, in words
    std::vector<std::string> history;  ///< titles this user chose last, latest first
    std::vector<Shown> list;
    double seconds;     ///< that the whole demo took
    std::string build;  ///< compiler, backend and threads, in words
};

}  // namespace demo
