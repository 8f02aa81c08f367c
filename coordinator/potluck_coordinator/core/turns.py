"""Whose work beside the server goes next: kinds of work are apart, and accounts take turns.

A job waits until its kind has a place for it and there is memory. What each kind may do at once
does not depend on the others, so none can hold another up:

- a kind does at most `workers` jobs at once;
- where kinds share worker processes, each kind that has none keeps one free for itself;
- one account leaves a place of a kind to the others, where there are two or more.

The kind that was served longest ago goes first; in it, the account that was; in that, the oldest.
Visitors without an account take turns by network first: they make keys as they like.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Kind(StrEnum):
    """What a job is for."""

    CONVERT = "convert"
    """Reading uploaded models, each in a process of its own."""
    RENDER = "render"
    """Writing models for downloads, each in a process of its own."""
    ENCODE = "encode"
    """Reading datasets, planning and preparing studies and their trials."""
    SCORE = "score"
    """Scoring what donors returned."""
    SERVE = "serve"
    """What somebody looks at and waits for."""
    REPLAY = "replay"
    """Training again what donors trained: one at a time, in a process of its own."""


SHARED = (Kind.ENCODE, Kind.SCORE, Kind.SERVE)
"""Kinds that share the worker processes."""
WORKER_LEAST = 128 * 2**20
"""Bytes of a worker that has loaded what it works with: each job takes these and its own."""
OWN_WORK = (Kind.SCORE, Kind.REPLAY)
"""Work that the coordinator asks for itself: an account may have all places of it."""
FROM = "\n"
"""No account's name has a second line."""
MOST_PASSED = 16
"""A job that waits for memory is passed so often, then nothing else begins before it does."""


def seats_for(workers: int) -> int:
    """Say how many worker processes there can be, so that each shared kind has one for itself."""
    return workers + len(SHARED) - 1


def may_start(
    kind: Kind, account_runs: int, running: Mapping[Kind, int], workers: int, most_of_account: int
) -> bool:
    """Say whether a job of this kind has a place.

    Args:
        kind: The job's.
        account_runs: Jobs of this kind and of the job's account that run.
        running: Jobs that run, by kind.
        workers: What each kind does at once at most; replays run one at a time.
        most_of_account: What one account may run of a kind at most.
    """
    if running.get(kind, 0) >= (1 if kind is Kind.REPLAY else workers):
        return False
    if kind not in OWN_WORK and account_runs >= most_of_account:
        return False
    if kind not in SHARED:
        return True
    free = seats_for(workers) - sum(running.get(other, 0) for other in SHARED)
    reserved = sum(other is not kind and not running.get(other, 0) for other in SHARED)
    return free > reserved


def visitors_turn(owner: str, network: str) -> str:
    """Name whose turns a visitor's jobs take.

    Args:
        owner: The owner that belongs to the visitor's key.
        network: Where the visitor's request came from; empty where nobody knows.
    """
    return f"{owner}{FROM}{network}" if network else owner


def crowd_of(account: str) -> str:
    """Give those who share turns with an account: all visitors of its network, or itself.

    Args:
        account: An account's name, or what `visitors_turn` gave.
    """
    _, found, network = account.partition(FROM)
    return f"{FROM}{network}" if found else account


def most_of_one_account(workers: int) -> int:
    """Say how many jobs of a kind one account may run at once: one place is left to the others."""
    return max(1, workers - 1)
