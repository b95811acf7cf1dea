"""keras-tuner's search with our engine: the drop-in class and what makes it compatible."""

from kerasreg.tuner.population_tuner import PopulationTuner

__all__ = ["PopulationTuner"]
