"""How constraints are called: migrations can then name every one that they change."""

from __future__ import annotations

from sqlmodel import SQLModel

__all__ = ["SQLModel"]

# Every table's module takes its base from here, so that this stands before the first table.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
