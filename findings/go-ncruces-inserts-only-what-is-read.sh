#!/usr/bin/env bash
# github.com/ncruces/go-sqlite3 0.37.0 (Go module): `db.Query("INSERT … RETURNING …")` whose rows are closed without being read inserts nothing, and neither Query, Close nor Err has an error. And
# a parameter too few is NULL. modernc.org/sqlite 1.62.0 inserts, refuses one too few, and ignores one too many. Needs Go. A guess beforehand was that
# a statement that was run has run, and that the number of parameters has to fit.
# Seen: "ncruces: 0 rows, no error; too few: <nil>; too many: sql: expected 1 arguments, got 2" and
# "modernc: 1 rows, no error; too few: missing argument with index 1; too many: <nil>".
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module returning

go 1.26
MOD
go get modernc.org/sqlite@v1.62.0 github.com/ncruces/go-sqlite3@v0.37.0 2> get.log || { cat get.log; exit 1; }
cat > main.go <<'GO'
package main

import (
	"database/sql"
	"errors"
	"fmt"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "modernc.org/sqlite"
)

func told(name, driver string) {
	db, err := sql.Open(driver, ":memory:")
	if err != nil {
		panic(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err = db.Exec("CREATE TABLE t(a)"); err != nil {
		panic(err)
	}
	rows, err := db.Query("INSERT INTO t VALUES (1) RETURNING a")
	if err == nil {
		err = errors.Join(rows.Close(), rows.Err())
	}
	said := "no error"
	if err != nil {
		said = err.Error()
	}
	var n int
	if err = db.QueryRow("SELECT count(*) FROM t").Scan(&n); err != nil {
		panic(err)
	}
	_, few := db.Exec("INSERT INTO t VALUES (?)")
	_, many := db.Exec("INSERT INTO t VALUES (?)", 1, 2)
	fmt.Printf("%s: %d rows, %s; too few: %v; too many: %v\n", name, n, said, few, many)
}

func main() {
	told("ncruces", "sqlite3")
	told("modernc", "sqlite")
}
GO
seen=$(go run . 2> run.log) || { cat run.log; exit 1; }
echo "$seen"
[ "$seen" = "ncruces: 0 rows, no error; too few: <nil>; too many: sql: expected 1 arguments, got 2
modernc: 1 rows, no error; too few: missing argument with index 1; too many: <nil>" ]
