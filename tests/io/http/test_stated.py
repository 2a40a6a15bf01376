"""The cost that a relay states in a header is part of the usage, unless the answer states one, or it makes no sense."""

import pytest

from cavendish.io.http.stated import with_stated_cost
from cavendish.model.call import Done, Later, Ticket
from cavendish.model.fault import Fault, FaultKind
from cavendish.model.usage import Usage
from cavendish.wire.message import Headers, WireResponse

HEADER = "x-litellm-response-cost"


def response(cost):
    return WireResponse(200, Headers(((HEADER, cost),)))


def test_a_stated_cost_is_part_of_the_usage_of_a_picture_and_of_a_refusal():
    for reply in (Done((), (), usage=Usage(output_image_tokens=1120)), Fault(FaultKind.IMAGE_SAFETY)):
        found = with_stated_cost(reply, response("0.0672"), HEADER)
        assert found.usage.cost_nusd == 67_200_000
        assert found.usage.output_image_tokens == reply.usage.output_image_tokens


def test_what_the_body_states_wins():
    done = Done((), (), usage=Usage(cost_nusd=1))
    assert with_stated_cost(done, response("0.0672"), HEADER) is done


@pytest.mark.parametrize("cost", ["", "much", "nan", "inf", "-1", "100000", "None"])
def test_what_makes_no_sense_is_left(cost):
    assert with_stated_cost(Done((), ()), response(cost), HEADER) == Done((), ())


def test_nothing_is_read_where_no_header_is_named_or_nothing_came():
    assert with_stated_cost(Done((), ()), response("1"), None) == Done((), ())
    assert with_stated_cost(Done((), ()), None, HEADER) == Done((), ())
    later = Later(Ticket("t"), 1.0)
    assert with_stated_cost(later, response("1"), HEADER) is later
