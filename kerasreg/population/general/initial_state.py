"""A member's arrays before its first step."""

import numpy as np

from kerasreg.population.general.template import State, Template
from kerasreg.population.members import Member
from kerasreg.seeds import derive


def initial_state(template: Template, member: Member) -> State:
    """A member's arrays before its first step."""
    weights, others = template.split(member.initial)
    rate = member.values.get("optimizer/learning_rate")
    # The second number counts draws.
    seeds = [
        np.array([derive(member.seed, "draws", index), 0], variable.dtype)
        for index, variable in enumerate(template.seeds)
    ]
    return State(weights, others, seeds, template.optimizer.initial_slots(weights, rate))
