"""Use cases: read, decide, act through the broker; no click, no print."""
