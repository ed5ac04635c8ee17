"""Dividing a list of work, for job arrays."""

from jovium.base.errors import InputError


def shard(text: str) -> tuple[int, int]:
    """(i, N) of "i/N": take every N-th piece of work from the i-th on. Raises InputError unless 0 <= i < N."""
    try:
        index, count = (int(part) for part in text.split("/"))
    except ValueError:
        index, count = -1, 0
    if not 0 <= index < count:
        raise InputError(f"--shard {text}", "i/N with 0 <= i < N", "e.g. --shard 0/4 for the first of four")
    return index, count
