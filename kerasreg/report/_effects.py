"""What each regulariser does for the winner, in a sentence: the answer to the question asked."""

from collections.abc import Mapping
from typing import Any

from kerasreg.objectives import lower_is_better
from kerasreg.report._reading import StudyView
from kerasreg.words import NAMES, joined, show

_NAMES = {
    "l1": "L1",
    "l2": "L2",
    "normalization": "batch normalisation",
    "shift": "shifting images",
    "rotation": "rotating images",
    "zoom": "zooming images",
    "contrast": "changing contrast",
    "erase": "erasing parts of images",
}
#: Smaller gains, as shares or points, make no difference whatever their interval.
LEAST = 0.005


def effects(view: StudyView) -> list[Mapping[str, Any]]:
    """What the ablation found, the largest gain first; empty without one."""
    found = (view.result or {}).get("effects") or []
    return sorted(found, key=lambda effect: -effect["gain"])


def effects_sentence(view: StudyView) -> str:
    """Which regularisers help, which harm, and which make no difference; empty without."""
    found = effects(view)
    neutral = [_name(effect) for effect in found if _verdict(effect) == "open"]
    verbs = ("lower", "raise") if lower_is_better(view.objective) else ("raise", "lower")
    what, parts = f"the {NAMES[view.objective]}", []
    for verdict, verb in zip(("helps", "harms"), verbs, strict=True):
        said = [_said(view, effect) for effect in found if _verdict(effect) == verdict]
        if said:
            parts.append(f"{joined(said)} {verb}{'s' * (len(said) == 1)} {what}")
            what = "it"
    if neutral:
        verb = "makes" if len(neutral) == 1 else "make"
        parts.append(f"{joined(neutral)} {verb} no difference that the folds show")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


def effect_rows(view: StudyView) -> list[dict[str, str]]:
    """Rows of a table: regulariser, value, what it does, interval."""
    return [
        {
            "name": _name(effect),
            "value": show(effect["value"]),
            "chosen": "yes" if effect["chosen"] else "no",
            "gain": _amount(view, effect["gain"], signed=True),
            "interval": f"[{_amount(view, effect['low'])}, {_amount(view, effect['high'])}]",
            "verdict": _verdict(effect),
        }
        for effect in effects(view)
    ]


def _verdict(effect: Mapping[str, Any]) -> str:
    if abs(effect["gain"]) < LEAST or effect["low"] <= 0 <= effect["high"]:
        return "open"
    return "helps" if effect["gain"] > 0 else "harms"


def _said(view: StudyView, effect: Mapping[str, Any]) -> str:
    value = "" if isinstance(effect["value"], str) else f" {show(effect['value'])}"
    sign = 1 if effect["gain"] > 0 else -1
    ends = sorted(sign * effect[end] for end in ("low", "high"))
    between = ", ".join(_amount(view, end, unit=False) for end in ends)
    return f"{_name(effect)}{value} (by {_amount(view, abs(effect['gain']))} [{between}])"


def _amount(view: StudyView, value: float, signed: bool = False, unit: bool = True) -> str:
    sign, name = "+" if signed else "", " %" if lower_is_better(view.objective) else " points"
    digits = 0 if abs(value) >= 0.1 else 1
    return f"{100 * value:{sign}.{digits}f}{name if unit else ''}".replace("-", "\u2212")


def _name(effect: Mapping[str, Any]) -> str:
    return _NAMES.get(effect["name"], effect["name"].replace("_", " "))
