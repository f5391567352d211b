'use strict';
// Which runtime this is. Their own properties tell: those that somebody gave to all objects do not.

exports.isBun = Object.hasOwn(process.versions, 'bun');
exports.isDeno = Object.hasOwn(globalThis, 'Deno');
