import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';

const CHILD = join(import.meta.dirname, '../../src/process/child.ts');

/** A process that starts a program in a group of its own, puts listeners aside and back as a command in the foreground
 *  does, tells the program's number, and then ends as `end` says or waits. */
const PROGRAM = (end: string): string => `
  import { startChild } from '${CHILD}';
  const { process: child, closed } = startChild({ program: 'sleep', args: ['600'] }, { PATH: process.env.PATH }, ['ignore', 'ignore', 'pipe']);
  const listeners = process.listeners('SIGQUIT');
  process.removeAllListeners('SIGQUIT');
  for (const listener of listeners) process.on('SIGQUIT', listener);
  process.stdout.write(child.pid + '\\n', () => { ${end} });
  await closed;
`;

/** Not one that ended and was not looked at: PID 1 of a container may never do so. */
const isThere = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

test.each([
  ['exits', 'process.exit(3)', 3, null],
  ['fails', "throw new Error('a mistake')", 1, null],
  ['is told to quit by the terminal', "process.kill(process.pid, 'SIGQUIT')", null, 'SIGQUIT'],
] as const)('what was started ends when this process %s', async (_, end, exitCode, signal) => {
  const program = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM(end)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(program, 'exit');
  const [told] = await once(program.stdout, 'data');
  const pid = Number(String(told));
  expect(pid).toBeGreaterThan(1);
  expect(await ended).toEqual([exitCode, signal]);
  await vi.waitFor(() => expect(isThere(pid)).toBe(false), { timeout: 20_000, interval: 20 });
});

test('an argument that no program can be given is an error of the start, and not thrown past it', async () => {
  const { startChild } = await import('../../src/process/child.ts');
  const { process: child, closed } = startChild({ program: 'true', args: ['a\0b'] }, {}, ['ignore', 'ignore', 'pipe']);
  expect(child).toBeNull();
  await expect(closed).rejects.toThrow('null bytes');
});
