// Run by drill-containers.test.ts, as holdfast is: the program, which ends as by a power cut where HOLDFAST_TEST_KILL says:
// `before NUMBER` or `after NUMBER` of the writes of its journal, `said PHASE` of a drill, or `spawned WORD`, the second of
// a program's arguments, which outlives it.
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { JournalStore } from '../../src/journal/store.ts';

const [moment = '', ...rest] = (process.env.HOLDFAST_TEST_KILL ?? '').split(' ');
const wanted = rest.join(' ');
let [writes, depth] = [0, 0];
const end = (): void => void process.kill(process.pid, 'SIGKILL');
const killAt = (now: string): void => {
  if (now === moment && writes === Number(wanted)) end();
};

for (const method of ['write', 'change'] as const) {
  const original = JournalStore.prototype[method] as (...args: unknown[]) => unknown;
  const deadly = function (this: JournalStore, ...args: unknown[]): unknown {
    if (depth > 0) return original.apply(this, args); // one transaction
    writes += 1;
    killAt('before');
    depth += 1;
    try {
      return original.apply(this, args);
    } finally {
      depth -= 1;
      killAt('after');
    }
  };
  Object.assign(JournalStore.prototype, { [method]: deadly });
}

const write = process.stderr.write.bind(process.stderr) as (...args: unknown[]) => boolean;
process.stderr.write = (...args: unknown[]): boolean => {
  if (moment === 'said' && String(args[0]).includes(`drill: ${wanted}`)) end();
  return write(...args);
};

const spawn = childProcess.spawn as (...args: unknown[]) => unknown;
Object.assign(childProcess, {
  spawn: (...args: unknown[]): unknown => {
    const child = spawn(...args);
    if (moment === 'spawned' && Array.isArray(args[1]) && args[1][1] === wanted) end();
    return child;
  },
});
syncBuiltinESMExports();

await import('../../src/main.ts');
