// litekeel from Go, through cgo: open, one query with packed rows, close.
package main

/*
#cgo pkg-config: litekeel
#include <litekeel.h>
*/
import "C"

import (
	"encoding/binary"
	"fmt"
	"log"
	"math"
	"os"
	"unsafe"
)

// text gives C the bytes of a Go string for the time of one call.
func text(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

// check turns a code and its error object into a Go error that carries the hint.
func check(code C.int32_t, e *C.keel_error) error {
	if code == 0 {
		return nil
	}
	defer C.keel_error_free(e)
	message, hint := C.GoString(C.keel_error_message(e, nil)), C.GoString(C.keel_error_hint(e, nil))
	return fmt.Errorf("%s: %s (%s)", C.GoString(C.keel_error_name(e)), message, hint)
}

func open(url string) (db *C.keel_db, err error) {
	var e *C.keel_error
	u, n := text(url)
	return db, check(C.keel_open(u, n, &db, &e), e)
}

// query returns all rows of a statement, decoded from one flat buffer.
func query(db *C.keel_db, sql string) ([][]any, error) {
	var rows *C.keel_rows
	var e *C.keel_error
	s, n := text(sql)
	if err := check(C.keel_query(db, s, n, nil, 0, 0, &rows, &e), e); err != nil {
		return nil, err
	}
	defer C.keel_rows_free(rows)
	var size C.size_t
	data := C.keel_rows_data(rows, &size)
	table := unsafe.Slice((*byte)(data), size)
	u32 := func(at uint64) uint32 { return binary.NativeEndian.Uint32(table[at:]) }
	u64 := func(at uint64) uint64 { return binary.NativeEndian.Uint64(table[at:]) }

	cell := func(at uint64) any {
		bits, length := u64(at+8), uint64(u32(at+4))
		switch u32(at) {
		case 1:
			return int64(bits)
		case 2:
			return math.Float64frombits(bits)
		case 3:
			return string(table[bits : bits+length])
		case 4:
			return append([]byte{}, table[bits:bits+length]...)
		}
		return nil
	}
	columns, cells := uint64(u32(12)), u64(48)
	decoded := make([][]any, u64(16))
	for row := range decoded {
		for column := range columns {
			decoded[row] = append(decoded[row], cell(cells+(uint64(row)*columns+column)*16))
		}
	}
	return decoded, nil
}

func main() {
	db, err := open("file:go-data/app.db")
	if err != nil {
		log.Fatal(err)
	}
	for _, sql := range []string{
		"CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)",
		"INSERT INTO visit VALUES('Ada', 1843.5, x'00ff'), ('Grace', NULL, NULL)",
	} {
		if _, err := query(db, sql); err != nil {
			log.Fatal(err)
		}
	}
	rows, err := query(db, "SELECT rowid, who, at, note FROM visit")
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range rows {
		fmt.Println("go:", row)
	}
	_, err = open("file:app.db?busy_timeot=5")
	fmt.Println("go: refused:", err)
	var e *C.keel_error
	if err := check(C.keel_close(db, &e), e); err != nil {
		log.Fatal(err)
	}
	_, err = os.Stat("go-data/app.db-wal")
	fmt.Println("go: closed, -wal left:", err == nil)
}
