"""`nox`: the matrix of failures with each supported Celery, in an environment of its own (docs/testing.md).

The brokers are those of the test suite: DLXCTL_TEST_BROKERS, DLXCTL_TEST_URLS and the rest work as for `make test`.
"""

import nox

nox.options.default_venv_backend = "venv"


@nox.session
@nox.parametrize("celery", ["5.5", "5.6", "5.7"])
def matrix(session: nox.Session, celery: str) -> None:
    """Every row of tests/celery_failures through real workers of that Celery."""
    session.install("-e", ".[celery]", f"celery~={celery}.0", "pytest", "pytest-timeout")
    session.run("pytest", "tests/celery_failures/test_matrix.py", *session.posargs)
