"""Search: the space, keras-tuner oracles in, trained settings out.

*What to try* (`Space`, the oracles, `Proposer`) and *how to train it* (the engines) meet only in
settings and trial records.
"""

from importlib import import_module

# Public name -> module. Imported on first use: `Space` needs neither keras-tuner nor TensorFlow.
_PUBLIC = {
    "Space": "space",
    "Range": "space",
    "Choice": "space",
    "ZeroOrRange": "space.parameters",
    "zero_or_range": "space.parameters",
    "RandomOracle": "oracles",
    "GridOracle": "oracles",
    "BayesianOracle": "oracles",
    "make_oracle": "oracles",
    "Proposer": "proposer",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kerasreg.search' has no attribute {name!r}")
    return getattr(import_module(f"kerasreg.search.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
