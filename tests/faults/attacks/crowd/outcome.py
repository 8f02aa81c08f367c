"""Whether a crowd got a false row called confirmed, or did anything to the honest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import potluck
from potluck_coordinator.core.trust import KNOWN_AFTER
from tests.faults.attacks.crowd.crowd import Crowd, replays_of
from tests.faults.attacks.crowd.member import Member


@dataclass
class Outcome:
    """What was found. Steps are batches trained; a *known* donor had ten agreements in a row."""

    confirmed: int = 0
    confirmed_wrong: list[str] = field(default_factory=list)
    best_confirmed: int = 0
    finished: int = 0
    finished_wrong: list[str] = field(default_factory=list)
    honest_refuted: list[str] = field(default_factory=list)
    results: Counter[str] = field(default_factory=Counter)
    refuted: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    """Steps that `fresh` and `known` donors trained."""
    replayed: Counter[str] = field(default_factory=Counter)
    """Steps of theirs that were trained again."""
    why: Counter[str] = field(default_factory=Counter)
    """Steps that were trained again, by whose and why."""

    def share(self, whose: str) -> float:
        """Give the share of training that was trained again, of `fresh` or `known` donors."""
        return self.replayed[whose] / max(1, self.steps[whose])


def outcome_of(crowd: Crowd, studies: list[potluck.Study]) -> Outcome:
    """Read it from the studies' ledgers and boards."""
    members = {
        lease: (member, key)
        for member in [*crowd.honest, *crowd.hostile]
        for lease, key in member.leases.items()
    }
    found = Outcome()
    reader = _Reader(found, members, crowd)
    entries = [entry for study in studies for entry in study.ledger().entries]
    for entry in sorted(entries, key=lambda one: one.at):
        reader.read(entry.kind, entry.body)
    for study in studies:
        _read_board(found, study, reader.results, crowd)
    return found


class _Reader:
    """Goes through what happened, in order."""

    def __init__(
        self, found: Outcome, members: dict[str, tuple[Member, str]], crowd: Crowd
    ) -> None:
        self.results: dict[str, tuple[int, str, str]] = {}
        """By unit: its trial, the hash of the result that counts, and how it came about."""
        self._found = found
        self._members = members
        self._crowd = crowd
        self._status: dict[str, str] = {}
        self._in_a_row: Counter[str] = Counter()

    def read(self, kind: str, body: dict[str, Any]) -> None:
        """Take in one entry of a ledger."""
        found = self._found
        if kind == "result":
            member, key = self._members[body["lease"]]
            known = "known" if self._in_a_row[key] >= KNOWN_AFTER else "fresh"
            self._status[body["lease"]] = known
            found.steps[known] += body["to_step"] - body["from_step"]
            found.results[member.name] += 1
            how = f"{member.name}, {known}, lease {body['lease']} from step {body['from_step']}"
            self.results[body["unit"]] = (body["trial"], body["weights"], how)
        elif kind == "void":
            for unit in body["units"]:
                self.results.pop(unit, None)
        elif kind == "replay" and body["why"] != "stuck":
            self._replayed(body)

    def _replayed(self, body: dict[str, Any]) -> None:
        found = self._found
        member, key = self._members[body["lease"]]
        known = self._status.get(body["lease"], "fresh")
        steps = body["to_step"] - body["from_step"]
        found.replayed[known] += steps
        found.why[f"{known}, {body['why']}"] += steps
        if body["verdict"] == "agreed":
            self._in_a_row[key] += 1
        elif body["verdict"] == "refuted":
            self._in_a_row[key] = 0
            found.refuted[member.name] += 1
            if member in self._crowd.honest:
                found.honest_refuted.append(f"{member.name}: {body}")


def _read_board(
    found: Outcome, study: potluck.Study, results: dict[str, tuple[int, str, str]], crowd: Crowd
) -> None:
    leased = [entry.body for entry in study.ledger().entries if entry.kind == "lease"]
    units = {body["unit"] for body in leased}
    refits = {body["unit"] for body in leased if body["unit_kind"] == "refit"}

    def checked(unit: str) -> list[object]:
        return [
            (one["lease"], one["why"], one["state"], one["distance"], one["from_step"])
            for one in replays_of(study)
            if one["unit"] == unit
        ]

    def wrong_of(which: set[str], trial: int) -> list[str]:
        return [
            f"trial {trial} unit {unit}: {how}; {checked(unit)}"
            for unit in which & results.keys()
            for number, sha, how in [results[unit]]
            if number == trial and not crowd.truth.knows(unit, sha)
        ]

    for row in study.trials():
        if row.state != "completed":
            continue
        wrong = wrong_of(units - refits, row.trial)
        if row.check == "confirmed":
            found.confirmed += 1
            found.confirmed_wrong += wrong
        else:
            found.finished += 1
            found.finished_wrong += wrong
    best = study.best
    if best.check == "confirmed":
        found.best_confirmed += 1
        found.confirmed_wrong += wrong_of(units, best.trial)
