from cavendish.govern.spend import RollingSpend


def test_estimates_are_held_until_settled_and_costs_for_ten_minutes_after():
    spend = RollingSpend(100, 0.0)
    spend.hold(60)
    assert spend.earliest(0.0, 40) == 0.0
    assert spend.earliest(0.0, 41) is None
    spend.release(60)
    spend.spent(30.0, 70)
    assert spend.earliest(30.0, 30) == 30.0
    assert spend.earliest(30.0, 31) == 630.0
    assert spend.earliest(630.0, 100) == 630.0


def test_what_was_not_billed_is_free_at_once():
    spend = RollingSpend(100, 0.0)
    spend.hold(100)
    spend.release(100)
    spend.spent(1.0, 0)
    assert spend.earliest(1.0, 100) == 1.0


def test_a_call_dearer_than_the_limit_goes_alone():
    spend = RollingSpend(100, 0.0)
    assert spend.earliest(0.0, 150) == 0.0
    spend.hold(150)
    assert spend.earliest(0.0, 1) is None
    spend.release(150)
    spend.spent(1.0, 150)
    assert spend.earliest(1.0, 1) == 601.0
    assert spend.earliest(1.0, 0) == 1.0


def test_held_and_spent_count_together():
    spend = RollingSpend(100, 0.0)
    spend.spent(0.0, 50)
    spend.hold(30)
    assert spend.earliest(1.0, 20) == 1.0
    assert spend.earliest(1.0, 21) == 600.0
    assert spend.earliest(1.0, 71) is None


def test_the_lowest_limit_holds():
    spend = RollingSpend(None, 0.0)
    assert spend.earliest(0.0, 10**15) == 0.0
    for limit in (100, None, 200):
        spend.restrict(limit)
    assert spend.limit_nusd == 100


def test_state_round_trip():
    spend = RollingSpend(100, 0.0)
    spend.spent(10.0, 80)
    copy = RollingSpend(100, 0.0)
    copy.restore(spend.to_state(20.0), 1020.0)
    assert copy.earliest(1020.0, 30) == 1610.0
    assert copy.frees_at(1020.0) == 1610.0
