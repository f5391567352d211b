'use strict';
// Which runtime this is. Their own properties tell: those that somebody gave to all objects do not.

const isBun = Object.hasOwn(process.versions, 'bun');
const isDeno = Object.hasOwn(globalThis, 'Deno');

module.exports = { isBun, isDeno };
