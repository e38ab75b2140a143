# dlxctl: `make demo` shows the whole story on a real RabbitMQ, `make test` proves it. Both set everything up.
#
# Brokers: RABBITMQ_URL, else Docker, else Debian's packages (docs/testing.md).
#   make test                                       on the broker at hand
#   make test DLXCTL_TEST_BROKERS=3.10,4.0,4.3      on three versions
#   make test ARGS="-m 'not broker'"                what needs no broker

PY := .venv/bin/python
export DLXCTL_TEST_BROKERS
.PHONY: setup demo test bench check format brokers-down

setup:
	@scripts/setup

demo: setup
	@$(PY) -m demo.story

test: setup
	@$(PY) -m pytest $(ARGS)

# N= messages, RUNS=, SIZES= octets, TYPES=, WAYS=, WHAT=speed,startup,memory: docs/benchmarks.md
bench: setup
	@$(PY) -m bench

check: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(PY) -m pytest -q tests/test_architecture.py

format: setup
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

brokers-down: setup
	@$(PY) -m tests.brokers down
