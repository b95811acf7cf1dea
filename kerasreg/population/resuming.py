"""The cohorts of a training into a checkpoint, and out of it again."""

from collections.abc import Callable, Sequence

from kerasreg.population.checkpoint import Checkpoint
from kerasreg.population.cohort import Cohort
from kerasreg.population.runs import Group, runs_of


def save_progress(checkpoint: Checkpoint, rung: int, cohorts: Sequence[Cohort]) -> None:
    """Write the rung of successive halving, and every cohort whose results have not been told.

    Members that train together stay together when the training goes on: a member's last digits
    may depend on how many train at the same time.
    """
    saved, arrays = [], {}
    for cohort in cohorts:
        if cohort.told:
            continue
        values, more = cohort.state(str(len(saved)))
        saved.append(values)
        arrays |= more
        for run in runs_of(cohort.groups):
            if run.member.weights is not None:
                kept = enumerate(run.member.weights)
                arrays[f"kept/{run.id}"] = {str(k): array for k, array in kept}
    checkpoint.save({"rung": rung, "cohorts": saved}, arrays)


def load_progress(
    checkpoint: Checkpoint,
    groups: Sequence[Group],
    halving: bool,
    new_cohort: Callable[[Sequence[Group]], Cohort],
) -> tuple[int, list[Cohort]]:
    """The rung and the cohorts to go on with; none where there is nothing to go on from.

    Members of the checkpoint that are not among `groups` were finished and recorded before the
    training was cut short.
    """
    loaded = checkpoint.load()
    if loaded is None:
        return 0, []
    header, arrays = loaded
    by_id = {run.id: group for group in groups for run in group.runs}
    saved = {name for c in header["cohorts"] for g in c["groups"] for name in g["runs"]}
    # With halving the members decide about each other: all or none.
    if halving and saved != set(by_id):
        return 0, []
    cohorts = []
    for place, values in enumerate(header["cohorts"]):
        here = []
        for state in values["groups"]:
            group = next((by_id[name] for name in state["runs"] if name in by_id), None)
            if group is not None:
                group.restore(state)
                here.append(group)
        if here:
            cohort = new_cohort(here)
            cohort.restore(values, arrays, str(place))
            cohorts.append(cohort)
        for run in runs_of(here):
            kept = arrays.get(f"kept/{run.id}")
            if kept is not None:
                run.member.weights = [kept[str(k)] for k in range(len(kept))]
    return header["rung"], cohorts
