"""Text from messages and brokers made safe to show: no control octet, no direction override, bounded."""

LONGEST = 200


def printable(text: str, longest: int = LONGEST) -> str:
    """`text` with everything that could steer a terminal escaped (\\x1b, \\u202e), cut with an ellipsis."""
    cut = text[: longest + 1]
    safe = cut if cut.isascii() and cut.isprintable() else "".join(map(_escaped, cut))
    return safe if len(text) <= longest and len(safe) <= longest else safe[: longest - 1] + "…"


def printable_lines(text: str, longest: int = 10_000) -> str:
    """As `printable`, keeping line breaks: for tracebacks."""
    lines = text[:longest].replace("\r\n", "\n").split("\n")
    return "\n".join(printable(line, 500) for line in lines)


def _escaped(character: str) -> str:
    if character == " " or (character.isprintable() and character != "\u00ad"):
        return character
    return character.encode("unicode_escape").decode()
