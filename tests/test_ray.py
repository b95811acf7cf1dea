"""Training on a Ray cluster: the same numbers as here, whatever happens to workers and nodes."""

import os
import random
import re
import signal
import sys
import warnings
from dataclasses import fields
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from searching import SMALL, blobs, line, small_search

from kerasreg import cli
from kerasreg.errors import UserError
from kerasreg.population import TrainingPlan, halving_rungs
from kerasreg.search.engines import TrainingTask, WorkerLost, engine_named
from kerasreg.search.engines.ray_cluster import RayCluster
from kerasreg.search.engines.ray_cluster.joining import alive, check_versions
from kerasreg.search.engines.ray_engine import RayEngine, on_cluster

KILLS = int(os.environ.get("KERASREG_RAY_KILLS", "3"))
STORE = 80 * 2**20


@pytest.fixture(scope="module")
def nodes():
    """A cluster of two nodes with one core each, on the loopback."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    cluster.add_node(**node)
    yield cluster
    cluster.shutdown()


@pytest.fixture(scope="module")
def engine(nodes):
    with on_cluster(RayCluster(nodes.address)) as engine:
        yield engine


def a_task(settings: int = 8, epochs: int = 4, **options) -> TrainingTask:
    """Settings of two structures."""
    plan = {name: options.pop(name) for name in ("halving", "keep", "objective") if name in options}
    return TrainingTask(
        tuple(
            SMALL.replace(
                dropout=0.1 * (k % 3),
                learning_rate=0.003 * (k + 1),
                normalization="batch" if k % 2 else "none",
            )
            for k in range(settings)
        ),
        names=tuple(f"t{k}" for k in range(settings)),
        plan=TrainingPlan(epochs, batch_size=16, **plan),
        **{"seeds": (0, 1, 2, 3), **options},
    )


def assert_same(ours, theirs):
    """All of the results but seconds, to the last bit."""
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert len(mine) == len(other) > 0
        for a, b in zip(mine, other, strict=True):
            for field in fields(a):
                if field.name != "seconds":
                    np.testing.assert_equal(getattr(a, field.name), getattr(b, field.name))


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (blobs, {}),
        (blobs, {"folds": 2, "balance": True, "keep": "best", "halving": halving_rungs(4)}),
        (line, {"folds": 2, "objective": "val_rmse", "seeds": (3,)}),
    ],
)
def test_the_results_are_those_of_one_machine(engine, data, options):
    task, dataset, told = a_task(**options), data(), []
    ours = engine.train(task, dataset, on_setting=lambda index, _: told.append(index))
    assert sorted(told) == list(range(8))
    assert_same(ours, engine_named("population").train(task, dataset))


def training_workers() -> list[int]:
    """Processes that train a part now; Ray gives them the name of what they run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue  # it has ended
        if command.startswith(b"ray::train_part"):
            found.append(int(path.parent.name))
    return found


def once(condition, event):
    """An `on_epoch` that does something the first time that a condition holds."""
    done = []

    def on_epoch(scores):
        if not done and condition(scores):
            done.append(True)
            event()

    return on_epoch


def test_killed_workers_change_nothing(engine):
    """Each after a random number of epochs."""
    draw, task, epochs = random.Random(KILLS), a_task(epochs=200), []
    moments = sorted(draw.sample(range(300), KILLS))

    def on_epoch(scores):
        epochs.extend(scores[:1])
        if moments and len(epochs) > moments[0] and (workers := training_workers()):
            moments.pop(0)
            os.kill(draw.choice(workers), signal.SIGKILL)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ours = engine.train(task, blobs(), on_epoch=on_epoch)
    assert 1 <= len(said) <= KILLS
    where = r"( on node 127\.0\.0\.1 \(\w{8}\))?"
    words = rf"The worker of t\d, .*t\d was lost{where}: the process ended\. They begin again\."
    assert all(re.fullmatch(words, str(warning.message)) for warning in said)
    assert_same(ours, engine_named("population").train(task, blobs()))


def test_a_node_that_leaves_and_one_that_joins_change_nothing(engine, nodes):
    task, leaving = a_task(settings=16, epochs=200), nodes.list_all_nodes()[-1]

    def swap():
        nodes.remove_node(leaving, allow_graceful=False)
        nodes.add_node(num_cpus=1, object_store_memory=STORE)

    with pytest.warns(UserWarning, match="The worker of t.* was lost") as said:
        ours = engine.train(
            task, blobs(), on_epoch=once(lambda _: len(training_workers()) == 2, swap)
        )
    assert len(said) == 1
    assert_same(ours, engine_named("population").train(task, blobs()))


def test_a_part_that_loses_every_worker_fails_and_the_others_are_told(engine, monkeypatch):
    monkeypatch.setattr("kerasreg.search.engines.ray_engine.RETRIES", 0)
    told = []

    def kill_one():
        os.kill(training_workers()[0], signal.SIGKILL)

    with pytest.raises(WorkerLost, match=r"t\d was lost 1 times, .*: the process ended"):
        engine.train(
            a_task(epochs=200),
            blobs(),
            once(lambda _: training_workers(), kill_one),
            lambda index, _: told.append(index),
        )
    assert len(told) == 4


class TestRefusals:
    def test_another_version(self, engine, monkeypatch):
        monkeypatch.setattr(metadata, "version", {"keras": "3.9"}.get)
        with pytest.raises(UserError, match=r"node 127.0.0.1 has .*keras 3\.\d+\.\d \(here 3\.9\)"):
            check_versions(alive())

    def test_no_package(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(UserError, match=r"not installed: pip install 'kerasreg\[ray\]'"):
            small_search(tmp_path / "study", ray="local")
        assert not (tmp_path / "study").exists()

    def test_more_cores_than_a_node_has(self, engine, nodes):
        with pytest.raises(UserError, match="got 2 cores and 0 GPUs for a population"):
            RayEngine(RayCluster(nodes.address, cpus=2), print)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"cpus": 0}, "--ray-cpus: expected a number from 0.01 to 1, or a whole number, got 0"),
            ({"cpus": 1.5}, "--ray-cpus: .* got 1.5"),
            ({"gpus": float("nan")}, "--ray-gpus: .* got nan"),
        ],
    )
    def test_a_share_that_no_population_can_have(self, options, words):
        with pytest.raises(UserError, match=words):
            RayCluster(**options)

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (["--ray-cpus", "2"], "--ray-cpus: expected --ray beside it; add --ray."),
            (["--ray", "--engine", "keras-tuner"], "--ray: expected --engine population, got"),
        ],
    )
    def test_options_that_do_not_fit(self, options, words, tmp_path, capsys):
        out = str(tmp_path / "study")
        assert cli.main(["search", "--data", "iris", "--out", out, *options]) == 2
        assert words in capsys.readouterr().err
