#!/usr/bin/env bash
# Sees to the system programs that a set needs: `demo`, `scale`, `test` (the default) or `long`. As root with apt it installs what is
# missing; elsewhere it prints the one line that does. Without a compiler nothing works, so that fails; a missing host
# language or checker fails in CI only, and is named loudly elsewhere.
set -euo pipefail
set=${1:-test}
# command:Debian's package
required=(cargo:rustup cc:build-essential make:make pkg-config:pkg-config)
demo=(python3:python3 node:nodejs npm:npm)
# Litestream comes by pip.
scale=(pip3:python3-pip)
tests=(valgrind:valgrind strace:strace cmake:cmake tmux:tmux sqlite3:sqlite3 go:golang java:default-jdk-headless mvn:maven systemd-analyze:systemd ruby:ruby php:php-cli groff:groff-base)
long=(pip3:python3-pip perl:perl perl-ffi:libffi-platypus-perl luajit:luajit dpkg-buildpackage:dpkg-dev dh:debhelper lintian:lintian man:man-db)
optional=("${demo[@]}")
case $set in demo|scale) ;; *) optional+=("${tests[@]}") ;; esac
if [ "$set" = scale ]; then optional+=("${scale[@]}"); fi
if [ "$set" = long ]; then optional+=("${long[@]}"); fi

# FFI is a library of Perl's, which no command shows.
platypus() { perl -MFFI::Platypus -e1 2>/dev/null; }
missing() {
    for pair in "$@"; do
        case ${pair%%:*} in
            perl-ffi) platypus || echo "$pair" ;;
            *) command -v "${pair%%:*}" >/dev/null || echo "$pair" ;;
        esac
    done
}
packages() {
    # Rust comes by rustup, which Debian does not have in every release.
    missing "${required[@]}" "${optional[@]}" | cut -d: -f2 | sed '/^rustup$/d' | sort -u | tr '\n' ' '
}

wanted=$(packages)
if [ -n "$wanted" ]; then
    install="apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "installing: $wanted"
        bash -c "$install" >/dev/null || echo "apt-get did not install all of: $wanted" >&2
    else
        echo "Some programs are missing. On Debian or Ubuntu this line installs them: sudo sh -c '$install'" >&2
    fi
fi

status=0
for pair in $(missing "${required[@]}"); do
    echo "missing: ${pair%%:*} (Debian, Ubuntu: ${pair#*:})" >&2
    status=1
done
for pair in $(missing "${optional[@]}"); do
    if [ -n "${CI:-}" ]; then
        echo "missing: ${pair%%:*} (Debian, Ubuntu: ${pair#*:})" >&2
        status=1
    else
        echo "MISSING: ${pair%%:*} (Debian, Ubuntu: ${pair#*:}); what needs it is left out here" >&2
    fi
done
exit $status
