"""kerasreg: which regularisation does my network need, how strong, and why?"""

from importlib import import_module

__version__ = "0.1.0"

# Public name -> module, imported on first use: TensorFlow takes seconds, `--help` must not.
_PUBLIC = {
    "StackConfig": "stacks",
    "build_stack": "stacks",
    "UserError": "errors",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kerasreg' has no attribute {name!r}")
    return getattr(import_module(f"kerasreg.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
