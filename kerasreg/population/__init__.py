"""Populations: many settings of one structure, trained as one program with one more axis.

How the words relate, for 2 trials of 2 seeds and 2 folds that do not fit into memory together:

    population     all 8 members; one structure, so that one program serves them
    ├── cohort     one trial: as many groups as memory holds at once; one cohort after the other
    │   ├── group  its 4 members: judged by their mean, they stop together
    │   └── chunk  those of them whose folds have equally many rows: one set of arrays
    │              (members, ...), one call of the program for all; 1 chunk, or 2 of 2 members
    └── cohort     the other trial, likewise

A member is one setting with one seed, trained on one fold. A group says what belongs together, a
chunk what is computed together: where folds differ in their rows, a group's members stand in
several chunks, which their cohort trains epoch by epoch. Inside a chunk, members of equal seed and
fold are one stream: they share batches and the uniforms behind their masks.

`population` holds what others use; `training` is patience, halving and what is told; `cohort`
trains one epoch after the other through the contract in `chunk`. How a member is computed is its
path, by the contract in `path`: `stack_path` for dense layers, with the member axis in every
product, and `general` for Keras models of any kind, one member's step mapped over the members.
Nothing but the path knows which of them it is.
"""

from kerasreg.population.building import build_model, is_dense
from kerasreg.population.memory import OutOfMemory
from kerasreg.population.orders import batch_order
from kerasreg.population.plan import TrainingPlan, halving_rungs
from kerasreg.population.population import Population
from kerasreg.population.results import EpochReport, MemberResult
