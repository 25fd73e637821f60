class Problem(Exception):
    """What went wrong, in a sentence for the person who can mend it."""
