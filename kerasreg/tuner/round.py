"""One round of a search: the trials proposed before any of their results is known."""

from dataclasses import dataclass, field

import keras_tuner
from keras_tuner.engine.trial import Trial
from keras_tuner.oracles import GridSearchOracle, HyperbandOracle, RandomSearchOracle

from kerasreg.search.oracles import GridOracle, RandomOracle, SeededOracle
from kerasreg.tuner.job import Job
from kerasreg.tuner.joint_training import Prepared

# Oracles that learn nothing from results, or say by themselves when they have to wait for one.
_POPULATE = (
    *(RandomSearchOracle.populate_space, GridSearchOracle.populate_space),
    HyperbandOracle.populate_space,
)
_PROPOSE = (RandomOracle._propose, GridOracle._propose)
# Trials of a round that share their structure with no other, before a learning oracle has to see
# results: one or two of them may still find others.
_MOST_ALONE = 3


def learns(oracle: keras_tuner.Oracle) -> bool:
    """Whether an oracle proposes by the results of earlier trials, as far as its class says."""
    kind = type(oracle)
    if kind.populate_space is SeededOracle.populate_space:
        return kind._propose not in _PROPOSE
    return kind.populate_space not in _POPULATE


@dataclass
class Round:
    """What was drawn.

    Attributes:
        jobs: Trials by what they share, each to be trained as one population.
        alone: Trials to be trained the plain way, one after the other.
        drawn: How many trials were drawn, failed ones included.
        failures: How many of them, the last ones, could not be built.
    """

    jobs: dict[Job, list[Prepared]] = field(default_factory=dict)
    alone: list[Trial] = field(default_factory=list)
    drawn: int = 0
    failures: int = 0

    def is_full(self, size: int, learning: bool) -> bool:
        """Whether another proposal would be made too early, or be one too many.

        A learning oracle is asked ahead only for what trains together. No oracle is where already
        the first trial of the round has to be trained alone.
        """
        if self.drawn >= size or (self.alone and (learning or self.drawn == 1)):
            return True
        singles = sum(len(prepared) == 1 for prepared in self.jobs.values())
        return learning and singles >= _MOST_ALONE
