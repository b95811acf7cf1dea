"""What the ensemble adds to the single model, and what it costs, in a sentence."""

from kerasreg.report._reading import StudyView
from kerasreg.words import NAMES, amount, count, duration


def ensemble_sentence(view: StudyView) -> str:
    """Its test result beside the single model's, its size and time; empty without one."""
    found = (view.result or {}).get("ensemble")
    test = (found or {}).get("test") or {}
    if not test:
        return ""
    parts = []
    for name in (view.metric, "data_loss"):
        single = view.test("best", name)
        if test.get(name) is not None and single is not None:
            ours, theirs = amount(test[name], name), amount(single, name)
            parts.append(f"test {NAMES[name]} {ours} (the single model {theirs})")
    trials, members = count(len(found["trials"]), "trial"), count(found["members"], "fold member")
    return (
        f"The ensemble of {members} of {trials} has {' and '.join(parts)}. It takes "
        f"{found['bytes'] / 1e6:.1f} MB, and {duration(found['seconds_a_thousand_rows'])} for "
        "1,000 rows."
    )
