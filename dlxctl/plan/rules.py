"""What plan warns of: one row a rule, with its code; docs/plan-and-apply.md has the same table."""

from dlxctl.model.diagnostics import Rule, Severity


def _warning(code: str, title: str, explanation: str) -> Rule:
    return Rule(code=code, title=title, explanation=explanation, severity=Severity.WARNING)


SHADOWED = _warning(
    "DLX801",
    "A policy of others takes our queues",
    "Only the policy with the highest priority applies to a queue. While another one wins, what the file says about "
    "dead-lettering and limits has no effect, and failures may vanish.",
)
SHADOWS = _warning(
    "DLX802",
    "Our policy takes a queue from a policy of others",
    "Policies do not merge: what the other policy sets, and ours does not, ends for that queue.",
)
FOREIGN = _warning(
    "DLX803",
    "A policy of others applies to a queue of ours that has none of its own",
    "Tiers, parking queues and everything under `settings: arguments` have no policy of ours, so a wide pattern of "
    "another team reaches them: a message TTL or a length limit there can lose messages.",
)
OPERATOR = _warning(
    "DLX804",
    "An operator policy applies to our queue",
    "Operator policies combine with user policies; of numeric settings the lowest value wins.",
)
UNREADABLE = _warning(
    "DLX805",
    "The pattern of a policy cannot be judged here",
    "It is a regular expression that Python does not know. Whether it takes our queues is unknown.",
)
OVERRIDE = _warning(
    "DLX806",
    "An existing queue has settings as arguments",
    "They agree with the file today. An argument can never change, so a later change of them will need a migration.",
)
UNSUPPORTED = _warning(
    "DLX807",
    "The broker's version does not know a setting",
    "The policy would be refused as a whole, so the setting is left out.",
)
SHARED = _warning(
    "DLX808",
    "Another topology marks the object as its own, too",
    "Two files manage it. They have to agree, or each apply undoes the other's.",
)

RULES = (SHADOWED, SHADOWS, FOREIGN, OPERATOR, UNREADABLE, OVERRIDE, UNSUPPORTED, SHARED)
