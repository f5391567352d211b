'use strict';
const { KeelError } = require('../keel-error');
const { put } = require('../own-properties');

/** The error of what a libSQL server's database does not have. */
module.exports = (what, hint) => {
	const error = new KeelError(`${what} is not applicable to the database of a libSQL server`, 'KEEL_REMOTE_UNSUPPORTED');
	put(error, 'hint', hint);
	return error;
};
