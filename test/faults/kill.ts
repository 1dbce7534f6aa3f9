import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import type { House } from './house.ts';

/** Runs Holdfast and kills it, with all its threads, at the N-th `call` of one of its threads: nothing after it is
 *  made. Ends when the programs that it had started have ended too.
 *  @param call a system call that Holdfast makes and tar does not (tar has `mkdirat` and the like)
 *  @returns false when there is no such call any more, and the run came to its end */
function killedAt(house: House, call: string, count: number, args: readonly string[]): boolean {
  // without --seccomp-bpf: with it strace 6.1 counts no further than 1
  const options = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', 'signal=none'];
  const { status, signal, stdout, stderr, error } = spawnSync(
    'strace',
    [...options, '-e', `inject=${call}:signal=KILL:when=${count}`, '--', ...house.program, ...args],
    // one thread makes all calls of libuv, so that they are counted together
    { env: { ...house.environment, UV_THREADPOOL_SIZE: '1' }, cwd: house.folder, encoding: 'utf8', input: '' },
  );
  if (error) throw error;
  if (signal === 'SIGKILL') return true;
  if (status === 0) return false;
  throw new Error(`holdfast ${args.join(' ')} was neither killed nor done: ${status} ${signal}\n${stdout}${stderr}`);
}

/** Kills a command at its durable changes, each time from the same state, and hands over what it left. Of each call every
 *  N-th moment is tried, or every one with FAULT_MOMENTS=all. */
export function killAtChanges(
  house: House,
  args: readonly string[],
  every: Readonly<Record<string, number>>,
  look: (where: string) => void,
): void {
  house.save();
  let killed = 0;
  for (const [call, step] of Object.entries(every)) {
    const stride = process.env.FAULT_MOMENTS === 'all' ? 1 : step;
    for (let count = 1; killedAt(house, call, count, args); count += stride) {
      killed += 1;
      look(`killed at ${call} ${count}`);
      house.reset();
    }
    house.reset();
  }
  expect(killed).toBeGreaterThan(5);
}
