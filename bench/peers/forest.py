#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Forests beside the libraries that trained them, and LambdaMART beside LightGBM.

Scoring: all libraries score the same rows in calls of 1,000 rows, all different, or of one row. Every time includes what a call
does to features, such as our quantization. `differing` counts the rows whose raw score differs in any bit. Only lleaves adds in
another order; there it counts the rows that are further than 1e-12 apart, and the setup says how many differ in a bit. Rows
named AVX2 are our program without AVX-512, if the processor has both.

Training: equal settings, up to 100,000 rows, once for each of three drawn data sets. `differing` is 1 if the mean NDCG@10 of
held-out lists is more than 0.005 below that of LightGBM, or if a bias of a position is further from that of LightGBM than 10 % of
the range of the biases.

The data are synthetic: 136 features as a web search or a feed has them, of which 40 describe the query. With MovieLens-100K
(`./dev data`), candidates of its users are scored, too. All times are CPU time of one thread. Models are trained once, and
kept in build/bench/models/; the first run takes some minutes longer.
"""

import ctypes
import hashlib
import pathlib
import pickle
import re
import sys

import common

LIST = 40  # rows of a query
QUERY_FEATURES, ITEM_FEATURES = 40, 96
ROWS, PER_CALL = 4000, 1000
CATEGORIES = 60
TREES = 500
TRAINING = {"trees": 100, "leaves": 31, "learning_rate": 0.05, "min_rows": 50}

comparison = common.Comparison("forest", program="bench_peers_forest_side", peers=["lightgbm", "xgboost-cpu", "catboost", "scikit-learn", "lleaves"])

import catboost
import lightgbm
import lleaves
import numpy
import sklearn.ensemble
import xgboost

sys.path.insert(0, str(common.ROOT / "examples"))
import export_hist_gradient_boosting

MODELS = comparison.folder / "models"
MODELS.mkdir(parents=True, exist_ok=True)
SCORES = str(comparison.folder / "data/forest_scores.npy")
BIASES = str(comparison.folder / "data/forest_biases.npy")
comparison.describe("lleaves", "compiled for this processor, which is not timed")

avx2 = None  # our program without AVX-512, which many processors lack
if "AVX-512" in comparison.environment["backend"]:
    avx2 = common.Side([str(common.ROOT / "build/avx2/bench/bench_peers_forest_side")], 600.0)
    print(f"AVX2: {avx2.read('start')['flags']}")


# ---- Data ----------------------------------------------------------------------------------------------------------------


def ranking_data(queries, seed, missing=0.0):
    """Rows and labels from 0 to 4, of lists of 40. A third of the features of items are counts or often 0."""
    random = numpy.random.default_rng(seed)
    mix = numpy.random.default_rng(0).standard_normal((8, ITEM_FEATURES)) / 2
    n = queries * LIST
    query = numpy.repeat(random.standard_normal((queries, QUERY_FEATURES)), LIST, axis=0)
    hidden = random.standard_normal((n, 8))
    item = hidden @ mix + random.standard_normal((n, ITEM_FEATURES))
    item[:, 32:48] = numpy.floor(numpy.exp(item[:, 32:48]))
    item[:, 48:64] = numpy.maximum(item[:, 48:64], 0)
    utility = hidden[:, 0] + numpy.abs(hidden[:, 1]) + hidden[:, 2] * query[:, 0] + numpy.sin(2 * hidden[:, 3]) + 0.7 * random.standard_normal(n)
    labels = numpy.digitize(utility, numpy.quantile(utility, (0.5, 0.75, 0.9, 0.97)))
    rows = numpy.hstack([query, item]).astype("f4")
    rows[random.random(rows.shape) < missing] = numpy.nan
    return rows, labels.astype("f4")


def with_categories(rows, seed):
    """The last three features become categories; some are unknown to the training."""
    random = numpy.random.default_rng(seed)
    rows = rows.copy()
    rows[:, -3:] = numpy.where(numpy.isnan(rows[:, -3:]), numpy.nan, random.integers(0, CATEGORIES, (len(rows), 3)))
    return rows


def movielens():
    """Candidates of the users of MovieLens-100K: 40 for each, of which one in four was rated in the last tenth of the log, if
    there are as many. Features come from the time before. Training rows and labels, and rows to score; None without the log."""
    path = common.ROOT / "build/data/ml-100k"
    if not (path / "ml-100k.inter").exists():
        return None
    log = numpy.loadtxt(path / "ml-100k.inter", skiprows=1)
    kinds = {}
    genres = numpy.zeros((int(log[:, 1].max()) + 1, 32), "f4")
    for line in (path / "ml-100k.item").read_text().splitlines()[1:]:
        item, _, _, words = line.split("\t")
        for word in words.split():
            genres[int(item), kinds.setdefault(word, len(kinds))] = 1
    genres = genres[:, : len(kinds)]
    log = log[numpy.argsort(log[:, 3], kind="stable")]
    past, late = numpy.split(log, [len(log) * 9 // 10])
    users, items = (int(log[:, column].max()) + 1 for column in (0, 1))
    user, item = past[:, 0].astype(int), past[:, 1].astype(int)
    counts = [numpy.bincount(of, minlength=size) for of, size in ((user, users), (item, items))]
    with numpy.errstate(invalid="ignore"):  # NaN for those that are new
        means = [numpy.bincount(of, past[:, 2], size) / n for of, size, n in ((user, users, counts[0]), (item, items, counts[1]))]
        taste = numpy.stack([numpy.bincount(user, genre[item], users) / counts[0] for genre in genres.T], axis=1)
    last = numpy.full(items, numpy.nan)
    last[item] = past[:, 3]
    random = numpy.random.default_rng(1)
    pairs = []
    for who in range(1, users):
        liked = late[(late[:, 0] == who), 1][: LIST // 4].astype(int)
        others = random.choice(numpy.arange(1, items), LIST - len(liked), replace=False)
        pairs += [(who, what, float(i < len(liked))) for i, what in enumerate((*liked, *others))]
    who, what, label = (numpy.array(column) for column in zip(*pairs))
    columns = [counts[0][who], counts[1][what], means[0][who], means[1][what], past[-1, 3] - last[what], (taste[who] * genres[what]).sum(axis=1)]
    rows = numpy.hstack([numpy.stack(columns, axis=1), taste[who], genres[what]]).astype("f4")
    return rows, label.astype("f4"), rows[numpy.random.default_rng(2).permutation(len(rows))[:ROWS]]


def ndcg(scores, labels, k=10):
    """Mean NDCG of lists of 40; a list without labels above 0 is left out."""
    scores, labels = scores.reshape(-1, LIST), labels.reshape(-1, LIST)
    discounts = 1 / numpy.log2(numpy.arange(k) + 2)
    dcg = lambda order: ((2 ** numpy.take_along_axis(labels, order, axis=1)[:, :k] - 1) * discounts).sum(axis=1)
    best = dcg(numpy.argsort(-labels, axis=1))
    return float((dcg(numpy.argsort(-scores, axis=1, kind="stable"))[best > 0] / best[best > 0]).mean())


# ---- Models, which are trained once --------------------------------------------------------------------------------------


def kept(name, settings, suffix, train):
    """The path of a model. If there is none of these settings, train(path) writes it, and may write path + ".EXTENSION", too."""
    key = hashlib.sha1(repr((name, settings, comparison.peers)).encode()).hexdigest()[:12]
    path = MODELS / f"{name}-{key}{suffix}"
    if not path.exists():
        print(f"training {path.name}", flush=True)
        train(str(MODELS / f"unfinished{suffix}"))
        for file in sorted(MODELS.glob(f"unfinished{suffix}*"), reverse=True):  # the model itself last
            file.rename(str(path) + file.name.removeprefix(f"unfinished{suffix}"))
    return str(path)


def lightgbm_model(name, rows, labels, trees=TREES, lists=False, categorical=(), **settings):
    settings = {"verbosity": -1, "num_threads": 1, "seed": 1, "learning_rate": 0.05, "num_leaves": 31, **settings}

    def train(path):
        data = lightgbm.Dataset(rows, labels, group=[LIST] * (len(rows) // LIST) if lists else None, categorical_feature=list(categorical))
        lightgbm.train(settings, data, trees).save_model(path)

    return kept(f"lightgbm-{name}", (trees, rows.shape, settings), ".txt", train)


# ---- Peers: each scores rows, with one thread, in the fastest form of its call -------------------------------------------


class LightGBM:
    peer = "lightgbm"

    def __init__(self, path):
        self.booster = lightgbm.Booster(model_file=path)

    def __call__(self, rows):
        return self.booster.predict(rows, raw_score=True, num_threads=1)


class LightGBMSingleRow:
    """LGBM_BoosterPredictForMatSingleRowFast."""

    peer = "lightgbm"

    def __init__(self, path):
        self.booster = lightgbm.Booster(model_file=path)  # keeps the handle alive
        self.library = lightgbm.basic._LIB
        self.fast = ctypes.c_void_p()
        float32, raw_score = 0, 1
        features = self.booster.num_feature()
        if self.library.LGBM_BoosterPredictForMatSingleRowFastInit(self.booster._handle, raw_score, 0, -1, float32, features, b"num_threads=1", ctypes.byref(self.fast)):
            raise RuntimeError(self.library.LGBM_GetLastError())

    def __call__(self, rows):
        call = self.library.LGBM_BoosterPredictForMatSingleRowFast
        out = numpy.empty(len(rows))
        length = ctypes.byref(ctypes.c_int64())
        data, to, fast = rows.ctypes.data, out.ctypes.data, self.fast
        for i in range(len(rows)):
            call(fast, ctypes.c_void_p(data + i * rows.strides[0]), length, ctypes.c_void_p(to + 8 * i))
        return out


class XGBoost:
    peer = "xgboost-cpu"

    def __init__(self, path):
        self.booster = xgboost.Booster({"nthread": 1}, model_file=path)

    def __call__(self, rows):
        return self.booster.inplace_predict(rows, predict_type="margin")


class XGBoostMatrix(XGBoost):
    """Predicts from a DMatrix: for DART, whose sum inplace_predict adds in another way, and for categories."""

    def __call__(self, rows):
        types = self.booster.feature_types
        return self.booster.predict(xgboost.DMatrix(rows, feature_types=types, enable_categorical=types is not None, nthread=1), output_margin=True)


class Lleaves:
    peer = "lleaves"

    def __init__(self, path):
        self.model = lleaves.Model(model_file=path)
        self.model.compile(cache=path + ".lleaves.o", raw_score=True)

    def __call__(self, rows):
        return self.model.predict(rows, n_jobs=1)


# ---- Measuring -----------------------------------------------------------------------------------------------------------


def bits(scores):
    return numpy.ascontiguousarray(scores, dtype="f8").view("u8")


class Task:
    """A model and rows, on both sides."""

    def __init__(self, name, format, path, rows, setup):
        self.name, self.format, self.path, self.setup = name, format, path, setup
        self.rows = numpy.ascontiguousarray(rows, "f4")
        self.rows_path = comparison.save("forest_rows", self.rows)
        for side in (comparison.side, avx2):
            if side:
                side.call("rows", {"path": self.rows_path})
                side.call("load", {"format": format, "path": path})

    def against(self, peer, target=None, per_call=PER_CALL, rounds=7, program=None, label="", tolerance=0.0):
        """A row: ours and theirs, in calls of per_call rows. The peer is a function of rows."""
        side = program or comparison.side
        theirs = None

        def ours():
            return side.call("score", {"per_call": per_call, "times": 5})["cpu"]

        def score_all():
            nonlocal theirs
            step = per_call if per_call > 1 else len(self.rows)  # the peer has its own loop over single rows
            theirs = numpy.concatenate([numpy.asarray(peer(self.rows[i : i + step])) for i in range(0, len(self.rows), step)])

        pairs = comparison.paired(ours, lambda: common.seconds(score_all), rounds=rounds)
        side.call("write", {"path": SCORES})
        mine, other = numpy.load(SCORES), theirs.reshape(len(self.rows), -1).astype("f8")
        differing = int((bits(mine) != bits(other)).any(axis=1).sum())
        setup = f"{self.setup}, {per_call} per call" if per_call > 1 else f"{self.setup}, one call per row"
        if tolerance:
            setup += f"; {differing} rows differ in a bit"
            differing = int((~(numpy.abs(mine - other) <= tolerance * numpy.maximum(1, numpy.abs(other)))).any(axis=1).sum())
        comparison.add(self.name + label, peer.peer, pairs, "us/row", len(self.rows), target=target, differing=differing, of=len(self.rows), setup=setup)

    def loading(self, peer, target=None):
        """A row: from the file to a forest that scores."""
        ours = lambda: comparison.call("load", format=self.format, path=self.path)["cpu"]
        pairs = comparison.paired(ours, lambda: common.seconds(lambda: peer(self.path)))
        size = pathlib.Path(self.path).stat().st_size / 1e6
        comparison.add(f"load, {self.name}", peer.peer, pairs, "ms", target=target, setup=f"{size:.1f} MB; read, checked, ready to score")


def missing_of(missing):
    return f"{missing:.0%} NaN" if missing else "no NaN"


def compare_lightgbm():
    targets = {31: (50.0, 20.0, 14.0), 64: (35.0, None, None), 255: (12.0, None, None)}
    tasks = []
    for missing in (0.0, 0.1):
        train, labels = ranking_data(500, 1, missing)
        rows = ranking_data(ROWS // LIST, 2, missing)[0]
        for leaves, (target, on_avx2, beside_lleaves) in targets.items():
            path = lightgbm_model(f"{leaves}-{missing_of(missing).replace(' ', '-')}", train, labels, lists=True, objective="lambdarank", num_leaves=leaves)
            task = Task(f"{TREES} x {leaves}, {missing_of(missing)}", "lightgbm", path, rows, f"{rows.shape[1]} features")
            peer = LightGBM(path)
            task.against(peer, target)
            if avx2:
                task.against(peer, on_avx2, program=avx2, label=", AVX2")
            if leaves == 31:  # it compiles for 20 seconds, and longer for larger trees
                fast = Lleaves(path)
                task.against(fast, beside_lleaves, tolerance=1e-12)
                if avx2:
                    task.against(fast, program=avx2, label=", AVX2", tolerance=1e-12)
            task.against(LightGBMSingleRow(path), 4.0, per_call=1, rounds=5, label=", single")
            if not missing:
                tasks.append(task)
    return tasks


def compare_kinds_of_lightgbm():
    train, labels = ranking_data(250, 3, 0.1)
    rows = ranking_data(ROWS // LIST, 4, 0.1)[0]
    train_categories, categories = with_categories(train, 5), with_categories(rows, 6)
    categories[::7, -3:] += CATEGORIES
    features = train.shape[1]
    kinds = {
        "categorical": (train_categories, categories, {"categorical": range(features - 3, features), "min_data_per_group": 5, "cat_smooth": 1.0}),
        "zero_as_missing": (train, rows, {"zero_as_missing": True}),
        "linear trees": (train, rows, {"linear_tree": True}),
        "3 classes": (train, rows, {"objective": "multiclass", "num_class": 3}),
    }
    for name, (x, test, settings) in kinds.items():
        y = numpy.minimum(labels, 2) if "num_class" in settings else labels
        path = lightgbm_model(name.replace(" ", "-"), x, y, 100, **{"objective": "regression", **settings})
        Task(f"100 x 31, {name}", "lightgbm", path, test, f"{features} features, 10% NaN").against(LightGBM(path), rounds=3)


def compare_xgboost():
    train, labels = ranking_data(250, 3, 0.1)
    rows = ranking_data(ROWS // LIST, 4, 0.1)[0]
    train_categories, categories = with_categories(train, 5), with_categories(rows, 6)
    categories[::7, -3:] += CATEGORIES
    types = ["q"] * (train.shape[1] - 3) + ["c"] * 3
    kinds = {
        "": (XGBoost, TREES, train, rows, {"objective": "rank:ndcg"}),
        ", logistic": (XGBoost, 100, train, rows, {"objective": "binary:logistic"}),
        ", DART": (XGBoostMatrix, 100, train, rows, {"objective": "binary:logistic", "booster": "dart", "rate_drop": 0.1}),
        ", 3 classes": (XGBoost, 100, train, rows, {"objective": "multi:softprob", "num_class": 3}),
        ", categorical": (XGBoostMatrix, 100, train_categories, categories, {"objective": "reg:squarederror", "max_cat_to_onehot": 1}),
    }
    tasks = []
    for name, (peer, trees, x, test, settings) in kinds.items():
        settings = {"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 31, "max_depth": 0, "eta": 0.05, "nthread": 1, "seed": 1, "verbosity": 0, **settings}

        def fit(path):
            is_categorical = x is train_categories
            data = xgboost.DMatrix(x, numpy.minimum(labels, {"binary:logistic": 1, "multi:softprob": 2}.get(settings["objective"], 4)), feature_types=types if is_categorical else None, enable_categorical=is_categorical, nthread=1)
            if settings["objective"] == "rank:ndcg":
                data.set_group([LIST] * (len(x) // LIST))
            xgboost.train(settings, data, trees).save_model(path)

        path = kept(f"xgboost{name.replace(', ', '-').replace(' ', '-')}", (trees, x.shape, settings), ".json", fit)
        task = Task(f"{trees} x 31{name}", "xgboost", path, test, f"{x.shape[1]} features, 10% NaN")
        task.against(peer(path), rounds=3)
        if avx2 and not name:
            task.against(peer(path), rounds=3, program=avx2, label=", AVX2")
        tasks.append(task)
    return tasks[0]


class CatBoost:
    peer = "catboost"

    def __init__(self, path):
        self.model = catboost.CatBoost()
        self.model.load_model(path)

    def __call__(self, rows):
        return self.model.predict(rows, prediction_type="RawFormulaVal", thread_count=1)


def compare_catboost():
    train, labels = ranking_data(250, 3, 0.1)
    rows = ranking_data(ROWS // LIST, 4, 0.1)[0]
    kinds = {"": (TREES, {"loss_function": "RMSE"}), ", 3 classes": (100, {"loss_function": "MultiClass"}), ", not oblivious": (100, {"loss_function": "RMSE", "grow_policy": "Lossguide", "max_leaves": 31})}
    for name, (trees, settings) in kinds.items():
        settings = {"iterations": trees, "depth": 5, "learning_rate": 0.05, "thread_count": 1, "random_seed": 1, "verbose": False, "allow_writing_files": False, **settings}
        if "max_leaves" in settings:
            del settings["depth"]

        def fit(path):
            model = catboost.CatBoost(settings)
            model.fit(train, numpy.minimum(labels, 2))
            model.save_model(path, format="json")
            model.save_model(path + ".cbm")  # its JSON reader does not round correctly, so its own scores come from this file

        path = kept(f"catboost{name.replace(', ', '-').replace(' ', '-')}", (train.shape, settings), ".json", fit)
        task = Task(f"{trees} x {31 if 'max_leaves' in settings else 32}{name}", "catboost", path, rows, f"{train.shape[1]} features, 10% NaN")
        task.against(CatBoost(path + ".cbm"), rounds=3)


class HistGradientBoosting:
    peer = "scikit-learn"

    def __init__(self, path):
        with open(path, "rb") as file:
            self.model = pickle.load(file)

    def __call__(self, rows):
        return (self.model.decision_function if hasattr(self.model, "decision_function") else self.model.predict)(rows)


def compare_scikit_learn():
    train, labels = ranking_data(250, 3, 0.1)
    rows = ranking_data(ROWS // LIST, 4, 0.1)[0]
    train_categories, categories = with_categories(train, 5), with_categories(rows, 6)
    categories[::7, -3:] += CATEGORIES
    kinds = {
        "": (sklearn.ensemble.HistGradientBoostingRegressor, TREES, train, rows, {}),
        ", 3 classes": (sklearn.ensemble.HistGradientBoostingClassifier, 100, train, rows, {}),
        ", categorical": (sklearn.ensemble.HistGradientBoostingRegressor, 100, train_categories, categories, {"categorical_features": list(range(train.shape[1] - 3, train.shape[1]))}),
    }
    for name, (kind, trees, x, test, settings) in kinds.items():
        settings = {"max_iter": trees, "learning_rate": 0.05, "early_stopping": False, "random_state": 1, **settings}

        def fit(path):
            model = kind(**settings).fit(x, numpy.minimum(labels, 2))
            export_hist_gradient_boosting.export(model, path)
            with open(path + ".pickle", "wb") as file:
                pickle.dump(model, file)

        path = kept(f"scikit-learn{name.replace(', ', '-').replace(' ', '-')}", (x.shape, settings), ".npz", fit)
        Task(f"{trees} x 31{name}", "scikit-learn", path, test, f"{x.shape[1]} features, 10% NaN").against(HistGradientBoosting(path + ".pickle"), rounds=3)


def compare_movielens():
    data = movielens()
    if data is None:
        print("no MovieLens-100K, which ./dev data fetches: its rows are left out")
        return
    train, labels, rows = data
    path = lightgbm_model("movielens", train, labels, lists=True, objective="lambdarank")
    task = Task(f"{TREES} x 31, MovieLens-100K", "lightgbm", path, rows, f"{train.shape[1]} features of candidates")
    task.against(LightGBM(path), 50.0)
    if avx2:
        task.against(LightGBM(path), 20.0, program=avx2, label=", AVX2")


class PositionBiases:
    """What LightGBM writes about its position biases, which no function returns: the last value of each position."""

    def __init__(self):
        self.last = {}

    def info(self, message):
        found = re.fullmatch(r"\[LightGBM\] \[Debug\]\s+(\d+)\s+(-?[\d.e+-]+)\s*", message)
        if found:
            self.last[int(found[1])] = float(found[2])

    warning = info


def clicks(rows, labels, seed):
    """Positions of rows in lists that an old ranking by one worthless feature ordered, and clicks: seen with probability
    1 / (1 + position), and liked with a probability that grows with the label."""
    random = numpy.random.default_rng(seed)
    positions = numpy.argsort(numpy.argsort(-rows[:, QUERY_FEATURES].reshape(-1, LIST), axis=1), axis=1).reshape(-1)
    return positions, (random.random(len(rows)) < labels / 4 / (1 + positions)).astype("f4")


def compare_training(name, objective, lists, learns_from_clicks=False, target=None):
    """One thread, equal settings, three data sets. Returns rows of the last one, as our model scores them."""
    ours, theirs, quality, biases = [], [], [], []
    for seed in (11, 12, 13):
        train, labels = ranking_data(lists, seed)
        test, truth = ranking_data(2000, seed + 100)
        positions = None
        if learns_from_clicks:
            positions, labels = clicks(train, labels, seed)
        files = {"rows": comparison.save("forest_train", train), "labels": comparison.save("forest_labels", labels[None])}
        files["positions"] = comparison.save("forest_positions", positions[None].astype("f4")) if learns_from_clicks else ""
        settings = {"objective": objective, "verbosity": 2 if learns_from_clicks else -1, "num_threads": 1, "seed": seed, "num_leaves": TRAINING["leaves"], "learning_rate": TRAINING["learning_rate"], "min_data_in_leaf": TRAINING["min_rows"]}
        booster, log = None, PositionBiases()
        lightgbm.register_logger(log)

        def their_fit():
            nonlocal booster
            booster = lightgbm.train(settings, lightgbm.Dataset(train, labels, group=[LIST] * lists, position=positions), TRAINING["trees"])

        our_fit = lambda: ours.append(comparison.call("train", objective=objective, list=LIST, **TRAINING, **files)["cpu"])
        turns = [our_fit, lambda: theirs.append(common.seconds(their_fit))]
        for fit in turns[:: 1 if seed % 2 else -1]:
            fit()
        comparison.call("rows", path=comparison.save("forest_rows", test))
        comparison.call("score", per_call=PER_CALL, times=1)
        comparison.call("write", path=SCORES)
        mine = numpy.load(SCORES)[:, 0]
        quality.append((ndcg(mine, truth), ndcg(booster.predict(test, raw_score=True, num_threads=1), truth)))
        if learns_from_clicks:
            comparison.call("biases", path=BIASES)
            pair = numpy.array([numpy.load(BIASES)[0], [log.last[position] for position in range(LIST)]])
            pair -= pair.mean(axis=1, keepdims=True)  # only differences count
            biases.append(float(abs(pair[0] - pair[1]).max() / numpy.ptp(pair[1])))
    mean = numpy.mean(quality, axis=0)
    setup = f"{lists * LIST:,} x 136, {TRAINING['trees']} trees of {TRAINING['leaves']}; NDCG@10 " + ", ".join(f"{a:.4f}" for a, _ in quality) + "; theirs " + ", ".join(f"{b:.4f}" for _, b in quality)
    differs = not mean[0] >= mean[1] - 0.005
    if learns_from_clicks:
        setup += f"; biases of positions within {max(biases):.1%} of their range"
        differs = differs or not max(biases) <= 0.1
    comparison.add(name, "lightgbm", common.pairs_of(ours, theirs), "s", target=target, differing=int(differs), of=1, setup=setup)
    return test[:ROWS]


def compare_saved(rows):
    """LightGBM loads what we save, and scores."""
    saved = str(MODELS / "lambdamart.txt")
    comparison.call("save", path=saved)
    Task(f"{TRAINING['trees']} x {TRAINING['leaves']}, saved by us", "lightgbm", saved, rows, "136 features, no NaN").against(LightGBM(saved), rounds=3)


def main():
    tasks = compare_lightgbm()
    compare_kinds_of_lightgbm()
    boosted = compare_xgboost()
    compare_catboost()
    compare_scikit_learn()
    compare_movielens()
    for task in tasks:
        task.loading(LightGBM, target=2.0)
    boosted.loading(XGBoost)
    compare_training("LambdaMART fit, XE-NDCG", "rank_xendcg", 1000)
    compare_training("LambdaMART fit, position bias", "lambdarank", 1000, learns_from_clicks=True)
    compare_saved(compare_training("LambdaMART fit", "lambdarank", 2500, target=1 / 1.5))
    if avx2:
        avx2.close()
    sys.exit(comparison.finish())


if __name__ == "__main__":
    main()
