# Tasks for whoever works on infercost: `just` lists them. The first is `just setup`.

venv := justfile_directory() / ".venv"
export PATH := venv / "bin:" + env("PATH")

# Plain faults and line layout; the capitals and indents of the ingest SQL are its own.
ingest_rules := "LT03,LT04,LT05,LT06,LT07,LT10,LT11,LT12,LT13,LT15,AM01,AM02,AM05,AM06,AM08,ST01,ST04,ST05,ST08,CV01,CV03,CV05,CV08,CP05"

_list:
    @just --list --unsorted

# Make .venv with infercost (editable) and everything for the tests
setup:
    python3 -m venv {{ venv }}
    pip install --quiet --upgrade pip
    pip install --editable . --group dev

# Run the tests: just test tests/cli -k sql
test *arguments:
    pytest {{ arguments }}

# Install real programs, run them, and hold what infercost makes of their logs against the truth: some minutes
test-real *arguments:
    pytest -m real --numprocesses 0 {{ arguments }}

# Break every column of every format's records, and show each record alone to every format: some minutes
test-slow *arguments:
    pytest -m slow {{ arguments }}

# Check style, types, the rooms' imports, and SQL
lint:
    ruff check
    ruff format --check
    mypy
    lint-imports
    sqlfluff lint --disable-progress-bar --processes 0 queries
    sqlfluff lint --disable-progress-bar --processes 0 --rules {{ ingest_rules }} infercost/ingest

# Put Python into shape
format:
    ruff check --fix
    ruff format

# Measure ingest against DuckDB's bare COPY: just bench --help
bench *arguments:
    python benchmarks/ingest.py {{ arguments }}

# Measure pricing against the same scan and write without it
bench-pricing *arguments:
    python benchmarks/price_attempts.py {{ arguments }}

# Measure the split of a million rows of the cube against their bare aggregation
bench-explain *arguments:
    python benchmarks/explain.py {{ arguments }}

# Measure how soon the page of a year shows something (needs Chromium)
bench-page *arguments:
    PYTHONPATH=tests/render python benchmarks/first_paint.py {{ arguments }}

# Measure how long commands take to start
bench-startup:
    python benchmarks/startup.py

# Measure how long a check takes, with nothing new and with five minutes more (needs `pip install --group scenarios`)
bench-check *arguments:
    PYTHONPATH=benchmarks python -m scenarios.check_time {{ arguments }}

# Play incidents with known causes through infercost (needs `pip install --group scenarios`): just scenarios --help
scenarios *arguments:
    PYTHONPATH=benchmarks python -m scenarios.run {{ arguments }}

# Play incidents and say after how many hours they are told, beside alerts on dollars: half an hour and more
delays *arguments:
    PYTHONPATH=benchmarks python -m scenarios.delays {{ arguments }}

# Play incidents day by day through ingest and check, beside what other dashboards show: half an hour
days *arguments:
    PYTHONPATH=benchmarks python -m scenarios.days {{ arguments }}

# Make sample_logs and its truth again (the same bytes for the same seed)
sample:
    python sample_logs/generate.py

# Make sample_bills again, from a store that holds sample_logs
sample-bills store:
    python sample_bills/make_bill.py --store {{ store }}

# Make infercost/pricing/data again, from the newest LiteLLM and model-prices, and read the diff
books *arguments:
    python tools/books.py {{ arguments }}
    git diff --stat infercost/pricing/data

# Make docs/ and the output shown in README.md again
docs:
    python tests/documents.py

# Make the expected rows of formats again, and read the diff: just formats-expected litellm otlp
formats-expected +names:
    python -m tests.formats.run_format --regenerate {{ names }}
    git diff --stat infercost/ingest/formats

# Take the picture of the report in README.md, and whole pages at two widths to look at in build/
screenshots:
    rm -rf build && mkdir build
    infercost ingest logs sample_logs --store build/store
    infercost report --since 30d --until 2026-11-18 --store build/store --output build/report.html
    PYTHONPATH=tests/render python tools/screenshots.py build/report.html
    rm -rf build/store

# Everything that CI does, from a fresh virtual environment
ci:
    .ci/run
