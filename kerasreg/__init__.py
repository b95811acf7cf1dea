"""kerasreg: which regularisation does my network need, how strong, and why?"""

from importlib import import_module

__version__ = "0.1.0"

# Public name -> (module, name there), imported on first use: TensorFlow takes seconds, and
# `kerasreg --help` must not.
_PUBLIC = {
    "ActivationMonitor": ("monitors", "ActivationMonitor"),
    "BayesianOptimization": ("tuner", "BayesianOptimization"),
    "Choice": ("search", "Choice"),
    "Dataset": ("data", "Dataset"),
    "GradientMonitor": ("monitors", "GradientMonitor"),
    "GridSearch": ("tuner", "GridSearch"),
    "Hyperband": ("tuner", "Hyperband"),
    "PenaltyMonitor": ("monitors", "PenaltyMonitor"),
    "Population": ("population", "Population"),
    "PopulationTuner": ("tuner", "PopulationTuner"),
    "RandomSearch": ("tuner", "RandomSearch"),
    "RayCluster": ("search.engines.ray_cluster", "RayCluster"),
    "Range": ("search", "Range"),
    "Regularizers": ("regularization", "Regularizers"),
    "Space": ("search", "Space"),
    "StackConfig": ("stacks", "StackConfig"),
    "Study": ("study", "Study"),
    "TrainEvaluation": ("monitors", "TrainEvaluation"),
    "UserError": ("errors", "UserError"),
    "build_stack": ("stacks", "build_stack"),
    "diagnose": ("diagnosis", "diagnose"),
    "from_arrays": ("data", "from_arrays"),
    "from_frame": ("data", "from_frame"),
    "load": ("data", "load"),
    "plan_regularization": ("regularization", "plan_regularization"),
    "predict": ("prediction", "predict"),
    "regularize": ("regularization", "regularize"),
    "render_report": ("report", "render_report"),
    "search_regularization": ("search.run", "search"),
    "train_stack": ("search.run", "train"),
    "zero_or_range": ("search", "zero_or_range"),
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'kerasreg' has no attribute {name!r}")
    module, own = _PUBLIC[name]
    return getattr(import_module(f"kerasreg.{module}"), own)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
