"""Desired and observed topology in, an ordered plan of changes out; pure."""
