#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the models of tests/ranking/xgboost_test.cpp: make_xgboost.py FOLDER, with XGBoost 1.7.6, 2.1.4 and 3.2.0 in turn.

Each model NAME.json or NAME.ubj comes with NAME.npy: the margins and then the predictions for each row of rows.npy.
"""
import pathlib
import sys

import numpy as np
import xgboost as xgb

FOLDER = pathlib.Path(sys.argv[1])
VERSION = "".join(xgb.__version__.split(".")[:2])

random = np.random.default_rng(7)
X = random.normal(size=(300, 4)).astype(np.float32)
X[:, 3] = random.integers(0, 40, size=300)
y = 2 * X[:, 0] + np.sin(3 * X[:, 1]) + np.where(X[:, 3] % 3 == 0, 1.5, 0) + random.normal(size=300)
X[random.random(X.shape) < 0.1] = np.nan
rows = X[:24].copy()
rows[0] = 0
rows[1] = np.nan
rows[2] = [-0.0, 1e30, -1e30, 41]
rows[3] = [1e-42, -1e-42, 1e-30, 1.5]

binary = (y > 0.5).astype(np.float32)
classes = np.digitize(y, [-1, 1]).astype(np.float32)
both = np.stack([y, X[:, 2] - y], axis=1)
both[np.isnan(both)] = 0
positive = np.exp(y / 3)

MODELS = {
    "17": ["logistic", "logistic_ubj", "dart", "softprob", "categorical", "logitraw", "poisson"],
    "21": ["quantile", "vector_leaves", "dart"],
    "32": ["logistic", "logistic_ubj", "logitraw", "dart", "dart_softprob", "softprob", "softmax", "categorical", "squared",
           "per_target", "vector_leaves", "vector_leaves_ubj", "quantile", "poisson", "gamma", "tweedie", "cox", "aft",
           "hinge", "squaredlog", "pseudohuber", "absolute", "pairwise", "ndcg", "map", "forest", "pruned", "reglogistic"],
}
SETTINGS = {
    "logistic": dict(objective="binary:logistic", base_score=0.3),
    "reglogistic": dict(objective="reg:logistic"),
    "logitraw": dict(objective="binary:logitraw", base_score=0.3),
    "dart": dict(objective="binary:logistic", booster="dart", rate_drop=0.5, seed=1, base_score=0.6),
    "dart_softprob": dict(objective="multi:softprob", num_class=3, booster="dart", rate_drop=0.5, seed=3),
    "softprob": dict(objective="multi:softprob", num_class=3),
    "softmax": dict(objective="multi:softmax", num_class=3),
    "categorical": dict(objective="reg:squarederror", max_cat_to_onehot=1),
    "squared": dict(objective="reg:squarederror"),
    "per_target": dict(objective="reg:squarederror", multi_strategy="one_output_per_tree"),
    "vector_leaves": dict(objective="reg:squarederror", multi_strategy="multi_output_tree"),
    "quantile": dict(objective="reg:quantileerror", quantile_alpha=[0.2, 0.8]),
    "poisson": dict(objective="count:poisson"),
    "gamma": dict(objective="reg:gamma"),
    "tweedie": dict(objective="reg:tweedie", tweedie_variance_power=1.3),
    "cox": dict(objective="survival:cox"),
    "aft": dict(objective="survival:aft"),
    "hinge": dict(objective="binary:hinge"),
    "squaredlog": dict(objective="reg:squaredlogerror"),
    "pseudohuber": dict(objective="reg:pseudohubererror"),
    "absolute": dict(objective="reg:absoluteerror"),
    "pairwise": dict(objective="rank:pairwise"),
    "ndcg": dict(objective="rank:ndcg"),
    "map": dict(objective="rank:map"),
    "forest": dict(objective="binary:logistic", num_parallel_tree=3, subsample=0.5, seed=2),
    "pruned": dict(objective="reg:squarederror", tree_method="exact", gamma=40, max_depth=3),
}
LABELS = {"squared": y, "categorical": y, "per_target": both, "vector_leaves": both, "quantile": y, "absolute": y,
          "pseudohuber": y, "pruned": y, "softprob": classes, "softmax": classes, "dart_softprob": classes,
          "poisson": np.round(positive), "gamma": positive, "tweedie": positive, "cox": positive, "squaredlog": positive}

FOLDER.mkdir(parents=True, exist_ok=True)
np.save(FOLDER / "rows.npy", rows)
for model in MODELS[VERSION]:
    kind = model.removesuffix("_ubj")
    types = ["q", "q", "q", "c" if kind == "categorical" else "q"]
    data = xgb.DMatrix(X, label=None if kind == "aft" else LABELS.get(kind, binary), feature_types=types,
                       feature_names=["price", "age", "trend", "colour"], enable_categorical=True)
    if kind == "aft":
        data.set_float_info("label_lower_bound", positive)
        data.set_float_info("label_upper_bound", positive * 1.1)
    if kind in ("pairwise", "ndcg", "map"):
        data.set_group([30] * 10)
    trees = 4 if kind.startswith("dart") else 2
    settings = {"max_depth": 2, "tree_method": "hist", "nthread": 1, "verbosity": 0, **SETTINGS[kind]}
    booster = xgb.train(settings, data, trees)
    path = FOLDER / f"xgboost{VERSION}_{model}{'.ubj' if model != kind else '.json'}"
    booster.save_model(path)
    loaded = xgb.Booster(model_file=path)  # the margins must not depend on what only the trained booster knows
    test = xgb.DMatrix(rows, feature_types=types, feature_names=["price", "age", "trend", "colour"], enable_categorical=True)
    margins = loaded.predict(test, output_margin=True).reshape(len(rows), -1)
    if kind == "softmax":  # predict() gives the class: take the probabilities
        loaded.set_param({"objective": "multi:softprob"})
    predictions = loaded.predict(test).reshape(len(rows), -1)
    np.save(path.with_suffix(".npy"), np.concatenate([margins, predictions], axis=1).astype(np.float32))
