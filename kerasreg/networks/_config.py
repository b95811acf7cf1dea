"""`NetworkConfig`: a user's network and how it is regularised, as plain validated values."""

import dataclasses
import json
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras

from kerasreg.errors import UserError
from kerasreg.networks._network import Network
from kerasreg.regularization import Plan, Regularizers, make_plan
from kerasreg.stacks import StackConfig, check_number, loss_and_metrics

#: Fields that are regularisers.
REGULARIZERS = tuple(
    item.name for item in dataclasses.fields(Regularizers) if item.name != "max_norm"
)


@dataclass(frozen=True)
class NetworkConfig:
    """A network of the user's own with the regularisers of one setting.

    Attributes:
        network: The user's model.
        learning_rate: Of its optimiser; None for its own.
        keep_weights: Whether training starts from the model's weights: of a network trained on
            other data. Otherwise layers that are not frozen start from fresh draws, because
            weights that have seen the validation rows would let the network look better than it is.
        dropout, spatial_dropout, input_dropout, l1, l2, weight_decay, label_smoothing,
            normalization: See `Regularizers`; None leaves what the model has.

    Raises:
        UserError: A value out of its range.
    """

    network: Network
    learning_rate: float | None = None
    keep_weights: bool = False
    dropout: float | None = None
    spatial_dropout: float | None = None
    input_dropout: float | None = None
    l1: float | None = None
    l2: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    normalization: str | None = None

    #: Arrays go in as they are.
    encoding = "raw"

    def __post_init__(self) -> None:
        rate = self.network.learning_rate if self.learning_rate is None else self.learning_rate
        rate = check_number("learning_rate", rate, 0, float("inf"), True)
        object.__setattr__(self, "learning_rate", rate)
        for name in REGULARIZERS:
            object.__setattr__(self, name, getattr(self.regularizers, name))

    @property
    def regularizers(self) -> Regularizers:
        """What is asked for."""
        return Regularizers(**{name: getattr(self, name) for name in REGULARIZERS})

    @property
    def loss(self) -> str:
        """Of regression, as in a stack."""
        own = self.network.loss
        return "mse" if own in (None, "crossentropy") else own

    def structure(self) -> tuple:
        """What must be equal in a population; members may differ in everything else."""
        return (
            ("model", self.network.digest),
            ("keep_weights", self.keep_weights),
            ("normalization", self.normalization),
            ("varied", tuple(n for n in REGULARIZERS if getattr(self, n) is not None)),
        )

    def unregularized(self) -> "NetworkConfig":
        """The network as it is: the baseline of a search."""
        return self.replace(**dict.fromkeys(REGULARIZERS))

    def replace(self, **changes: Any) -> "NetworkConfig":
        """A copy with some fields changed, validated again.

        Raises:
            UserError: A field that a network of the user's does not have.
        """
        known = {item.name for item in dataclasses.fields(self)}
        for name in set(changes) - known:
            raise UserError(
                f"{name}: --model brings its own layers and optimiser; a search over it can vary "
                f"{', '.join(sorted(known - {'network', 'keep_weights'}))}."
            )
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; the network by its digest."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {**values, "network": self.network.digest}

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @property
    def takes(self) -> tuple[str, ...]:
        """The regularisers that some layer of the network takes."""
        probe = Regularizers(**dict.fromkeys(REGULARIZERS[:-2], 0.5), normalization="batch")
        done = {name for row in make_plan(self.network.model, probe).rows for name in row.done}
        return tuple(name for name in REGULARIZERS if name in done or name == "label_smoothing")

    def check_takes(self, names: Iterable[str]) -> None:
        """Refuse names of a space that no layer of the network takes.

        Raises:
            UserError: Naming the first one, and what the network takes.
        """
        takes = (*self.takes, "learning_rate")
        for name in names:
            if name not in takes:
                raise UserError(
                    f"{name}: expected one of {', '.join(takes)}, which --model has a layer for; "
                    f"leave {name} out of the space."
                )

    def plan(self, shape: tuple[int, ...], outputs: int, task: str, seed: int = 0) -> Plan:
        """What is done to which layer."""
        return make_plan(self._source(shape, outputs, task, seed), self.regularizers, seed=seed)

    def build(self, shape: tuple[int, ...], outputs: int, task: str, seed: int = 0) -> keras.Model:
        """The regularised network, compiled: rows to logits, or to standardised targets.

        Raises:
            UserError: The network does not fit the data.
        """
        return self._built(shape, outputs, task, seed, template=False)

    def build_template(
        self, shape: tuple[int, ...], outputs: int, task: str, seed: int = 0
    ) -> keras.Model:
        """The same with all that others of its structure may have; see `stacks.build_template`."""
        return self._built(shape, outputs, task, seed, template=True)

    def _source(self, shape: tuple[int, ...], outputs: int, task: str, seed: int) -> keras.Model:
        kept = self.keep_weights
        return self.network.adapted(tuple(shape), outputs, task, None if kept else seed)

    def _built(
        self, shape: tuple[int, ...], outputs: int, task: str, seed: int, template: bool
    ) -> keras.Model:
        own = self.network.loss
        if own is not None and (own == "crossentropy") is (task == "regression"):
            raise UserError(f"--model: its loss, {own}, does not fit the data's task, {task}.")
        source = self._source(shape, outputs, task, seed)
        plan = make_plan(source, self.regularizers, seed=seed, zeros=template)
        model, kernels = plan.rebuilt()
        smoothing = self.label_smoothing
        if smoothing is None:
            smoothing = self.network.label_smoothing
        loss, data_loss, metric = loss_and_metrics(self.loss, smoothing, outputs, task, template)
        model.compile(
            self._optimizer(model, kernels),
            loss,
            metrics=[metric],
            weighted_metrics=None if template else [data_loss],
        )
        return model

    def _optimizer(self, model: keras.Model, kernels: list) -> keras.optimizers.Optimizer:
        own = self.network.optimizer
        config = {**own.get_config(), "learning_rate": self.learning_rate}
        if self.weight_decay is None:
            return type(own).from_config(config)
        optimizer = type(own).from_config({**config, "weight_decay": self.weight_decay})
        kept = {id(variable) for variable in kernels}
        left = [v for v in model.trainable_variables if id(v) not in kept]
        optimizer.exclude_from_weight_decay(var_list=left)
        return optimizer


#: What a member of a population may be a setting of.
Config = StackConfig | NetworkConfig


def custom_objects_of(config: Config) -> AbstractContextManager:
    """Within it Keras finds the classes of the user's layers, registered or not."""
    if isinstance(config, StackConfig):
        return nullcontext()
    return keras.saving.custom_object_scope(config.network.custom_objects)
