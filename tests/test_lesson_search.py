"""The searchers and the table of trials behind the lesson on hyperparameter search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasreg.lesson import searchers
from kerasreg.lesson.searchers import grid, manual, narrowing, random
from kerasreg.lesson.trials import TrialTable, train_trials
from kerasreg.search import Range, Space
from kerasreg.stacks import StackConfig

SHAPE = (13, 7)
SPACE = Space(
    {
        "learning_rate": Range(1e-6, 1e-2, log=True, step=10 ** (1 / 3)),
        "l2": Range(1e-8, 1e-4, log=True, step=10 ** (2 / 3)),
    }
)
SEARCHERS = {
    "random": lambda scores, seed: random(scores, 12, seed),
    "narrowing": lambda scores, seed: narrowing(scores, 12, seed),
    "manual": lambda scores, seed: manual(scores, 12),
    "grid": lambda scores, seed: grid(scores, 3, seed),
}


@pytest.mark.parametrize("search", SEARCHERS.values(), ids=SEARCHERS)
@given(seed=st.integers(0, 2**31))
def test_no_cell_twice_and_all_inside(search, seed):
    scores = np.random.default_rng(seed).random(SHAPE)
    cells = search(scores, seed)
    assert len(set(cells)) == len(cells) <= 12
    assert all(0 <= a < SHAPE[0] and 0 <= b < SHAPE[1] for a, b in cells)
    assert cells == search(scores, seed)


def test_bayesian_search_finds_the_top_of_a_hill():
    rate, decay = np.indices(SHAPE)
    hill = 1 - (((rate - 9) / 13) ** 2 + ((decay - 2) / 7) ** 2)
    hits = []
    for seed in range(3):
        cells = searchers.bayesian(hill, SPACE, 12, seed)
        assert len(set(cells)) == len(cells) == 12
        hits.append(max(hill[cell] for cell in cells))
    assert np.mean(hits) > 0.99, "12 random cells reach 0.977 on average, the middle one 0.926"


def test_a_grid_has_a_level_in_each_part_of_an_axis_at_an_offset_drawn_evenly():
    found = np.array([grid(np.zeros(SHAPE), 3, seed) for seed in range(2000)])
    for axis, length in enumerate(SHAPE):
        levels = np.unique(found[0, :, axis])
        assert len(levels) == 3
        seen = np.bincount(found[:, :, axis].ravel(), minlength=length) / found[:, :, axis].size
        np.testing.assert_allclose(seen, 1 / length, atol=0.012)
    assert len({tuple(map(tuple, cells)) for cells in found.tolist()}) > 10


def test_a_part_of_a_table_is_another_range_of_the_same_settings():
    values = np.arange(2 * 5 * 4).reshape(2, 5, 4) / 40
    part = TrialTable(values, values + 1, values + 2).part(slice(2, 5), slice(0, 2))
    assert part.validation.shape == (2, 3, 2)
    assert part.validation[1, 0, 1] == values[1, 2, 1]
    assert part.test[0, 2, 0] == values[0, 4, 0] + 1
    assert part.validation_data_loss[0, 0, 0] == values[0, 2, 0] + 2


def test_by_hand_one_axis_is_climbed_after_the_other():
    rate, decay = np.indices(SHAPE)
    cells = manual(-np.abs(rate - 10) - np.abs(decay - 3), 12)
    assert cells[0] == (6, 3)
    assert max(cells, key=lambda cell: -abs(cell[0] - 10) - abs(cell[1] - 3)) == (10, 3)
    turned = [cell[1] != 3 for cell in cells]
    assert turned == sorted(turned), "the second axis is moved after the first"


@given(seed=st.integers(0, 2**31))
def test_narrowing_goes_between_the_best_two_or_just_beyond(seed):
    scores = np.random.default_rng(seed).random(SHAPE)
    cells = narrowing(scores, 12, seed)
    assert len(cells) == 12
    first, second = sorted(cells[:6], key=lambda cell: -scores[cell])[:2]
    sides = [abs(a - b) for a, b in zip(first, second, strict=True)]
    inside = np.prod([side + 1 for side in sides])
    beyond = 1 if inside >= 12 else 3
    for axis in (0, 1):
        low, high = sorted((first[axis], second[axis]))
        assert all(low - beyond <= cell[axis] <= high + beyond for cell in cells[6:])


def test_narrowing_has_all_its_trials_though_the_best_two_lie_in_a_corner():
    rate, decay = np.indices(SHAPE)
    corner = -(rate + decay).astype(float)
    assert {len(narrowing(corner, 12, seed)) for seed in range(200)} == {12}


def test_a_search_chooses_by_validation_and_is_judged_by_test():
    validation, test = np.zeros((1, 2, 2)), np.zeros((1, 2, 2))
    validation[0] = [[0.5, 0.9], [0.9, 0.7]]
    test[0] = [[0.99, 0.6], [0.1, 0.2]]
    table = TrialTable(validation, test, np.ones((1, 2, 2)))
    searches = table.search(lambda scores, seed: [(0, 0), (0, 1), (1, 0)], repeats=2)
    assert searches.found(1) == [0.99]
    assert searches.found() == [0.6], "the earliest of equals"
    np.testing.assert_allclose(searches.path(3), [[0.99, 0.6, 0.6]])
    region = np.array([[[False, True], [False, False]]])
    np.testing.assert_allclose(searches.share_in(region, after=1), [0.5])


def test_the_best_fifth_is_what_other_seeds_say_ties_by_their_data_loss():
    validation, test, loss = np.full((3, 5, 2), 0.5), np.zeros((3, 5, 2)), np.ones((3, 5, 2))
    validation[0, 1] = 1.0  # seed 0 alone says so
    loss[1:, 3] = 0.2
    regions = TrialTable(validation, test, loss).best_fifth()
    assert (regions.sum(axis=(1, 2)) == 2).all()
    assert regions[0, 3].all(), "its own scores do not count"
    assert regions[1, 1].all()
    assert regions[2, 1].all()


def test_trained_trials_are_the_settings_in_their_places():
    from kerasreg.lesson._data import load_lesson_data

    data = load_lesson_data("digits", train_size=200)
    rates = (1e-9, 0.3, 1e30)
    configs = [
        [StackConfig(units=(8,), optimizer="sgd", learning_rate=rate, l2=l2) for l2 in (0, 1e-4)]
        for rate in rates
    ]
    table = train_trials(configs, data, [0, 1], validation=0.2, epochs=5, batch_size=40)
    assert table.validation.shape == table.test.shape == (2, 3, 2)
    assert table.test[:, 1].min() > table.test[:, 0].max()
    np.testing.assert_allclose(table.test[:, 2], 0.1, err_msg="what diverged knows nothing")
