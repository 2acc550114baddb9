#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Bandits beside Open Bandit Pipeline (obp), MABWiser, NumPy and SciPy: beta draws, decisions, rewards, propensities.

obp 0.3.3 runs without PyTorch, which 0.4.1 and later need. Its policies compute what those of 0.5.7 do, but for the mean rewards of
EpsilonGreedy, which this file sets as 0.5.7 would. obp applies a reward at once (batch_size 1), as funnel does; for that it copies
the statistics of all arms, so rewards of linear policies are measured with two arms, the fewest that it takes.

Choices are random, so they are compared by their frequencies: `differing` counts the libraries, funnel among them, whose
frequencies a chi-squared test rejects, given the propensities that funnel states. "P(best)" checks such propensities against a
fine quadrature. Draws are compared by a Kolmogorov-Smirnov test. Each test rejects what is right with a probability of 1e-6.
Posteriors after rewards, and decisions of LinUCB, must be equal.

The choices of LinTS of MABWiser 2.7.4 are not compared: fit() gives each arm a copy of the same random generator, so the draws
of its arms are not independent, and some arms are chosen too often.

All times are CPU time of one thread.
"""

import sys
import warnings

from common import Comparison, seconds

comparison = Comparison("bandits", program="bench_peers_bandits_side", peers=["numpy", "scipy", "obp", "mabwiser"])

import numpy
import scipy.integrate
import scipy.special
import scipy.stats
from mabwiser.mab import MAB, LearningPolicy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from obp.policy import BernoulliTS, EpsilonGreedy, LinTS, LinUCB

PROBABILITY = 1e-6  # of a test that rejects what is right
ARMS, LINEAR_ARMS = 1_000, 50
EPSILON = 0.1
FILE = str(comparison.folder / "data/bandits_result.npy")


def result(command, **arguments):
    """The array that our program writes."""
    comparison.call(command, path=FILE, **arguments)
    return numpy.load(FILE)


def each(work, times):
    """Seconds of one of several calls of work(i)."""

    def run():
        for i in range(times):
            work(i)

    return seconds(run) / times


def is_rejected(counts, probabilities):
    """A chi-squared test of groups of arms, from the most probable arm on, each expected about 10 times or more."""
    counts, expected = numpy.ravel(counts), counts.sum() * numpy.ravel(probabilities)
    order = numpy.argsort(-expected)
    group = numpy.minimum(numpy.cumsum(expected[order]) // 10, expected.sum() // 10 - 1).astype(int)
    observed, expected = (numpy.bincount(group, x[order]) for x in (counts, expected))
    observed, expected = observed[expected > 0], expected[expected > 0]
    return not scipy.stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), max(1, len(expected) - 1)) >= PROBABILITY


def counts_of(choose, times, arms):
    return numpy.bincount([int(choose()) for _ in range(times)], minlength=arms)


# ---- Beta draws, P(best) -------------------------------------------------------------------------------------------------


def compare_draws():
    random = numpy.random.default_rng(1)
    plays = random.integers(50, 2_000, ARMS)
    clicks = random.binomial(plays, random.beta(2, 50, ARMS))
    kinds = {
        "Beta(5, 100)": numpy.tile([[5.0], [100.0]], ARMS),
        "Beta(1, 1)": numpy.ones((2, ARMS)),
        "Beta of 1,000 arms": numpy.stack([1.0 + clicks, 1.0 + plays - clicks]),
    }
    for name, shapes in kinds.items():
        comparison.call("shapes", path=comparison.save("bandits_shapes", shapes))
        draws = result("beta_draws", times=200)
        theirs = random.beta(*shapes, (200, ARMS))
        tests = [scipy.stats.kstest(scipy.special.betainc(*shapes, x.astype("f8")).ravel(), "uniform") for x in (draws, theirs)]
        differing = sum(not test.pvalue >= PROBABILITY for test in tests)
        pairs = comparison.paired(lambda: comparison.call("beta", times=200)["cpu"], lambda: each(lambda _: random.beta(*shapes), 20))
        comparison.add(f"{name}, a batch", "numpy", pairs, unit="ns/draw", per=ARMS, target=14.0, differing=differing, of=2, setup=f"{ARMS:,} draws per call; Generator.beta")


def best_of_grid(a, b, step):
    """P(arm has the largest draw) by the trapezoidal rule over log-odds, which converges exponentially."""
    t = numpy.arange(-60, 40, step)[:, None]
    x = scipy.special.expit(t)
    density = numpy.exp(a * scipy.special.log_expit(t) + b * scipy.special.log_expit(-t) - scipy.special.betaln(a, b))
    below = numpy.log(numpy.maximum(scipy.special.betainc(a, b, x), 1e-300))
    return step * (density * numpy.exp(below.sum(axis=1, keepdims=True) - below)).sum(axis=0)


def best_by_quad_vec(a, b):
    """P(arm has the largest draw), adaptively, between quantiles that all draws lie between."""
    low = scipy.special.logit(scipy.stats.beta.ppf(1e-12, a, b).min())
    high = -scipy.special.logit(scipy.stats.beta.ppf(1e-12, b, a).min())
    constant = scipy.special.betaln(a, b)

    def integrand(t):
        density = numpy.exp(a * scipy.special.log_expit(t) + b * scipy.special.log_expit(-t) - constant)
        below = numpy.log(numpy.maximum(scipy.special.betainc(a, b, scipy.special.expit(t)), 1e-300))
        return density * numpy.exp(below.sum() - below)

    return scipy.integrate.quad_vec(integrand, low, high, epsabs=1e-9, norm="max")[0]


def compare_best():
    arms = 80
    random = numpy.random.default_rng(6)
    shapes = numpy.stack([1.0 + random.integers(0, 60, arms), 1.0 + random.integers(0, 2_000, arms)])
    truth = best_of_grid(*shapes, 0.004)
    if numpy.abs(truth - best_of_grid(*shapes, 0.008)).max() > 1e-10 or abs(truth.sum() - 1) > 1e-10:
        raise RuntimeError("the reference of P(best) has not converged")
    comparison.call("shapes", path=comparison.save("bandits_shapes", shapes))
    exact = result("best_write").ravel()
    error = lambda p: numpy.abs(p - truth).max()
    differing = int((~(numpy.abs(exact - truth) <= 1e-8)).sum())
    ours = lambda: comparison.call("best", times=50)["cpu"]
    setup = f"exact: error {error(exact):.1g}; theirs: "

    pairs = comparison.paired(ours, lambda: each(lambda _: best_by_quad_vec(*shapes), 3))
    theirs = best_by_quad_vec(*shapes)
    comparison.add(f"P(best) of {arms} arms, quadrature", "scipy", pairs, unit="ms", differing=differing, of=arms, setup=f"{setup}quad_vec, error {error(theirs):.1g}")

    draws = 10_000
    policy = BernoulliTS(n_actions=arms, random_state=1, alpha=shapes[0], beta=shapes[1])
    pairs = comparison.paired(ours, lambda: each(lambda _: policy.compute_batch_action_dist(n_sim=draws), 1), rounds=3)
    shares = policy.compute_batch_action_dist(n_sim=draws).ravel()
    comparison.add(f"P(best) of {arms} arms, simulated", "obp", pairs, unit="ms", target=1000.0, differing=int(is_rejected(draws * shares, exact)), of=1, setup=f"{setup}{draws:,} of its default 100,000 draws, error {error(shares):.1g}")

    draws = 100_000

    def simulate(_):
        nonlocal shares
        shares = numpy.bincount(random.beta(*shapes, (draws, arms)).argmax(axis=1), minlength=arms) / draws

    pairs = comparison.paired(ours, lambda: each(simulate, 1), rounds=3)
    comparison.add(f"P(best) of {arms} arms, simulated", "numpy", pairs, unit="ms", differing=int(is_rejected(draws * shares, exact)), of=1, setup=f"{setup}{draws:,} draws at once, error {error(shares):.1g}")


# ---- Policies without context --------------------------------------------------------------------------------------------


def rewards_of(count, arms, dimension=1, seed=2):
    """Rewards in the order in which they arrive, on both sides: arms, rewards, contexts."""
    random = numpy.random.default_rng(seed)
    chosen = random.integers(0, arms, count).astype("u4")
    contexts = random.standard_normal((count, dimension)).astype("f4")
    if dimension == 1:
        rewards = (random.random(count) < random.beta(2, 60, arms)[chosen]).astype("f4")  # clicks
    else:
        weights = random.standard_normal((arms, dimension)) / dimension**0.5
        rewards = (contexts * weights[chosen]).sum(axis=1) + 0.5 * random.standard_normal(count)
    rewards = rewards.astype("f4")
    arrays = {"arms": chosen[None], "rewards": rewards[None], "contexts": contexts}
    comparison.call("events", **{name: comparison.save(f"bandits_{name}", array) for name, array in arrays.items()})
    return chosen.astype(int), rewards.astype("f8"), contexts.astype("f8")


def compare_thompson():
    chosen, rewards, _ = rewards_of(100_000, ARMS)
    comparison.call("thompson_learn", arms=ARMS)
    posterior = result("thompson_posterior")
    wins = numpy.bincount(chosen, rewards, ARMS)
    plays = numpy.bincount(chosen, minlength=ARMS)
    unequal = int((posterior != numpy.stack([1 + wins, 1 + plays - wins])).any(axis=0).sum())

    policy = BernoulliTS(n_actions=ARMS, random_state=1)
    learn = lambda i: policy.update_params(chosen[i], rewards[i])
    setup = f"{ARMS:,} arms"

    def learn_all():
        policy.initialize()
        return each(learn, len(chosen))

    pairs = comparison.paired(lambda: comparison.call("thompson_learn", arms=ARMS)["cpu"], learn_all, rounds=3)
    differing = unequal + int((posterior[0] - 1 != policy.reward_counts).sum()) + int((posterior.sum(axis=0) - 2 != policy.action_counts).sum())
    comparison.add("Thompson, a reward", "obp", pairs, unit="us", differing=differing, of=3 * ARMS, setup=f"{setup}; {len(chosen):,} rewards, one at a time")

    mab = MAB(list(range(ARMS)), LearningPolicy.ThompsonSampling(), seed=1)
    mab.fit(chosen, rewards)
    successes, failures = (numpy.array([of[arm] for arm in range(ARMS)]) for of in (mab._imp.arm_to_success_count, mab._imp.arm_to_fail_count))
    differing = int((posterior != numpy.stack([successes, failures])).any(axis=0).sum())
    pairs = comparison.paired(lambda: comparison.call("thompson_learn", arms=ARMS)["cpu"], lambda: each(lambda i: mab.partial_fit([chosen[i]], [rewards[i]]), 10), rounds=5)
    comparison.add("Thompson, a reward", "mabwiser", pairs, unit="us", target=1e6, differing=differing, of=ARMS, setup=setup)

    mab.fit(chosen, rewards)  # without those that were measured
    ours = lambda: comparison.call("thompson_select", times=1_000)["cpu"]
    propensities = result("thompson_propensities")
    is_ours_rejected = is_rejected(result("thompson_choices", times=200_000), propensities)
    for peer, choose, times, decisions, target in (
        ("obp", lambda: policy.select_action()[0], 200, 20_000, 25.0),
        ("mabwiser", mab.predict, 20, 2_000, 230.0),
    ):
        pairs = comparison.paired(ours, lambda: each(lambda _: choose(), times))
        differing = int(is_ours_rejected) + int(is_rejected(counts_of(choose, decisions, ARMS), propensities))
        comparison.add("Thompson, a decision", peer, pairs, unit="us", target=target, differing=differing, of=2, setup=setup)


def compare_greedy():
    chosen, rewards, _ = rewards_of(100_000, ARMS)
    comparison.call("greedy_learn", arms=ARMS, epsilon=EPSILON)
    propensities = result("greedy_propensities")
    policy = EpsilonGreedy(n_actions=ARMS, epsilon=EPSILON, random_state=1)
    policy.action_counts, policy.reward_counts = numpy.bincount(chosen, minlength=ARMS), numpy.bincount(chosen, rewards, ARMS)
    mab = MAB(list(range(ARMS)), LearningPolicy.EpsilonGreedy(epsilon=EPSILON), seed=1)
    mab.fit(chosen, rewards)
    is_ours_rejected = is_rejected(result("greedy_choices", times=100_000), propensities)
    ours = lambda: comparison.call("greedy_select", times=1_000)["cpu"]
    for peer, choose, times, decisions in (("obp", lambda: policy.select_action()[0], 500, 10_000), ("mabwiser", mab.predict, 50, 3_000)):
        pairs = comparison.paired(ours, lambda: each(lambda _: choose(), times))
        differing = int(is_ours_rejected) + int(is_rejected(counts_of(choose, decisions, ARMS), propensities))
        comparison.add("epsilon-greedy, a decision", peer, pairs, unit="us", differing=differing, of=2, setup=f"{ARMS:,} arms, epsilon {EPSILON}")


# ---- Policies with a context ---------------------------------------------------------------------------------------------


def questions_of(d):
    """Contexts to decide in, on both sides."""
    questions = numpy.random.default_rng(3).standard_normal((200, d)).astype("f4")
    comparison.call("questions", path=comparison.save("bandits_questions", questions))
    return questions.astype("f8")


def compare_updates(d, target):
    """Rewards of LinUCB with two arms, and the decisions afterwards."""
    chosen, rewards, contexts = rewards_of(500, 2, d)
    questions = questions_of(d)
    comparison.call("lin_ucb_learn", arms=2)
    choices = result("lin_ucb_choices").ravel()
    setup = f"2 arms, {len(chosen)} rewards, one at a time"
    policy = LinUCB(dim=d, n_actions=2, epsilon=1.0)

    def learn_all():
        policy.initialize()
        policy.__post_init__()
        return each(lambda i: policy.update_params(chosen[i], rewards[i], contexts[i : i + 1]), len(chosen))

    ours = lambda: comparison.call("lin_ucb_learn", arms=2)["cpu"]
    pairs = comparison.paired(ours, learn_all)
    theirs = numpy.concatenate([policy.select_action(question[None]) for question in questions])
    comparison.add(f"LinUCB, a reward, d {d}", "obp", pairs, unit="us", target=target, differing=int((theirs != choices).sum()), of=len(choices), setup=setup)
    mab = MAB([0, 1], LearningPolicy.LinUCB(alpha=1.0, l2_lambda=1.0), seed=1)
    mab.fit(chosen, rewards, contexts)
    differing = int((numpy.array(mab.predict(questions)) != choices).sum())
    learn = lambda i: mab.partial_fit([chosen[i]], [rewards[i]], contexts[i : i + 1])
    comparison.add(f"LinUCB, a reward, d {d}", "mabwiser", comparison.paired(ours, lambda: each(learn, 50)), unit="us", differing=differing, of=len(choices), setup=setup)


def taught(policy, chosen, rewards, contexts):
    """A linear policy of obp in the state that all rewards lead to. One reward at a time would take minutes."""
    for arm in range(LINEAR_ARMS):
        of = contexts[chosen == arm]
        policy.A_inv[arm] = numpy.linalg.inv(numpy.eye(policy.dim) + of.T @ of)
        policy.b[:, arm] = of.T @ rewards[chosen == arm]
    return policy


def compare_linear(d):
    """Decisions of LinUCB and LinTS, and draws of the coefficients of an arm."""
    chosen, rewards, contexts = rewards_of(40 * LINEAR_ARMS, LINEAR_ARMS, d)
    questions = questions_of(d)
    question = lambda i: questions[i % len(questions)][None]
    comparison.call("lin_ucb_learn", arms=LINEAR_ARMS)
    comparison.call("lin_ts_learn", arms=LINEAR_ARMS)
    setup = f"{LINEAR_ARMS} arms"
    obp_ucb = taught(LinUCB(dim=d, n_actions=LINEAR_ARMS, epsilon=1.0), chosen, rewards, contexts)
    obp_ts = taught(LinTS(dim=d, n_actions=LINEAR_ARMS, random_state=1), chosen, rewards, contexts)
    mabs = [MAB(list(range(LINEAR_ARMS)), policy, seed=1) for policy in (LearningPolicy.LinUCB(alpha=1.0, l2_lambda=1.0), LearningPolicy.LinTS(alpha=1.0, l2_lambda=1.0))]
    for mab in mabs:
        mab.fit(chosen, rewards, contexts)

    choices = result("lin_ucb_choices").ravel()
    ours = lambda: comparison.call("lin_ucb_select", times=200)["cpu"]
    for peer, choose in (("obp", lambda i: obp_ucb.select_action(question(i))[0]), ("mabwiser", lambda i: mabs[0].predict(question(i)))):
        theirs = numpy.array([choose(i) for i in range(len(questions))])
        pairs = comparison.paired(ours, lambda: each(choose, 50))
        comparison.add(f"LinUCB, a decision, d {d}", peer, pairs, unit="us", differing=int((theirs != choices).sum()), of=len(choices), setup=setup)

    propensities = result("lin_ts_propensities")
    is_ours_rejected = int(is_rejected(result("lin_ts_choices", times=20_000), propensities))
    is_obp_rejected = int(is_rejected(counts_of(lambda: obp_ts.select_action(question(0))[0], 400 if d < 100 else 100, LINEAR_ARMS), propensities))
    ours = lambda: comparison.call("lin_ts_select", times=200)["cpu"]
    pairs = comparison.paired(ours, lambda: each(lambda i: obp_ts.select_action(question(i)), 2), rounds=5)
    comparison.add(f"LinTS, a decision, d {d}", "obp", pairs, unit="us", differing=is_ours_rejected + is_obp_rejected, of=2, setup=setup)
    pairs = comparison.paired(ours, lambda: each(lambda i: mabs[1].predict(question(i)), 5), rounds=5)
    comparison.add(f"LinTS, a decision, d {d}", "mabwiser", pairs, unit="us", differing=is_ours_rejected, of=1, setup=f"{setup}; its arms share random numbers")

    covariance = obp_ts.A_inv[0]
    mean = covariance @ obp_ts.b[:, 0]
    whiten = numpy.linalg.cholesky(numpy.linalg.inv(covariance))
    random = numpy.random.default_rng(4)
    differing = 0
    for draws in (result("lin_ts_draws", times=5_000), random.multivariate_normal(mean, covariance, 5_000)):
        normal = (draws - mean) @ whiten  # independent, with mean 0 and variance 1
        tests = (scipy.stats.kstest(normal.ravel(), "norm"), scipy.stats.kstest((normal**2).sum(axis=1), "chi2", (d,)))
        differing += not all(test.pvalue >= PROBABILITY for test in tests)
    ours = lambda: comparison.call("lin_ts_draw", times=200)["cpu"]
    for method, target in (("svd", 75.0), ("cholesky", 8.0)):
        draw = lambda _: random.multivariate_normal(mean, covariance, method=method)
        pairs = comparison.paired(ours, lambda: each(draw, 10))
        comparison.add(f"LinTS, a draw, d {d}; {method}", "numpy", pairs, unit="us", target=target if d == 128 else None, differing=differing, of=2, setup="Generator.multivariate_normal")


def main():
    compare_draws()
    compare_best()
    compare_thompson()
    compare_greedy()
    for d, target in ((32, 30.0), (128, 55.0)):
        compare_updates(d, target)
        compare_linear(d)
    sys.exit(comparison.finish())


if __name__ == "__main__":
    main()
