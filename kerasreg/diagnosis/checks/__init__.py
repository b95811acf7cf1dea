"""From what was measured to findings: a function a fault, its thresholds named with their reason.

Nothing here trains or reads a model. Every check returns a `Finding`, or None.
"""
