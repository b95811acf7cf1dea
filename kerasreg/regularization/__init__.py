"""Regularisers into a Keras model that exists: `regularize` and the plan that it follows.

`regularize(model, ...)` gives a new ordinary model with the weights of the old one. A `Plan` says
what is done to which layer, what is left alone, and why. Only Keras' own layers, regularisers,
constraints and losses are put in, so that the new model saves and loads with Keras alone.
"""

from kerasreg.regularization.plan import Plan, make_plan, plan_regularization, regularize
from kerasreg.regularization.regularizers import Regularizers
