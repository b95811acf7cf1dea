"""What Keras lacks for the study of regularisation: layers, and functions on ordinary models.

`ClassicDropout` is a Keras layer, registered under "kerasreg". The functions take a Sequential or
functional Keras model and leave it as it is: those that give a model back give a new one.
"""

from kerasreg.layers._batch_normalization import (
    fold_batch_normalization,
    recalibrate_batch_normalization,
)
from kerasreg.layers._copy import clone
from kerasreg.layers._cost_check import CostCheck, check_cost_decreases
from kerasreg.layers._dropout import ClassicDropout, mc_dropout_predict
from kerasreg.layers._dropout_ridge import dropout_penalty, dropout_ridge
from kerasreg.layers._kinds import kind_of
from kerasreg.layers._sending import custom_classes, received, sent
