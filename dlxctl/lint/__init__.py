"""Rules over a Layout and its Topology, each with a stable code; pure."""
