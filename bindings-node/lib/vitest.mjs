// A set-up file for vitest: `setupFiles: ['litekeel/vitest']`. A connection that a test file leaves open fails that file, by
// name and place; vitest ends its processes by a signal, so that the end of the process could not.
import { createRequire } from 'node:module';
import { beforeAll } from 'vitest';

const require = createRequire(import.meta.url);
const { native } = require('./state');
const { check } = require('./keel-error');

const earlier = native.latestHandle();
// What it returns is called after every `afterAll`, in whatever order those are called.
beforeAll(() => () => { check(native.assertNoLeaksSince(earlier)); });
