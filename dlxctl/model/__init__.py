"""Frozen values that every floor shares, and the tables of facts; standard library only."""
