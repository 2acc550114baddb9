#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes lightgbm_models.hpp: tiny models that LightGBM trained, and what LightGBM itself predicts with them.

    pip install lightgbm==4.7.0 numpy && python3 tests/ranking/data/lightgbm_models.py > tests/ranking/data/lightgbm_models.hpp
"""

import lightgbm as lgb
import numpy as np

rng = np.random.default_rng(7)
N = 400
X = np.empty((N, 4), np.float32)
X[:, 0] = rng.normal(size=N)
X[:, 1] = np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N))
X[:, 2] = np.where(rng.random(N) < 0.5, 0, rng.integers(-3, 4, N))
X[:, 3] = np.where(rng.random(N) < 0.1, np.nan, rng.integers(0, 70, N))
signal = X[:, 0] + np.where(np.isnan(X[:, 1]), 1.5, np.abs(X[:, 1])) - 0.7 * X[:, 2] * X[:, 0] + np.where(X[:, 3] % 7 < 3, 1, 0)
signal = signal + 0.3 * rng.normal(size=N)

nan, inf = np.nan, np.inf
below = np.nextafter(np.float32(1e-35), np.float32(0))
above = np.nextafter(np.float32(1e-35), np.float32(1))
ROWS = np.array(
    [[0, 0, 0, 0], [nan] * 4, [-0.0, -0.0, -0.0, -0.5], [inf, inf, inf, 1], [-inf, -inf, -inf, -1], [1e-36, 1e-36, 1e-36, 2.9],
     [-1e-36, -1e-36, -1e-36, 33], [1e-35, below, above, 64], [-1e-35, -below, -above, 65], [0.5, nan, 1, 69], [-0.5, 0.25, nan, 1e9],
     [nan, 1, -1, 3e9], [1, nan, 0, -3e9], [3e38, -3e38, 1e-45, inf], [-3e38, 3e38, -1e-45, -inf], [2, -2, 3, nan]], np.float32)
ROWS = np.vstack([ROWS, X[:8]])

MODELS = []


def add(name, params, y, rounds=3, cat=False, keep_tail=False, group=None, x=X, objective=None):
    params = {"verbosity": -1, "num_threads": 1, "num_leaves": 5, "min_data_in_leaf": 10, "seed": 3, "learning_rate": 0.3,
              "max_bin": 63, "force_col_wise": True, **params}
    data = lgb.Dataset(x, y, group=group, categorical_feature=[3] if cat else [], params=params, free_raw_data=False)
    trained = lgb.train({**params, "objective": objective or params.get("objective", "regression")}, data, rounds)
    text = trained.model_to_string()
    if not keep_tail:  # importances and parameters, which are larger than the trees
        text = text[:text.index("end of trees")] + "end of trees\n"
    MODELS.append((name, text))


flag = (signal > signal.mean()).astype(float)
third = np.digitize(signal, np.quantile(signal, [0.33, 0.66])).astype(float)
counts = np.floor(np.exp(np.clip(signal, -2, 2)))
add("regression", {}, signal, 4, keep_tail=True)
add("nan", {"num_leaves": 9}, signal, 4)
add("zero_as_missing", {"zero_as_missing": True, "num_leaves": 9}, signal, 4)
add("no_missing", {"use_missing": False, "num_leaves": 9}, signal, 4)
add("categorical", {"min_data_per_group": 5, "cat_smooth": 1, "num_leaves": 9}, signal, 4, cat=True)
add("categorical_one_hot", {"min_data_per_group": 1, "max_cat_to_onehot": 100, "cat_smooth": 0, "num_leaves": 7}, signal, 2, cat=True)
add("linear", {"linear_tree": True, "num_leaves": 6}, signal, 4)
add("linear_categorical", {"linear_tree": True, "num_leaves": 6, "min_data_per_group": 5, "cat_smooth": 1}, signal, 3, cat=True)
only_missing = X.copy()
only_missing[:, [0, 2, 3]] = 0
only_missing[:, 1] = np.where(np.isnan(X[:, 1]), np.nan, np.sign(X[:, 1]))
add("infinite_threshold", {}, np.where(np.isnan(X[:, 1]), 1.0, 0.0), 2, x=only_missing)
add("constant", {"min_data_in_leaf": 1000}, signal, 2)
add("dart", {"boosting": "dart", "drop_rate": 0.5, "objective": "binary"}, flag, 6)
add("rf", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, signal, 3)
add("rf_binary", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "objective": "binary"}, flag, 3)
add("rf_multiclass", {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "objective": "multiclass", "num_class": 3}, third, 2)
add("binary", {"objective": "binary", "sigmoid": 0.7}, flag)
add("multiclass", {"objective": "multiclass", "num_class": 3}, third, 2)
add("multiclassova", {"objective": "multiclassova", "num_class": 3, "sigmoid": 1.5}, third, 2)
add("cross_entropy", {"objective": "cross_entropy"}, np.clip(flag, 0.1, 0.8))
add("cross_entropy_lambda", {"objective": "cross_entropy_lambda"}, np.clip(flag, 0.1, 0.8))
add("poisson", {"objective": "poisson"}, counts)
add("gamma", {"objective": "gamma"}, counts + 1)
add("tweedie", {"objective": "tweedie", "tweedie_variance_power": 1.3}, counts)
add("regression_sqrt", {"reg_sqrt": True}, 10 * signal)
add("regression_l1", {"objective": "regression_l1"}, signal)
add("regression_l1_sqrt", {"objective": "regression_l1", "reg_sqrt": True}, 10 * signal)
add("huber", {"objective": "huber", "alpha": 0.8}, signal)
add("fair", {"objective": "fair", "fair_c": 0.8}, signal)
add("quantile", {"objective": "quantile", "alpha": 0.8}, signal)
add("mape", {"objective": "mape"}, counts + 1)
add("lambdarank", {"objective": "lambdarank"}, third, group=[40] * 10)
add("rank_xendcg", {"objective": "rank_xendcg"}, third, group=[40] * 10)
add("custom", {}, signal, objective=lambda scores, data: (scores - signal, np.ones(N)))


def number(x):
    if np.isnan(x):
        return "nan"
    return ("-" if x < 0 else "") + "inf" if np.isinf(x) else float(x).hex()


def numbers(values):
    words = [number(x) for x in np.asarray(values).ravel()]
    return "".join("        " + ", ".join(words[i:i + 4]) + ",\n" for i in range(0, len(words), 4))


print(f"""// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Written by lightgbm_models.py with LightGBM {lgb.__version__}.
// clang-format off
#pragma once

#include <limits>
#include <string_view>
#include <vector>

namespace funnel::testing::lightgbm {{

inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double inf = std::numeric_limits<double>::infinity();

/// A model, its raw scores of the rows and its predictions, row by row.
struct Model {{
    std::string_view name;
    std::string_view text;
    std::vector<double> raw;
    std::vector<double> predictions;
}};

/// Rows of {ROWS.shape[1]} features.
inline const std::vector<double> rows = {{
{numbers(ROWS)}}};

inline const std::vector<Model> models = {{""")
for name, text in MODELS:
    booster = lgb.Booster(model_str=text)
    raw = booster.predict(ROWS, raw_score=True, num_threads=1)
    predictions = booster.predict(ROWS, num_threads=1)
    print(f'    {{"{name}", R"LightGBM({text})LightGBM",\n    {{\n{numbers(raw)}    }},\n    {{\n{numbers(predictions)}    }}}},\n')
print("};\n\n}  // namespace funnel::testing::lightgbm")
