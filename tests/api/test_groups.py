"""Studies for a group, or for one's own donors: nobody else gets a unit, a row, or a word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed

from potluck.protocol import donor as wire
from tests.conftest import Start
from tests.support.coordinator import Coordinator
from tests.support.scripted_donor import ScriptedDonor, random_result
from tests.support.visiting import (
    ask_who,
    bearer,
    code,
    key_of,
    open_page,
    sign_in,
    somebody,
    submit,
    upload,
)
from tests.support.waiting import until

UNKNOWN_CODE = (404, "group.code_unknown")


@dataclass(frozen=True)
class People:
    """A closed coordinator's operator, and two submitters."""

    coordinator: Coordinator
    operator: httpx2.Client
    ada: httpx2.Client
    bob: httpx2.Client
    ada_id: str

    @property
    def url(self) -> str:
        return self.coordinator.url

    def group(self, name: str = "Lab 3") -> dict[str, Any]:
        """Have Ada make a group."""
        made = self.ada.post("/groups", json={"name": name})
        assert made.status_code == 201, made.text
        return dict(made.json())

    def join(self, group: dict[str, Any], name: str = "a node") -> str:
        """Join a group as a program does; give the key."""
        with somebody(self.url) as program:
            body = {"code": group["code"], "name": name}
            joined = program.post("/donor/groups/join", json=body)
            assert joined.status_code == 200, joined.text
            assert (joined.json()["id"], joined.json()["name"]) == (group["id"], group["name"])
            return str(joined.json()["key"])

    def donor(self, word: str | None = None, cookie: str = "") -> ScriptedDonor:
        """Give a donor that shows a token, or a cookie."""
        headers = bearer(word) if word else {}
        return ScriptedDonor(self.url, headers=headers | ({"Cookie": cookie} if cookie else {}))

    def study(self, **changes: Any) -> str:
        """Have Ada make a study whose rows are not public."""
        made = submit(self.ada, **{"rows_are_public": False, "visibility": "private", **changes})
        return str(made["id"])


@pytest.fixture
def people(start_coordinator: Start) -> Iterator[People]:
    coordinator = start_coordinator(open=False, workers=1)
    with somebody(coordinator.url, coordinator.operator_token()) as operator:
        made = [operator.post("/accounts", json={"name": n}).json() for n in ("Ada", "Bob")]
        with (
            somebody(coordinator.url, made[0]["token"]) as ada,
            somebody(coordinator.url, made[1]["token"]) as bob,
        ):
            yield People(coordinator, operator, ada, bob, made[0]["account"]["id"])


def word_of(client: httpx2.Client) -> str:
    """Give the token that a client sends."""
    return client.headers["Authorization"].removeprefix("Bearer ")


def await_ready(people: People, study: str) -> None:
    """Wait until a study offers a unit."""
    until(lambda: people.ada.get(f"/studies/{study}").json()["counts"]["ready"] > 0)


def hear_to_the_end(donor: ScriptedDonor) -> None:
    """Hear a coordinator until it ends the connection. Raises ConnectionClosed."""
    while True:
        donor.hear()


def gets_nothing(donor: ScriptedDonor) -> bool:
    """Say whether a donor is told to wait, and is not told of scoring that goes on."""
    return donor.why_wait() == "no_work"


def test_only_ones_own_donors_get_units_of_mine(people: People) -> None:
    study = people.study(donors="mine", trials=2)
    await_ready(people, study)
    scope = {"name": "node", "scope": "donate"}
    node = people.ada.post("/account/tokens", json=scope).json()["token"]
    with (
        people.donor() as nobody,
        people.donor(word_of(people.bob)) as bobs,
        people.donor(word_of(people.operator)) as operators,
        people.donor(node) as adas,
        people.donor(word_of(people.ada)) as hers,
    ):
        for outsider in (nobody, bobs, operators):
            assert gets_nothing(outsider)
        lease = adas.begin()
        assert lease.unit.study_id == study
        assert hers.await_lease().unit.study_id == study
        # The lease's rows are for whoever has its token, as long as the donor's own token lives.
        assert adas.get(lease.unit.tensors, lease.token).status_code == 200
        done = random_result(adas, lease)
        assert adas.complete(lease, done).outcome == "accepted"
        for outsider in (nobody, bobs, operators):
            assert gets_nothing(outsider)


def test_a_browser_that_is_signed_in_donates_for_its_account(people: People) -> None:
    study = people.study(donors="mine")
    await_ready(people, study)
    with open_page(people.url) as page, open_page(people.url) as other:
        sign_in(page, word_of(people.ada))
        sign_in(other, word_of(people.bob))
        mine = f"potluck_session={page.cookies['potluck_session']}"
        others = f"potluck_session={other.cookies['potluck_session']}"
        with people.donor(cookie=others) as outsider, people.donor(cookie=mine) as own:
            assert gets_nothing(outsider)
            assert own.begin().unit.study_id == study


def test_a_groups_members_get_its_units_and_nobody_else(people: People) -> None:
    group, other = people.group(), people.group("Lab 4")
    study = people.study(donors="group", group_id=group["id"], trials=2)
    await_ready(people, study)
    key, others = people.join(group), people.join(other)
    with (
        people.donor() as nobody,
        people.donor(word_of(people.bob)) as bobs,
        people.donor(others) as outsider,
        people.donor(cookie=f"potluck_groups=nonsense.{others}.{key}") as member,
        people.donor(word_of(people.ada)) as owners,
    ):
        for one in (nobody, bobs, outsider):
            assert gets_nothing(one)
        assert member.begin().unit.study_id == study
        assert owners.begin().unit.study_id == study


def test_the_others_hear_no_news_of_it(people: People) -> None:
    group = people.group()
    with people.donor() as outsider, people.donor(people.join(group)) as member:
        assert gets_nothing(outsider)
        assert gets_nothing(member)
        people.study(donors="group", group_id=group["id"])
        member.await_work()
        public = people.study(donors="everyone", rows_are_public=True, visibility="public")
        outsider.await_work()
        assert outsider.begin().unit.study_id == public


def test_a_removed_member_gets_no_new_unit_no_rows_and_may_end_what_it_has(
    people: People,
) -> None:
    group = people.group()
    people.study(donors="group", group_id=group["id"], trials=3)
    key = people.join(group)
    [member] = people.ada.get(f"/groups/{group['id']}/members").json()
    assert member["name"] == "a node"
    with people.donor(key) as donor:
        lease = donor.begin()
        unit = lease.unit
        assert donor.get(unit.tensors, lease.token).status_code == 200
        done = random_result(donor, lease)
        place = f"/groups/{group['id']}/members/{member['id']}"
        assert code(people.bob.delete(place)) == (404, "group.not_found")
        assert people.ada.delete(place).status_code == 204
        with pytest.raises(ConnectionClosed) as closed:
            hear_to_the_end(donor)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        assert donor.get(unit.tensors, lease.token).status_code == 404
    assert refused(people, key) == "access.token_unknown"
    # As somebody who shows nothing, it may hand in what it had trained, and gets no more.
    with ScriptedDonor(people.url, key=donor.key, held=[lease.token]) as again:
        assert [one.id for one in again.welcome.resumed] == [lease.id]
        assert again.complete(lease, done).outcome == "accepted"
        assert gets_nothing(again)


def refused(people: People, word: str) -> str:
    """Give the code with which a donor that shows this is turned away."""
    with pytest.raises(AssertionError) as turned, people.donor(word):
        pass
    answer = turned.value.args[0]
    assert isinstance(answer, wire.Problem)
    return answer.error.code


@pytest.mark.parametrize("how", ["token", "account", "expiry"])
def test_a_donor_loses_mine_with_its_token(people: People, how: str) -> None:
    people.study(donors="mine", trials=3)
    made = people.ada.post("/account/tokens", json={"name": "node", "scope": "donate"}).json()
    place = f"/account/tokens/{made['record']['id']}"
    with people.donor(made["token"]) as donor:
        lease = donor.begin()
        if how == "token":
            people.ada.delete(place)
        elif how == "expiry":
            people.ada.patch(place, json={"expires_in_days": 0})
        else:
            people.operator.delete(f"/accounts/{people.ada_id}")
        assert donor.get(lease.unit.tensors, lease.token).status_code == 404
        with pytest.raises(ConnectionClosed):
            hear_to_the_end(donor)
    assert refused(people, made["token"]) == "access.token_unknown"


def test_a_new_code_ends_the_old_one_and_members_stay(people: People) -> None:
    group = people.group()
    people.join(group)
    renewed = people.ada.post(f"/groups/{group['id']}/code").json()
    assert renewed["code"] != group["code"]
    assert renewed["members"] == 1
    with somebody(people.url) as program:
        for path in ("/donor/groups/join", "/donor/groups/invitation"):
            assert code(program.post(path, json={"code": group["code"]})) == UNKNOWN_CODE
        told = program.post("/donor/groups/invitation", json={"code": renewed["code"]})
        assert told.json() == {"name": "Lab 3", "owner": "Ada"}


def test_guessing_codes_is_slowed_down(people: People) -> None:
    group = people.group()
    with somebody(people.url) as program:
        answers = [
            program.post("/donor/groups/join", json={"code": f"guess {n}"}) for n in range(12)
        ]
        assert code(answers[0]) == UNKNOWN_CODE
        assert code(answers[-1]) == (429, "rate.codes")
        assert int(answers[-1].headers["Retry-After"]) >= 1
        # Right or wrong, a code is not even looked at meanwhile.
        right = program.post("/donor/groups/join", json={"code": group["code"]})
        assert code(right) == (429, "rate.codes")


def test_a_browser_joins_once_keeps_its_keys_and_leaves(people: People) -> None:
    first, second = people.group("A"), people.group("B")
    with open_page(people.url) as page:
        for group in (first, second, first):
            body = {"code": group["code"], "name": "Eve's tab", "keep": "cookie"}
            joined = page.post("/donor/groups/join", json=body)
            assert joined.json()["key"] is None
        assert {g["name"] for g in page.get("/donor/groups").json()} == {"A", "B"}
        assert people.ada.get(f"/groups/{first['id']}").json()["members"] == 1
        cookie = f"potluck_groups={page.cookies['potluck_groups']}"
        study = people.study(donors="group", group_id=second["id"])
        with people.donor(cookie=cookie) as donor:
            assert donor.begin().unit.study_id == study
        # Its keys open no page and no data: it is as signed out as before.
        assert page.get(f"/studies/{study}").status_code == 404
        assert ask_who(page)["signed_in"] is False
        left = page.delete(f"/donor/groups/{second['id']}").json()
        assert [g["name"] for g in left] == ["A"]
        assert people.ada.get(f"/groups/{second['id']}").json()["members"] == 0
        elsewhere = page.post(
            "/donor/groups/join",
            json={"code": first["code"], "keep": "cookie"},
            headers={"Origin": "https://elsewhere.example"},
        )
        assert code(elsewhere) == (403, "access.origin")


def test_a_members_key_may_donate_and_nothing_else(people: People) -> None:
    group = people.group()
    study = people.study(donors="group", group_id=group["id"])
    with somebody(people.url, people.join(group)) as member:
        assert member.get("/session").json()["role"] == "donor"
        for path in (f"/studies/{study}", f"/studies/{study}/best", "/studies", "/groups"):
            assert code(member.get(path)) == (403, "access.donate_only")


def test_groups_are_their_owners_alone(people: People) -> None:
    group = people.group()
    place = f"/groups/{group['id']}"
    for act, path in (("GET", ""), ("DELETE", ""), ("POST", "/code"), ("GET", "/members")):
        assert code(people.bob.request(act, place + path)) == (404, "group.not_found")
    assert code(people.bob.patch(place, json={"name": "x"})) == (404, "group.not_found")
    assert people.bob.get("/groups").json() == []
    assert [g["id"] for g in people.operator.get("/groups").json()] == [group["id"]]
    with somebody(people.url) as nobody:
        assert code(nobody.post("/groups", json={"name": "x"})) == (401, "access.token_needed")
    taken = people.ada.post("/groups", json={"name": " Lab 3 "})
    assert code(taken) == (409, "group.name_taken")
    for name in ("\u202eevil", " ", "\u0000"):
        assert people.ada.post("/groups", json={"name": name}).status_code == 400
    renamed = people.ada.patch(place, json={"name": "Lab 5"})
    assert renamed.json()["name"] == "Lab 5"


def test_a_group_is_deleted_when_its_studies_have_ended(people: People) -> None:
    group = people.group()
    study = people.study(donors="group", group_id=group["id"])
    key = people.join(group)
    place = f"/groups/{group['id']}"
    assert code(people.ada.delete(place)) == (409, "group.state")
    assert people.ada.post(f"/studies/{study}/stop").status_code == 200
    assert people.ada.get(f"/studies/{study}").json()["group_gone"] is False
    assert people.ada.delete(place).status_code == 204
    assert people.ada.get(f"/studies/{study}").json()["group_gone"] is True
    [listed] = [one for one in people.ada.get("/studies").json() if one["id"] == study]
    assert listed["group_gone"] is True
    assert refused(people, key) == "access.token_unknown"
    for act, body in (("resume", None), ("extend", {"trials": 1})):
        again = people.ada.post(f"/studies/{study}/{act}", json=body)
        assert code(again) == (409, "study.group_gone")


def test_nobody_joins_the_group_of_an_account_that_was_revoked(people: People) -> None:
    group = people.group()
    assert people.operator.delete(f"/accounts/{people.ada_id}").status_code == 200
    with somebody(people.url) as program:
        joined = program.post("/donor/groups/join", json={"code": group["code"]})
        assert code(joined) == UNKNOWN_CODE


def test_a_specification_says_for_whom_it_is_and_the_plan_who_gets_what(people: People) -> None:
    group = people.group()
    with somebody(people.url, word_of(people.bob)) as bob:
        theirs = upload_spec(bob, donors="group", group_id=group["id"])
        assert code(bob.post("/studies", json=theirs)) == (404, "group.not_found")
    for changes, refusal in (
        ({"donors": "group"}, (400, "study.group_needed")),
        ({"donors": "mine", "group_id": group["id"]}, (400, "study.group_unused")),
        ({"donors": "everyone", "rows_are_public": False}, (400, "study.rows_not_public")),
    ):
        assert code(people.ada.post("/studies", json=upload_spec(people.ada, **changes))) == refusal
    for donors, words in (
        ("everyone", "Every donor who trains a unit"),
        ("mine", "Only the submitter's own donors"),
        ("group", "Only donors of the study's group"),
    ):
        named = {"group_id": group["id"]} if donors == "group" else {}
        wanted = upload_spec(people.ada, donors=donors, **named)
        plan = people.ada.post("/studies/plan", json=wanted).json()
        told = " ".join(plan["who_gets_what"])
        assert told.startswith(words)
        assert group["name"] not in told
        assert ("not told that there is such a study" in told) == (donors != "everyone")


def upload_spec(client: httpx2.Client, **changes: Any) -> dict[str, Any]:
    """Upload what a study needs, and write its specification."""
    return {**upload(client), **changes}


def test_a_former_name_opens_nothing_to_whoever_gets_it_next(people: People) -> None:
    study = people.study(donors="mine")
    assert people.ada.delete(f"/studies/{study}").status_code == 204
    renamed = people.operator.patch(f"/accounts/{people.ada_id}", json={"name": "Ada L."})
    assert renamed.status_code == 200
    assert people.ada.get(f"/studies/{study}/ledger").status_code == 200
    taker = people.operator.post("/accounts", json={"name": "Ada"}).json()["token"]
    with somebody(people.url, taker) as other:
        assert code(other.get(f"/studies/{study}/ledger")) == (404, "study.not_found")


def test_on_an_open_coordinator_mine_is_whoever_shows_the_same_visitors_key(
    coordinator: Coordinator,
) -> None:
    with open_page(coordinator.url) as ann, open_page(coordinator.url) as bob:
        asked = {"donors": "mine", "rows_are_public": False, "visibility": "private"}
        study = submit(ann, **asked)["id"]
        until(lambda: ann.get(f"/studies/{study}").json()["counts"]["ready"] > 0)
        assert code(bob.get(f"/studies/{study}")) == (404, "study.not_found")
        url, key = coordinator.url, key_of(ann)
        with (
            ScriptedDonor(url) as nobody,
            ScriptedDonor(url, headers=bearer(key_of(bob))) as bobs,
            ScriptedDonor(url, headers={"Cookie": f"potluck_visitor={key}"}) as tab,
            ScriptedDonor(url, headers=bearer(key)) as program,
        ):
            assert gets_nothing(nobody)
            assert gets_nothing(bobs)
            lease = tab.begin()
            assert lease.unit.study_id == study
            assert tab.hand_back(lease).outcome == "handed_back"
            assert program.begin().unit.study_id == study
        ann.delete(f"/studies/{study}")
    with somebody(coordinator.url) as plain:
        refusal = plain.post("/studies", json=upload_spec(plain, donors="mine"))
        assert code(refusal) == (400, "study.donors_nobody")
        assert code(plain.post("/groups", json={"name": "x"})) == (401, "group.no_owner")


def test_on_an_open_coordinator_a_visitor_keeps_a_group(coordinator: Coordinator) -> None:
    with open_page(coordinator.url) as ann, open_page(coordinator.url) as bob:
        group = ann.post("/groups", json={"name": "Friends"}).json()
        assert group["owner"] == "anyone"
        assert code(bob.get(f"/groups/{group['id']}")) == (404, "group.not_found")
        joined = bob.post(
            "/donor/groups/join", json={"code": group["code"], "name": "Bob", "keep": "cookie"}
        )
        assert joined.json()["owner"] == "anyone"
        asked = {"donors": "group", "group_id": group["id"], "rows_are_public": False}
        study = submit(ann, **asked)["id"]
        keys = {"Cookie": f"potluck_groups={bob.cookies['potluck_groups']}"}
        with ScriptedDonor(coordinator.url, headers=keys) as donor:
            assert donor.begin().unit.study_id == study
        ann.delete(f"/studies/{study}")
