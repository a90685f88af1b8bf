"""PURE decisions: no await, no clock, no id, no log line. What they decide is carried out by apply."""
