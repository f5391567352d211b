// host MODE DATABASE ON: see ../README.md. Without a DATABASE litekeel is not used.
package main

/*
#cgo LDFLAGS: -llitekeel
#include <litekeel.h>
*/
import "C"

import (
	"os"
	"os/signal"
	"syscall"
	"time"
	"unsafe"
)

var db *C.keel_db

func say(text string) { os.Stdout.WriteString(text + "\n") }

func text(s string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(s))), C.size_t(len(s))
}

func sql(s string) C.int32_t {
	t, n := text(s)
	return C.keel_exec(db, t, n, nil)
}

func open(file string) {
	t, n := text("file:" + file)
	if C.keel_open(t, n, &db, nil) != 0 {
		os.Exit(98)
	}
	if sql("CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)") != 0 {
		os.Exit(97)
	}
}

func handle() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		say("handler")
		if db != nil {
			C.keel_close(db, nil)
		}
		os.Exit(7)
	}()
}

func main() {
	mode, path, on := os.Args[1], os.Args[2], os.Args[3] == "1"
	used := path != ""
	if mode == "before" {
		handle()
	}
	if used {
		open(path)
		// Go ends without C's exit handlers: this is what closes, also when main panics.
		defer func() { C.keel_close(db, nil) }()
	}
	if used && on {
		signals := []C.int32_t{15, 2, 1}
		if C.keel_shutdown_on(&signals[0], 3, 2000, nil) != 0 {
			os.Exit(96)
		}
	}
	if mode == "after" {
		handle()
	}
	switch mode {
	case "natural":
		return
	case "exit":
		os.Exit(3)
	case "error":
		panic("on purpose")
	}
	if used && mode == "second" {
		sql("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)")
	}
	say("ready")
	for mode == "loop" {
	}
	if used && mode == "long" {
		sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")
	}
	for {
		time.Sleep(time.Second)
	}
}
