"""Faults on purpose: replay is killed, cut off, blocked and fed with hostile messages, and the oracle counts.

`make test` runs a short cut, `make faults` all of it (`DLXCTL_FAULTS=full`) on three versions, and writes the table of
docs/safety.md. `DLXCTL_FAULT_SEED` repeats the random choices of a run; the seed stands in the output of every failure.
"""
