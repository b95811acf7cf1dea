"""Studies made of records, without training anything: what reads a study can be tested on them."""

import math
from types import SimpleNamespace

import numpy as np

from kerasreg.files import atomic_save_npz
from kerasreg.stacks import StackConfig
from kerasreg.study import Study, failed_record, trial_record

HOSTILE = [
    "<script>window.pwned=1</script>",
    "\"quoted' & <b>bold</b>",
    "עברית مرحبا",
    "🙂🏳️‍🌈",
    "long" * 50,
    "</script><img src=x onerror=window.pwned=1>",
    "{{ 7*7 }}",
]


def member(config, seed, *, fold=None, epochs=8, level=0.3, status="completed", metric="accuracy"):
    """A member whose curves are simple formulas of its level and seed."""
    epoch = np.arange(1, epochs + 1)
    train = 1 / epoch + level / 2 + 0.01 * seed
    validation = 1 / epoch + level + 0.01 * seed * (1 + level)
    if status == "diverged":
        validation[-1] = math.nan
    penalty = np.full(epochs, 0.05)
    curves = {}
    for twin, values in (("", train), ("val_", validation)):
        other = 1 - values / 3 if metric == "accuracy" else values * 2
        curves |= {
            f"{twin}data_loss": values,
            f"{twin}penalty": penalty,
            f"{twin}loss": values + penalty,
            f"{twin}{metric}": other,
        }
    return SimpleNamespace(  # what `trial_record` asks of a member, without TensorFlow
        config=config,
        seed=seed,
        fold=fold,
        status=status,
        epochs=epochs,
        curves={name: np.asarray(values, np.float64) for name, values in curves.items()},
        seconds=1.5,
    )


def record(name, values, *, seeds=(0,), folds=(None,), objective="val_data_loss", **how):
    """A trial record as a search writes it."""
    known = {key: value for key, value in values.items() if hasattr(StackConfig(), key)}
    config = StackConfig().replace(**known)
    members = [member(config, seed, fold=fold, **how) for seed in seeds for fold in folds]
    return trial_record(name, values, members, objective, engine="population")


def settings_of(count, seed=0):
    draw = np.random.default_rng(seed)
    for _ in range(count):
        dropout = float(draw.uniform(0.05, 0.7)) if draw.random() > 0.3 else 0.0
        yield {
            "dropout": dropout,
            "l2": 0.0 if draw.random() < 0.3 else float(10 ** draw.uniform(-7, -1)),
            "normalization": str(draw.choice(["none", "batch"])),
            "learning_rate": float(10 ** draw.uniform(-4, -2)),
        }


def level_of(values):
    return 0.1 + (values["dropout"] - 0.3) ** 2 - 100 * min(values["learning_rate"], 1e-3) / 10


def make_study(
    folder,
    trials=(),
    *,
    asked=None,
    dataset=None,
    best=None,
    baseline=None,
    test=None,
    inside=False,
    command=("kerasreg", "search", "--data", "digits", "--out", "study"),
):
    """Write a study folder: trials, and a result where `best` is given."""
    described = {
        "name": "digits",
        "task": "classification",
        "rows": {"train": 300, "validation": 200, "test": 400},
        "target_scale": 1.0,
        "fingerprint": "ab" * 32,
        "notes": [],
        **(dataset or {}),
    }
    study = Study.create(
        folder,
        {
            "data": {"name_or_path": "digits", "train_size": 300},
            "objective": "val_data_loss",
            "trials": 8,
            "seed": 0,
            "base": StackConfig(units=(16, 16)).to_dict(),
            "dataset": described,
            **(asked or {}),
        },
        command=list(command),
    )
    for trial in trials:
        study.append(trial)
    if best is not None:
        study.count_test_read()
        base = StackConfig(units=(16, 16))
        known = {k: v for k, v in best["hyperparameters"].items() if k in base.to_dict()}
        sides = {"best": best, "baseline": baseline}
        study.write_result(
            {
                "baseline_candidates": [{"score": 1.0}] * 8,
                **{
                    who: side
                    and {
                        **side,
                        "config": base.replace(**known).to_dict(),
                        "test": (test or {}).get(who) or {"accuracy": 0.95, "data_loss": 0.2},
                    }
                    for who, side in sides.items()
                },
            }
        )
    if inside:
        atomic_save_npz(folder / "inside.npz", inside_arrays("baseline") | inside_arrays("best"))
    return study


def finished(folder, count=8, seeds=(0, 1, 2), **more):
    """A finished search with some diverged and failed trials."""
    trials = [
        record(f"t{k}", values, seeds=seeds, level=level_of(values))
        for k, values in enumerate(settings_of(count))
    ]
    lost = dict(next(settings_of(1, seed=9)), learning_rate=0.5)
    trials.append(record("lost", lost, seeds=seeds, status="diverged"))
    trials.append(failed_record("broken", lost, "RuntimeError: out of <b>luck</b>", seeds=seeds))
    best = min(trials[:count], key=lambda trial: trial["score"])
    baseline = record("baseline", {"learning_rate": 1e-3}, seeds=seeds, level=0.4)
    return make_study(folder, trials, best=best, baseline=baseline, inside=True, **more)


def inside_arrays(who, layers=2, epochs=5):
    """Arrays of `inside.npz`, as a search writes them."""
    edges = np.concatenate([np.linspace(-1, 0, 11), np.geomspace(0.01, 10, 30)])
    arrays = {"epochs": np.arange(1, epochs + 1)}
    arrays["gradient_norm/dense_1"] = np.linspace(1, 0.1, epochs)
    for layer in range(1, layers + 1):
        arrays |= {
            f"activation/activation_{layer}/counts": np.ones((epochs, len(edges) - 1)),
            f"activation/activation_{layer}/edges": edges,
            f"activation/activation_{layer}/zero": np.full(epochs, 0.1),
            f"activation/activation_{layer}/dead": np.linspace(0, 0.4, epochs),
        }
    counts, edges = np.histogram(np.linspace(-1, 1, 101), bins=60)
    arrays |= {
        "weights/dense_1/counts": counts,
        "weights/dense_1/edges": edges,
        "weights/dense_1/near_zero": np.array(0.25),
    }
    return {f"{who}/{name}": np.asarray(value) for name, value in arrays.items()}


# Further states of a study


def running(folder):
    trials = [record(f"t{k}", v, level=level_of(v)) for k, v in enumerate(settings_of(5))]
    make_study(folder, trials)


def empty(folder):
    make_study(folder)


def diverged_only(folder):
    trials = [record(f"t{k}", v, status="diverged") for k, v in enumerate(settings_of(4))]
    make_study(folder, trials, best=None)


def stopped_only(folder):
    make_study(folder, [record("t0", {"dropout": 0.1}, status="stopped", level=0.2)])


def one_trial(folder):
    only = record("t0", {}, level=0.2)
    make_study(folder, [only], best=only, baseline=record("baseline", {}, level=0.3))


def one_epoch(folder):
    trials = [record(f"t{k}", v, epochs=1) for k, v in enumerate(settings_of(4))]
    make_study(folder, trials, best=trials[0], baseline=record("baseline", {}, epochs=1))


def without_baseline(folder):
    trials = [record(f"t{k}", v, level=level_of(v)) for k, v in enumerate(settings_of(4))]
    make_study(folder, trials, best=min(trials, key=lambda t: t["score"]))


def folds(folder):
    how = {"folds": (0, 1, 2), "seeds": (0, 1)}
    trials = [record(f"t{k}", v, level=level_of(v), **how) for k, v in enumerate(settings_of(4))]
    best = min(trials, key=lambda trial: trial["score"])
    make_study(folder, trials, best=best, baseline=record("baseline", {}, level=0.4, **how))


def regression(folder, scale=77.0):
    how = {"metric": "mae", "objective": "val_mae"}
    trials = [record(f"t{k}", v, level=level_of(v), **how) for k, v in enumerate(settings_of(5))]
    make_study(
        folder,
        trials,
        asked={"objective": "val_mae"},
        dataset={"task": "regression", "target_scale": scale, "name": "diabetes"},
        best=min(trials, key=lambda trial: trial["score"]),
        baseline=record("baseline", {}, level=0.5, **how),
        test={who: {"mae": 41.5, "data_loss": 0.5} for who in ("best", "baseline")},
    )


def by_accuracy(folder):
    how = {"objective": "val_accuracy"}
    trials = [record(f"t{k}", v, level=level_of(v), **how) for k, v in enumerate(settings_of(5))]
    best = max(trials, key=lambda trial: trial["score"])
    baseline = record("baseline", {}, level=0.4, **how)
    make_study(folder, trials, asked={"objective": "val_accuracy"}, best=best, baseline=baseline)


def hostile(folder):
    """Every text a user's data can bring holds markup, quotes, other scripts or great length."""
    trials = [
        record(f"t{k}", dict.fromkeys(HOSTILE, k / 7) | {"choice": name}, level=0.2 + k / 10)
        for k, name in enumerate(HOSTILE)
    ]
    trials.append(failed_record("f", {"choice": "x"}, "\n".join(HOSTILE)))
    return make_study(
        folder,
        trials,
        asked={"data": {"name_or_path": HOSTILE[0], "target": HOSTILE[1]}},
        dataset={
            "name": HOSTILE[0],
            "target": HOSTILE[1],
            "class_names": HOSTILE,
            "notes": HOSTILE,
            "split": {HOSTILE[5]: HOSTILE[5]},
        },
        best=trials[0],
        baseline=record("baseline", {}, level=0.5),
        command=["kerasreg", *HOSTILE],
    )
