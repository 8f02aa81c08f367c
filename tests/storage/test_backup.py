"""A backup holds every row and every artifact, and nothing but a whole one is restored."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from potluck_coordinator.core.errors import CannotStart
from potluck_coordinator.storage import ledger
from potluck_coordinator.storage.artifacts import ArtifactStore
from potluck_coordinator.storage.backup import back_up, restore
from potluck_coordinator.storage.engine import make_engine
from potluck_coordinator.storage.rendered_tables import RenderedRow
from potluck_coordinator.storage.schema import known_revisions, migrate
from potluck_coordinator.storage.tables import DatasetRow, ModelRow, StudyRow, UnitRow
from tests.support.database_rows import all_rows, chains
from tests.support.postgres import PostgresServer

CONTENTS = [b"", b"graph", b"weights" * 400_000, "Größe".encode(), b"checkpoint", b"leftover"]
SHAS = [hashlib.sha256(content).hexdigest() for content in CONTENTS]
NAMED = SHAS[:5]


def fill(engine: Engine, store: ArtifactStore) -> None:
    """Write a few facts with everything that is hard to write down, and the artifacts they name."""
    for content in CONTENTS:
        store.put_sync(content)
    odd = {"a": [1, 2.5, None, True], "ü": {"tiny": 5e-324, "big": 2**60}, "text": '"\n\x7f'}
    with Session(engine) as session:
        model = ModelRow(
            id="m", name="Modell ☃", owner="a", hash="h", graph=SHAS[1], weights=SHAS[2],
            report=odd, facts={}, created_at=1795780335.8775747,
        )  # fmt: skip
        session.add(model)
        for id, sha, deleted in (("d", SHAS[3], None), ("e", SHAS[0], None), ("f", SHAS[5], 9.0)):
            dataset = DatasetRow(
                id=id, name=id, version=1, owner="a", hash=sha, filename="x.csv", bytes=2**40,
                profile=odd, created_at=0.1 + 0.2, deleted_at=deleted,
            )  # fmt: skip
            session.add(dataset)
        session.commit()
        study = StudyRow(
            id="s", name="s", owner="a", state="running", visibility="public", model_id="m",
            dataset_id="d", spec=odd, plan={}, wire_plan={}, direction="max", trials=3,
            created_at=1.0,
        )  # fmt: skip
        session.add(study)
        session.commit()
        unit = UnitRow(
            id="u", study_id="s", trial=0, kind="trial", fold=-1, repeat=0, rung=0, state="ready",
            part=-1, from_epoch=0, to_epoch=1, rows=3, batch_size=2, seed=2**62, topology=SHAS[1],
            tensors=SHAS[0], training=odd, flops="9" * 30, upload_bytes=2**40, reasons=["a"],
            checkpoint=SHAS[4], diverged=True, claims={},
        )  # fmt: skip
        session.add(unit)
        for number in range(1200):
            ledger.record(session, "s", "fact", {"n": number, "who": "Ada"}, 1700000000.5)
        ledger.seal_all(session)
        ledger.record(session, "s", "fact", {"n": 1200}, 1700000001.5)  # not yet chained
        session.commit()


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def filled(engine: Engine, store: ArtifactStore) -> Engine:
    fill(engine, store)
    return engine


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one backup, of SQLite and a folder, that tests may spoil copies of."""
    folder = tmp_path_factory.mktemp("made")
    engine = make_engine(f"sqlite:///{folder / 'potluck.db'}")
    migrate(engine)
    store = ArtifactStore(folder / "artifacts")
    fill(engine, store)
    back_up(engine, store, folder / "b.tar", "1.0")
    engine.dispose()
    return folder / "b.tar"


def into(data: Path, path: Path) -> Any:
    """Restore into SQLite and a folder, both in the data folder."""
    return restore(path, data, f"sqlite:///{data / 'potluck.sqlite3'}", str(data / "artifacts"))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("target", ["to-sqlite", "to-postgresql"])
@pytest.mark.parametrize("bucket", [False, True], ids=["folder", "address"])
def test_every_row_and_every_artifact_comes_back(
    target: str,
    bucket: bool,
    filled: Engine,
    store: ArtifactStore,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    file, data, place = tmp_path / "b.tar", tmp_path / "new", tmp_path / "elsewhere"
    place.mkdir()
    done = back_up(filled, store, file, "1.0")
    assert sorted(done.artifacts) == sorted(NAMED)
    assert done.lost == []
    assert file.stat().st_mode & 0o777 == 0o600
    url = f"sqlite:///{data / 'potluck.sqlite3'}"
    if target == "to-postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.new_database(migrated=False)
    assert restore(file, data, url, f"file://{place}" if bucket else str(place)) == done
    restored = make_engine(url)
    assert all_rows(restored) == all_rows(filled)
    assert chains(restored) == {"s": None}
    assert files(place) == dict(zip(NAMED, CONTENTS[:5], strict=True))
    with Session(restored) as session:  # and the ledger's numbers go on
        assert ledger.seal_all(session) == 1
        ledger.record(session, "s", "fact", {"n": 1201}, 1700000002.5)
        session.commit()
    restored.dispose()


def test_nobody_can_have_opened_the_file_before(
    filled: Engine, store: ArtifactStore, tmp_path: Path
) -> None:
    older = tmp_path / "b.tar.part"  # as an earlier version left it, or somebody else made it
    older.write_bytes(b"older")
    older.chmod(0o644)
    with older.open("rb") as reader:
        back_up(filled, store, tmp_path / "b.tar", "1.0")
        assert reader.read() == b"older"
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    left = {path.name for path in tmp_path.iterdir() if "b.tar" in path.name}
    assert left == {"b.tar", "b.tar.part"}


def test_models_files_are_left_out_as_they_can_be_written_again(
    filled: Engine, store: ArtifactStore, tmp_path: Path
) -> None:
    written = store.put_sync(b"a model's file")
    row = RenderedRow(
        graph=SHAS[1], weights=SHAS[2], format="h5", artifact=written, bytes=14, potluck="1.0",
        used_at=1.0,
    )  # fmt: skip
    with Session(filled) as session:
        session.add(row)
        session.commit()
    done = back_up(filled, store, tmp_path / "b.tar", "1.0")
    assert sorted(done.artifacts) == sorted(NAMED)
    assert done.tables["rendered"].rows == 0
    into(tmp_path / "new", tmp_path / "b.tar")
    restored = make_engine(f"sqlite:///{tmp_path / 'new' / 'potluck.sqlite3'}")
    assert all_rows(restored) == {**all_rows(filled), "rendered": []}
    assert set(files(tmp_path / "new" / "artifacts")) == set(NAMED)
    restored.dispose()


def test_a_backup_appears_when_it_is_whole_and_overwrites_none(
    filled: Engine, store: ArtifactStore, tmp_path: Path
) -> None:
    (tmp_path / "to").mkdir()
    file = tmp_path / "to" / "b.tar"
    back_up(filled, store, file, "1.0")
    before = file.read_bytes()
    with pytest.raises(CannotStart) as refusal:
        back_up(filled, store, file, "1.0")
    assert refusal.value.code == "backup.exists"
    with pytest.raises(CannotStart) as refusal:
        back_up(filled, store, tmp_path / "nowhere" / "b.tar", "1.0")
    assert refusal.value.code == "backup.file"
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_what_the_store_lacks_or_holds_damaged_is_named_and_the_rest_is_whole(
    engine: Engine, store: ArtifactStore, tmp_path: Path
) -> None:
    fill(engine, store)
    gone, broken = store.local_path(SHAS[1]), store.local_path(SHAS[2])
    assert gone is not None
    assert broken is not None
    gone.unlink()
    broken.write_bytes(CONTENTS[2][:-1] + b"?")
    done = back_up(engine, store, tmp_path / "b.tar", "1.0")
    assert done.lost == sorted(SHAS[1:3])
    assert into(tmp_path / "new", tmp_path / "b.tar").lost == done.lost
    assert set(files(tmp_path / "new" / "artifacts")) == {SHAS[0], SHAS[3], SHAS[4]}


def test_what_is_deleted_meanwhile_is_in_neither_rows_nor_artifacts(
    filled: Engine, tmp_path: Path
) -> None:
    class Busy(ArtifactStore):
        """Somebody deletes the study, and makes a model, as soon as the first artifact is read."""

        busy = True

        def open_sync(self, sha: str, chunk: int = 1 << 20) -> tuple[int, Iterator[bytes]]:
            if self.busy:
                self.busy = False
                later = self.put_sync(b"later")
                with filled.begin() as connection:
                    connection.execute(text("DELETE FROM study"))
                    connection.execute(text("UPDATE model SET weights = :sha"), {"sha": later})
                for old in (SHAS[2], SHAS[4]):
                    path = self.local_path(old)
                    assert path is not None
                    path.unlink()
            return super().open_sync(sha, chunk)

    done = back_up(filled, Busy(tmp_path / "artifacts"), tmp_path / "b.tar", "1.0")
    assert done.lost == []
    assert hashlib.sha256(b"later").hexdigest() in done.artifacts
    assert done.tables["study"].rows == 0
    into(tmp_path / "new", tmp_path / "b.tar")


def test_an_empty_database_is_no_coordinators(
    empty_url: str, store: ArtifactStore, tmp_path: Path
) -> None:
    engine = make_engine(empty_url)
    with pytest.raises(CannotStart) as refusal:
        back_up(engine, store, tmp_path / "b.tar", "1.0")
    engine.dispose()
    assert refusal.value.code == "backup.empty"
    assert not (tmp_path / "b.tar").exists()


def test_a_place_that_is_not_empty_is_refused_and_left_as_it_is(
    made: Path, database_url: str, tmp_path: Path
) -> None:
    data, place = tmp_path / "data", tmp_path / "place"
    engine = make_engine(database_url)
    before = all_rows(engine)
    data.mkdir()
    (data / "mine").touch()
    refused_as_not_empty(made, data, "sqlite:////x/y", place)
    (data / "mine").unlink()
    refused_as_not_empty(made, data, database_url, place)
    ArtifactStore(place).put_sync(b"mine")
    refused_as_not_empty(made, data, f"sqlite:///{data / 'p'}", place)
    assert list(data.iterdir()) == []
    assert list(files(place).values()) == [b"mine"]
    assert all_rows(engine) == before
    engine.dispose()


def refused_as_not_empty(path: Path, data: Path, url: str, place: Path) -> None:
    with pytest.raises(CannotStart) as refusal:
        restore(path, data, url, str(place))
    assert refusal.value.code == "backup.not_empty"


# --- Archives that somebody made or spoiled ------------------------------------------------------

Members = dict[str, bytes]


def members_of(path: Path) -> Members:
    with tarfile.open(path, "r:") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def write(path: Path, members: Members, *extra: tuple[tarfile.TarInfo, bytes]) -> Path:
    """Write an archive: the extra members come first."""
    with tarfile.open(path, "w:", format=tarfile.PAX_FORMAT) as archive:
        for info, content in extra:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def kind(name: str, type: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, link
    return info


def sparse() -> tarfile.TarInfo:
    info = kind("artifacts/" + SHAS[5])
    info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**50)}
    return info


@pytest.mark.parametrize(
    "info",
    [
        pytest.param(kind("../escaped"), id="parent"),
        pytest.param(kind("artifacts/../../escaped"), id="parent-inside"),
        pytest.param(kind("/tmp/escaped"), id="absolute"),
        pytest.param(kind("artifacts/" + SHAS[5] + "\n"), id="newline"),
        pytest.param(kind("artifacts/" + SHAS[5], tarfile.SYMTYPE, "/etc/passwd"), id="symlink"),
        pytest.param(kind("artifacts/" + SHAS[5], tarfile.LNKTYPE, "manifest.json"), id="hardlink"),
        pytest.param(kind("rows", tarfile.DIRTYPE), id="folder"),
        pytest.param(kind("rows/account.jsonl", tarfile.FIFOTYPE), id="fifo"),
        pytest.param(kind("rows/account.jsonl", tarfile.CHRTYPE), id="device"),
        pytest.param(kind("rows/account.jsonl"), id="twice"),
        pytest.param(kind("rows/other.jsonl"), id="unnamed-table"),
        pytest.param(kind("artifacts/" + SHAS[5]), id="unnamed-artifact"),
        pytest.param(sparse(), id="sparse"),
    ],
)
def test_a_hostile_member_is_refused_and_nothing_is_written(
    info: tarfile.TarInfo, made: Path, tmp_path: Path
) -> None:
    refused(write(tmp_path / "b.tar", members_of(made), (info, b"leftover")), tmp_path)


def refused(path: Path, tmp_path: Path, code: str = "backup.damaged") -> CannotStart:
    """Restore in vain; give the refusal, after which nothing is there."""
    with pytest.raises(CannotStart) as refusal:
        into(tmp_path / "new", path)
    assert refusal.value.code == code, refusal.value.message
    assert not (tmp_path / "new").exists()
    assert refusal.value.message.count("\n") == 0
    assert not Path("/tmp/escaped").exists()
    assert not list(tmp_path.rglob("escaped"))
    return refusal.value


Change = Callable[[dict[str, Any], Members], None]


def in_rows(table: str, change: Callable[[list[Any]], object]) -> Change:
    """Change a table's rows, and the manifest with them."""

    def act(manifest: dict[str, Any], members: Members) -> None:
        name = f"rows/{table}.jsonl"
        rows = [json.loads(line) for line in members[name].splitlines()]
        change(rows)
        members[name] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        digest = hashlib.sha256(members[name]).hexdigest()
        size = len(members[name])
        manifest["tables"][table] = {"sha256": digest, "bytes": size, "rows": len(rows)}

    return act


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda m, _: m.update(revision="9041"), "backup.newer", id="newer"),
        pytest.param(lambda m, _: m.update(revision="../x"), "backup.newer", id="odd-revision"),
        pytest.param(lambda m, _: m.update(format=2), "backup.damaged", id="other-format"),
        pytest.param(lambda m, _: m.update(more=1), "backup.damaged", id="more"),
        pytest.param(lambda m, _: m.pop("tables"), "backup.damaged", id="no-tables"),
        pytest.param(lambda m, _: m["artifacts"].update({"x": 1}), "backup.damaged", id="no-hash"),
        pytest.param(lambda m, _: m["artifacts"].popitem(), "backup.damaged", id="unnamed"),
        pytest.param(lambda m, _: m["tables"].popitem(), "backup.damaged", id="unnamed-table"),
        pytest.param(
            lambda m, _: m["artifacts"].update({SHAS[1]: 4}), "backup.damaged", id="other-size"
        ),
        pytest.param(
            lambda _, f: f.update({f"artifacts/{SHAS[1]}": b"Graph"}),
            "backup.damaged",
            id="other-bytes",
        ),
        pytest.param(lambda _, f: f.update({"rows/unit.jsonl": b""}), "backup.damaged", id="rows"),
        pytest.param(
            in_rows("unit", lambda rows: rows[0].pop("seed")), "backup.damaged", id="no-column"
        ),
        pytest.param(
            in_rows("unit", lambda rows: rows[0].update(odd=1)), "backup.damaged", id="odd-column"
        ),
        pytest.param(
            in_rows("unit", lambda rows: rows.append(rows[0])), "backup.damaged", id="row-twice"
        ),
        pytest.param(
            in_rows("unit", lambda rows: rows[0].update(seed=None)), "backup.damaged", id="null"
        ),
        pytest.param(
            in_rows("unit", lambda rows: rows[0].update(id=[1])), "backup.damaged", id="list"
        ),
        pytest.param(
            in_rows("unit", lambda rows: rows[0].update(seed=10**30)), "backup.damaged", id="huge"
        ),
        pytest.param(in_rows("study", list.clear), "backup.damaged", id="orphans"),
        pytest.param(in_rows("study", lambda rows: rows.append(1)), "backup.damaged", id="no-row"),
    ],
)
def test_an_archive_that_does_not_fit_together_is_refused_and_nothing_is_written(
    change: Change, code: str, made: Path, tmp_path: Path
) -> None:
    members = members_of(made)
    manifest = json.loads(members["manifest.json"])
    change(manifest, members)
    members["manifest.json"] = json.dumps(manifest).encode()
    refused(write(tmp_path / "b.tar", members), tmp_path, code)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_a_backup_that_is_cut_off_is_refused(share: float, made: Path, tmp_path: Path) -> None:
    content = made.read_bytes().rstrip(b"\0")
    (tmp_path / "b.tar").write_bytes(content[: int(len(content) * share)])
    refused(tmp_path / "b.tar", tmp_path)


def test_a_backup_with_a_changed_byte_is_refused_wherever_it_is(made: Path, tmp_path: Path) -> None:
    content = made.read_bytes()
    with tarfile.open(made, "r:") as archive:
        places = [member.offset_data + member.size // 2 for member in archive if member.size]
    assert len(places) > 5
    for place in places:
        spoiled = bytearray(content)
        spoiled[place] ^= 1
        (tmp_path / "b.tar").write_bytes(spoiled)
        refused(tmp_path / "b.tar", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"no archive", b"\0" * 20_000], ids=["empty", "text", "zeros"]
)
def test_what_is_no_backup_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "b.tar").write_bytes(content)
    refused(tmp_path / "b.tar", tmp_path)


def test_a_failed_restore_leaves_the_place_as_empty_as_it_was(
    made: Path, empty_url: str, tmp_path: Path
) -> None:
    members = members_of(made)
    manifest = json.loads(members["manifest.json"])
    in_rows("study", list.clear)(manifest, members)
    members["manifest.json"] = json.dumps(manifest).encode()
    spoiled = write(tmp_path / "b.tar", members)
    data, place = tmp_path / "new", tmp_path / "place"
    data.mkdir()
    with pytest.raises(CannotStart):
        restore(spoiled, data, empty_url, str(place))
    assert list(data.iterdir()) == []
    assert files(place) == {}
    restore(made, data, empty_url, str(place))
    engine = make_engine(empty_url)
    assert chains(engine) == {"s": None}
    engine.dispose()


def test_the_newest_revision_is_what_a_backup_of_today_has(made: Path) -> None:
    manifest = json.loads(members_of(made)["manifest.json"])
    assert manifest["revision"] == known_revisions()[-1]
