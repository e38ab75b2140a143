"""What becomes of a dead letter: origin, rewriting, and the window of unconfirmed copies; pure."""
