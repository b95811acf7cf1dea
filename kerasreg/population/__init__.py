"""Populations: many settings of one stack, trained as one program with one more axis."""

from kerasreg.population.memory import OutOfMemory
from kerasreg.population.orders import batch_order
from kerasreg.population.plan import TrainingPlan
from kerasreg.population.population import Population
from kerasreg.population.results import EpochReport, MemberResult

__all__ = [
    "EpochReport",
    "MemberResult",
    "OutOfMemory",
    "Population",
    "TrainingPlan",
    "batch_order",
]
