import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.errors import UsageError
from endcap.core.sequences import Catalogue, Sequences
from endcap.metrics.intervals import paired_interval
from endcap.metrics.ranking import ndcg_at, ranks_of
from endcap.models.evaluate import answer
from endcap.models.protocols import session_next
from endcap.models.registry import algorithm
from endcap.models.transitions import collapsed
from endcap.simulation.journeys import Day
from endcap.simulation.policies import Popular, place_law
from endcap.simulation.references import Truth, certain, click_scores, next_view_scores
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate
from endcap.simulation.truth import expected_of

WORLD = make_world("small", visitors=3_000, days=8, items=150, tastes=5, places=10, drift=0.05)
FIRST_ASKED = 5


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return Truth(simulate(WORLD, tmp_path_factory.mktemp("references") / "world", Popular()).out)


@pytest.fixture(scope="module")
def days(truth):
    return list(truth.days())


@pytest.fixture(scope="module")
def asked(truth, days):
    """The cases of session_next from day FIRST_ASKED on, with the scores of both references."""
    views = truth.views()
    starts = np.append(np.flatnonzero(np.diff(views.session, prepend=-1)), len(views.item))
    users = views.visitor[starts[:-1]]
    sequences = Sequences(starts, views.item.astype(np.int32), views.at_us, users)
    split = session_next(sequences, split_us=int(views.at_us[views.day == FIRST_ASKED].min()))
    at = np.flatnonzero(collapsed(sequences.items, sequences.sequence_of()))[split.cases.ends - 1]
    current = views.rows(at)
    scores = {name: np.zeros((len(at), WORLD.items)) for name in ("bayes", "clairvoyant")}
    for day in days:
        those = np.flatnonzero(current.day == day.number)
        looked_at = attention_of(day)
        beliefs = {"bayes": current.belief_EK[those], "clairvoyant": certain(current.taste[those], WORLD.tastes)}
        for name, belief in beliefs.items():
            scores[name][those] = next_view_scores(WORLD, day.laws, looked_at, belief, current.item[those])
    return split, scores


def attention_of(day):
    offered = np.flatnonzero(day.offered)
    places = min(WORLD.places, len(offered))
    law = place_law(Popular(), popular=day.popular, offered=offered, places=places, items=WORLD.items)
    return np.array(WORLD.attention[:places]) @ law


def ndcg(scores, cases):
    return ndcg_at(ranks_of(scores.astype(np.float32), cases.targets), 10)


def test_the_truth_tells_the_world_and_its_policy(truth):
    assert truth.world == WORLD
    assert truth.policy == "popular"


def test_bots_are_no_people(days):
    assert all((day.taste < WORLD.tastes).all() for day in days)


def test_views_stand_session_by_session_in_order_of_time(truth):
    views = truth.views()
    same = np.diff(views.session) == 0
    assert (np.diff(views.at_us)[same] > 0).all()
    assert (np.diff(views.visitor)[same] == 0).all()
    assert set(np.diff(views.session).tolist()) == {0, 1}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), orders=st.booleans())
def test_no_slate_of_what_is_offered_is_expected_to_bring_more_than_the_best_one_under_any_belief(
    mornings, seed, orders
):
    """What a slate brings is what the truth says of it, taste by taste; of the best one too."""
    rng = np.random.default_rng(seed)
    day, morning = mornings[int(rng.integers(len(mornings)))]
    belief = rng.dirichlet(np.full(WORLD.tastes, 0.3), 4)
    belief[0] = certain(np.array([2]), WORLD.tastes)[0]
    before = rng.integers(-1, WORLD.items, 4)
    scores = click_scores(day.laws, belief, before, day.offered, orders=orders)
    best = np.argsort(-scores, axis=1, kind="stable")[:, : WORLD.places].astype(np.int32)
    other = np.stack([rng.permutation(morning.offered)[: WORLD.places] for _ in range(4)]).astype(np.int32)
    near = best.copy()  # two neighbours change places, and what is next best comes in
    near[:, [0, 1]] = best[:, [1, 0]]
    near[:, -1] = np.argsort(-scores, axis=1, kind="stable")[:, WORLD.places]
    brings = [brought(morning, belief, before, slates, orders=orders) for slates in (best, other, near)]
    assert (brings[1] <= brings[0] + 1e-9).all()
    assert (brings[2] <= brings[0] + 1e-9).all()
    assert day.offered[best].all()


def brought(morning, belief, before, slates, *, orders):
    """Expected clicks (or carts after them) of slates under a belief."""
    total = np.zeros(len(slates))
    for taste in range(WORLD.tastes):
        told = expected_of(WORLD, morning, np.full(len(slates), taste), before, slates)
        total += belief[:, taste] * (told.carts if orders else told.clicks)
    return total


@pytest.fixture(scope="module")
def mornings(days):
    """Each day with what the world found in its morning."""
    return [(day, Day(day.number, day.laws, day.offered, np.flatnonzero(day.offered), day.popular)) for day in days]


def test_where_the_range_changes_the_best_slates_are_of_what_is_offered(days):
    assert any((~day.offered).any() for day in days)
    for day in days:
        scores = click_scores(day.laws, day.before_PK[:5], day.pages.before[:5], day.offered)
        assert (np.isneginf(scores) == ~day.offered).all()


def test_clicks_are_as_likely_as_the_clairvoyant_says(days):
    """Lists of the last day: what was clicked at the place the eye may fall on, against attention x score."""
    day = days[-1]
    lists = np.flatnonzero(day.pages.is_list)
    belief = certain(day.taste[lists], WORLD.tastes)
    scores = click_scores(day.laws, belief, day.pages.before[lists], day.offered)
    expected = np.take_along_axis(scores, day.pages.slate[lists].astype(np.int64), axis=1) * WORLD.attention[:10]
    clicked = (day.pages.place[lists] >= 0).sum()
    error = np.sqrt((expected.sum(axis=1) * (1 - expected.sum(axis=1))).sum())
    assert abs(clicked - expected.sum()) < 4 * error


@pytest.mark.parametrize(("visitors", "bots"), [(5, 0.0), (20, 1.0)])
def test_days_on_which_no_people_come_are_gone_through_too(tmp_path, visitors, bots):
    world = make_world("small", visitors=visitors, items=20, days=9, bot_share=bots, seed=3)
    truth = Truth(simulate(world, tmp_path / "world", Popular()).out)
    days = list(truth.days())
    assert len(days) == 9
    assert any(len(day.taste) == 0 for day in days)
    assert len(truth.views().item) == sum((day.pages.item >= 0).sum() for day in days)


def test_of_a_visitor_with_two_devices_what_was_opened_first_is_known_first(days):
    """Sessions of a visitor may go side by side; beliefs go from page to page by the instant."""
    side_by_side = 0
    for day in days:
        same = np.diff(day.pages.visitor) == 0
        assert (np.diff(day.pages.at_us)[same] >= 0).all()
        side_by_side += (np.diff(day.pages.session_us)[same] < 0).sum()
    assert side_by_side > 0


def test_a_folder_without_truth_is_told(tmp_path):
    with pytest.raises(UsageError, match="there is no simulated shop here"):
        Truth(tmp_path)


@pytest.mark.parametrize("name", ["bayes", "clairvoyant"])
def test_a_reference_reaches_what_it_expects_of_itself(asked, name):
    """Were its scores not the true chances of the next view, NDCG would come out lower than they say."""
    split, scores = asked
    chances = scores[name] / scores[name].sum(axis=1, keepdims=True)
    gains = np.zeros(WORLD.items)
    gains[:10] = 1 / np.log2(np.arange(10) + 2)
    expected = np.sort(chances, axis=1)[:, ::-1] @ gains
    reached = ndcg(scores[name], split.cases)
    assert len(reached) > 3_000
    assert abs(reached.mean() - expected.mean()) < 4 * (reached - expected).std() / np.sqrt(len(reached))


def test_the_next_view_is_as_likely_as_the_clairvoyant_says_item_by_item(asked):
    """What lists show most and what they hardly show, each within 4 standard errors."""
    split, scores = asked
    chances = scores["clairvoyant"] / scores["clairvoyant"].sum(axis=1, keepdims=True)
    expected = chances.sum(axis=0)
    seen = np.bincount(split.cases.targets, minlength=WORLD.items)
    error = np.sqrt((chances * (1 - chances)).sum(axis=0))
    off = (seen - expected)[error > 0] / error[error > 0]
    assert np.abs(off).max() < 4.5
    assert abs((off**2).mean() - 1) < 4 * np.sqrt(2 / len(off))


def test_the_bayes_optimal_ranking_is_beaten_by_no_model_and_beats_some_and_the_clairvoyant_by_nobody(asked):
    split, scores = asked
    catalogue = Catalogue(tuple(f"{number:03d}" for number in range(WORLD.items)))
    bayes, clairvoyant = (ndcg(scores[name], split.cases) for name in ("bayes", "clairvoyant"))
    for name in ("popular", "item_markov"):
        scorer = algorithm(name).fit(split.train, catalogue, seed=1)
        model = ndcg_at(answer(scorer, split.cases, WORLD.items, count=20).ranks, 10)
        both = np.stack([bayes - model, clairvoyant - model])
        means, ends = paired_interval(both, np.zeros_like(both), split.cases.users, seed=1, resamples=200)
        assert (means > 0.02).all()
        assert (ends[:, 0] > 0).all()
    _, ends = paired_interval(clairvoyant[None], bayes[None], split.cases.users, seed=1, resamples=200)
    assert ends[0, 1] > 0
