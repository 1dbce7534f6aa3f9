import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';

const execute = promisify(execFile);
const FOREGROUND = join(import.meta.dirname, '../../src/process/foreground.ts');

/** A process that runs shell lines one after the other, with the listeners that the command line has, and prints how each
 *  ended. */
const program = (lines: readonly string[], before = ''): string => `
  import { runInForeground } from '${FOREGROUND}';
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => controller.abort(new Error('too early')));
  ${before}
  for (const line of ${JSON.stringify(lines)}) {
    const command = { program: 'sh', args: ['-c', line], environment: {}, stdoutToStderr: false };
    const ended = await runInForeground({ ...command, signal: controller.signal }).catch(({ message }) => ({ message }));
    console.log(JSON.stringify(ended));
  }
`;

const evaluated = (source: string): readonly string[] => ['--input-type=module', '--eval', source];

test('a signal that comes while its listeners are put aside reaches the command, and aborts nothing', async () => {
  const signalled = "process.once('removeListener', () => process.kill(process.pid, 'SIGTERM'));";
  const source = program(['exec sleep 60'], signalled);
  const { stdout } = await execute(process.execPath, evaluated(source), { timeout: 30_000 });
  expect(JSON.parse(stdout)).toEqual({ exitCode: 143, interrupted: 'SIGTERM' });
});

test('a command is not started when its caller was interrupted before', async () => {
  const source = program(['echo started'], "controller.abort(new Error('interrupted before'));");
  const { stdout } = await execute(process.execPath, evaluated(source), { timeout: 30_000 });
  expect(stdout).toBe('{"message":"interrupted before"}\n');
});

describe.runIf(available('script'))('on a terminal', () => {
  test('a command that is killed in the background does not stop the one who waits for it', async () => {
    const line = `set -m; "$NODE" --input-type=module --eval "$SOURCE" & wait $!; echo "ended $?"`;
    const environment = { NODE: process.execPath, SOURCE: program(['kill -KILL $$']), LINE: line };
    const { stdout } = await execute('script', ['--quiet', '--command', 'exec bash -c "$LINE"', '/dev/null'], {
      env: { ...process.env, ...environment, SHELL: '/bin/sh' },
      timeout: 30_000,
    });
    expect(stdout).toContain('"exitCode":137');
    expect(stdout).toContain('ended 0');
  });
});
