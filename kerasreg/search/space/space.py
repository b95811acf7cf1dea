"""What a search may vary: ranges and choices over the fields of `StackConfig`.

    space = Space.default()
    space["dropout"] = Range(0.1, 0.5, zero=True)
    space["units"] = Choice((64, 64), (128, 128))
    space.fix("learning_rate", 1e-3)

The same in text, for a command line: `dropout=0.1:0.5:zero`, `units=64x64,128x128` (see `parsing`).
"""

from __future__ import annotations

import itertools
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from kerasreg.errors import UserError
from kerasreg.search.space.default_space import DEFAULT_FIXED, DEFAULT_SPACE
from kerasreg.search.space.fields import CONTINUOUS, STANDARD, as_field, as_json, check, known
from kerasreg.search.space.parsing import parse_assignment, parse_setting, parse_varied
from kerasreg.search.space.ranges import Choice, Range, flat_value, label

if TYPE_CHECKING:
    import keras_tuner

    from kerasreg.networks import Config


# Fields whose values `StackConfig` checks against each other: groups against widths, lists a layer
# against the number of layers.
_RELATED = (
    *("filters", "units", "normalization", "groups", "dropout", "spatial_dropout", "l1", "l2"),
    *("penalize_output", "feature_scale"),
)
_MOST_BUILT = 20_000


class Space:
    """Ordered names of `StackConfig` fields and what each may be.

    `space[name] = Range(...)` or `Choice(...)` varies a field, `space.fix(name, value)` pins it,
    `del space[name]` leaves it to the base configuration. Values pass `StackConfig`'s own checks
    when they are set, so a rate of 1.5 is refused here and not in the first trial. The methods that
    take a `base`, the rest of the stack, use the standard `StackConfig` where none is given.
    """

    def __init__(self, varied: Mapping[str, Range | Choice] | None = None) -> None:
        self._varied: dict[str, Range | Choice] = {}
        self._fixed: dict[str, Any] = {}
        # Of the default space: what was changed in it. The data may change the rest.
        self._edited: set[str] | None = None
        for name, what in (varied or {}).items():
            self[name] = what

    @classmethod
    def default(cls) -> Space:
        """Dropout, input dropout, L1, L2, batch normalisation and learning rate."""
        space = cls(DEFAULT_SPACE)
        for name, value in DEFAULT_FIXED.items():
            space.fix(name, value)
        space._edited = set()
        return space

    def completed(self, varied: Mapping[str, Range | Choice], fixed: Mapping[str, Any]) -> Space:
        """The default space with what suits the data, but for what was changed in it.

        A space of another origin is returned as it is.
        """
        if self._edited is None:
            return self
        space = self.from_dict(self.to_dict())
        for name, what in varied.items():
            if name not in self._edited:
                space[name] = what
        for name, value in fixed.items():
            if name not in self._edited:
                space.fix(name, value)
        space._edited = set(self._edited)
        return space

    def _edit(self, name: str, value: Any = None) -> None:
        """Note that the default is changed; convolutions have no feature scale."""
        if self._edited is not None:
            self._edited.add(name)
            if name == "filters" and value and "feature_scale" not in self._edited:
                self._fixed["feature_scale"] = False

    @classmethod
    def parse(
        cls, edits: Iterable[str] = (), fixed: Iterable[str] = (), start: Space | None = None
    ) -> Space:
        """Edit a space by text.

        Args:
            edits: What varies, see `parsing.parse_varied`.
            fixed: What is fixed, see `parsing.parse_assignment`.
            start: The space to edit (it is not changed); the default space if `None`.

        Raises:
            UserError: A text does not read, or names an unknown field or a wrong value.
        """
        space = cls.default() if start is None else cls.from_dict(start.to_dict())
        for text in edits:
            name, what = parse_varied(text)
            space[name] = what
        for text in fixed:
            space.fix(*parse_assignment(text))
        return space

    def __setitem__(self, name: str, what: Range | Choice) -> None:
        known(name)
        if isinstance(what, Range):
            if name not in CONTINUOUS:
                raise UserError(
                    f"{name}: expected choices ({name}=A,B,C), got the range {what}. "
                    f"Ranges are for {', '.join(CONTINUOUS)}."
                )
            samples: tuple = (what.low, what.high, *([0.0] if what.zero else []))
        elif isinstance(what, Choice):
            what = Choice(*(as_field(name, value) for value in what.values))
            samples = what.values
        else:
            raise UserError(f"{name}: expected a Range or a Choice, got {what!r}.")
        for value in samples:
            check(name, value)
        self._varied[name] = what
        self._fixed.pop(name, None)
        self._edit(name, what)

    def fix(self, name: str, value: Any) -> None:
        """Give the field one value in every setting."""
        value = as_field(known(name), value)
        check(name, value)
        self._fixed[name] = value
        self._varied.pop(name, None)
        self._edit(name, value)

    def __getitem__(self, name: str) -> Range | Choice:
        return self._varied[name]

    def get(self, name: str) -> Range | Choice | None:
        """How the field varies; None where it does not."""
        return self._varied.get(name)

    def __delitem__(self, name: str) -> None:
        del (self._varied if name in self._varied else self._fixed)[name]
        self._edit(name)

    def __contains__(self, name: object) -> bool:
        return name in self._varied

    def __iter__(self) -> Iterator[str]:
        return iter(self._varied)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.to_dict() == other.to_dict()

    __hash__ = None

    def __repr__(self) -> str:
        parts = [f"{n}={w}" for n, w in self._varied.items()]
        parts += [f"{n}={label(v)} (fixed)" for n, v in self._fixed.items()]
        return f"Space({', '.join(parts)})"

    @property
    def fixed(self) -> dict[str, Any]:
        """The pinned fields and their values."""
        return dict(self._fixed)

    def hyperparameters(self, base: Config | None = None) -> keras_tuner.HyperParameters:
        """The varied fields as keras-tuner declares them; `base` gives the default values."""
        from kerasreg.search.space.parameters import declare

        return declare(self._varied, base or STANDARD)

    def config(self, values: Mapping[str, Any], base: Config | None = None) -> Config:
        """The configuration of one setting: `base`, then what is fixed, then `values`.

        Args:
            values: A proposal's flat values; names outside the space are refused.
        """
        decoded = {name: self._decode(name, value) for name, value in values.items()}
        return (base or STANDARD).replace(**self._fixed, **decoded)

    def check(self, base: Config | None = None) -> None:
        """Refuse choices that cannot stand together, before a search meets them.

        Every combination of the fields that `StackConfig` relates is built; of more than
        `_MOST_BUILT` the first ones. Bounds of ranges were checked one by one.

        Raises:
            UserError: Naming the first combination that is no stack.
        """
        names = [name for name in _RELATED if isinstance(self._varied.get(name), Choice)]
        combinations = itertools.product(*(self._varied[name].values for name in names))
        ranges = {n: what.low for n, what in self._varied.items() if isinstance(what, Range)}
        start = (base or STANDARD).replace(**self._fixed, **ranges)
        for values in itertools.islice(combinations, _MOST_BUILT):
            chosen = dict(zip(names, values, strict=True))
            try:
                start.replace(**chosen)
            except UserError as error:
                which = " with ".join(f"{name}={label(value)}" for name, value in chosen.items())
                raise UserError(
                    f"--space: {which or 'the stack'} cannot be built: {error} "
                    "Leave that choice out of the space, or fix what it does not go with."
                ) from None

    def setting(
        self, values: Mapping[str, Any] | str, base: Config | None = None
    ) -> dict[str, Any]:
        """Check and complete a setting to try, `{"l2": 1e-4}` or `"l2=1e-4,dropout=0.5"`.

        Varied fields that are not named take the value of `base` where the space holds it, else
        the lower end of their range or their first choice.

        Raises:
            UserError: A name is not varied by this space or a value lies outside of it.
        """
        if isinstance(values, str):
            values = parse_setting(values)
        decoded = {name: self._decode(name, value) for name, value in values.items()}
        for name, value in decoded.items():
            if value not in self._varied[name]:
                raise UserError(
                    f"{name}: expected a value of {self._varied[name]}, got {label(value)}. "
                    "Widen the space or change the setting."
                )
        complete = dict(self.hyperparameters(base).values)
        complete.update({name: flat_value(self._varied[name], v) for name, v in decoded.items()})
        self.config(complete, base)
        return complete

    def _decode(self, name: str, value: Any) -> Any:
        """A flat value of a proposal or record as a value of the field."""
        if name not in self._varied:
            raise UserError(
                f"{known(name)}: the search does not vary it. It varies {', '.join(self)}."
            )
        what = self._varied[name]
        if isinstance(what, Choice):
            choices = {label(choice): choice for choice in what.values}
            return choices.get(label(value), as_field(name, value))
        return as_field(name, value)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `from_dict` is the inverse."""
        varied = {}
        for name, what in self._varied.items():
            if isinstance(what, Choice):
                varied[name] = {"choices": [as_json(value) for value in what.values]}
            else:
                varied[name] = {f.name: getattr(what, f.name) for f in fields(Range)}
        fixed = {name: as_json(value) for name, value in self._fixed.items()}
        return {"varied": varied, "fixed": fixed}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Space:
        """Build a space from `to_dict`'s form.

        Raises:
            UserError: The form is not `to_dict`'s.
        """
        space = cls()
        try:
            for name, what in values["varied"].items():
                space[name] = Choice(*what["choices"]) if "choices" in what else Range(**what)
            for name, value in values["fixed"].items():
                space.fix(name, value)
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"search space: expected {{'varied': ..., 'fixed': ...}} as Space.to_dict writes "
                f"it, got {reprlib.repr(values)} ({error})."
            ) from None
        return space
