"""Fuzz the readers for as long as asked: python -m tests.fuzz.fuzz [--seconds 3600].

Guided by coverage where atheris is installed (`make fuzz` does that), else by mutation of valid
files alone. Inputs that get through are kept under .make/fuzz/; once mended, they belong in
tests/fuzz/corpus/.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.room import MOST_SECONDS, Escaped, Room
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import mutated

FOLDER = Path(__file__).parents[2] / ".make" / "fuzz"


def say(text: str) -> None:
    """Print at once: the output is watched for an hour."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def by_mutation(seconds: float) -> None:
    """Mutate seeds until the time is over. Raises Escaped."""
    draw, pool = random.Random(), seeds()
    end, count = time.monotonic() + seconds, 0
    with Room() as room:
        while time.monotonic() < end:
            content = mutated(draw.choice(pool), draw)
            checked(room, content)
            count += 1
            if count % 5_000 == 0:
                say(f"{count} inputs")
        say(f"{count} inputs, none got through; {room.contained} killed HDF5 and were contained")


def checked(room: Room, content: bytes) -> None:
    """Insist on a model or a refusal; keeps what is neither. Raises Escaped."""
    try:
        room.outcome(content)
    except Escaped:
        path = FOLDER / f"{hashlib.sha256(content).hexdigest()[:16]}.bin"
        path.write_bytes(content)
        say(f"Kept as {path}")
        raise


def by_coverage(seconds: float) -> None:
    """Let atheris choose inputs by the code that they reach. Raises Escaped.

    Where it stops, the input that stopped it is looked at alone, and it goes on.
    """
    corpus = FOLDER / "corpus"
    corpus.mkdir(exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    end, contained = time.monotonic() + seconds, 0
    while (left := int(end - time.monotonic())) > 0:
        subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzz.guided", str(corpus)),
                *(f"-max_total_time={left}", f"-timeout={int(MOST_SECONDS)}", "-rss_limit_mb=4096"),
                *(f"-artifact_prefix={FOLDER}/stopped-", "-print_final_stats=1", "-verbosity=0"),
            ],
            check=False,
        )
        for path in FOLDER.glob("stopped-*"):
            content = path.read_bytes()
            path.unlink()
            with Room() as room:
                checked(room, content)
                contained += room.contained
    say(f"None got through; {contained} killed HDF5 and were contained")


def main() -> None:
    """Fuzz by the best means there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--by", choices=["coverage", "mutation"])
    asked = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    means = asked.by or ("coverage" if atheris_is_here() else "mutation")
    say(f"Fuzzing by {means} for {asked.seconds:g} s")
    try:
        (by_coverage if means == "coverage" else by_mutation)(asked.seconds)
    except Escaped as error:
        say(f"Got through: {error}")
        raise SystemExit(1) from error


def atheris_is_here() -> bool:
    """Say whether inputs can be guided by coverage."""
    try:
        import atheris  # type: ignore[import, unused-ignore]  # noqa: F401
    except ImportError:
        return False
    return True


if __name__ == "__main__":
    main()
