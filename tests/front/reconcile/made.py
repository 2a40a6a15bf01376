"""Calls and bills made by hand, and what a catalog of two prices would say of them."""

from datetime import UTC, date, datetime
from pathlib import Path

from cavendish.front.reconcile.calls import OurCall
from cavendish.front.reconcile.explain import reconcile
from cavendish.model.bill import Bill, BillLine
from cavendish.model.money import nusd

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
HOUR, DAY_S = 3600, 86_400
DAY = date(2026, 11, 20)
NB2, PRO = "gemini-3.1-flash-image", "gemini-3-pro-image"
EACH = nusd("0.067")


def a_call(name="a", **changes):
    """A call at noon that is booked at $0.067, without the provider's name for it."""
    given = {
        "folder": Path("out"),
        "attempts": (name,),
        "endpoint": "google",
        "model": NB2,
        "wire_model": NB2,
        "mode": "standard",
        "at": NOON,
        "booked_nusd": EACH,
    }
    return OurCall(**{**given, **changes})


def of_unknown_fate(name="u", estimate=EACH, **changes):
    return a_call(name, booked_nusd=0, unknown=True, estimate_nusd=estimate, **changes)


def a_line(dollars, day=DAY, model=NB2, **changes):
    return BillLine(None if dollars is None else nusd(dollars), day=day, model=model, **changes)


def a_bill(*lines, **changes):
    return Bill("bill", ("google",), lines, **changes)


class FixedPrices:
    """Each picture costs $0.067 or $0.101."""

    def pictures(self, _call):
        return (EACH, nusd("0.101"))

    def is_flat(self, call):
        return call.mode == "per_request"

    def source(self, _call):
        return "the list of 2026-11-01"


def known(name):
    return name if name in {NB2, PRO} else None


def account(bill, calls):
    return reconcile(bill, calls, known, FixedPrices())
