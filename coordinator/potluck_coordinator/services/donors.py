"""What has come of a donor's help."""

from __future__ import annotations

from itertools import islice

from potluck.protocol.donor import DonorRecord
from potluck_coordinator.services.leases import DonorSession
from potluck_coordinator.services.site import Site
from potluck_coordinator.storage import donors, leases, studies
from potluck_coordinator.storage.transaction import Transaction

MOST_UNITS = 2_000
MOST_STUDIES = 100


async def record_of(site: Site, donor: DonorSession) -> DonorRecord:
    """Give a donor's record: finished units, verified credit, trials now in a top ten.

    The top tens may be some seconds old: this is asked at every result that comes. They are those
    of the newest studies that the donor helped, and of its newest units.
    """

    def look(tx: Transaction) -> DonorRecord:
        found = donors.get(tx, donor.id)
        assert found is not None
        best = 0
        helped = dict(islice(leases.trials_of(tx, donor.id, MOST_UNITS).items(), MOST_STUDIES))
        for study in studies.ranked(tx, helped):
            best += len(helped[study.id] & site.top_trials.of(tx, study))
        return DonorRecord(
            name=found.name,
            units=found.units,
            credit_flops=found.credit,
            seconds=found.seconds,
            best_trials=best,
        )

    return await site.writer.read(look)
