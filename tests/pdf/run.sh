#!/usr/bin/env bash
# Builds the PDF writer (once, into the cache) and asks foreign tools about what it writes. Needs qpdf, poppler-utils and
# the fonts fonts-morisawa-bizud-gothic and fonts-ipaexfont-gothic.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SEKISHO_CACHE="${SEKISHO_CACHE:-$HOME/.cache/sekisho-proof}"
target="${SEKISHO_PDF_TARGET:-$SEKISHO_CACHE/pdf-target}"
cargo fmt --manifest-path pdf/Cargo.toml --check
cargo build --manifest-path pdf/Cargo.toml --release --locked --quiet --target-dir "$target"
cargo test --manifest-path pdf/Cargo.toml --release --locked --quiet --target-dir "$target"
python3 tests/pdf/run.py "$target/release/sekisho-pdf" "$@"
