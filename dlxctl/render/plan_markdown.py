"""A plan as Markdown, for a comment on a pull request: the summary, and the changes as a diff that folds away.

Whatever comes from the broker or the file stands in a code block whose fence is longer than any in it.
"""

import re
from collections.abc import Iterator

from dlxctl.plan.value import Plan
from dlxctl.render.escape import printable
from dlxctl.render.plan import Line, Tone, plan_lines, summary

LONGEST = 60_000
"""Characters of the changes; GitHub and GitLab refuse comments that are much longer."""
_SIGNS = {Tone.ADD: "+", Tone.REMOVE: "-", Tone.CHANGE: "!", Tone.WARN: "!", Tone.PLAIN: " ", Tone.FAINT: " "}


def plan_markdown(plan: Plan) -> str:
    """One section; what does not fit is cut, and that is said."""
    title = f"### dlxctl plan: {_inline(plan.topology)} in vhost {_inline(plan.vhost)}"
    body = "\n".join(_diff(plan_lines(plan)))
    cut = len(body) > LONGEST
    if cut:
        body = body[:LONGEST].rsplit("\n", 1)[0]
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    note = "\n\nThe rest is cut; `dlxctl plan` shows it." if cut else ""
    shown = f"<details><summary>{summary(plan)}</summary>\n\n{fence}diff\n{body}\n{fence}{note}\n\n</details>"
    refused = "\n\n**Apply refuses this plan; see below for what would allow it.**" if plan.dangers else ""
    return f"{title}\n\n{summary(plan)}{refused}\n\n{shown}\n\nFingerprint `{plan.fingerprint}`"


def _diff(lines: Iterator[Line]) -> Iterator[str]:
    """Signs in the first column, where a diff looks for them."""
    for line in lines:
        text = line.text
        if text[:2] == "  " and text[2:4] in ("+ ", "~ ", "- ", "= ", "! "):
            text = text[3:]
        yield f"{_SIGNS[line.tone]}{text}" if text else ""


def _inline(text: str) -> str:
    """Code that ends where it should: backticks would end it early."""
    return f"`{printable(text).replace('`', chr(0x2019))}`"
