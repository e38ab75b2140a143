"""topology.yaml: text in, a Layout or diagnostics out, and the broker objects that it stands for; pure."""
