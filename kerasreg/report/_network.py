"""What the page of a search over the user's own network says besides."""

from collections.abc import Mapping
from typing import Any

from kerasreg.report._reading import StudyView

#: From so many layers on, those that are treated alike share a row.
_ROWS = 12
#: In the order of `kerasreg.regularize`, but for label smoothing.
_ARGUMENTS = (
    *("dropout", "spatial_dropout", "input_dropout", "l1", "l2", "weight_decay"),
    "normalization",
)


def is_network(view: StudyView) -> bool:
    """Whether the search was over a network of the user's."""
    return "network" in (view.request.get("base") or {})


def layer_rows(view: StudyView) -> list[dict[str, Any]]:
    """Rows of a table: what the best setting does to which layers.

    Layers of a deep network are many and mostly treated alike: those of one class to which the
    same is done share a row.
    """
    layers = (view.result or {}).get("layers") or []
    rows: dict[Any, dict[str, Any]] = {}
    for index, one in enumerate(layers):
        key = (one["kind"], one["done"]) if len(layers) > _ROWS else index
        rows.setdefault(key, {**one, "layers": []})["layers"].append(one["layer"])
    return list(rows.values())


def network_code(view: StudyView) -> str:
    """Python that regularises the network as the best trial did; empty without one."""
    if view.best is None:
        return ""
    values: Mapping[str, Any] = view.best["hyperparameters"]
    fixed = (view.request.get("space") or {}).get("fixed") or {}
    values = {**fixed, **values}
    lines = [f"    {n}={values[n]!r},\n" for n in _ARGUMENTS if values.get(n) not in (None, 0)]
    lines = [line for line in lines if "'none'" not in line]
    code = "import keras\nfrom kerasreg import regularize\n\n"
    code += "model = keras.saving.load_model('network.keras')\n"
    if lines:
        code += f"model = regularize(\n    model,\n{''.join(lines)})\n"
    if rate := values.get("learning_rate"):
        code += f"model.optimizer.learning_rate = {rate!r}\n"
    if smoothing := values.get("label_smoothing"):
        code += (
            f"# Label smoothing {smoothing!r}: add label_smoothing={smoothing!r} with one-hot "
            "labels and 'categorical_crossentropy'.\n"
        )
    return code.rstrip()
