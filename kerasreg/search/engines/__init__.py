"""How settings are trained: what every engine takes and gives, and which engines there are."""

from kerasreg.errors import UserError
from kerasreg.population import OutOfMemory
from kerasreg.search.engines.task import (
    Engine,
    TrainingTask,
    WorkerLost,
    repeated_folds,
    rows_of,
)


def engine_named(name: str) -> Engine:
    """The engine of the command line's `--engine`.

    Raises:
        UserError: There is no engine of that name.
    """
    # Imported when asked for: keras-tuner is needed by one of them only.
    if name == "population":
        from kerasreg.search.engines.population_engine import PopulationEngine

        return PopulationEngine()
    if name == "keras-tuner":
        from kerasreg.search.engines.keras_engine import KerasTunerEngine

        return KerasTunerEngine()
    raise UserError(f"engine: expected population or keras-tuner, got {name!r}.")
