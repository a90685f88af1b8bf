"""Hinoban's own commands as they stand in texts. PURE."""

import re

COMMAND = re.compile(r'hinoban ([a-z][a-z-]*(?: (?:"[^"]*"|[^\s"`()]+))*)')
"""A command to its end: two spaces, a bracket, the end of the text. Its first group is what follows the program's name."""
