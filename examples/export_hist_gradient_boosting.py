# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""export(model, "model.npz") writes a fitted HistGradientBoostingRegressor or -Classifier of scikit-learn 1.2 or later for
funnel::ranking::load_hist_gradient_boosting. Categories must be whole numbers >= 0."""
import numpy as np


def export(model, path):
    trees = [(tree, output) for iteration in model._predictors for output, tree in enumerate(iteration)]
    nodes = np.concatenate([tree.nodes for tree, _ in trees])
    known, rows_of_known = model._bin_mapper.make_known_categories_bitsets()
    # Since 1.4, models see categorical features first, and positions in categories_ instead of categories.
    mask = np.zeros(model.n_features_in_, bool) if model.is_categorical_ is None else model.is_categorical_
    encoder = getattr(model, "_preprocessor", None)
    columns = np.arange(len(mask)) if encoder is None else np.argsort(~mask, kind="stable")
    values = [np.arange(256)] * len(mask)
    if encoder is not None:
        values = [v[~np.isnan(v.astype(float))].astype(np.uint32) for v in encoder.named_transformers_["encoder"].categories_]
    words = max([int(v.max(initial=0)) // 32 + 1 for v in values], default=1)

    def raw_set(bits, feature):  # the categories of a set of 256 bits
        listed = np.flatnonzero(np.unpackbits(bits.astype("<u4").view(np.uint8), bitorder="little"))
        flags = np.zeros(words * 32, np.uint8)
        flags[values[feature][listed[listed < len(values[feature])]]] = 1
        return np.packbits(flags, bitorder="little").view("<u4")

    categorical = (nodes["is_categorical"] == 1) & (nodes["is_leaf"] == 0)
    bits = np.concatenate([tree.raw_left_cat_bitsets.reshape(-1, 8) for tree, _ in trees])
    first = np.repeat(np.cumsum([0] + [len(tree.raw_left_cat_bitsets) for tree, _ in trees][:-1]),
                      [len(tree.nodes) for tree, _ in trees])
    features = nodes["feature_idx"][categorical].astype(int)
    link = {"IdentityLink": "identity", "LogLink": "exponential", "LogitLink": "sigmoid", "MultinomialLogit": "softmax"}
    sets = [raw_set(b, f) for b, f in zip(bits[(first + nodes["bitset_idx"])[categorical]], features)]
    known = [raw_set(known[rows_of_known[f]], f) for f in features]
    np.savez(path, version=np.array([1], np.uint32), features=np.array([len(mask)], np.uint32),
             link=np.frombuffer(link[type(model._loss.link).__name__].encode(), np.uint8),
             baseline=np.ravel(model._baseline_prediction).astype(np.float64),
             tree_nodes=np.array([len(tree.nodes) for tree, _ in trees], np.uint32),
             tree_output=np.array([output for _, output in trees], np.uint32),
             feature=columns[nodes["feature_idx"].astype(int)].astype(np.uint32),
             threshold=nodes["num_threshold"].astype(np.float64), value=nodes["value"].astype(np.float64),
             count=nodes["count"].astype(np.float64), left=nodes["left"].astype(np.uint32),
             right=nodes["right"].astype(np.uint32), is_leaf=nodes["is_leaf"].astype(np.uint8),
             missing_goes_left=nodes["missing_go_to_left"].astype(np.uint8), is_categorical=categorical.astype(np.uint8),
             left_categories=np.array(sets, np.uint32).reshape(-1, words),
             known_categories=np.array(known, np.uint32).reshape(-1, words),
             fractions_are_unknown=np.array([encoder is not None], np.uint8))  # before 1.4 they were truncated
