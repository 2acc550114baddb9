#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the models of tests/ranking/catboost_test.cpp: make_catboost.py FOLDER, with CatBoost 1.2.10.

Each model NAME.json comes with NAME.npy: the raw scores of the trained model, and then its predictions, for each row of
rows.npy. Of what CatBoost writes about the training, only the loss is kept.
"""
import json
import pathlib
import sys

import catboost
import numpy as np

FOLDER = pathlib.Path(sys.argv[1])
random = np.random.default_rng(7)
X = random.normal(size=(300, 4)).astype(np.float32)
X[random.random(X.shape) < 0.1] = np.nan
X[:, 2] = random.normal(size=300)  # no missing values
y = np.nan_to_num(2 * X[:, 0] + np.sin(3 * X[:, 1])) + random.normal(size=300)
rows = X[:24].copy()
rows[0] = 0
rows[1, [0, 1, 3]] = np.nan
rows[2] = [-0.0, 1e30, -1e30, 1e-42]
binary = (y > 0.5).astype(int)
classes = np.digitize(y, [-1, 1])

MODELS = {
    "logloss": (dict(loss_function="Logloss"), binary),
    "rmse_nan_max": (dict(loss_function="RMSE", nan_mode="Max", boost_from_average=True), y),
    "multiclass": (dict(loss_function="MultiClass"), classes),
    "one_vs_all": (dict(loss_function="MultiClassOneVsAll", depth=1), classes),
    "poisson": (dict(loss_function="Poisson"), np.round(np.exp(y / 3))),
    "lossguide": (dict(loss_function="RMSE", grow_policy="Lossguide", max_leaves=6, depth=5), y),
    "depthwise_multiclass": (dict(loss_function="MultiClass", grow_policy="Depthwise", min_data_in_leaf=20), classes),
    "multi_rmse": (dict(loss_function="MultiRMSE"), np.stack([y, -y], axis=1)),
    "yetirank": (dict(loss_function="YetiRank"), classes / 3),
}
FOLDER.mkdir(parents=True, exist_ok=True)
np.save(FOLDER / "rows.npy", rows)
for name, (settings, labels) in MODELS.items():
    group = np.repeat(np.arange(30), 10) if name == "yetirank" else None
    data = catboost.Pool(X, labels, group_id=group, feature_names=["price", "age", "trend", "stock"])
    model = catboost.CatBoost(dict(dict(iterations=3, depth=2, border_count=16, thread_count=1, verbose=0, random_seed=1,
                                        allow_writing_files=False), **settings)).fit(data)
    path = FOLDER / f"{name}.json"
    model.save_model(str(path), format="json")
    written = json.loads(path.read_text())
    written["model_info"] = {"params": {"loss_function": written["model_info"]["params"]["loss_function"]}}
    path.write_text(json.dumps(written) + "\n")
    raw = model.predict(rows, prediction_type="RawFormulaVal").reshape(len(rows), -1)
    kinds = {"logloss": "Probability", "multiclass": "Probability", "depthwise_multiclass": "Probability",
             "one_vs_all": "Probability", "poisson": "Exponent"}
    predicted = model.predict(rows, prediction_type=kinds.get(name, "RawFormulaVal")).reshape(len(rows), -1)
    np.save(path.with_suffix(".npy"), np.concatenate([raw, predicted[:, -raw.shape[1]:]], axis=1))

# A model that needs more than numeric features.
colours = np.where(X[:, 2] > 0, "red", "blue").astype(object).reshape(-1, 1)
model = catboost.CatBoost(dict(iterations=1, depth=1, loss_function="RMSE", thread_count=1, verbose=0, random_seed=1,
                               allow_writing_files=False))
model.fit(catboost.Pool(colours, X[:, 2], cat_features=[0], feature_names=["colour"]))
FOLDER.joinpath("unsupported").mkdir(exist_ok=True)
path = FOLDER / "unsupported" / "one_hot.json"
model.save_model(str(path), format="json", pool=catboost.Pool(colours, X[:, 2], cat_features=[0]))
written = json.loads(path.read_text())
written["model_info"] = {"params": {"loss_function": written["model_info"]["params"]["loss_function"]}}
path.write_text(json.dumps(written) + "\n")
