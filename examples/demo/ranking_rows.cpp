// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "ranking_rows.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/user_item_matrix.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/pipeline/trace.hpp>

#include <algorithm>
#include <cstdint>

namespace demo {

RankingRows ranking_rows(const funnel::data::Interactions& past, const funnel::data::Interactions& future,
                         const funnel::Matrix<float>& genres, Pool& pool) {
    const Sources sources = Sources::fit(past, genres, pool);
    const CandidateFeatures features(sources, past, genres);
    const auto retrieval = sources.retrieval();
    const funnel::CSRMatrix<float> taken = funnel::data::user_item_matrix(future);
    std::vector<std::uint32_t> users;
    for (std::uint32_t user = 0; user < taken.rows(); ++user) {
        if (taken.row(user).size() > 0 && sources.knows(user)) {
            users.push_back(user);
        }
    }
    RankingRows rows;
    for (const std::uint32_t user : evenly_spread(users, 1000)) {  // each gives some 200 rows
        const auto relevant = taken.row(user).columns;
        funnel::pipeline::Candidates candidates;
        funnel::pipeline::Trace trace;
        retrieval.run(funnel::pipeline::Request{.user = user}, candidates, trace);
        const funnel::Matrix<float> found = features.of(user, candidates);
        const funnel::Matrix<std::uint32_t> fields = features.fields_of(user, candidates);
        for (std::size_t i = 0; i < found.rows(); ++i) {
            rows.ids.insert(rows.ids.end(), fields.row(i).begin(), fields.row(i).end());
            rows.values.insert(rows.values.end(), found.row(i).begin(), found.row(i).end());
            rows.labels.push_back(std::ranges::binary_search(relevant, candidates.ids()[i]) ? 1.0F : 0.0F);
        }
        if (found.rows() > 0) {
            rows.group_sizes.push_back(found.rows());
        }
    }
    return rows;
}

RankingRows ranking_rows(const funnel::data::Interactions& train, const funnel::Matrix<float>& genres, Pool& pool) {
    require_times(train);
    const auto [past, future] = funnel::data::split_by_time(train, {.test_fraction = 0.25});
    RankingRows rows = ranking_rows(past, future, genres, pool);
    if (rows.labels.empty()) {
        funnel::raise<funnel::InvalidArgument>(
            "the log is too small to learn a ranker: after a cut in time, no user has both a history and candidates");
    }
    return rows;
}

}  // namespace demo
