"""A network of the user's own as the base of a search: `NetworkConfig`.

It stands where a `StackConfig` stands: fields that a search varies, the structure that members must
share, and the models that train. What a search trains gives logits (or standardised targets) for
the data's rows; how the user's model comes to that is in `_adapting`.
"""

from kerasreg.networks._config import Config, NetworkConfig, custom_objects_of
from kerasreg.networks._network import Network
from kerasreg.networks._reading import divided, input_names, reading_of
