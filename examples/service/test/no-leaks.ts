// vitest ends its workers by a signal, and nothing that is said at exit is seen: so each file says it itself.
import { assertNoLeaks } from 'litekeel';
import { afterAll } from 'vitest';

afterAll(() => assertNoLeaks());
