# dlxctl: `make demo` shows the whole story on a real RabbitMQ, `make test` proves it. Both set everything up.
#
# Brokers: RABBITMQ_URL, else Docker, else Debian's packages (docs/testing.md).
#   make test                                       on the broker at hand
#   make test DLXCTL_TEST_BROKERS=3.10,4.0,4.3      on three versions
#   make test ARGS="-m 'not broker'"                what needs no broker
#   make faults                                     every fault on three versions, into docs/safety.md: hours on 2 cores

PY := .venv/bin/python
export DLXCTL_TEST_BROKERS
SEED := $(or $(DLXCTL_FAULT_SEED),$(shell date +%s))
ALL_BROKERS := 3.10,4.0,4.3
FAULT_RESULTS := .cache/faults.jsonl
.PHONY: setup demo test faults facts bench fuzz check format brokers-down

setup:
	@scripts/setup

demo: setup
	@$(PY) -m demo.story

test: setup
	@$(PY) -m pytest $(ARGS)

# The table of docs/safety.md is written when all of it passed. DLXCTL_FAULT_SEED= repeats the random choices.
faults: export DLXCTL_TEST_BROKERS := $(or $(DLXCTL_TEST_BROKERS),$(ALL_BROKERS))
faults: export DLXCTL_FAULTS := full
faults: export DLXCTL_FAULT_SEED := $(SEED)
faults: export DLXCTL_FAULTS_RESULTS := $(FAULT_RESULTS)
faults: setup
	@mkdir -p $(dir $(FAULT_RESULTS)) && rm -f $(FAULT_RESULTS)
	@$(PY) -m pytest tests/faults tests/differential tests/acceptance/test_doctor_matrix.py $(ARGS)
	@$(PY) -m tests.faults.tally $(FAULT_RESULTS) $(SEED)

# What docs/broker-facts.md says is measured anew on three versions.
facts: export DLXCTL_TEST_BROKERS := $(or $(DLXCTL_TEST_BROKERS),$(ALL_BROKERS))
facts: export DLXCTL_RECORD_FACTS := yes
facts: setup
	@rm -f tests/facts/results.json
	@$(PY) -m pytest tests/facts --ignore tests/facts/test_page.py $(ARGS)
	@$(PY) -m tests.facts.page

# N= messages, RUNS=, SIZES= octets, TYPES=, WAYS=, WHAT=speed,startup,memory,look,plan,task: docs/benchmarks.md
bench: setup
	@$(PY) -m bench

# SECONDS= a target, TARGETS= some of tests/hostile/targets.py: coverage-led fuzzing with atheris.
fuzz: export SECONDS_EACH := $(or $(SECONDS),600)
fuzz: export TARGETS := $(TARGETS)
fuzz: setup
	@$(PY) -c "import atheris" 2>/dev/null || $(PY) -m pip install --quiet -e ".[fuzz]"
	@$(PY) -m tests.hostile

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
