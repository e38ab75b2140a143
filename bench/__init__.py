"""`make bench`: dlxctl replay against the broker's shovel and loops in Python libraries (docs/benchmarks.md)."""
