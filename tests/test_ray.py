"""Training on a Ray cluster: the same numbers as here, whatever happens to workers and nodes."""

import contextlib
import json
import os
import random
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
import warnings
from dataclasses import fields, replace
from importlib import metadata
from pathlib import Path

import keras
import numpy as np
import pytest
from searching import SMALL, Stop, blobs, line, small_search, stop_at, timeless
from sklearn.datasets import load_digits
from tuned import FIT, TRAIN, make_tuner, network

from kerasreg import cli, ledger
from kerasreg.errors import UserError
from kerasreg.population import TrainingPlan, checkpoint, halving_rungs
from kerasreg.search.engines import TrainingTask, WorkerLost, engine_named, rows_of
from kerasreg.search.engines.population_engine import checkpoint_name, train_structure
from kerasreg.search.engines.ray_cluster import RayCluster
from kerasreg.search.engines.ray_cluster.joining import alive, check_versions, joined
from kerasreg.search.engines.ray_cluster.workers import Workers
from kerasreg.search.engines.ray_engine import on_cluster
from kerasreg.study import Study

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


def a_task(settings: int = 8, epochs: int = 4, structures: int = 2, **options) -> TrainingTask:
    """Settings of one structure or two, in parts of four."""
    plan = {name: options.pop(name) for name in ("halving", "keep", "objective") if name in options}
    return TrainingTask(
        tuple(
            SMALL.replace(
                dropout=0.1 * (k % 3),
                learning_rate=0.003 * (k + 1),
                normalization="batch" if k % structures else "none",
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


def descendants(process: int) -> set[int]:
    """Processes that it started, and those that these started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found, new = set(), {process}
    while new:
        new = {child for child, parent in parents.items() if parent in new}
        found |= new
    return found


def training_workers() -> list[int]:
    """Our processes that train a part now; Ray gives them the name of what they run."""
    found = []
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):  # it has ended
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(b"ray::train_part"):
                found.append(process)
    return found


def once(condition, event):
    """An `on_epoch` that does something the first time that a condition holds."""
    done = []

    def on_epoch(scores):
        if not done and condition(scores):
            done.append(True)
            event()

    return on_epoch


def listening(processes: set[int]) -> set[str]:
    """Addresses on which processes take connections, as Linux writes them."""
    sockets = set()
    for process in processes:
        for descriptor in Path(f"/proc/{process}/fd").glob("*"):
            with contextlib.suppress(OSError):  # it has been closed
                sockets.add(os.readlink(descriptor))
    addresses = set()
    for table in ("tcp", "tcp6"):
        for row in Path("/proc/net", table).read_text().splitlines()[1:]:
            cells = row.split()
            if cells[3] == "0A" and f"socket:[{cells[9]}]" in sockets:
                addresses.add(cells[1].partition(":")[0])
    return addresses


LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", f"{'0' * 24}01000000"}
SEARCH = """
import sys
from searching import small_search
small_search(sys.argv[1], trials=8, epochs=40, seeds=4, ray="local")
"""


@pytest.fixture(scope="module")
def to_end():
    """Processes that have to end by themselves while the other tests run.

    Two of Ray's have no work left and try for a minute to tell that the others are gone.
    """
    processes = set()
    yield processes
    while any(Path(f"/proc/{process}").exists() for process in processes):
        time.sleep(0.1)


def test_a_killed_driver_leaves_nothing_behind_and_its_study_goes_on(tmp_path, to_end):
    """Ray on this machine listens on the loopback only, and ends with whoever started it."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    driver = subprocess.Popen(
        [sys.executable, "-c", SEARCH, str(tmp_path / "study")],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    trials = tmp_path / "study" / "trials.jsonl"
    while not trials.exists() or not trials.read_bytes():
        assert driver.poll() is None
        time.sleep(0.05)
    processes = descendants(driver.pid)
    addresses = listening(processes | {driver.pid})
    driver.kill()
    driver.wait()
    assert len(addresses) > 0
    assert addresses <= LOOPBACK
    to_end |= processes
    # What comes after the trials trains on no cluster any more.
    options = {"trials": 8, "epochs": 40, "seeds": 4, "progress": stop_at("baseline")}
    for name, resume in (("study", True), ("whole", False)):
        with pytest.raises(Stop):
            small_search(tmp_path / name, resume=resume, **options)
    ours, whole = (timeless(Study.open(tmp_path / name)) for name in ("study", "whole"))
    assert sorted(ours, key=lambda record: record["trial"]) == whole
    assert len(whole) == 8


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


def residual(hp):
    """A network that is no stack, of dense layers."""
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(4, activation="relu")(inputs)
    hidden = keras.layers.Dropout(hp.Float("dropout", 0.1, 0.5))(hidden + inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
    rate = keras.optimizers.SGD(hp.Float("rate", 0.01, 0.5))
    model.compile(rate, "sparse_categorical_crossentropy", metrics=["acc"])
    return model


def of_two_kinds(hp):
    return network(hp) if hp.Boolean("stack") else residual(hp)


def own_loss(y, outputs):
    return keras.losses.sparse_categorical_crossentropy(y, outputs)


def unknown(hp):
    """A model that Keras saves and cannot load: its loss is not registered."""
    model = residual(hp)
    model.compile("sgd", own_loss, metrics=["acc"])
    return model


LOCK = threading.Lock()
# A default that cannot be pickled.
LOCKED = keras.callbacks.LearningRateScheduler(lambda epoch, rate, lock=LOCK: rate / 2)


def tuned(folder, hypermodel, ray, callbacks=(), trials=1):
    """What a tuner found, and what its callbacks heard."""
    tuner = make_tuner(folder, hypermodel, "val_acc", trials, executions_per_trial=2, ray=ray)
    keras.utils.set_random_seed(0)
    heard = []
    told = keras.callbacks.LambdaCallback(on_epoch_end=lambda *epoch: heard.append(epoch))
    tuner.search(*TRAIN, **{**FIT, "epochs": 6}, callbacks=[*callbacks, told])
    trials = tuner.oracle.get_best_trials(trials)
    histories = [
        [(run["seed"], run["status"], run["history"]) for run in tuner.executions(trial.trial_id)]
        for trial in trials
    ]
    models = [model.get_weights() for model in tuner.get_best_models(len(trials))]
    # Structures train side by side: which of them is through first is a matter of timing.
    heard, ended = sorted(heard, key=repr), sorted(tuner.oracle.end_order)
    return [trial.score for trial in trials], histories, models, heard, ended


def test_a_tuner_finds_what_it_finds_here(engine, nodes, tmp_path, monkeypatch):
    """Two structures, a part for each trial; a callback steers, another listens."""
    monkeypatch.setattr("kerasreg.tuner.cluster.PART_MEMBERS", 2)
    stop = [keras.callbacks.EarlyStopping(monitor="val_loss", patience=1)]
    ours = tuned(tmp_path / "ours", of_two_kinds, nodes.address, stop, 4)
    np.testing.assert_equal(ours, tuned(tmp_path / "theirs", of_two_kinds, None, stop, 4))
    assert len({len(run[2]["loss"]) for runs in ours[1] for run in runs}) > 1


@pytest.mark.parametrize(
    ("hypermodel", "callbacks", "words"),
    [
        (unknown, [], "Could not locate function 'own_loss'"),
        (network, [LOCKED], "cannot pickle '_thread.lock'"),
        (network, [keras.callbacks.ModelCheckpoint("{epoch}.keras")], "of ModelCheckpoint, which"),
    ],
)
def test_what_cannot_be_sent_trains_here(
    engine, nodes, tmp_path, monkeypatch, hypermodel, callbacks, words
):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        ours = tuned(tmp_path / "ours", hypermodel, nodes.address, callbacks)
    said = [str(one.message) for one in caught if "in this process" in str(one.message)]
    assert len(said) == 1
    assert words in said[0]
    np.testing.assert_equal(ours, tuned(tmp_path / "theirs", hypermodel, None, callbacks))


def test_a_trial_whose_workers_are_lost_has_failed(engine, nodes, tmp_path, monkeypatch):
    """And no other: each trial is a part of its own."""
    waited, wait = [], Workers.wait

    def lost(workers, work):
        waited.append(work)
        if len(waited) == 1:
            raise WorkerLost(f"The worker of {work.names} was lost 4 times.")
        return wait(workers, work)

    monkeypatch.setattr(Workers, "wait", lost)
    monkeypatch.setattr("kerasreg.tuner.cluster.PART_MEMBERS", 1)
    tuner = make_tuner(tmp_path, network, "val_acc", 2, ray=nodes.address)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        tuner.search(*TRAIN, **FIT)
    assert any("A trial failed: " in str(one.message) for one in caught)
    assert [trial.status for trial in tuner.oracle.trials.values()] == ["FAILED", "COMPLETED"]


def test_a_full_object_store_changes_nothing(engine):
    """Ray moves to the disk what does not fit."""
    import ray

    task = replace(a_task(settings=1), seeds=(0,))
    held = [ray.put(np.zeros(STORE // 4, np.uint8)) for _ in range(5)]
    ours = engine.train(task, blobs())
    assert_same(ours, engine_named("population").train(task, blobs()))
    assert len(held) == 5


def test_another_worker_goes_on_from_a_checkpoint(engine, nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "INTERVAL", 0)
    task = replace(a_task(settings=2, epochs=20), seeds=(0,))
    task = replace(task, settings=task.settings[::2])
    rows, path = rows_of(task, blobs()), tmp_path / checkpoint_name(list(task.settings))
    begun, told = [], []

    def stop(scores):
        begun.append(scores)
        if len(begun) == 15:
            raise Stop

    with pytest.raises(Stop):
        train_structure(task, [0], rows, lambda *_: None, stop, path)
    with on_cluster(RayCluster(nodes.address, checkpoints=str(tmp_path))) as own:
        ours = own.train(task, blobs(), on_epoch=lambda scores: told.extend(scores))
    assert 5 <= len(told) <= 6
    assert not list(tmp_path.iterdir())
    assert_same(ours, engine_named("population").train(task, blobs()))


def test_killed_workers_change_nothing(engine, monkeypatch, record_property):
    """Each after a random number of epochs."""
    monkeypatch.setattr("kerasreg.search.engines.ray_cluster.workers.RETRIES", KILLS)
    draw, epochs = random.Random(KILLS), []
    task = a_task(settings=8 * -(-KILLS // 3), epochs=150, structures=1)
    moments = sorted(draw.sample(range(75 * KILLS), KILLS))

    def on_epoch(scores):
        epochs.extend(scores[:1])
        if moments and len(epochs) > moments[0] and (workers := training_workers()):
            moments.pop(0)
            os.kill(draw.choice(workers), signal.SIGKILL)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ours = engine.train(task, blobs(), on_epoch=on_epoch)
    record_property("kills", len(said))
    assert 1 <= len(said) <= KILLS
    where = r"( on node 127\.0\.0\.1 \(\w{8}\))?"
    words = rf"The worker of t\d+, .*t\d+ was lost{where}: the process ended\. They begin again\."
    assert [str(one.message) for one in said if not re.fullmatch(words, str(one.message))] == []
    assert_same(ours, engine_named("population").train(task, blobs()))


def test_a_node_that_leaves_and_one_that_joins_change_nothing(engine, nodes):
    # Enough parts for a worker that has to start first to have one.
    task = a_task(settings=24, epochs=150, structures=1)
    leaving = nodes.list_all_nodes()[-1]

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
    monkeypatch.setattr("kerasreg.search.engines.ray_cluster.workers.RETRIES", 0)
    told = []

    def kill_one():
        os.kill(training_workers()[0], signal.SIGKILL)

    with pytest.raises(WorkerLost, match=r"t\d was lost 1 times, .*: the process ended"):
        engine.train(
            a_task(epochs=150, structures=1),
            blobs(),
            once(lambda _: training_workers(), kill_one),
            lambda index, _: told.append(index),
        )
    assert len(told) == 4


def lesson_files(out):
    """What a lesson wrote, but for the seconds that it took and where its events are."""
    results = json.loads((out / "results.json").read_text())
    del results["seconds"]
    names = {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    return results, {
        path.with_name("events") if "tfevents" in path.name else path for path in names
    }


def test_a_lesson_says_what_it_says_here(nodes, engine, tmp_path, monkeypatch, capsys):
    scripts = Path(__file__).parent.parent / "scripts"
    x, y = load_digits(return_X_y=True)
    x, file = x.reshape(-1, 8, 8).astype("uint8"), str(tmp_path / "rows.npz")
    np.savez(file, x_train=x[:1500], y_train=y[:1500], x_test=x[1500:], y_test=y[1500:])
    asked = ["overfitting", "--data", file, "--quick", "--out", str(tmp_path)]
    assert ledger.main([*asked, "--ray", nodes.address], scripts) == 0
    assert "[1/1] overfitting on rows (1,797 images) … " in capsys.readouterr().out
    there = tmp_path / "rows" / "overfitting"
    assert "A quick run decides nothing." in (there / "output.txt").read_text()
    theirs, written = lesson_files(there)
    monkeypatch.setattr(sys, "argv", [*asked[:4], "--out", str(tmp_path / "here")])
    with pytest.raises(SystemExit):
        runpy.run_path(str(scripts / "overfitting.py"), run_name="__main__")
    ours, names = lesson_files(tmp_path / "here")
    assert ours == theirs
    assert written == names | {Path("output.txt"), Path("ledger.json")}


class TestRefusals:
    def test_another_version(self, engine, monkeypatch):
        monkeypatch.setattr(metadata, "version", {"keras": "3.9"}.get)
        with pytest.raises(UserError, match=r"node 127.0.0.1 has .*keras 3\.\d+\.\d \(here 3\.9\)"):
            check_versions(alive())

    def test_a_folder_that_a_node_cannot_write(self, engine, nodes, tmp_path):
        (tmp_path / "file").touch()
        cluster = RayCluster(nodes.address, checkpoints=str(tmp_path / "file" / "folder"))
        words = r"--ray-checkpoints: .* says: Not a directory"
        with on_cluster(cluster) as own, pytest.raises(UserError, match=words):
            own.train(a_task(settings=1), blobs())

    def test_an_address_where_nobody_listens(self, monkeypatch):
        import ray

        monkeypatch.setattr(ray, "is_initialized", lambda: False)
        words = "--ray 127.0.0.1:1: Ray could not be joined: .*refused"
        with pytest.raises(UserError, match=words), joined(RayCluster("127.0.0.1:1")):
            pytest.fail("joined")

    def test_no_package(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(UserError, match=r"not installed: pip install 'kerasreg\[ray\]'"):
            small_search(tmp_path / "study", ray="local")
        assert not (tmp_path / "study").exists()

    def test_more_cores_than_a_node_has(self, engine, nodes):
        words = "got 2 cores and 0 GPUs for a population"
        with pytest.raises(UserError, match=words), on_cluster(RayCluster(nodes.address, cpus=2)):
            pytest.fail("joined")

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
