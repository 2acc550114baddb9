#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the models of tests/ranking/hist_gradient_boosting_test.cpp: make_hist_gradient_boosting.py FOLDER.

Each model NAME.npz comes with NAME.npy: the raw predictions of scikit-learn, and then the predictions, for each row of
rows.npy.
"""
import pathlib
import sys

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

FOLDER = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "examples"))
from export_hist_gradient_boosting import export  # noqa: E402

random = np.random.default_rng(7)
X = random.normal(size=(300, 4)).astype(np.float32)
X[:, 2] = random.integers(0, 12, size=300) * 4 + 1
y = 2 * X[:, 0] + np.sin(3 * X[:, 1]) + np.where(X[:, 2] % 3 == 0, 1.5, 0) + random.normal(size=300)
X[random.random(X.shape) < 0.1] = np.nan
rows = X[:24].copy()
rows[0] = 0
rows[1] = np.nan
rows[2] = [-0.0, 1e30, 300, -1e30]
rows[3] = [1e-42, -1e-42, -1, 0]
rows[4, 2] = 41.5
rows[5, 2] = 44.99
rows[6, 2] = -0.5

small = dict(max_iter=3, max_leaf_nodes=5, max_bins=16, early_stopping=False)
MODELS = {
    "squared": (HistGradientBoostingRegressor(**small), y),
    "categorical": (HistGradientBoostingRegressor(categorical_features=[2], **small), y),
    "binary": (HistGradientBoostingClassifier(categorical_features=[2], **small), y > 0.5),
    "classes": (HistGradientBoostingClassifier(**small), np.digitize(y, [-1, 1])),
    "poisson": (HistGradientBoostingRegressor(loss="poisson", **small), np.round(np.exp(y / 3))),
}
FOLDER.mkdir(parents=True, exist_ok=True)
np.save(FOLDER / "rows.npy", rows)
for name, (model, labels) in MODELS.items():
    model.fit(X, labels)
    export(model, FOLDER / f"{name}.npz")
    raw = model._raw_predict(rows).reshape(len(rows), -1)
    predicted = model.predict_proba(rows)[:, -raw.shape[1]:] if hasattr(model, "predict_proba") else model.predict(rows)
    np.save(FOLDER / f"{name}.npy", np.concatenate([raw, predicted.reshape(len(rows), -1)], axis=1))
    if name == "squared":
        export_arrays = dict(np.load(FOLDER / f"{name}.npz"))
        FOLDER.joinpath("unsupported").mkdir(exist_ok=True)
        np.savez_compressed(FOLDER / "unsupported" / "compressed.npz", **export_arrays)
