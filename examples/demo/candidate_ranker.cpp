// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "candidate_ranker.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace demo {

funnel::ranking::LogisticRegression learn_ranker(const funnel::data::Interactions& train,
                                                 const funnel::Matrix<float>& genres, Pool& pool) {
    require_times(train);
    const auto [past, future] = funnel::data::split_by_time(train, {.test_fraction = 0.25});
    const Sources sources = Sources::fit(past, pool);
    const CandidateFeatures features(sources, past, genres);
    const auto retrieval = sources.retrieval();
    const funnel::CSRMatrix<float> taken = funnel::data::user_item_matrix(future);

    std::vector<std::uint32_t> users;
    for (std::uint32_t user = 0; user < taken.rows(); ++user) {
        if (taken.row(user).size() > 0 && sources.knows(user)) {
            users.push_back(user);
        }
    }
    std::vector<float> values;
    std::vector<float> labels;
    for (const std::uint32_t user : evenly_spread(users, 1000)) {  // each gives some 200 rows: enough for 15 weights
        const auto relevant = taken.row(user).columns;
        funnel::pipeline::Candidates candidates;
        funnel::pipeline::Trace trace;
        retrieval.run(funnel::pipeline::Request{.user = user}, candidates, trace);
        const funnel::Matrix<float> rows = features.of(user, candidates);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            values.insert(values.end(), rows.row(i).begin(), rows.row(i).end());
            labels.push_back(std::ranges::binary_search(relevant, candidates.ids()[i]) ? 1.0F : 0.0F);
        }
    }
    if (labels.empty()) {
        funnel::raise<funnel::InvalidArgument>(
            "the log is too small to learn a ranker: after a cut in time, no user has both a history and candidates");
    }
    const funnel::MatrixView<const float> rows(values, labels.size(), CandidateFeatures::count);
    return funnel::ranking::LogisticRegression::fit(rows, labels, {}, pool);
}

}  // namespace demo
