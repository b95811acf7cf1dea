"""What a `HyperModel.fit` of the user's would call `model.fit` with: a batch size that is tuned."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import keras
import keras_tuner

from kerasreg.tuner.callbacks import STEERING
from kerasreg.tuner.fit_arguments import FitArguments, bind_fit
from kerasreg.tuner.rows_in_memory import CannotTrainTogether

_ROWS = ("x", "y", "sample_weight", "validation_data")
# A longer list holds numbers, not arrays.
_LONG = 64


def record_fit(
    hypermodel: keras_tuner.HyperModel,
    hp: keras_tuner.HyperParameters,
    args: tuple,
    kwargs: Mapping[str, Any],
) -> dict[str, Any]:
    """Arguments of `model.fit` by name, as the hypermodel's own `fit` gives them.

    It is called with a stand-in of the model. A population can take its place only if it calls
    `fit` once, returns what that returns, and uses nothing else of the model.

    Raises:
        CannotTrainTogether: It does more than that, or fails.
    """
    kwargs = {**kwargs, "callbacks": list(kwargs.get("callbacks") or [])}
    model, history = _Recorder("model"), _Recorder("history")
    calls = []

    def fit(*args: Any, **kwargs: Any) -> _Recorder:
        calls.append(bind_fit(args, kwargs))
        return history

    model.__dict__["fit"] = fit
    try:
        result = hypermodel.fit(hp, model, *args, **kwargs)
    except CannotTrainTogether:
        raise
    except Exception as error:
        reason = f"the hypermodel's fit(), which met {type(error).__name__}: {error}"
        raise CannotTrainTogether(reason) from error
    if len(calls) != 1 or result is not history:
        raise CannotTrainTogether("the hypermodel's fit(), which does more than one model.fit")
    return calls[0]


class FitReader:
    """Reads arguments of `fit` once for all trials that have the same."""

    def __init__(self, read: Callable[[dict[str, Any]], FitArguments]):
        self._read = read
        self._known: dict[tuple, FitArguments] = {}

    def __call__(self, given: dict[str, Any]) -> FitArguments:
        """What was read of these arguments, by name.

        Raises:
            CannotTrainTogether: They cannot be read, or every trial has rows of its own.
        """
        key = _key(given)
        if key not in self._known:
            rows = [name for name in _ROWS if name in given]
            for other in self._known.values():
                if any(_key(other.given.get(name)) != _key(given[name]) for name in rows):
                    raise CannotTrainTogether("a fit() that makes other rows for every trial")
            self._known[key] = self._read(given)
        return self._known[key]


def _key(value: Any) -> Any:
    """Equal for what is the same: objects by identity, Keras' callbacks by what they are."""
    if isinstance(value, dict):
        return tuple((name, _key(part)) for name, part in sorted(value.items(), key=str))
    if isinstance(value, list | tuple) and len(value) < _LONG:
        return tuple(map(_key, value))
    if type(value) in (*STEERING, keras.callbacks.CSVLogger):
        return (type(value), _key(vars(value)))
    return value if isinstance(value, str | int | float | None) else id(value)


class _Recorder:
    """Refuses every use but those in its dictionary."""

    def __init__(self, name: str):
        self.__dict__["_called"] = name

    def __getattr__(self, name: str) -> NoReturn:
        raise CannotTrainTogether(f"the hypermodel's fit(), which uses {self._called}.{name}")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        getattr(self, name)
