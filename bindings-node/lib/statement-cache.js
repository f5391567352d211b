'use strict';
// Compiled statements, and those of a connection that are kept for the next one who asks for the same SQL.
const core = require('./state');
const foreignKeys = require('./foreign-keys');
const { append } = require('./own-properties');
const { I, native, field, kind } = require('./buffer');
const { RangeError } = require('./plain-errors');

/** How many statements a connection keeps, and how much SQL in all (in characters). */
const MAX_KEPT = 256;
const MAX_KEPT_TEXT = 1 << 20;
/** How many of them may be SQL that was asked for once only, and how many such texts are remembered. */
const MAX_FRESH = 8;
const MAX_SEEN = 1024;
const LONG = 4096;

/** A native statement. Statements of the same SQL share one; whoever needs it across calls takes it away. */
class Compiled {
	constructor(state, sql) {
		this.state = state;
		this.sql = sql;
		this.id = I[field.STATEMENT];
		this.generation = I[field.GENERATION];
		this.columns = I[field.COLUMN_COUNT];
		this.readonly = I[field.READONLY] === 1;
		this.parameters = I[field.PARAMETER_COUNT];
		this.named = I[field.NAMED] === 1;
		this.kind = I[field.KIND];
		/** Not to be had: in use across calls, or finalised. */
		this.taken = false;
		/** In the connection's map. */
		this.kept = false;
		/** One statement object's alone. */
		this.owned = false;
		/** Made room for others: whoever still wants it gets one of its own. */
		this.evicted = false;
		/** Asked for since the map was last searched for something to drop. */
		this.wanted = false;
		this.names = null;
		/** How its rows are grouped by table; see `decoder.js`. */
		this.expanding = null;
		/** How often named parameters were bound, and the function generated for it. */
		this.namedCalls = 0;
		this.reader = null;
	}

	/** The parameters' names in order of their index, null for anonymous ones. */
	parameterNames() {
		if (this.names === null) {
			if (this.named) {
				I[field.STATEMENT] = this.id;
				this.names = core.answered(native.parameterNames());
			} else {
				this.names = Array.from({ length: this.parameters }, () => null);
			}
		}
		return this.names;
	}
}

// No setter that somebody gave to every object takes its fields.
Object.setPrototypeOf(Compiled.prototype, null);

/** Compiles the statement of `sql` at byte `from`; null if there is none. `next` is where the next one begins. */
function compile(state, sql, from, persistent) {
	if (from === 0) core.requireWhole(sql);
	state.busy += 1;
	try {
		I[field.FAILURE] = -1;
		I[field.SCRATCH] = 3 * sql.length;
		native.compile(state.token, sql, from, persistent);
	} finally {
		state.busy -= 1;
	}
	if (I[field.FAILURE] !== -1) throw core.failure();
	if (I[field.STATEMENT] === -1) return null;
	const compiled = new Compiled(state, sql);
	if (compiled.kind !== kind.ROWS && foreignKeys.mentionsForeignKeys(sql)) foreignKeys.warn(state, from === 0 ? sql : Buffer.from(sql).subarray(from).toString());
	// Its rows may change what an iterator reads next.
	if (!compiled.readonly && compiled.columns > 0) state.prefetch = false;
	return compiled;
}

/** Compiles a source that has to be exactly one statement. */
function compileOne(state, sql, persistent) {
	const compiled = compile(state, sql, 0, persistent);
	if (compiled === null) throw new RangeError('The supplied SQL string contains no statements');
	if (I[field.NEXT] !== -1) {
		discard(compiled);
		throw new RangeError('The supplied SQL string contains more than one statement');
	}
	return compiled;
}

/** Finalises; nobody gets it any more. */
function discard(compiled) {
	compiled.taken = true;
	compiled.kept = false;
	if (compiled.id === -1) return;
	// A connection that is closed has finalised all of its statements.
	if (compiled.state.open) {
		I[field.STATEMENT] = compiled.id;
		I[field.GENERATION] = compiled.generation;
		native.finalizeStatement();
	}
	compiled.id = -1;
}

/** Finalises the statements whose objects are gone. It must not keep the connection alive: it gets a copy. */
const owners = new FinalizationRegistry(({ state, id, generation }) => {
	const alive = state.deref();
	if (alive === undefined || !alive.open) return;
	I[field.STATEMENT] = id;
	I[field.GENERATION] = generation;
	native.finalizeStatement();
});

/** Makes `statement` the only user of `compiled`, which is finalised with it. */
function own(statement, compiled) {
	forget(compiled);
	compiled.owned = true;
	owners.register(statement, { state: compiled.state.weak, id: compiled.id, generation: compiled.generation });
	return compiled;
}

function keep(compiled) {
	const { state, sql } = compiled;
	// Whoever else uses the connection may change what the SQL means.
	if (state.exposed || sql.length > MAX_KEPT_TEXT / 4) return false;
	const earlier = state.kept.get(sql);
	if (earlier !== undefined) forget(earlier);
	state.kept.set(sql, compiled);
	state.keptText += sql.length;
	compiled.kept = true;
	if (state.kept.size > MAX_KEPT || state.keptText > MAX_KEPT_TEXT) evict(state, compiled);
	return true;
}

/** Takes it out of the map, without finalising it. */
function forget(compiled) {
	if (!compiled.kept) return;
	compiled.kept = false;
	compiled.state.kept.delete(compiled.sql);
	compiled.state.keptText -= compiled.sql.length;
}

/** Drops what nobody has asked for lately, oldest first; some at once, since the map is searched from its start. */
function evict(state, newest) {
	for (const [sql, compiled] of state.kept) {
		if (state.kept.size <= MAX_KEPT - 32 && state.keptText <= MAX_KEPT_TEXT) return;
		if (compiled === newest) continue;
		if (compiled.wanted) {
			// Once more to the end of the row.
			compiled.wanted = false;
			state.kept.delete(sql);
			state.kept.set(sql, compiled);
			continue;
		}
		drop(compiled);
	}
}

function drop(compiled) {
	forget(compiled);
	compiled.evicted = true;
	if (!compiled.taken) discard(compiled);
}

/** Drops all: what they were compiled for may be gone. Those in use go when they are given back. */
function flush(state) {
	for (const compiled of state.kept.values()) {
		compiled.kept = false;
		if (!compiled.taken) discard(compiled);
	}
	state.kept.clear();
	state.keptText = 0;
	state.fresh.length = 0;
}

/** A statement that was not asked for before stays as long as few newer ones come. */
function welcome(state, compiled) {
	if (state.seen.size >= MAX_SEEN) state.seen.clear();
	state.seen.add(compiled.sql);
	append(state.fresh, compiled);
	if (state.fresh.length <= MAX_FRESH) return;
	const oldest = state.fresh.shift();
	if (oldest.kept && !oldest.wanted) drop(oldest);
}

/** The compiled statement for a new statement object. */
function obtain(state, sql) {
	const kept = state.kept.get(sql);
	if (kept !== undefined && !kept.taken) {
		kept.wanted = true;
		return kept;
	}
	// Compiling for long use costs half as much again: SQL has to come twice for that.
	const again = sql.length > LONG || state.seen.has(sql);
	const compiled = compileOne(state, sql, again);
	if (compiled.kind === kind.ROWS && keep(compiled) && !again) welcome(state, compiled);
	return compiled;
}

/** Gives back what was taken for an iterator. */
function giveBack(compiled) {
	if (compiled.id !== -1 && (compiled.kept || compiled.owned)) compiled.taken = false;
	else discard(compiled);
}

core.flush = flush;

module.exports = { compile, compileOne, discard, own, forget, flush, obtain, giveBack };
