"""A whole study on this machine: coordinator, SDK, donor tabs, and a check of what came out."""
