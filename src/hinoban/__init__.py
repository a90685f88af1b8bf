"""Hinoban runs Amazon ECS task definitions on this machine and sees to it that no failure goes unseen."""

__version__ = "0.1.0"
