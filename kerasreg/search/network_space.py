"""The space of a search over the user's own network, when it is given none."""

from kerasreg.networks import NetworkConfig
from kerasreg.search.space import Range, Space
from kerasreg.search.space.default_space import DEFAULT_SPACE
from kerasreg.search.space.fields import FIELDS

_SPATIAL_DROPOUT = Range(0.02, 0.3, zero=True)
#: How far from the network's own learning rate the search looks, as a factor.
_FACTOR = 10.0


def network_space(config: NetworkConfig) -> Space:
    """What the default space varies, as far as some layer of the network takes it.

    The learning rate is searched around the network's own.
    """
    ranges = {"spatial_dropout": _SPATIAL_DROPOUT, **DEFAULT_SPACE}
    space = Space({name: ranges[name] for name in config.takes if name in FIELDS})
    own = config.learning_rate
    space["learning_rate"] = Range(own / _FACTOR, own * _FACTOR, log=True)
    return space
