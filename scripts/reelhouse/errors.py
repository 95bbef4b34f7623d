"""Errors that a person can act on."""


class ReelhouseError(Exception):
    """Something went wrong that the user can correct.

    The message is one sentence that names the file, table or setting and says
    what to do. It never holds a secret. The command line prints it to stderr
    and exits with status 1.
    """
