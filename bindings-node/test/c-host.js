'use strict';
// The C functions of the loaded library, called as a C host of the same process would (by koffi).
const litekeel = require('../lib');
require('./prepare')();

const library = require('koffi').load(litekeel.library);

exports.KEEL_NUL = 0xffffffffffffffffn;
exports.c = {
	exec: library.func('int keel_exec(uint64_t db, const char *sql, size_t len, _Out_ uint64_t *err)'),
	open: library.func('int keel_open(const char *url, size_t len, _Out_ uint64_t *db, _Out_ uint64_t *err)'),
	close: library.func('int keel_close(uint64_t db, _Out_ uint64_t *err)'),
	release: library.func('void keel_release(uint64_t db)'),
	message: library.func('const char *keel_error_message(uint64_t err, _Out_ size_t *len)'),
	free: library.func('void keel_error_free(uint64_t err)'),
};
/** The text of an error, which is freed. */
exports.textOf = ([error]) => {
	const text = exports.c.message(error, [0]);
	exports.c.free(error);
	return text;
};
