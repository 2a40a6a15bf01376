"""Laws of recall: whatever clients send back of a conversation, nothing is made up and nothing is lost in silence."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cavendish.front.build import Setup
from cavendish.front.gateway.talks.recall import Recall, drawn, merged
from cavendish.front.routes import Routes, RouteWish
from cavendish.model.blob import Blob
from cavendish.model.request import Image, ImageRequest, Part, Role, Text, Turn
from cavendish.model.result import Picture, Slot

MODEL = "nano-banana-2"
SIGNS = Setup().routes(RouteWish()).resolve(MODEL)[0].route
SLOT = Slot("job.0", "job", 0, 0, ImageRequest.of("", ""))


def blob(number: int) -> Blob:
    return Blob(f"{number:064x}", 100, "image/png", f"sent-{number}")


def answered(number: int, words: str = "") -> Picture:
    """What a model that signs gave once, with the words before its picture."""
    extras = (Text("plan", thought=True, signature=f"t{number}"), *((Text(words, signature="w"),) if words else ()))
    signature = f"s{number}"
    kept = Blob(f"{number:064x}", 100, "image/png", f"kept-{number}")
    return Picture(SLOT, kept, 1, 1, SIGNS, 1, 0, extras=extras, signature=signature, place=len(extras))


def routes() -> Routes:
    return Setup().routes(RouteWish())


def asked(*turns: Turn, model: str = MODEL) -> ImageRequest:
    return ImageRequest(turns=turns, model=model)


def user(words: str, *pictures: Image) -> Turn:
    return Turn(Role.USER, (Text(words), *pictures))


def shown(number: int, words: str = "") -> Turn:
    """An answer as a client sends it back."""
    return Turn(Role.MODEL, (*((Text(words),) if words else ()), Image(blob=blob(number), media_type="image/png")))


def recalled(request: ImageRequest, *known: Picture) -> tuple[tuple[Turn, ...], list[str]]:
    carried = Recall(routes(), {picture.blob.sha256: picture for picture in known}).recalled(request)
    return carried.request.turns, [notice.code for notice in carried.notices]


def test_an_answer_comes_back_as_it_was_given_with_the_bytes_that_were_sent() -> None:
    turns, notices = recalled(asked(user("a"), shown(1, "Here"), user("b")), answered(1, "Here"))
    assert notices == []
    thought, words, picture = turns[1].parts
    assert (thought.signature, words.signature, picture.signature) == ("t1", "w", "s1")
    assert isinstance(picture, Image)
    assert picture.blob
    assert picture.blob.ref == "sent-1"


def test_words_that_a_client_changed_are_its_own_and_the_picture_stays_signed() -> None:
    turns, notices = recalled(asked(user("a"), shown(1, "Other words"), user("b")), answered(1, "Here"))
    assert notices == []
    words, picture = turns[1].parts
    assert words == Text("Other words")
    assert picture.signature == "s1"


def test_a_picture_that_nobody_knows_goes_with_the_user_s_next_words() -> None:
    turns, notices = recalled(asked(user("a"), shown(1, "Here"), user("b")))
    assert notices == ["signature_lost", "pictures_moved"]
    assert [turn.role for turn in turns] == [Role.USER, Role.MODEL, Role.USER]
    assert drawn(turns) == []
    assert [type(part) for part in turns[2].parts] == [Image, Text]


def test_a_model_without_conversations_is_shown_the_latest_picture() -> None:
    turns, notices = recalled(
        asked(user("a"), shown(1), user("b"), Turn(Role.MODEL, (Text("no"),)), user("c"), model="flux-2-pro")
    )
    assert notices == ["conversation_cut"]
    (turn,) = turns
    assert [type(part) for part in turn.parts] == [Image, Text]
    assert recalled(asked(user("a"), Turn(Role.MODEL, (Text("no"),)), user("c"), model="flux-2-pro"))[1] == notices


NUMBERS = st.integers(1, 4)
TALK = st.lists(
    st.one_of(
        st.builds(user, st.sampled_from(["a", "b", "c"])),
        st.builds(lambda n: user("d", Image(blob=blob(n), media_type="image/png")), st.integers(5, 6)),
        st.builds(shown, NUMBERS, st.sampled_from(["", "Here", "Other"])),
        st.just(Turn(Role.MODEL, (Text("Which colour?"),))),
        st.just(Turn(Role.MODEL, ())),
    ),
    max_size=8,
)


def pictures(turns: Sequence[Turn]) -> list[str]:
    return sorted(p.blob.sha256 for t in turns for p in t.parts if isinstance(p, Image) and p.blob)


def words(turns: Sequence[Turn]) -> list[str]:
    parts: list[Part] = [part for turn in turns for part in turn.parts if not part.thought]
    return sorted(word for part in parts if isinstance(part, Text) for word in part.text.split())


@given(TALK, st.sets(NUMBERS))
def test_what_was_sent_arrives_and_only_what_is_known_is_signed(talk: list[Turn], known: set[int]) -> None:
    request = asked(*talk, user("last"))
    turns, notices = recalled(request, *(answered(number) for number in known))
    assert words(turns) == words(request.turns)
    if "asides_left_out" not in notices:
        assert pictures(turns) == pictures(request.turns)
    for turn in turns:
        assert turn.parts
        for part in turn.parts:
            if isinstance(part, Image) and part.signature:
                assert turn.role is Role.MODEL
                assert part.blob
                assert part.signature == f"s{int(part.blob.sha256, 16)}"
    unsigned = [p for t in turns if t.role is Role.MODEL for p in t.parts if isinstance(p, Image) and not p.signature]
    assert unsigned == []
    unknown = {f"{n:064x}" for n in range(1, 5) if n not in known} & set(drawn(request.turns))
    assert bool(unknown) <= ("signature_lost" in notices)


@given(TALK)
def test_turns_of_one_side_are_one_turn(talk: list[Turn]) -> None:
    found = merged(talk)
    assert all(a.role is not b.role for a, b in pairwise(found))
    assert [p for t in found for p in t.parts] == [p for t in talk for p in t.parts]
