import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { endMarked, markedHost } from '../../src/process/marked.ts';
import { drillProcesses } from '../e2e/marked.ts';

test('what a drill left running ends with its descendants, and nothing else does', async ({ signal }) => {
  const [own, other] = ['/nowhere/holdfast-drill-1', '/nowhere/holdfast-drill-10'];
  const start = async (folder: string): Promise<void> => {
    const session = await markedHost(localHost(), folder).session(
      // a descendant in a session of its own, as a server that puts itself into the background
      { program: 'sh', args: ['-c', 'setsid sleep 300 & sleep 300'] },
      { signal },
    );
    onTestFinished(() => session[Symbol.asyncDispose]());
  };
  await start(own);
  await start(other);
  const stranger = spawn('sleep', ['300'], { env: { NOTES: `HOLDFAST_SCRATCH=${own}` } });
  onTestFinished(() => void stranger.kill('SIGKILL'));
  const sleeping = (folder: string): number =>
    drillProcesses(`${folder}\0`).filter((line) => line.startsWith('sleep')).length;
  await expect.poll(() => [sleeping(own), sleeping(other)], { timeout: 30_000 }).toEqual([3, 2]);

  await endMarked(own, signal);
  expect([sleeping(own), sleeping(other)]).toEqual([1, 2]); // the stranger only speaks of it
  expect(stranger.exitCode).toBeNull();
  await endMarked(other, signal);
  await endMarked(other, signal);
  expect(sleeping(other)).toBe(0);
  stranger.kill('SIGKILL');
  await once(stranger, 'exit');
}, 60_000);
