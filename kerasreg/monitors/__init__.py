"""Callbacks that watch a Keras model learn, and change nothing.

They are ordinary `keras.callbacks.Callback`s for any Keras model. Put those that add to the logs
first, so that the callbacks after them see what they add:

```python
callbacks = [
    PenaltyMonitor(log_dir),                        # data_loss, penalty, val_data_loss, val_penalty
    TrainEvaluation(x, y, log_dir=log_dir),         # train_eval_accuracy, …, gap_accuracy, …
    ActivationMonitor(x_val[:256], log_dir),        # histograms, dead units, drift
    GradientMonitor((x[:256], y[:256]), log_dir),   # norms, ratios, histograms
    keras.callbacks.EarlyStopping("val_data_loss", patience=10, mode="min"),
]
```
"""

from kerasreg.monitors._layers import variables_by_layer
from kerasreg.monitors._outputs import replaced, watch_outputs
from kerasreg.monitors.activations import ActivationMonitor
from kerasreg.monitors.events import EventWriter
from kerasreg.monitors.gradients import GradientMonitor
from kerasreg.monitors.penalty import PenaltyMonitor
from kerasreg.monitors.train_evaluation import TrainEvaluation
