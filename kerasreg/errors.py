"""The one exception that means: the user can fix this."""


class UserError(ValueError):
    """A mistake of the user, told in one line: what was expected, what came, what to do.

    The command line prints the message on stderr and exits with status 2. Everything else that
    escapes is a fault of kerasreg and exits with status 1.
    """
