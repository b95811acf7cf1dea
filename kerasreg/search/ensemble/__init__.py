"""The ensemble: `members` of the folds are kept, `selection` weighs their trials, `model` joins.

`joining` is what the search calls at its end.
"""
