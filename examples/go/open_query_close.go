// litekeel from Go, through cgo: open, statements with parameters, rows, close.
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

// text gives C the bytes of a Go string for the time of one call. An empty one has no address of its own, and NULL would
// be taken for "none".
func text(s string) (*C.char, C.size_t) {
	if s == "" {
		s = "\x00"
		return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), 0
	}
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

// Error is a failure of litekeel or SQLite.
type Error struct {
	Code                      int
	Name, Message, Hint, Path string
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s (%s)", e.Name, e.Message, e.Hint) }

// check turns a code and its error object into a Go error. The call comes first, in a statement of its own: in
// check(C.keel_close(db, &e), e) Go may read e before the call has written it.
func check(code C.int32_t, e *C.keel_error) error {
	if code == 0 {
		return nil
	}
	defer C.keel_error_free(e)
	return &Error{int(code), C.GoString(C.keel_error_name(e)), C.GoString(C.keel_error_message(e, nil)),
		C.GoString(C.keel_error_hint(e, nil)), C.GoString(C.keel_error_path(e, nil))}
}

// open opens the database that a URL names.
func open(url string) (*C.keel_db, error) {
	var db *C.keel_db
	var e *C.keel_error
	u, n := text(url)
	code := C.keel_open(u, n, &db, &e)
	return db, check(code, e)
}

// closeDatabase closes, and says what closing has hit.
func closeDatabase(db *C.keel_db) error {
	var e *C.keel_error
	code := C.keel_close(db, &e)
	return check(code, e)
}

// encode packs one row of parameters, as litekeel.h describes the table.
func encode(values []any) ([]byte, error) {
	n, order := uint64(len(values)), binary.NativeEndian
	heapAt := 64 + 2*16*n
	cells, heap := make([]byte, 0, heapAt), []byte{}
	cell := func(kind uint32, bytes []byte, bits uint64) {
		if kind == 3 || kind == 4 {
			bits = heapAt + uint64(len(heap))
			heap = append(heap, bytes...)
		}
		cells = order.AppendUint64(order.AppendUint32(order.AppendUint32(cells, kind), uint32(len(bytes))), bits)
	}
	for range values {
		cell(3, nil, 0) // no name: bound by position
	}
	for _, value := range values {
		switch v := value.(type) {
		case nil:
			cell(5, nil, 0)
		case bool:
			if v {
				cell(1, nil, 1)
			} else {
				cell(1, nil, 0)
			}
		case int:
			cell(1, nil, uint64(v))
		case int64:
			cell(1, nil, uint64(v))
		case float64:
			cell(2, nil, math.Float64bits(v))
		case string:
			cell(3, []byte(v), 0)
		case []byte:
			cell(4, v, 0)
		default:
			return nil, fmt.Errorf("a parameter is a %T; pass nil, bool, int, int64, float64, string or []byte", value)
		}
	}
	head := order.AppendUint32(order.AppendUint32(nil, 0x4C45454B), 1)
	head = order.AppendUint32(order.AppendUint32(head, 0), uint32(n))
	for _, word := range []uint64{1, 0, 0, 64, 64 + 16*n, heapAt + uint64(len(heap))} {
		head = order.AppendUint64(head, word)
	}
	return append(append(head, cells...), heap...), nil
}

// query runs a statement with a value for each of its parameters and returns all rows, decoded from one flat buffer.
func query(db *C.keel_db, sql string, values ...any) ([][]any, error) {
	var rows *C.keel_rows
	var e *C.keel_error
	var packed unsafe.Pointer
	var length C.size_t
	if len(values) > 0 {
		table, err := encode(values)
		if err != nil {
			return nil, err
		}
		packed, length = unsafe.Pointer(unsafe.SliceData(table)), C.size_t(len(table))
	}
	s, n := text(sql)
	code := C.keel_query(db, s, n, packed, length, 0, &rows, &e)
	if err := check(code, e); err != nil {
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
	// Go runs none of C's exit handlers: what main leaves open, also by a panic, nobody else closes. os.Exit and log.Fatal
	// skip this.
	defer closeDatabase(db)
	for _, step := range []struct {
		sql    string
		values []any
	}{
		{"CREATE TABLE IF NOT EXISTS visit(who TEXT, at REAL, note BLOB)", nil},
		{"INSERT INTO visit VALUES(?, ?, ?)", []any{"Ada", 1843.5, []byte{0, 255}}},
		{"INSERT INTO visit VALUES(?, ?, ?)", []any{"Grace", nil, nil}},
	} {
		if _, err := query(db, step.sql, step.values...); err != nil {
			log.Fatal(err)
		}
	}
	rows, err := query(db, "SELECT rowid, who, at, note FROM visit WHERE rowid > ?", 0)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range rows {
		fmt.Println("go:", row)
	}
	_, err = open("file:app.db?busy_timeot=5")
	fmt.Println("go: refused:", err)
	if err := closeDatabase(db); err != nil {
		log.Fatal(err)
	}
	_, err = os.Stat("go-data/app.db-wal")
	fmt.Println("go: closed, -wal left:", err == nil)
}
