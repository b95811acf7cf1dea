"""The general path: a population of models of any one structure.

    lift_model      a compiled Keras model: its structure, values and weights, or why not
    widen_model     the same in the arrays of a wider model
    description     what is structure; layer_values, placement: what is a value, and where it stands
    Template        one model of the structure, called with any member's arrays and values
    MemberStep      one step of a member, and its measurement, as Keras computes them
    Program         that step mapped over members and steps, compiled once for a structure
    GeneralChunk    some members' arrays in training
    GeneralPath     all of it as `kerasreg.population.path.Path`

Keras layers are functions of their variables. In a `keras.StatelessScope` a model computes with
arrays that are given to it, so that one trace of one model, mapped over members, trains them all;
what a member computes is what it would compute alone, to the last bit.
"""

from kerasreg.population.general.lifting import lift_model
from kerasreg.population.general.optimizer import copy_of, inner_optimizer
from kerasreg.population.general.path import GeneralPath
from kerasreg.population.general.widths import own_widths, products, widen_model
