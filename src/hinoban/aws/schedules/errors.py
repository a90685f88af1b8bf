"""What is wrong with a schedule expression or the name of a zone, and what is allowed; APIs turn these into their own texts."""


class BadExpression(ValueError):
    """The text is no schedule expression of this dialect."""


class BadZone(ValueError):
    """The name is none of the IANA time zones."""
