"""Names of things: short and random."""

from __future__ import annotations

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def spell(prefix: str, random: bytes) -> str:
    """Spell random bytes as an id such as `st_7k2m...`, five bits a letter."""
    number = int.from_bytes(random, "big")
    letters = []
    for _ in range(len(random) * 8 // 5):
        letters.append(ALPHABET[number & 31])
        number >>= 5
    return f"{prefix}_{''.join(letters)}"


ADJECTIVES_TEXT = """
amber able bold brave bright brisk calm clear clever cosy curious daring eager early fair fleet
fond gentle glad golden good grand happy hardy honest humble jolly keen kind lively loyal lucky
mellow merry mild neat nimble noble patient plain proud quick quiet ready rosy sage silver
sleek snug sober sound spry steady still sturdy sunny swift tidy true vivid warm wise witty
young
"""
ADJECTIVES = tuple(ADJECTIVES_TEXT.split())
ANIMALS_TEXT = """
badger beaver bison bittern buzzard condor crane curlew dipper dove eagle egret elk falcon
ferret finch fox gannet gecko goose grouse hare hawk heron hoopoe ibex jackdaw jay kestrel kite
koala lark lemur linnet lynx magpie marten merlin mole moose newt ocelot oriole osprey otter
owl panda pika plover puffin quail raven robin salmon seal shrike skylark sparrow stoat stork
swan tern thrush toad wren
"""
ANIMALS = tuple(ANIMALS_TEXT.split())


def donor_name(donor: str) -> str:
    """Give a donor a name that people can say, from its id."""
    number = int.from_bytes(donor.encode()[-8:], "big")
    adjective = ADJECTIVES[number % len(ADJECTIVES)]
    animal = ANIMALS[number // len(ADJECTIVES) % len(ANIMALS)]
    return f"{adjective}-{animal}"
