"""Search: the space, keras-tuner oracles in, trained settings out.

*What to try* (`Space`, the oracles, `Proposer`) and *how to train it* (the engines) meet only in
settings and trial records. In the order of a search:

from_cli, request       what is asked; settle: what the data decide of it
space/, network_space   what may vary, of a stack and of the user's own network
run, context, resume    a study begun or gone on with, and what every step of it works with
loop, round             trials proposed (proposer, oracles/), trained (engines/) and recorded
answer                  after the last trial, in this order:
  choosing              which trial answers
  baseline, ablation    what is trained beside it (beside)
  ensemble/             fold members chosen, calibrated, joined
  final_test            both sides refitted, watched by look_inside; the test rows read once
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
