"""What the members of a crowd do: honest work, and every attack that we know of."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from potluck.protocol import donor as wire
from potluck_coordinator.training.checkpoint import read_checkpoint
from tests.faults.attacks.crowd.member import Member, train
from tests.support.scripted_donor import ScriptedDonor, end_step, random_result, state

Lie = Callable[[ScriptedDonor, wire.Lease], bytes]
Act = Callable[[Member], None]

SLEEPS_FOR = 12
"""So many units a sleeper trains honestly, until it is known."""
TOGETHER = 16


def honest(rest_s: float) -> Act:
    """Train what is asked for, and rest so long after each unit."""

    def act(me: Member) -> None:
        with me.connect() as donor:
            while True:
                lease = me.lease(donor)
                result = train(donor, lease)
                me.truth.add(donor, lease, result)
                me.hand_in(donor, lease, result)
                me.over.wait(rest_s)

    return act


def _lies(lie: Lie) -> Act:
    def act(me: Member) -> None:
        with me.connect() as donor:
            while True:
                lease = me.lease(donor)
                me.hand_in(donor, lease, lie(donor, lease))

    return act


def _random(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    return random_result(donor, lease)


def _start_again(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    return state(donor.start_weights(lease), lease.unit, end_step(lease.unit))


def _fewer_epochs(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    weights = load(train(donor, lease, max(1, lease.unit.steps_per_epoch // 2)))
    return state(_at_end(weights, lease.unit), lease.unit, end_step(lease.unit))


def _another_rate(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    optimizer = lease.unit.optimizer
    faster = optimizer.model_copy(update={"learning_rate": optimizer.learning_rate * 10})
    unit = lease.unit.model_copy(update={"optimizer": faster})
    return train(donor, lease.model_copy(update={"unit": unit}))


def _labels_guessed(donor: ScriptedDonor, lease: wire.Lease) -> bytes:
    """Train much longer than asked: what somebody would do who knew the rows that score."""
    unit = lease.unit.model_copy(update={"to_epoch": lease.unit.to_epoch + 20})
    weights = load(train(donor, lease.model_copy(update={"unit": unit})))
    return state(_at_end(weights, lease.unit), lease.unit, end_step(lease.unit))


def _at_end(tensors: dict[str, NDArray[Any]], unit: wire.Unit) -> dict[str, NDArray[Any]]:
    changed = dict(tensors)
    if "optimizer/iteration" in changed:
        changed["optimizer/iteration"] = np.array([end_step(unit)], np.int32)
    return changed


def old_result_again(me: Member) -> None:
    """Train one unit, and hand its file in for every other: of this trial or another's."""
    with me.connect() as donor:
        kept: bytes | None = None
        while True:
            lease = me.lease(donor)
            if kept is None:
                kept = train(donor, lease)
                me.truth.add(donor, lease, kept)
            me.hand_in(donor, lease, kept)


def another_trials_weights(me: Member) -> None:
    """Hand in, under fresh bytes, what another trial's training came to."""
    with me.connect() as donor:
        kept = load(train(donor, me.lease(donor)))
        while True:
            lease = me.lease(donor)
            unit = lease.unit
            me.hand_in(donor, lease, state(_at_end(kept, unit), unit, end_step(unit)))


def sleeper(me: Member) -> None:
    """Work honestly until it is known, and lie from then on."""
    with me.connect() as donor:
        done = 0
        while True:
            lease = me.lease(donor)
            if done < SLEEPS_FOR:
                result = train(donor, lease)
                me.truth.add(donor, lease, result)
            else:
                result = random_result(donor, lease, done)
            done += me.hand_in(donor, lease, result).outcome == "accepted"


def refit_liar(me: Member) -> None:
    """Work honestly on trials, and make the refit up."""
    with me.connect() as donor:
        while True:
            lease = me.lease(donor)
            if lease.unit.kind == "refit":
                result = random_result(donor, lease)
            else:
                result = train(donor, lease)
                me.truth.add(donor, lease, result)
            me.hand_in(donor, lease, result)


def diverges(me: Member) -> None:
    """Say that everything diverged at once."""
    with me.connect() as donor:
        while True:
            lease = me.lease(donor)
            start = donor.start_weights(lease)
            broken = {name: np.full_like(value, np.nan) for name, value in start.items()}
            me.hand_in(donor, lease, state(broken, lease.unit, 1), step=1, diverged=True)


def claims_only(me: Member) -> None:
    """Name results whose bytes never came."""
    with me.connect() as donor:
        while True:
            lease = me.lease(donor)
            done = {
                "lease_id": lease.id,
                "token": lease.token,
                "artifact": "a" * 64,
                "step": end_step(lease.unit),
                "claims": {"loss": 1e-9},
            }
            donor.say({"type": "complete", "leases": [done], "next": None})
            me.told[type(donor.hear()).__name__] += 1


def hands_back(me: Member) -> None:
    """Hand everything back with an error."""
    with me.connect() as donor:
        while True:
            me.told[donor.hand_back(me.lease(donor), "error").outcome] += 1


def squats(me: Member) -> None:
    """Hold as many units as it gets, say so again and again, and train nothing."""
    with me.connect() as donor:
        held: list[wire.Lease] = []
        while not me.over.wait(1.0):
            held += me.leases_of(donor, most=16)
            for lease in held:
                donor.heartbeat(lease)
            me.told["held"] = len(held)


def floods(me: Member) -> None:
    """Upload one made-up state after another, and say nonsense as fast as it is heard."""
    with me.connect() as donor:
        lease = me.lease(donor)
        seed = 0
        while not me.over.is_set():
            seed += 1
            _, response = donor.put(random_result(donor, lease, seed), lease.token)
            me.told[f"upload {response.status_code}"] += 1
            donor.say('{"type": "nonsense"}')
            donor.hear()
            if response.status_code != 204:
                lease = me.lease(donor)


def slow_bodies(me: Member) -> None:
    """Begin many uploads, and bring a byte a second of each."""
    with me.connect() as donor:
        lease = me.lease(donor)
        place = urlsplit(me.url)
        head = (
            f"PUT /api/v1/donor/artifacts/{'b' * 64} HTTP/1.1\r\nHost: {place.netloc}\r\n"
            f"X-Potluck-Lease: {lease.token}\r\nContent-Length: 10000\r\n\r\n"
        )
        open_now: list[socket.socket] = []
        try:
            while not me.over.wait(1.0):
                if len(open_now) < TOGETHER:
                    made = socket.create_connection(
                        (place.hostname or "", place.port or 80), source_address=(me.address, 0)
                    )
                    open_now.append(made)
                    made.sendall(head.encode())
                for one in list(open_now):
                    try:
                        one.sendall(b"x")
                    except OSError:
                        open_now.remove(one)
                        one.close()
                        me.told["cut off"] += 1
        finally:
            for one in open_now:
                one.close()


def fresh_identities(me: Member) -> None:
    """Come with a new key for every lie."""
    with me.connect() as donor:
        lease = me.lease(donor)
        me.hand_in(donor, lease, random_result(donor, lease, len(me.leases)))


def colludes(me: Member) -> None:
    """Leave made-up states to go on from, and go on from a partner's, honestly from then on."""
    with me.connect() as donor:
        while True:
            lease = me.lease(donor)
            middle = lease.unit.from_epoch * lease.unit.steps_per_epoch + 1
            start = donor.start_weights(lease)
            if read_checkpoint(donor.fetched[lease.unit.start]).step == middle:
                me.hand_in(donor, lease, train(donor, lease))
                continue
            rng = np.random.default_rng(7)
            made_up = {k: rng.normal(size=v.shape).astype(np.float32) for k, v in start.items()}
            donor.checkpoint(lease, state(made_up, lease.unit, middle), middle)
            me.told[donor.hand_back(lease).outcome] += 1


HOSTILE: dict[str, Act] = {
    "random weights": _lies(_random),
    "another trial's weights": another_trials_weights,
    "the start state": _lies(_start_again),
    "fewer epochs": _lies(_fewer_epochs),
    "another learning rate": _lies(_another_rate),
    "trained for more than asked": _lies(_labels_guessed),
    "an old result again": old_result_again,
    "claims without uploads": claims_only,
    "error hand-backs": hands_back,
    "squatting": squats,
    "flooding": floods,
    "slow bodies": slow_bodies,
    "a colluding pair, 1": colludes,
    "a colluding pair, 2": colludes,
    "fresh identities": fresh_identities,
    "made-up divergence": diverges,
    "the refit liar": refit_liar,
    "honest until known": sleeper,
}
"""By name: what each hostile member does."""
