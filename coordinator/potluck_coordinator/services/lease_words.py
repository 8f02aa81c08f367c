"""A lease as its donor is told of it."""

from __future__ import annotations

from potluck.protocol import donor as wire
from potluck_coordinator.core.records import Lease, LentStudy, Unit, wire_fold
from potluck_coordinator.core.stacking import stack_from
from potluck_coordinator.core.units import commit_steps, steps_per_epoch
from potluck_coordinator.core.visitors import shown_owner
from potluck_coordinator.services.site import Site

SECONDS_PER_UNIT = 3600
"""After this a donor must hand a unit back."""
HIDDEN = "a private study"


def wire_lease(site: Site, lease: Lease, token: str, unit: Unit, study: LentStudy) -> wire.Lease:
    spe = steps_per_epoch(unit.rows, unit.batch_size)
    commits = commit_steps(unit.from_epoch * spe, unit.to_epoch * spe)
    public = study.visibility == "public"
    return wire.Lease(
        id=lease.id,
        token=token,
        expires_in_s=site.settings.lease_seconds,
        unit=wire.Unit.model_validate(
            {
                "id": unit.id,
                "kind": unit.kind,
                "study_id": study.id,
                "study_name": study.name if public else HIDDEN,
                "submitter": shown_owner(study.owner) if public else "somebody",
                "trial": unit.trial,
                "fold": wire_fold(unit.fold),
                "repeat": unit.repeat,
                "rung": unit.rung,
                "from_epoch": unit.from_epoch,
                "to_epoch": unit.to_epoch,
                "epochs": study.epochs,
                "rows": unit.rows,
                "batch_size": unit.batch_size,
                "steps_per_epoch": spe,
                "topology": unit.topology,
                "start": lease.start,
                "tensors": unit.tensors,
                "optimizer": unit.training["optimizer"],
                "loss": unit.training["loss"],
                "loss_options": unit.training["loss_options"],
                "from_logits": unit.training["from_logits"],
                "seed": unit.seed,
                "commit_steps": list(commits),
                "flops": unit.flops,
                "stack": stack_from(unit.stack, lease.from_step, unit.from_epoch * spe),
                "memory_bytes": unit.memory_bytes,
                "limits": {"seconds": SECONDS_PER_UNIT, "upload_bytes": unit.upload_bytes},
            }
        ),
    )
