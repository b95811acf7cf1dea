"""A search from the question to the answer: what to try, train, record, compare, refit, test."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import keras

from kerasreg.data import Dataset, from_arrays, load, locate, story
from kerasreg.errors import UserError
from kerasreg.networks import Network, NetworkConfig, custom_objects_of
from kerasreg.search.answer import conclude
from kerasreg.search.context import SearchContext
from kerasreg.search.engines import engine_named
from kerasreg.search.engines.ray_cluster import RayCluster
from kerasreg.search.engines.ray_engine import on_cluster
from kerasreg.search.loop import make_proposer, run_trials
from kerasreg.search.network_space import network_space
from kerasreg.search.progress import Event, Progress
from kerasreg.search.request import Request
from kerasreg.search.resume import changed_versions, new_or_resumed
from kerasreg.search.settle import settled
from kerasreg.search.space import Space
from kerasreg.stacks import StackConfig
from kerasreg.study import Study


def search(
    data: Dataset | str | Path | tuple,
    *,
    space: Space | None = None,
    searcher: str = "random",
    trials: int = 64,
    epochs: int | None = None,
    seeds: int | None = None,
    folds: int | None = None,
    engine: str = "population",
    objective: str = "val_data_loss",
    base: StackConfig | None = None,
    model: keras.Model | None = None,
    keep_weights: bool = False,
    patience: int | None = None,
    halving: bool | None = None,
    ensemble: bool | None = None,
    batch_size: int | None = None,
    balance: bool = False,
    seed: int = 0,
    out: str | Path,
    resume: bool = False,
    minutes: float | None = None,
    try_first: Sequence[Mapping[str, Any]] = (),
    epoch_rule: str = "best",
    choose: str = "best",
    progress: Progress | None = None,
    reread_test: bool = False,
    ray: RayCluster | str | None = None,
) -> Study:
    """Search for the regularisation that a data set needs.

    Trials are trained and recorded; then the unregularised baseline is trained at the best of 8
    learning rates, both sides are refitted on training and validation rows, and the test rows are
    read, once. Finished trials survive any interruption: call again with `resume=True`.

    Args:
        data: A `Dataset`, a name or file for `kerasreg.load`, or arrays `(x, y)`; for a `model` of
            several inputs, x is a dict of arrays by their names.
        space: What may vary; by default `Space.default()`.
        searcher: `"random"`, `"bayesian"` or `"grid"`.
        trials: Settings to try.
        epochs: Most epochs a member trains; None for 50, or up to 150 where 50 are under 600 steps.
        seeds: Members a setting, with seeds `seed`, `seed + 1`, ...; each divides the rows into
            folds anew. None for 1, or 2 with folds below 500 rows.
        folds: Cross-validation folds, each a member; 0 for the data's validation rows; None for
            5 folds below 10,000 rows.
        engine: `"population"` or `"keras-tuner"`.
        objective: One of `kerasreg.objectives.OBJECTIVES` that the task has.
        base: The stack that the space leaves alone; by default `StackConfig()`. The default space
            gives images of 16×16 or more convolutions, and fewer than 1,000 other rows `units` of
            (64, 64); `space.fix("filters", ())` or of `units` keeps it from that.
        model: Search over this network in place of a stack: a built Sequential or functional model.
            Arrays go into it as they are, columns of tables as `Dataset` reads them. The baseline
            is the network as it is. The space is that of `network_space` by default.
        keep_weights: Start every member from the model's weights, as for a network that was
            trained on other rows. Else layers that are not frozen start from fresh draws: weights
            that have seen the validation rows would let every setting look better than it is.
        patience: Epochs without improvement before a trial stops; 0 for never; None: 0 with folds,
            where halving saves time and schedules end at 0, else 10.
        halving: Successive halving: the worse half of a round's trials of one structure stops at
            an eighth, a quarter and half of the epochs; they are recorded as `stopped`. None:
            with folds, for random trials.
        ensemble: Whether to keep the folds' members of the best trials and join them in
            `ensemble.keras`; None: with folds.
        batch_size: Rows a step; by default the data set's.
        balance: Let classes weigh alike in the training loss, however many rows they have.
        seed: Fixes every draw.
        out: The study folder.
        resume: Continue the study in `out`, which must have been asked for the same; `trials` may
            have grown.
        minutes: Start no more trials after this long; what trains together then is finished.
        try_first: Settings (names of the space to values) to try before those of the searcher.
        epoch_rule: Which epoch counts: `"best"` of the mean curve, or `"last"`.
        choose: Which trial answers: `"best"`, or `"one-se"`, the most regularised one within one
            standard error (over folds and seeds) of the best.
        progress: Called with an `Event` at every step.
        reread_test: Allow a study that has read its test rows to be extended, reading them again.
        ray: Train on a Ray cluster: which one, or its address. It changes no result.

    Returns:
        The finished study: trials, result and files.

    Raises:
        UserError: The arguments, the data or the folder do not fit; the message says what to do.
    """
    start = base or StackConfig()
    if model is not None:
        if base is not None:
            raise UserError("model: expected a model or a base, got both; leave base out.")
        start = NetworkConfig(Network(model), keep_weights=keep_weights)
        space = space or network_space(start)
        if isinstance(data, tuple | list) and len(data) == 2 and isinstance(data[0], Mapping):
            data = start.network.joined(data[0]), data[1]
    source, dataset = _found(data)
    if space is None:
        space = Space.default()
        if base:
            space.fix("units", base.units)
        if start.filters:
            space.fix("filters", start.filters)
    request = Request(
        data=source,
        space=space,
        searcher=searcher,
        trials=trials,
        epochs=epochs,
        seeds=seeds,
        folds=folds,
        ensemble=ensemble,
        engine=engine,
        objective=objective,
        base=start,
        patience=patience,
        halving=halving,
        batch_size=batch_size,
        balance=balance,
        epoch_rule=epoch_rule,
        choose=choose,
        seed=seed,
        try_first=tuple(dict(setting) for setting in try_first),
    )
    return run_request(
        request,
        out,
        dataset=dataset,
        resume=resume,
        minutes=minutes,
        progress=progress,
        reread_test=reread_test,
        ray=RayCluster(ray) if isinstance(ray, str) else ray,
    )


def train(
    data: Dataset | str | Path | tuple,
    config: StackConfig,
    *,
    epochs: int | None = None,
    seeds: int | None = None,
    folds: int | None = None,
    engine: str = "population",
    objective: str = "val_data_loss",
    patience: int | None = None,
    batch_size: int | None = None,
    balance: bool = False,
    seed: int = 0,
    out: str | Path,
    resume: bool = False,
    epoch_rule: str = "best",
    progress: Progress | None = None,
    reread_test: bool = False,
) -> Study:
    """Train one stack, beside the same stack without regularisation: a study of one trial.

    With the values and the seed of a search's trial it repeats that trial. The baseline has the
    config's own learning rate. Arguments, result and errors are those of `search`.
    """
    source, dataset = _found(data)
    request = Request(
        command="train",
        data=source,
        space=Space(),
        trials=1,
        epochs=epochs,
        seeds=seeds,
        folds=folds,
        engine=engine,
        objective=objective,
        base=config,
        patience=patience,
        batch_size=batch_size,
        balance=balance,
        epoch_rule=epoch_rule,
        seed=seed,
    )
    return run_request(
        request,
        out,
        dataset=dataset,
        resume=resume,
        progress=progress,
        reread_test=reread_test,
    )


def run_request(
    request: Request,
    out: str | Path,
    *,
    dataset: Dataset | None = None,
    resume: bool = False,
    minutes: float | None = None,
    progress: Progress | None = None,
    reread_test: bool = False,
    ray: RayCluster | None = None,
) -> Study:
    """Do what a request asks for; see `search`. Data not given are loaded as the request says."""
    started = time.monotonic()
    if ray and request.engine != "population":
        raise UserError(f"--ray: expected --engine population, got {request.engine}.")
    if minutes is not None and not (math.isfinite(minutes) and minutes > 0):
        raise UserError(f"--minutes: expected a number above 0, got {minutes}.")
    given = dataset is not None
    if dataset is None:
        dataset = load_requested(request, progress)
    request.check_task(dataset.task)
    request = settled(request, dataset)
    if request.folds:
        dataset.folds(request.folds, request.seed)  # refuses before a folder is made
    fields = {**request.to_dict(), "dataset": dataset.describe()}
    proposer = None if request.command == "train" else make_proposer(request)

    def say(text: str) -> None:
        if progress:
            progress(Event("searching", notice=text))

    training = on_cluster(ray, say) if ray else nullcontext(engine_named(request.engine))
    with custom_objects_of(request.base), training as engine:
        study = new_or_resumed(request, fields, Path(out), resume, given, reread_test)
        context = SearchContext(request, dataset, study, engine, progress)
        if progress:
            told = story(fields["dataset"], request.folds, request.seeds)
            progress(Event("searching", story=tuple(told)))
        rows = len(dataset.train)
        if context.batch_size > rows:
            batch = context.batch_size
            context.notice(f"Batch size {batch} is larger than the data: all {rows} rows a step.")
        deadline = None if minutes is None else started + 60 * minutes
        with study.lock():
            unfinished = reread_test or study.result is None
            if resume and unfinished and (said := changed_versions(study)):
                context.notice(said)
            trained = run_trials(context, proposer, deadline, reread_test)
            if trained or study.result is None:
                conclude(context)
    return study


def load_requested(request: Request, progress: Progress | None = None) -> Dataset:
    """Load the data that a request names; `progress` is told of images.

    Raises:
        UserError: It was made from arrays, or the data cannot be loaded.
    """
    if request.data is None:
        raise UserError(
            "--resume: the study was made from arrays in Python; resume it there, with the arrays."
        )

    def told(done: int, total: int) -> None:
        if progress:
            progress(Event("reading images", done, total, done / total))

    return load(**request.data, progress=told)


def _found(
    data: Dataset | str | Path | tuple,
) -> tuple[dict[str, Any] | None, Dataset | None]:
    """How `load` finds the data again (None where it cannot), and the data if they are at hand."""
    if isinstance(data, str | Path):
        return {"name_or_path": locate(data)}, None
    if isinstance(data, Dataset):
        return data.source, data
    if isinstance(data, tuple | list) and len(data) == 2:
        return None, from_arrays(*data)
    raise UserError(
        f"data: expected a name, a file, a Dataset or arrays (x, y), got {type(data).__name__}."
    )
