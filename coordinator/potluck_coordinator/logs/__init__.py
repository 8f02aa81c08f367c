"""What the coordinator tells its operator: one line an event, and nothing that is nobody's."""

from potluck_coordinator.logs.about import about, ids_in, is_id
from potluck_coordinator.logs.setup import LogFormat, LogLevel, set_up, set_up_child

__all__ = ["LogFormat", "LogLevel", "about", "ids_in", "is_id", "set_up", "set_up_child"]
