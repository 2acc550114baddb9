// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/file.hpp>
#include <funnel/io/text.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/lightgbm_reader.hpp>
#include <funnel/ranking/lightgbm_writer.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// Reads a forest that LightGBM 2.3 or later saved as text (`booster.save_model(path)`): all kinds of missing values,
/// categorical splits, linear trees, several classes, DART, random forests and all objectives.
///
/// Scores have the bits of LightGBM's raw scores, and predictions differ by at most two units in the last place. The
/// raw score of a random forest is the sum of its trees, as in LightGBM; only predictions are averages.
///
/// Only whole models are accepted: every array has its length, the children of every tree form a tree, and the file
/// ends no earlier than `end of trees`. What follows that line is not read.
///
/// Returns   a valid forest, with the numbers of training rows as covers
/// Cost      O(size of the file)
/// Errors    IOError if the file cannot be read;  CorruptData "model.txt:17: tree 3: left_child: ..." if it is no
///           LightGBM model, is damaged, or is beyond the limits of tree_validation.hpp
[[nodiscard]] inline TreeEnsemble read_lightgbm(const std::string& path) {
    return detail::LightGBMReader(io::Text::read(path)).read();
}

/// Reads a forest that LightGBM saved, ready to score. Errors as read_lightgbm().
[[nodiscard]] inline Forest load_lightgbm(const std::string& path) {
    return Forest(detail::CheckedForest{read_lightgbm(path)});
}

/// Saves a forest as a LightGBM model: LightGBM loads it, and scores with the same bits. The file is written completely
/// or not at all.
///
/// The objective is written as TreeEnsemble::objective names it. If that is empty, one with the same transformation of
/// scores is written, and none for the identity. Covers are written if all of a tree are whole numbers.
///
/// Errors    InvalidArgument if LightGBM cannot express the forest, with the reason: float sums (XGBoost), start values
///           (XGBoost, HistGradientBoosting) or bias (CatBoost), leaves with several values, thresholds within 1e-35 of
///           0, category splits that send missing values left;  IOError
inline void save_lightgbm(const TreeEnsemble& forest, const std::string& path) {
    const std::string text = detail::LightGBMWriter(forest).text();
    io::write_file(path, std::as_bytes(std::span(text)));
}
inline void save_lightgbm(const Forest& forest, const std::string& path) {
    save_lightgbm(forest.trees(), path);
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel
