'use strict';
// JavaScript's own errors, with a stack trace that begins in the file that called litekeel. The files of lib/ take the
// names from here: what they throw of these kinds is about a call from outside.
const begunOutside = require('./own-frames');

function outside(Native) {
	return function Made(message) {
		return begunOutside(() => new Native(message), Made);
	};
}

module.exports = { Error: outside(Error), TypeError: outside(TypeError), RangeError: outside(RangeError) };
