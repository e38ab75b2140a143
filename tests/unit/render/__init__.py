"""Tests of dlxctl.render."""
