"""keras-tuner's searches with our engine: the drop-in classes and what makes them compatible."""

from kerasreg.tuner.drop_in import BayesianOptimization, GridSearch, Hyperband, RandomSearch
from kerasreg.tuner.population_tuner import PopulationTuner
