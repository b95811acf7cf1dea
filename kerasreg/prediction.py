"""New rows through the model of a study: labels and probabilities, or quantities."""

import math
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from kerasreg.data import read_new_images, read_new_rows
from kerasreg.decision import decide
from kerasreg.errors import UserError
from kerasreg.files import atomic_write
from kerasreg.networks import divided, input_names
from kerasreg.study import Study

_WRITERS: dict[str, Callable[[pd.DataFrame, Path], Any]] = {
    ".csv": lambda table, path: table.to_csv(path, index=False),
    ".parquet": lambda table, path: table.to_parquet(path, index=False),
}


def predict(
    model: str | Path,
    data: str | Path | pd.DataFrame | np.ndarray,
    *,
    out: str | Path | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    say: Callable[[str], None] = warnings.warn,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Predict new rows, read and cleaned as the rows that the model was trained on.

    Args:
        model: A study's folder, or a model in it. A folder means `ensemble.keras` where the study
            has one, else `best.keras`.
        data: For a study of a table a `.csv` or `.parquet` file or a table, which need not have
            the target or columns that were left out; else an `.npz` with `x`, or `x`; of images
            also a folder with some.
        out: A `.csv` or `.parquet` file to write; replaced if it is there.
        header, encoding: Of a CSV; None for those of the training file.
        say: Called with a sentence for each column with missing cells or unknown categories.
        progress: As in `load`, of a folder.

    Returns:
        One row a row of `data`, in its order; of a folder with the column `file`. Classification:
        `label`, and `probability: NAME` of each class; a threshold that the study chose (the
        smallest probability of the second class that makes a row that class, or a weight for each
        class) is applied. Regression: `prediction`, in the target's unit.

    Raises:
        UserError: No study or model there; rows that cannot be read; a file that cannot be written.
    """
    if out is not None and Path(out).suffix.lower() not in _WRITERS:
        raise UserError(f"--out: expected a file that ends in .csv or .parquet, got {out}.")
    study, path = _found(Path(model))
    asked, result = study.request, study.result
    if result is None:
        raise UserError(f"{study.folder} has no result yet; go on with --resume, then predict.")
    given = asked.get("data") or {}
    files, network = None, _loaded(path)
    several = input_names(network) if len(network.inputs) > 1 else ()
    if isinstance(data, str | Path) and os.path.isdir(data):
        rows, files, notes = read_new_images(data, asked["dataset"], progress)
    else:
        rows, notes = read_new_rows(
            data,
            asked["dataset"],
            header=given.get("header", True) if header is None else header,
            encoding=encoding or given.get("encoding"),
            inputs=several,
        )
    for sentence in notes:
        say(sentence)
    taken = divided(network, rows) if isinstance(rows, np.ndarray) else _tensors(rows)
    outputs = network.predict(taken, batch_size=8192, verbose=0).astype(np.float64)
    names = asked["dataset"]["class_names"]
    if names is None:
        table = pd.DataFrame({"prediction": outputs[:, 0]})
    else:
        # What was chosen for a model stands beside its test result, or is the study's.
        side = {**result, **(result.get(path.stem) or {})}
        threshold = side.get("threshold")
        if not _is_rule(threshold, len(names)):
            raise UserError(
                f"{study.folder / 'result.json'}: expected a threshold above 0, got "
                f"{threshold!r}; it was edited. Restore it from a copy."
            )
        table = _classified(outputs, names, threshold)
    if files is not None:
        table.insert(0, "file", files)
    if out is not None:
        atomic_write(out, lambda hidden: _WRITERS[Path(out).suffix.lower()](table, hidden))
    return table


def _found(model: Path) -> tuple[Study, Path]:
    """The study and the model in it."""
    if model.suffix == ".keras":
        if not (model.parent / "study.json").exists():
            raise UserError(
                f"{model}: expected it in its study's folder, whose study.json says how rows are "
                "read; found none beside it."
            )
        return Study.open(model.parent), model
    study = Study.open(model)
    ensemble = study.folder / "ensemble.keras"
    return study, ensemble if ensemble.exists() else study.best_model


def _loaded(path: Path) -> keras.Model:
    if not path.exists():
        raise UserError(f"Expected a model at {path}, found none; no trial of the study has one.")
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: expected a model that kerasreg wrote ({reason}).") from None


def _is_rule(value: Any, classes: int) -> bool:
    """Whether it is a positive number, with several classes one each, or None."""
    if value is None:
        return True
    numbers = value if isinstance(value, list) and len(value) == classes > 0 else [value]
    return all(type(one) in (int, float) and 0 < one < math.inf for one in numbers)


def _tensors(rows: Mapping[str, np.ndarray]) -> Any:
    return {
        name: tf.constant(cells.tolist() if cells.dtype == object else cells)[:, None]
        for name, cells in rows.items()
    }


def _classified(outputs: np.ndarray, names: list[str], threshold: Any) -> pd.DataFrame:
    """Labels and probabilities.

    Args:
        outputs: Probabilities, shape (rows, classes), or of the second of two, shape (rows, 1).
        names: Of the classes.
        threshold: As in `predict`; None where nothing was chosen.
    """
    probabilities = np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 else outputs
    chosen = decide(probabilities, threshold)
    columns = {f"probability: {name}": probabilities[:, i] for i, name in enumerate(names)}
    return pd.DataFrame({"label": np.array(names, dtype=object)[chosen], **columns})
