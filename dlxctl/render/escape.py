"""Text from messages and brokers made safe to show: no control octet, no direction override, bounded."""

import shlex

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


def harmless(text: str) -> str:
    """As `printable_lines`, and all of it: for what dlxctl says itself, with names of others in it."""
    return "".join(sign if sign == "\n" else _escaped(sign) for sign in text)


def shell_word(text: str) -> str:
    """`text` as one word of a command line: bash, zsh and ksh read it as `text`. $'...' where it has to be escaped."""
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_quoted, text))}'"


def _quoted(sign: str) -> str:
    if sign in "'\\":
        return f"\\{sign}"
    # not \x9b: to a shell that is an octet, and no character
    return sign if sign.isprintable() else f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"


def _escaped(character: str) -> str:
    if character == " " or (character.isprintable() and character != "\u00ad"):
        return character
    return character.encode("unicode_escape").decode()
