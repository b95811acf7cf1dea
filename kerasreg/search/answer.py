"""After the last trial: the baseline, the refit, the test, and what the study answers."""

from kerasreg.decision import rule_of_frequencies
from kerasreg.files import atomic_save_npz, atomic_write
from kerasreg.networks import NetworkConfig
from kerasreg.scores import trained_classes
from kerasreg.search import tensorboard
from kerasreg.search.ablation import ablate
from kerasreg.search.baseline import baseline_shape, train_baseline
from kerasreg.search.choosing import chosen_trial
from kerasreg.search.context import SearchContext, Side
from kerasreg.search.ensemble.joining import join_members
from kerasreg.search.final_test import read_test_rows, refit, refit_epochs
from kerasreg.search.look_inside import LookInside
from kerasreg.study import best_trial

_OF_A_CANDIDATE = ("hyperparameters", "status", "score", "chosen_epoch")


def conclude(context: SearchContext) -> None:
    """Train the baseline, refit both sides, read the test rows once, write result and model.

    Both sides are refitted on training and validation rows for their chosen number of epochs, with
    every seed of the study. The exported model is the best setting's with the first seed, and
    `test` is that model's result; the other seeds' stand beside it. Where no trial has a score,
    nothing is refitted, exported or tested.
    """
    study, dataset, request = context.study, context.dataset, context.request
    best = chosen_trial(study.trials(), request)
    shape = baseline_shape(request, best)
    candidates = train_baseline(context, shape)
    sides = {}
    if baseline := best_trial(candidates, request.objective):
        baseline = {**baseline, "trial": "baseline"}
        sides["baseline"] = Side(baseline, shape.replace(**baseline["hyperparameters"]))
    if best:
        sides["best"] = Side(best, request.config(best["hyperparameters"]))
    result = {
        "objective": request.objective,
        "metric": "mae" if dataset.task == "regression" else "accuracy",
        "class_names": dataset.class_names,
        "feature_names": dataset.feature_names,
        "target_name": dataset.target_name,
        "target_scale": dataset.target_scale,
        "rows": dataset.describe()["rows"],
        "batch_size": context.batch_size,
        "best": None,
        "baseline": None,
        **{name: {**side.record, "config": side.config.to_dict()} for name, side in sides.items()},
        "baseline_candidates": [
            {name: record[name] for name in _OF_A_CANDIDATE} for record in candidates
        ],
    }
    if best:
        result["effects"] = ablate(context, sides["best"])
        result["layers"] = _layers(context, sides["best"])
    rows = dataset.train.balanced() if request.balance else dataset.train
    rule = None
    if dataset.task == "classification":
        counts = trained_classes(rows.y, dataset.outputs, rows.weights)
        rule = rule_of_frequencies(request.objective, counts)
    ensemble = join_members(context, rule) if best and request.ensemble else None
    rules = dict.fromkeys(sides, rule) | ({"ensemble": ensemble.rule} if ensemble else {})
    if best:
        # Without a best trial there is nothing to test, and the test rows stay unread.
        models, inside = {}, {}
        # Runs of an interrupted conclusion, or of the result before the study was extended.
        for name in ("baseline", "best"):
            tensorboard.clear(study.tensorboard / name)
        for name, side in sides.items():
            look = LookInside(context, name, side)
            models[name] = refit(context, side, look.callbacks)
            seen = look.arrays(models[name][0])
            inside |= {f"{name}/{array}": values for array, values in seen.items()}
        atomic_save_npz(study.folder / "inside.npz", inside)
        joined = (ensemble.branches, ensemble.temperature) if ensemble else ()
        tests = read_test_rows(context, sides, models, *joined, rules=rules)
        for name, side in sides.items():
            epochs, _ = refit_epochs(request, side.record)
            result[name] |= {"refit_epochs": epochs, "test": tests[name]}
            if rule is not None:
                result[name]["threshold"] = rule
        encoded = context.rows_for(sides["best"].config)
        exported = context.exported(encoded.export(models["best"][0]))
        atomic_write(study.best_model, exported.save)
        if ensemble:
            result["ensemble"] = {**ensemble.save(context), "test": tests["ensemble"]}
    if context.engine.usage:
        result["cluster"] = context.engine.usage
    study.write_result(result)


def _layers(context: SearchContext, best: Side) -> list[dict[str, str]]:
    """What the best setting does to which layer of the user's network; of a stack, nothing."""
    if not isinstance(best.config, NetworkConfig):
        return []
    dataset = context.dataset
    plan = best.config.plan(dataset.input_shape, dataset.outputs, dataset.task)
    return [
        {"layer": row.layer, "kind": row.kind, "done": "; ".join(row.done.values())}
        for row in plan.rows
        if row.done
    ]
