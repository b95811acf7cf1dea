"""Callbacks of the user that only listen to epochs: they need no model and no `fit`."""

import copy
from types import CodeType

import keras

_HEARD = ("on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end")
# Keras' callbacks for batches call those of before TensorFlow 2 by these names.
_BASE = frozenset(name for name in dir(keras.callbacks.Callback) if name.startswith("on_"))


def only_listens(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback hears of epochs alone, and never touches `self.model`.

    Judged by its code: what it overrides, and the names that its functions use. One that cannot
    be copied for every execution is left to keras-tuner, which says so.
    """
    if not isinstance(callback, keras.callbacks.Callback):
        return False
    try:
        copy.deepcopy(callback)
    except Exception:
        return False
    kinds = [k for k in type(callback).__mro__ if issubclass(k, keras.callbacks.Callback)]
    own = [vars(k) for k in kinds if k is not keras.callbacks.Callback] + [vars(callback)]
    if any(type(callback) is getattr(keras.callbacks, k.__name__, None) for k in kinds):
        # Keras' callbacks use the model where one does not see it; these do not.
        if type(callback) in (keras.callbacks.CSVLogger, keras.callbacks.RemoteMonitor):
            return True
        if type(callback) is not keras.callbacks.LambdaCallback:
            return False
        own = [vars(callback)]
    named = {name for space in own for name in space}
    if named & (_BASE | {"set_model", "set_params"}) - {*_HEARD}:
        return False
    values = [value for space in own for value in space.values()]
    codes = [value.__code__ for value in values if hasattr(value, "__code__")]
    return not any({"model", "_model", "params"} & names for names in map(_names, codes))


def _names(code: CodeType) -> set[str]:
    """Names that a function uses, functions inside it included."""
    inner = (_names(const) for const in code.co_consts if isinstance(const, CodeType))
    return {*code.co_names, *code.co_freevars}.union(*inner)
