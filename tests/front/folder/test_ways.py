"""What a run tells of keys that it lost and of pictures that came by another route than was meant."""

from cavendish.engine.ports import Closing, Detour, Tally
from cavendish.front.advice import lost
from cavendish.front.folder.entries import failure_entry
from cavendish.front.folder.summary import RunFacts, summarise
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.request import ImageRequest
from cavendish.model.result import Failure, Route, Slot

GOOGLE = Route("google", "banana", "banana")
REVOKED = Closing(GOOGLE, "key 2 of 3", Fault(FaultKind.BAD_KEY, "API key not valid."), 2)
EMPTY = Closing(GOOGLE, "", Fault(FaultKind.NO_CREDIT))


def test_a_lost_key_is_told_with_what_goes_on_and_what_to_do():
    said = lost(REVOKED)
    assert said.startswith("google, key 2 of 3 is out of this run: API key not valid; the run goes on with the other 2")
    assert "make a new key" in said
    assert lost(EMPTY) == "google/banana is out of this run: no_credit; add credit to the account of this key"


def test_the_summary_says_what_went_round_and_why(tmp_path):
    detour = Detour("apiyi/banana", "google/banana: the day's quota is used up", 12)
    summary = summarise((), Tally(), RunFacts(tmp_path, detours=(detour,), closings=(REVOKED, EMPTY)))
    text = summary.text()
    assert "12 pictures by apiyi/banana, since google/banana: the day's quota is used up\n" in text
    assert "out of use: google, key 2 of 3 (bad_key)\nout of use: google/banana (no_credit)" in text
    told = summary.to_json()
    assert told["detours"] == [{"route": detour.route, "why": detour.why, "pictures": 12}]
    assert told["lost"][1] == {"route": "google/banana", "key": "", "why": "no_credit"}


def test_a_failure_says_what_the_provider_calls_its_exchange():
    slot = Slot("f.0", "kite", 0, 0, ImageRequest.of("a kite", "banana"))
    failure = Failure(slot, Fault(FaultKind.NO_IMAGE), 3, route=GOOGLE, request_id="req-7")
    assert failure_entry(failure)["request_id"] == "req-7"
