import { spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { PROGRAM } from '../services/program.ts';
import type { Machine } from './holdfast.ts';

/** Runs Holdfast on a terminal of its own with 160 columns, made by script(1). `answers`: what is typed when a text is
 *  seen, in what was printed since the answer before: what is typed between two questions is lost. */
export async function onTerminal(
  { environment, folder }: Machine,
  words: readonly string[],
  answers: readonly (readonly [string, string])[],
): Promise<{ readonly exitCode: number | null; readonly printed: string }> {
  const line = [...PROGRAM, ...words].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const child = spawn(
    'script',
    ['--quiet', '--return', '--command', `stty rows 40 columns 160; exec ${line}`, '/dev/null'],
    {
      ...{ cwd: folder, env: { ...environment, SHELL: '/bin/sh', TERM: 'xterm' }, stdio: ['pipe', 'pipe', 'ignore'] },
    },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const waiting = [...answers];
  let printed = '';
  let seen = 0;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
    const [next] = waiting;
    if (next === undefined || !printed.includes(next[0], seen)) return;
    seen = printed.length;
    waiting.shift();
    child.stdin?.write(next[1]);
  });
  const { promise, resolve: end } = Promise.withResolvers<number | null>();
  child.on('exit', end);
  return { exitCode: await promise, printed };
}
