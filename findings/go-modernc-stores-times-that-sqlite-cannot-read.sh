#!/usr/bin/env bash
# modernc.org/sqlite 1.62.0 (Go module): a time.Time is stored as Go prints it ("2026-01-02 03:04:05 +0000 UTC"), which SQLite's date functions
# do not read: `date(a)` is NULL. With `_time_format=sqlite` in the name of the database it is stored as
# SQLite reads it. Needs Go. A guess beforehand was ISO 8601.
# Seen: "by default 2026-01-02 03:04:05 +0000 UTC, date(a): NULL; with _time_format=sqlite 2026-01-02 03:04:05+00:00, date(a): 2026-01-02".
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module times

go 1.21
MOD
go get modernc.org/sqlite@v1.62.0 2> get.log || { cat get.log; exit 1; }
cat > main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"
	"time"

	_ "modernc.org/sqlite"
)

func stored(name string) string {
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return err.Error()
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err = db.Exec("CREATE TABLE t(a DATETIME)"); err != nil {
		return err.Error()
	}
	if _, err = db.Exec("INSERT INTO t VALUES (?)", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)); err != nil {
		return err.Error()
	}
	var text, date string
	if err = db.QueryRow("SELECT CAST(a AS TEXT), coalesce(date(a), 'NULL') FROM t").Scan(&text, &date); err != nil {
		return err.Error()
	}
	return text + ", date(a): " + date
}

func main() {
	fmt.Printf("by default %s; with _time_format=sqlite %s\n", stored(":memory:"), stored("file::memory:?_time_format=sqlite"))
}
GO
seen=$(go run . 2> run.log) || { cat run.log; exit 1; }
echo "$seen"
[ "$seen" = "by default 2026-01-02 03:04:05 +0000 UTC, date(a): NULL; with _time_format=sqlite 2026-01-02 03:04:05+00:00, date(a): 2026-01-02" ]
