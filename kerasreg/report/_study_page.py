"""The page of a study: a reader's questions in their order."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasreg import plots, words
from kerasreg.objectives import sign
from kerasreg.report import _answer, _pictures, _trials
from kerasreg.report._effects import effect_rows, effects_sentence
from kerasreg.report._ensemble import ensemble_sentence
from kerasreg.report._network import is_network, layer_rows, network_code
from kerasreg.report._page import write_page
from kerasreg.report._reading import StudyView, metric_of, read_study
from kerasreg.stacks import StackConfig


def render_report(folder: Path | str) -> Path:
    """Write `report.html` and `figures/` of a study, finished, running or interrupted.

    Args:
        folder: The study folder. Nothing but these two is written, and no lock is taken.

    Returns:
        The page: one self-contained file that needs no network.

    Raises:
        UserError: No study there, a file that is not what kerasreg writes, or a disk that refuses.
    """
    view = read_study(folder)
    figures = view.folder / "figures"
    setting = view.best["hyperparameters"] if view.best else {}
    values = {
        "title": f"{view.name}: which regularisation?",
        "effects_sentence": effects_sentence(view),
        "effects": effect_rows(view),
        "ensemble_sentence": ensemble_sentence(view),
        "headline": _answer.headline(view),
        "test_sentence": _answer.test_sentence(view),
        "progress": _progress(view, folder),
        "rows": _answer.answer_rows(view),
        "members_note": _answer.members_note(view),
        "best": view.best,
        "settings": [(name, words.show(value)) for name, value in setting.items()],
        "layers": layer_rows(view),
        "test": _test_facts(view),
        "cost": _cost(view),
        "curves": _pictures.curves(view, figures),
        "calibration": _pictures.calibration(view, figures),
        "region": _pictures.region(view, figures),
        "inside": _pictures.inside(view, figures),
        "table": _trials.table(view),
        "data_notes": [
            str(note) for key in ("warnings", "notes") for note in view.data.get(key) or []
        ],
        "repeat": _repeat(view),
        "embedded": {
            "objective": view.objective,
            "trials": [_trials.embedded(t) for t in view.trials],
        },
    }
    return write_page("study.html.j2", view.folder / "report.html", values)


def _progress(view: StudyView, given: Path | str) -> dict[str, Any]:
    statuses = [trial["status"] for trial in view.trials]
    return {
        "finished": view.result is not None,
        "done": len(statuses),
        "asked": view.request.get("trials"),
        "counts": {name: statuses.count(name) for name in dict.fromkeys(statuses)},
        "arrays": _from_arrays(view),
        "resume": _resume(view, str(given)),
    }


def _from_arrays(view: StudyView) -> bool:
    return "data" in view.request and view.request["data"] is None


def _resume(view: StudyView, given: str) -> str:
    """How to go on: the verb that was asked, and the folder as the reader just called it."""
    verb = "train" if view.request.get("command") == "train" else "search"
    if _from_arrays(view):
        function = {"train": "train_stack", "search": "search_regularization"}[verb]
        return f"kerasreg.{function}(..., out={given!r}, resume=True)"
    return f"kerasreg {verb} --resume --out {shlex.quote(given)}"


def _test_facts(view: StudyView) -> dict[str, Any]:
    best, value = view.best, view.test("best", view.metric)
    validation = metric_of(best, f"val_{view.metric}")
    return {
        "reads": view.test_reads,
        "read": value is not None,
        "rows": _answer.test_rows(view),
        "metric": words.NAMES[view.metric],
        "value": words.amount(value, view.metric),
        "seeds": len(view.tests("best")),
        "exported": words.amount(next(iter(view.tests("best")), {}).get(view.metric), view.metric),
        "validation": words.amount(validation, view.metric),
        "trials": len(plots.scored(view.trials)),
        "above": None not in (value, validation)
        and sign(view.metric) * value > sign(view.metric) * validation,
    }


def _cost(view: StudyView) -> str:
    spent = sum(float(trial["seconds"]) for trial in view.trials)
    if not view.trials:
        return "Nothing was trained yet."
    text = (
        f"Training {words.count(len(view.trials), 'trial')} took {words.duration(spent)}, "
        f"{words.duration(spent / len(view.trials))} a trial."
    )
    candidates = len((view.result or {}).get("baseline_candidates") or [])
    if candidates:
        rates = f"with the same seeds and at the best of {words.count(candidates, 'learning rate')}"
        text += (
            f" The baseline is your network as it is, {rates}, its own among them."
            if is_network(view)
            else f" The baseline is the same stack without any regulariser, {rates}."
        )
        if is_network(view):
            kept = view.request["base"].get("keep_weights")
            text += (
                " Every member started from the weights in the file."
                if kept
                else " Layers that are not frozen started from fresh draws, with every setting."
            )
    return text + _cluster(view)


def _cluster(view: StudyView) -> str:
    """Where it was trained, in its last sitting; nothing where that was one process."""
    used = (view.result or {}).get("cluster")
    if not used:
        return ""
    offered = used["wall_seconds"] * used["workers"]
    busy = words.show(100 * used["training_seconds"] / offered, 2) if offered else "0"
    return (
        f" It trained on a Ray cluster of {words.count(used['nodes'], 'node')} with "
        f"{words.count(used['cores'], 'core')}: {words.count(used['workers'], 'worker')} trained "
        f"for {words.duration(used['training_seconds'])} within "
        f"{words.duration(used['wall_seconds'])}, {busy} % of the time that they had."
    )


def _repeat(view: StudyView) -> dict[str, Any]:
    command = view.info.get("command") or []
    best = view.best
    config = _answer.config_of(view, best) if best else None
    return {
        "command": shlex.join(str(part) for part in command),
        "created": view.info.get("created"),
        "versions": view.info.get("versions") or {},
        "seed": view.request.get("seed"),
        "seeds": sorted({seed for trial in view.trials for seed in trial["seeds"]}),
        "data": _facts({key: view.data[key] for key in view.data if key not in _SAID}),
        "code": _code(view, config) if config else network_code(view) if is_network(view) else "",
        "what": "network" if is_network(view) else "stack",
        "extended": len(view.info.get("extended") or []),
        "other_versions": [
            (note["at"], "; ".join(note["changes"]))
            for note in view.info.get("other_versions") or []
        ],
    }


def _facts(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested plain values as (name, text), what is unknown left out."""
    facts = []
    for name, value in values.items():
        name = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, Mapping):
            facts += _facts(value, f"{name}, ")
        elif value is not None and value != []:
            facts.append((name, words.show(value, 6)))
    return facts


# Said in sentences, or on the page of the columns.
_SAID = ("notes", "warnings", "table")


def _code(view: StudyView, config: StackConfig) -> str:
    standard = StackConfig().to_dict()
    changed: Mapping[str, Any] = {
        name: value for name, value in config.to_dict().items() if value != standard[name]
    }
    lines = "".join(f"    {keyword},\n" for keyword in _keywords(changed))
    stack = f"config = StackConfig(\n{lines})" if lines else "config = StackConfig()"
    asked = view.request.get("data")
    arguments = dict(asked) if isinstance(asked, Mapping) else {}
    source = arguments.pop("name_or_path", None)
    if source is None:
        data = "data = from_arrays(x, y)  # the arrays you gave"
    else:
        data = f"data = load({', '.join([repr(source), *_keywords(arguments)])})"
    return (
        f"from kerasreg import StackConfig, build_stack, {'load' if source else 'from_arrays'}\n\n"
        f"{stack}\n"
        f"{data}\n"
        "model = build_stack(\n"
        "    config, data.input_shape, data.outputs, "
        f"task=data.task, seed={int(view.request.get('seed') or 0)}\n"
        ")"
    )


def _keywords(values: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}={tuple(value) if isinstance(value, list) else value!r}"
        for name, value in values.items()
    ]
