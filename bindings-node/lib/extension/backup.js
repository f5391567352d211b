'use strict';
const fs = require('node:fs');
const path = require('node:path');
const { soon } = require('../clock');
const { assign, option } = require('../own-properties');
const { TypeError } = require('../plain-errors');

/** Pages copied per turn of the event loop unless `progress` says otherwise. */
const DEFAULT_RATE = 100;
const MAX_RATE = 0x7fffffff;
const OK = 0;
const DONE = 101;

/** Resolves in a later turn of the event loop. */
const turn = () => new Promise((resolve) => { soon(resolve); });
const exists = (file) => fs.promises.access(file).then(() => true, () => false);

/** `db.backup(destination, [options])`: a copy of the live database, made between turns of the event loop. */
module.exports = (core) => async function backup(filename, options) {
	if (options == null) options = {};
	if (typeof filename !== 'string') throw new TypeError('Expected first argument to be a string');
	if (typeof options !== 'object') throw new TypeError('Expected second argument to be an options object');

	const file = filename.trim();
	const schema = option(options, 'attached', 'main');
	const progress = option(options, 'progress', null);
	if (!file) throw new TypeError('Backup filename cannot be an empty string');
	if (file === ':memory:') throw new TypeError('Invalid backup filename ":memory:"');
	core.requirePath(file, 'a backup');
	if (typeof schema !== 'string') throw new TypeError('Expected the "attached" option to be a string');
	if (!schema) throw new TypeError('The "attached" option cannot be an empty string');
	core.requireName(schema, 'The "attached" option');
	if (progress != null && typeof progress !== 'function') throw new TypeError('Expected the "progress" option to be a function');

	if (!await exists(path.dirname(file))) throw new TypeError('Cannot save backup because the directory does not exist');
	const isNew = !await exists(file);

	const state = core.state(this);
	core.requireNotBusy(state);
	// Whoever makes a backup believes it to be one of the file at the path.
	const unsafe = option(options, 'unsafe') === true;
	if (!unsafe) core.check(core.native.requireInPlace(state.token, schema));
	const handle = core.check(core.native.backupStart(state.token, schema, file, isNew, unsafe));
	state.backups.add(handle);
	try {
		return await copy(core, state, handle, progress);
	} finally {
		state.backups.delete(handle);
		core.native.backupFinish(handle);
	}
};

async function copy(core, state, handle, progress) {
	// The first step copies nothing: it only tells `progress` how much there is.
	let rate = 0;
	let untouched = true;
	let copied = 0;
	let least = 0;
	for (;;) {
		await turn();
		core.requireOpen(state);
		const [code, totalPages, remainingPages] = core.check(core.native.backupStep(handle, rate));
		if (code === OK && rate > 0) {
			const now = totalPages - remainingPages;
			// SQLite has begun anew, since another connection has written. At the same pace it might for ever.
			if (copied > 0 && now <= copied) least = Math.min(MAX_RATE, 2 * Math.max(rate, least));
			copied = now;
		}
		const figures = { totalPages, remainingPages };
		// Somebody has a lock, perhaps before anything was counted: nothing remains then either.
		if (!remainingPages && (code === OK || code === DONE)) return figures;
		if (untouched) {
			untouched = false;
			rate = DEFAULT_RATE;
		}
		const wish = progress ? progress(figures) : undefined;
		if (wish !== undefined) {
			if (typeof wish !== 'number' || Number.isNaN(wish)) {
				throw new TypeError('Expected progress callback to return a number or undefined');
			}
			rate = Math.max(0, Math.min(MAX_RATE, Math.round(wish)));
		}
		if (rate > 0) rate = Math.max(rate, least);
	}
}

/** Ends every running backup of a connection that is about to close. */
function abort(core, state) {
	for (const handle of state.backups) core.native.backupFinish(handle);
	state.backups.clear();
}

assign(module.exports, { abort });
