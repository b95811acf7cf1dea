"""Successive halving in a search: who is stopped, when, and what is never chosen."""

import numpy as np
import pytest

from kerasreg.data import from_arrays
from kerasreg.errors import UserError
from kerasreg.population import halving_rungs
from kerasreg.search.run import search
from kerasreg.search.space import Range, Space
from kerasreg.stacks import StackConfig


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (50, ((6, 0.5), (12, 0.5), (25, 0.5))),
        (8, ((1, 0.5), (2, 0.5), (4, 0.5))),
        (3, ((1, 0.5),)),
        (1, ()),
    ],
)
def test_rungs(epochs, expected):
    assert halving_rungs(epochs) == expected


def test_the_worse_half_stops_at_each_rung_and_a_resumed_search_does_the_same(tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(120, 4)).astype(np.float32)
    data = from_arrays(x, (x[:, 0] + x[:, 1] > 0).astype(int))
    space = Space()
    space["learning_rate"] = Range(1e-5, 1e-1, log=True)
    base = StackConfig(units=(4,))

    def run(name, **options):
        return search(
            data, space=space, base=base, trials=8, epochs=8, folds=0, halving=True,
            out=tmp_path / name, **options,
        )  # fmt: skip

    study = run("one")
    records = study.trials()
    stopped = {r["trial"]: r["epochs"] for r in records if r["status"] == "stopped"}
    assert sorted(stopped.values()) == [1, 1, 1, 1, 2, 2, 4]
    (winner,) = (r for r in records if r["status"] == "completed")
    assert study.best()["trial"] == winner["trial"]
    # Who went on after the first epoch was better then than who did not.
    first = {r["trial"]: min(r["curves"]["val_data_loss"][:1]) for r in records}
    out = {trial for trial, epochs in stopped.items() if epochs == 1}
    assert max(first[t] for t in first if t not in out) <= min(first[t] for t in out)

    def killed(event):
        if event.phase == "searching" and event.done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("two", progress=killed)
    again = run("two", resume=True).trials()
    strip = [{k: v for k, v in r.items() if k != "seconds"} for r in (*records, *again)]
    for record in strip:
        for member in record["members"]:
            member.pop("seconds", None)
    assert sorted(map(str, strip[:8])) == sorted(map(str, strip[8:]))


def test_the_reference_engine_cannot_halve(tmp_path):
    with pytest.raises(UserError, match="--halving: expected --engine population"):
        search("digits", halving=True, engine="keras-tuner", out=tmp_path / "study")
