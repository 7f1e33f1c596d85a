"""A unit whose policy a lane was not given."""

import pytest
from support.lane_fixture import workplace

from gateway.store.batch import Unit


def test_a_unit_whose_policy_the_lane_was_not_given_is_refused_by_name(tmp_path):
    class Lost(Unit):
        def decide(self, batch):
            return batch.policy(Unit)

    with (
        workplace(f"sqlite:///{tmp_path}/tpo.db") as place,
        pytest.raises(Exception, match="this lane was given no Unit"),
    ):
        place.lane.run(Lost())
