// The entry of the bundle: what has to happen before the first import of the program itself.
import { stat } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

// In code, never by environment, which the command of `guard` would inherit. A folder that cannot be written is no error.
enableCompileCache(join(import.meta.dirname, 'cache'));

// libuv reads the size of its pool when the first task comes; afterwards the caller's environment is as it was.
const given = process.env.UV_THREADPOOL_SIZE;
process.env.UV_THREADPOOL_SIZE = given ?? `${Math.max(2, availableParallelism())}`;
stat('/', () => undefined);
if (given === undefined) delete process.env.UV_THREADPOOL_SIZE;

await import('./main.ts');
