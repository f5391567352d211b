#!/usr/bin/env bash
# Says which system programs are missing and which package has them. Without a compiler nothing works, so that fails;
# a missing host language or checker fails in CI only, and is named loudly elsewhere.
set -euo pipefail
required=(cargo:rustup cc:build-essential pkg-config:pkg-config)
optional=(python3:python3 node:nodejs npm:npm valgrind:valgrind cmake:cmake tmux:tmux go:golang java:default-jdk-headless mvn:maven)
status=0
for pair in "${required[@]}"; do
    command -v "${pair%%:*}" >/dev/null && continue
    echo "missing: ${pair%%:*} (Debian, Ubuntu: ${pair#*:})" >&2
    status=1
done
for pair in "${optional[@]}"; do
    command -v "${pair%%:*}" >/dev/null && continue
    if [ -n "${CI:-}" ]; then
        echo "missing: ${pair%%:*} (Debian, Ubuntu: ${pair#*:})" >&2
        status=1
    else
        echo "MISSING: ${pair%%:*} (Debian, Ubuntu: ${pair#*:}); what needs it is not tested here" >&2
    fi
done
exit $status
