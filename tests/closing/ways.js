'use strict';
// The columns of the matrix: what is run, which signals come, where it does not apply, where the -wal stays and why.

const noFork = (host) => (host.forks ? undefined : 'its language has no `fork`');
const goExit = (host) => (host.language === 'Go' ? '`os.Exit` runs neither `defer` nor C\'s exit handlers: close before it' : undefined);

/** Each: the mode that the host runs in, the signals that come when it is ready; `first`: as the first process of a PID
 * namespace; `refused`: no write after the signal may be accepted; `none`, `leaves`: why it does not apply, why the -wal stays. */
exports.ways = [
	{ name: 'natural end', mode: 'natural' },
	{ name: 'exit call', mode: 'exit', leaves: goExit },
	{
		name: 'uncaught error', mode: 'error',
		leaves: (host) => (host.language === 'C' ? 'an error that nobody catches is `abort()` in C: nothing runs after it' : undefined),
	},
	{ name: 'SIGTERM', mode: 'wait', signals: ['SIGTERM'], refused: true },
	{ name: 'SIGINT', mode: 'wait', signals: ['SIGINT'], refused: true },
	{ name: 'SIGHUP', mode: 'wait', signals: ['SIGHUP'], refused: true },
	{ name: 'a second signal', mode: 'second', signals: ['SIGTERM', 'SIGTERM'], refused: true },
	{ name: 'as pid 1', mode: 'wait', signals: ['SIGTERM'], refused: true, first: true },
	{
		name: 'own handler, set before', mode: 'before', signals: ['SIGTERM'], none: (host) => host.handler,
		refused: true,
	},
	{ name: 'own handler, set after', mode: 'after', signals: ['SIGTERM'], none: (host) => host.handler },
	{ name: 'long statement', mode: 'long', signals: ['SIGTERM'], refused: true },
	{ name: 'synchronous loop', mode: 'loop', signals: ['SIGTERM'], refused: true, none: (host) => host.loop },
	{ name: 'forked child', mode: 'fork', none: noFork },
	{ name: 'preforked', mode: 'prefork', signals: ['SIGTERM'], none: noFork, refused: true },
	{ name: 'SIGTERM without `shutdown_on`', mode: 'wait', signals: ['SIGTERM'], off: true },
];
