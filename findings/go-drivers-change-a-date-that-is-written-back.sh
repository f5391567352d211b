#!/usr/bin/env bash
# modernc.org/sqlite 1.62.0 and github.com/ncruces/go-sqlite3 0.37.0 (Go modules): '2026-01-02' in a column declared DATE, read into a string, is "2026-01-02T00:00:00Z", and a row that is read
# and written back has another text, which `WHERE day = '2026-01-02'` no longer finds. They take it for a time by the declared
# type, and database/sql makes a string of that. From a column declared TEXT it is the text. Needs Go. A guess beforehand was the text that is stored.
# Seen, of both: "DATE: 2026-01-02T00:00:00Z, found before 1, after 0; TEXT: 2026-01-02, found before 1, after 1".
set -euo pipefail
dir=$(mktemp -d); trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT; cd "$dir"
export GOPATH=$dir/go GOFLAGS=-mod=mod GOTOOLCHAIN=local
cat > go.mod <<'MOD'
module dates

go 1.26
MOD
go get modernc.org/sqlite@v1.62.0 github.com/ncruces/go-sqlite3@v0.37.0 2> get.log || { cat get.log; exit 1; }
cat > main.go <<'GO'
package main

import (
	"database/sql"
	"fmt"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "modernc.org/sqlite"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func writtenBack(driver, declared string) string {
	db, err := sql.Open(driver, ":memory:")
	must(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec("CREATE TABLE t(day " + declared + ")")
	must(err)
	_, err = db.Exec("INSERT INTO t VALUES ('2026-01-02')")
	must(err)
	found := func() (n int) {
		must(db.QueryRow("SELECT count(*) FROM t WHERE day = '2026-01-02'").Scan(&n))
		return n
	}
	before := found()
	var day string
	must(db.QueryRow("SELECT day FROM t").Scan(&day))
	_, err = db.Exec("UPDATE t SET day = ?", day)
	must(err)
	return fmt.Sprintf("%s: %s, found before %d, after %d", declared, day, before, found())
}

func main() {
	for _, driver := range []string{"sqlite", "sqlite3"} {
		fmt.Println(writtenBack(driver, "DATE") + "; " + writtenBack(driver, "TEXT"))
	}
}
GO
seen=$(go run . 2> run.log) || { cat run.log; exit 1; }
echo "$seen"
line="DATE: 2026-01-02T00:00:00Z, found before 1, after 0; TEXT: 2026-01-02, found before 1, after 1"
[ "$seen" = "$line
$line" ]
