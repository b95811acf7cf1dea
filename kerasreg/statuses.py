"""How the training of a member or a trial ends."""

#: A member `completed` its epochs (patience included), was `stopped` before its time by successive
#: halving (`TrainingPlan.halving`), or `diverged`: a value was not finite.
MEMBER_STATUSES = ("completed", "stopped", "diverged")
#: A trial may also have `failed`: it raised an error.
TRIAL_STATUSES = (*MEMBER_STATUSES, "failed")
#: Trials that may have a score; only a completed one can be the best.
SCORED = ("completed", "stopped")
#: Trials that never have a score.
UNSCORED = ("diverged", "failed")
