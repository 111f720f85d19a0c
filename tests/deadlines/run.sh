#!/usr/bin/env bash
# The worked deadlines: the second script against the table, and the crate against the table.
set -euo pipefail
cd "$(dirname "$0")/../.."
python3 tests/deadlines/second.py
cargo test --package sekisho-incident --locked --quiet worked_cases
