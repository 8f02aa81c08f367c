"""Tables, repositories, migrations, the writer and the artifact store. Only storage knows SQL."""

from __future__ import annotations

from sqlmodel import SQLModel

# Set before the first table exists, so that migrations can name every constraint they change.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
