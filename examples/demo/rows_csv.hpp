// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "candidate_features.hpp"
#include "rankers.hpp"
#include "ranking_rows.hpp"
#include "sources.hpp"
#include "world.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/pipeline/candidates.hpp>
#include <funnel/pipeline/stage.hpp>
#include <funnel/pipeline/trace.hpp>
#include <funnel/ranking/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <span>
#include <string>
#include <vector>

namespace demo {

namespace detail {

inline void write_lines(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    if (!(file << text).flush()) {
        funnel::raise<funnel::IOError>(path + ": cannot write");
    }
}

inline std::string header() {
    std::string names;
    for (const auto name : CandidateFeatures::names) {
        names += ',' + std::string(name);
    }
    return names + '\n';
}

// All digits that a float or a double needs to keep its bits.
inline void append(std::string& text, double value, int digits = 9) {
    char number[40];
    std::snprintf(number, sizeof number, ",%.*g", digits, value);
    text += number;
}

inline void append(std::string& text, std::span<const float> values) {
    for (const float value : values) {
        append(text, static_cast<double>(value));
    }
    text += '\n';
}

}  // namespace detail

/// Writes what the rankers learned from to FOLDER/learned.csv: list, label and the features.
inline void write_learned_rows(const std::string& folder, const RankingRows& rows) {
    std::string text = "list,label" + detail::header();
    std::size_t row = 0;
    for (std::size_t list = 0; list < rows.group_sizes.size(); ++list) {
        for (const std::size_t end = row + rows.group_sizes[list]; row < end; ++row) {
            text += std::to_string(list);
            detail::append(text, static_cast<double>(rows.labels[row]));
            detail::append(text, rows.rows().row(row));
        }
    }
    detail::write_lines(folder + "/learned.csv", text);
}

/// Writes what the rankers ranked to FOLDER/ranked.csv: the candidates of each user with a history, in the order of
/// retrieval, with the scores of the rankers and the features.
inline void write_ranked_rows(const std::string& folder, const World& world, const Sources& sources,
                              const CandidateFeatures& features, const Rankers& rankers,
                              std::span<const std::uint32_t> users) {
    std::string text = "user,item,id,logistic,fm,deep,forest" + detail::header();
    const auto retrieval = sources.retrieval();
    for (const std::uint32_t user : users) {
        funnel::pipeline::Candidates candidates;
        funnel::pipeline::Trace trace;
        retrieval.run(funnel::pipeline::Request{.user = user}, candidates, trace);
        const funnel::Matrix<float> rows = features.of(user, candidates);
        const funnel::Matrix<std::uint32_t> ids = features.fields_of(user, candidates);
        const funnel::ranking::FieldRows fields{.ids = ids, .dense = rows};
        const auto logistic = rankers.by_logistic(fields);
        const auto fm = rankers.by_fm(fields);
        const auto deep = rankers.by_deep(fields);
        const auto forest = rankers.forest.score(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const std::uint32_t item = candidates.ids()[i];
            text += world.log.user_key(user) + ',' + world.log.item_key(item) + ',' + std::to_string(item);
            detail::append(text, static_cast<double>(logistic[i]));
            detail::append(text, static_cast<double>(fm[i]));
            detail::append(text, static_cast<double>(deep[i]));
            detail::append(text, forest[i], 17);
            detail::append(text, rows.row(i));
        }
    }
    detail::write_lines(folder + "/ranked.csv", text);
}

}  // namespace demo
