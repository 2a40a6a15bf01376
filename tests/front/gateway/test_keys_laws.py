"""Laws of keys: budgets, minutes and patterns, whatever is asked in whatever order."""

import sqlite3
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavendish.errors import RequestError
from cavendish.front.gateway.keys.asking import key_of_wish, question_of, seconds
from cavendish.front.gateway.keys.gate import is_loopback
from cavendish.front.gateway.keys.rules import matches
from cavendish.io.desk.allowance import Denied, Ended, Granted, Limit, Wish, admit, extend, settle, spent_of
from cavendish.io.desk.keys import KeyEntry, KeyRules, _values, digest_of, fresh_secret, key_in
from cavendish.io.desk.period import Per, ends_at, first_day
from cavendish.io.desk.schema import MIGRATIONS
from cavendish.io.spend.calendar import UTC_CALENDAR, Calendar
from cavendish.io.state.port import statements
from cavendish.model.attempt import Attempt, AttemptState
from cavendish.model.fault import Charged
from cavendish.model.result import Route

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


class MemoryLink:
    """The books in memory, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        for script in MIGRATIONS:
            for statement in statements(script):
                self.connection.execute(statement)
        self.now = 1000.0

    def run(self, sql: str, /, **values: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, values).fetchall()

    def now_s(self) -> float:
        return self.now

    def wall_s(self) -> float:
        return NOON

    def put(self, **rules: Any) -> KeyEntry:
        entry = KeyEntry("key_1", "app", rules=KeyRules(**rules), created_at=NOON)
        sql = "INSERT INTO keys VALUES (:id, :name, :role, :rules, :created_at, :expires_at, :revoked_at)"
        self.run(sql, **_values(entry))
        return entry


def attempt(number: int, cost_nusd: int, at: float = NOON, charged: Charged = Charged.YES) -> Attempt:
    return Attempt(
        id=f"a{number}",
        slot_id=f"s{number}",
        number=1,
        route=Route("google", "nano-banana-2", "gemini"),
        state=AttemptState.SETTLED,
        estimate_nusd=cost_nusd,
        intent_at=at,
        settled_at=at,
        charged=charged,
        cost_nusd=None if charged is Charged.UNKNOWN else cost_nusd,
    )


def end(link: MemoryLink, job: str, cost_nusd: int, at: float = NOON) -> None:
    settle(link, Ended("key_1", job, "nano-banana-2", at, [attempt(int(job), cost_nusd, at)], {}), UTC_CALENDAR)


# --- budgets ----------------------------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "ask", "more", "end"]),
        st.integers(1, 400),
        st.integers(0, 100),
        st.integers(0, 30),
    ),
    max_size=60,
)


@given(st.integers(1, 1000), steps)
def test_what_is_spent_and_held_is_never_more_than_the_budget(
    budget: int, done: list[tuple[str, int, int, int]]
) -> None:
    link = MemoryLink()
    entry = link.put(budget_nusd=budget)
    held: dict[str, int] = {}
    for number, (what, price, share, which) in enumerate(done):
        if what == "ask":
            least = price * share // 100
            answer = admit(link, Wish("key_1", str(number), 1, price, least), UTC_CALENDAR, NOON)
            if isinstance(answer, Granted):
                assert answer.held_nusd is not None
                assert least <= answer.held_nusd <= price
                held[str(number)] = answer.held_nusd
        elif held:
            job = sorted(held)[which % len(held)]
            if what == "more":
                more = extend(link, "key_1", job, price, UTC_CALENDAR, NOON)
                held[job] = more if isinstance(more, int) else held[job]
            else:
                # A job never spends more than is held for it.
                end(link, job, held.pop(job) * share // 100)
        spent = spent_of(link, entry, UTC_CALENDAR, NOON)
        assert spent.spent_nusd + spent.held_nusd <= budget
        assert spent.held_nusd == sum(held.values())


@given(st.integers(1, 1000), st.integers(1, 400))
def test_what_fits_is_not_refused(budget: int, price: int) -> None:
    link = MemoryLink()
    link.put(budget_nusd=budget)
    let_in = 0
    while isinstance(admit(link, Wish("key_1", str(let_in), 1, price, price), UTC_CALENDAR, NOON), Granted):
        let_in += 1
    assert let_in == budget // price


def test_a_request_that_is_alone_may_go_with_what_is_left() -> None:
    link = MemoryLink()
    link.put(budget_nusd=100)
    assert admit(link, Wish("key_1", "1", 1, 134, 67), UTC_CALENDAR, NOON) == Granted(100)
    denied = admit(link, Wish("key_1", "2", 1, 134, 67), UTC_CALENDAR, NOON)
    assert isinstance(denied, Denied)
    assert (denied.limit, denied.wait_s) == (Limit.IN_FLIGHT, 2.0)
    end(link, "1", 60)
    denied = admit(link, Wish("key_1", "2", 1, 134, 67), UTC_CALENDAR, NOON)
    assert isinstance(denied, Denied)
    assert (denied.limit, denied.wait_s, denied.spent_nusd) == (Limit.BUDGET, None, 60)


def test_what_may_have_been_billed_is_spent() -> None:
    link = MemoryLink()
    entry = link.put(budget_nusd=100)
    unknown = attempt(1, 67, charged=Charged.UNKNOWN)
    settle(link, Ended("key_1", "1", "nano-banana-2", NOON, [unknown], {}), UTC_CALENDAR)
    assert spent_of(link, entry, UTC_CALENDAR, NOON).spent_nusd == 67


def test_a_price_that_nobody_knows_fits_no_budget() -> None:
    link = MemoryLink()
    link.put(budget_nusd=10**15)
    assert admit(link, Wish("key_1", "1", 1, None, None), UTC_CALENDAR, NOON) == Denied(Limit.BUDGET, 10**15)


@pytest.mark.parametrize("per", ["day", "week", "month"])
def test_a_budget_is_renewed(per: str) -> None:
    link = MemoryLink()
    entry = link.put(budget_nusd=100, per=Per(per))
    end(link, "1", 100)
    denied = admit(link, Wish("key_1", "2", 1, 67, 67), UTC_CALENDAR, NOON)
    assert isinstance(denied, Denied)
    assert denied.wait_s is not None
    later = NOON + denied.wait_s
    assert isinstance(admit(link, Wish("key_1", "2", 1, 67, 67), UTC_CALENDAR, later), Granted)
    assert spent_of(link, entry, UTC_CALENDAR, later - 1).spent_nusd == 100


def test_a_total_is_never_renewed() -> None:
    link = MemoryLink()
    link.put(budget_nusd=100)
    end(link, "1", 100)
    assert isinstance(admit(link, Wish("key_1", "2", 1, 67, 67), UTC_CALENDAR, NOON + 10**9), Denied)


@given(st.floats(1.6e9, 2e9), st.sampled_from(["UTC", "Europe/Berlin"]))
def test_a_week_begins_on_monday_and_holds_its_moment(moment: float, zone: str) -> None:
    calendar = Calendar(ZoneInfo(zone))
    first, ends = first_day(calendar, Per.WEEK, moment), ends_at(calendar, Per.WEEK, moment)
    assert date.fromisoformat(first).weekday() == 0
    assert calendar.began(first) <= moment
    assert ends is not None
    assert moment < ends
    assert date.fromisoformat(calendar.day(ends)) == date.fromisoformat(first) + timedelta(days=7)


# --- a minute ---------------------------------------------------------------------------------------------------------


@given(st.integers(1, 8), st.lists(st.floats(0, 40), min_size=1, max_size=40))
def test_no_minute_has_more_requests_than_it_may(rpm: int, pauses: list[float]) -> None:
    link = MemoryLink()
    link.put(rpm=rpm)
    let_in: list[float] = []
    for number, pause in enumerate(pauses):
        link.now += pause
        answer = admit(link, Wish("key_1", str(number), 1, 1, 1), UTC_CALENDAR, NOON)
        if isinstance(answer, Denied):
            assert answer.limit is Limit.RPM
            assert answer.wait_s is not None
            assert 0 < answer.wait_s <= 60 + 1e-9  # a difference of two sums
            assert len([at for at in let_in if at > link.now - 60]) == rpm
        else:
            let_in.append(link.now)
            assert answer.meter is not None
            assert answer.meter.left == rpm - len([at for at in let_in if at > link.now - 60])
    assert all(len([other for other in let_in if at - 60 < other <= at]) <= rpm for at in let_in)


def test_a_refused_request_takes_nothing_of_the_minute() -> None:
    link = MemoryLink()
    link.put(rpm=2, budget_nusd=100)
    for number in range(5):
        assert isinstance(admit(link, Wish("key_1", str(number), 1, 500, 500), UTC_CALENDAR, NOON), Denied)
    assert isinstance(admit(link, Wish("key_1", "9", 1, 50, 50), UTC_CALENDAR, NOON), Granted)


@pytest.mark.parametrize("changes", [{"revoked_at": NOON - 1}, {"expires_at": NOON}])
def test_a_key_that_ended_takes_nothing(changes: dict[str, float]) -> None:
    link = MemoryLink()
    link.put()
    for name, value in changes.items():
        link.run(f"UPDATE keys SET {name} = :value", value=value)
    assert admit(link, Wish("key_1", "1", 1, 1, 1), UTC_CALENDAR, NOON) == Denied(Limit.KEY)
    assert admit(link, Wish("key_2", "1", 1, 1, 1), UTC_CALENDAR, NOON) == Denied(Limit.KEY)


# --- patterns, secrets, words -----------------------------------------------------------------------------------------

names = st.text("abc-12.", min_size=1, max_size=8)


@given(st.lists(names, max_size=4), st.lists(names, max_size=4))
def test_plain_patterns_are_names(patterns: list[str], known: list[str]) -> None:
    assert matches(patterns, known) == bool(set(patterns) & set(known))


@given(st.lists(st.text("ab*?", min_size=1, max_size=6), max_size=4), st.lists(names, max_size=4))
def test_a_pattern_matches_as_in_a_shell_whatever_the_case(patterns: list[str], known: list[str]) -> None:
    found = any(fnmatchcase(name, pattern) for pattern in patterns for name in known)
    assert matches(patterns, known) == found
    assert matches(map(str.upper, patterns), known) == found
    assert matches(["*"], known) == bool(known)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {fresh_secret().reveal() for _ in range(200)}
    assert len(made) == 200
    assert all(len(secret.rpartition("_")[2]) == 43 for secret in made)
    assert len({digest_of(secret) for secret in made}) == 200


def test_rules_come_back_from_the_books_as_they_went_in() -> None:
    link = MemoryLink()
    rules = {"budget_nusd": 5, "per": Per.WEEK, "rpm": 3, "models": ("a*", "b"), "routes": ("google",), "max_n": 4}
    entry = link.put(**rules)
    assert key_in(link, "key_1") == entry


@pytest.mark.parametrize(
    "words, meant",
    [
        ("90d", 7_776_000.0),
        ("12h", 43_200.0),
        ("30m", 1800.0),
        ("2w", 1_209_600.0),
        ("5s", 5.0),
        ("999999w", 36_500 * 86_400.0),
    ],
)
def test_times(words: str, meant: float) -> None:
    assert seconds("expires", words) == meant


@pytest.mark.parametrize("words", ["", "0d", "-1d", "90", "90 d", "1y", "9999999d", None, 5])
def test_what_is_no_time(words: object) -> None:
    with pytest.raises(RequestError, match="such as 90d"):
        seconds("expires", words)


@given(st.dictionaries(st.sampled_from(["name", "budget", "per", "rpm", "models", "role"]), st.integers() | st.text()))
def test_a_wish_is_a_key_or_an_error_that_names_a_field(wish: dict[str, Any]) -> None:
    field = ""
    try:
        key = key_of_wish(wish, NOON, ("google",))
    except RequestError as error:
        key, field = None, error.field
    assert field in wish or (key and key.name == str(wish.get("name", key.id)).strip())


def test_a_question_of_nothing_is_by_day() -> None:
    assert question_of({}, "").by == ("day",)


@pytest.mark.parametrize(
    "host, own",
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("LOCALHOST.", True),
        ("app.localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("localhost.example.com", False),
        ("127.0.0.1.nip.io", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine_alone(host: str, own: bool) -> None:
    assert is_loopback(host) is own
