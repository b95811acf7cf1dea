"""Between a training and its checkpoint: what is written, and how it goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasreg.population.cohort import Cohort

if TYPE_CHECKING:
    from kerasreg.population.training import Training


def save_progress(training: Training) -> None:
    """Write the cohorts in training, what is known of their members, and who waits.

    Who trains together stays together when the training goes on: a member's last digits may
    depend on how many train beside it.
    """
    ids, members = training.checkpoint.ids, training.population.members
    states, cohorts = {}, []
    for index, cohort in training.cohorts.items():
        parts = []
        for place, (chunk, own) in enumerate(cohort.parts):
            states[f"{index}/{place}"] = chunk.state()
            parts.append([ids[n] for n in own])
        cohorts.append(
            {
                "index": index,
                "members": [ids[n] for n in training.todo[index]],
                "epoch": cohort.epoch,
                "parts": parts,
            }
        )
    waiting = {
        index: numbers
        for index, numbers in enumerate(training.todo)
        if index not in training.cohorts and not training.ended.issuperset(numbers)
    }
    known = [n for index in training.cohorts for n in training.todo[index]]
    # After a lack of memory, who has ended may wait with others that begin anew.
    known += [n for numbers in waiting.values() for n in numbers if n in training.ended]
    progress = {}
    for number in known:
        group, result = members[number].group, training.results[number]
        progress[ids[number]] = {
            "curves": training.curves[number],
            "trained": training.trained[number],
            "status": result.status,
            "seconds": result.seconds,
            "ended": number in training.ended,
            "best": [training.best[group], training.best_epoch[group], training.last[group]],
            "awaited": training.awaited[group],
        }
        if number in training.kept:
            weights = training.population.get_weights(number)
            states[f"kept/{ids[number]}"] = {str(i): a for i, a in enumerate(weights)}
    header = {
        "rung": training.rung,
        "cohorts": cohorts,
        "waiting": [[ids[n] for n in numbers] for numbers in waiting.values()],
        "progress": progress,
    }
    training.checkpoint.save(header, states)


def restore_progress(training: Training) -> None:
    """Go on from the checkpoint, with those of its members that are here.

    The others were finished and recorded before the training was cut short.
    """
    loaded = training.checkpoint.load() if training.checkpoint else None
    if loaded is None:
        return
    header, states = loaded
    numbers = {training.checkpoint.ids[number]: number for number in training.chosen}
    known = header["progress"]
    # With culling the members decide about each other: all or nothing.
    if training.plan.halving and known.keys() != numbers.keys():
        return
    training.rung = header["rung"]
    for name, values in known.items():
        if name not in numbers:
            continue
        number = numbers[name]
        group, result = training.population.members[number].group, training.results[number]
        training.curves[number] = values["curves"]
        training.trained[number] = values["trained"]
        result.status, result.seconds = values["status"], values["seconds"]
        if values["ended"]:
            training.ended.add(number)
        training.best[group], training.best_epoch[group], training.last[group] = values["best"]
        training.awaited[group] = tuple(values["awaited"])
        kept = states.get(f"kept/{name}")
        if kept is not None:
            training.set_kept(number, [kept[str(i)] for i in range(len(kept))])
    for saved in header["cohorts"]:
        present = [numbers[name] for name in saved["members"] if name in numbers]
        if not present:
            continue
        cohort = Cohort(training, [])
        cohort.numbers, cohort.epoch = present, saved["epoch"]
        for place, names in enumerate(saved["parts"]):
            places = [i for i, name in enumerate(names) if name in numbers]
            own = [numbers[names[i]] for i in places]
            if not own:
                continue
            chunk = training.population.new_chunk(own, training.rows, training.plan.batch_size)
            state = states[f"{saved['index']}/{place}"]
            state = {key: array[places] if array.ndim else array for key, array in state.items()}
            chunk.restore(state, cohort.epoch)
            cohort.parts.append((chunk, own))
        training.cohorts[len(training.todo)] = cohort
        training.todo.append(present)
    for names in header["waiting"]:
        if present := [numbers[name] for name in names if name in numbers]:
            training.todo.append(present)
