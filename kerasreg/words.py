"""Values as text, and what a setting does as phrases."""

from collections.abc import Mapping
from typing import Any

from kerasreg.stacks import lambda_from_l2

_METRICS = {
    "data_loss": "data loss",
    "accuracy": "accuracy",
    "mae": "mean absolute error",
    "balanced_accuracy": "balanced accuracy",
    "auc": "area under the ROC curve",
    "f1": "F1",
    "rmse": "root mean squared error",
}
NAMES = _METRICS | {f"val_{name}": f"validation {said}" for name, said in _METRICS.items()}
_PHRASES = {
    "dropout": "dropout at rate {} (fraction dropped)",
    "spatial_dropout": "spatial dropout at rate {}",
    "input_dropout": "input dropout at rate {}",
    "l2": "L2 of {}",
    "l1": "L1 of {}",
    "weight_decay": "decoupled weight decay of {}",
    "label_smoothing": "label smoothing of {}",
    "shift": "shifts by up to {} of the image",
    "rotation": "rotations by up to {} of a turn",
    "zoom": "zooms by up to {}",
    "contrast": "contrast changed by up to {}",
    "erase": "rectangles of up to {} of the image erased",
}


def regularisers(settings: Mapping[str, Any]) -> list[str]:
    """What regularises in a setting, each as a phrase with its strength."""
    said = []
    for name, phrase in _PHRASES.items():
        value = settings.get(name)
        if any(value) if isinstance(value, list | tuple) else value:
            said.append(phrase.format(show(value)))
            if name == "l2" and isinstance(value, float | int):
                said[-1] += f" (½λΣw² with λ = {show(lambda_from_l2(value))})"
    if (settings.get("normalization") or "none") != "none":
        said.append(f"{settings['normalization']} normalisation")
    if settings.get("flip", "none") != "none":
        said.append(f"{settings['flip']} flips")
    return said


def show(value: Any, digits: int = 3) -> str:
    """One value, short: floats to `digits` significant digits, lists with commas."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(show(item, digits) for item in value)
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def amount(value: float | None, metric: str, signed: bool = False) -> str:
    """A metric for reading: accuracies in percent, the rest with four significant digits."""
    if value is None:
        return "–"
    sign = "+" if signed and value else ""
    if metric.endswith("accuracy"):
        text = f"{100 * value:{sign}.1f} {'pp' if signed else '%'}"
    else:
        text = f"{value:{sign}.4g}"
    return text.replace("-", "−")


def duration(seconds: float) -> str:
    """`0.4 s`, `8 s`, `3 min 20 s` or `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 10:
        return f"{max(0.0, seconds):.2g} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def count(how_many: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{how_many} {noun}{'' if how_many == 1 else 's'}"


def joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
