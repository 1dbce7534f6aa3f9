import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { PROGRAM } from '../services/program.ts';
import { aMachine, aServiceOn, type Ended, type Machine } from './holdfast.ts';

const PLAN = 'plans: { nightly: { services: "*", repositories: [disk], retention: { latest: 1 } } }\n';

/** Runs the program with its streams as `redirection` of bash says; answers with its own exit code, not the pipe's. */
function redirected(machine: Machine, redirection: string, ...args: readonly string[]): Ended {
  const line = `"$0" "$@" ${redirection}; exit "\${PIPESTATUS[0]}"`;
  const ended = spawnSync('bash', ['-c', line, ...PROGRAM, ...args], {
    env: machine.environment,
    cwd: machine.folder,
    encoding: 'utf8',
  });
  return { exitCode: ended.status, stdout: ended.stdout, stderr: ended.stderr };
}

describe.runIf(available('sqlite3'))('an output that nobody takes', () => {
  test('lets a run go on to its proof when its reader leaves or its log is on a full disk', () => {
    const machine = aMachine();
    aServiceOn(machine, PLAN);
    expect(redirected(machine, '| true', 'run', 'nightly').exitCode).toBe(0);
    expect(machine.json(0, 'list').points).toMatchObject([{ evidence: 'readable' }]);
    expect(redirected(machine, '2>/dev/full', 'run', 'nightly').exitCode).toBe(0);
    expect(machine.json(0, 'list').points).toMatchObject([{ evidence: 'readable' }]);
    expect(redirected(machine, '>/dev/full', 'run', 'nightly').exitCode).toBe(1);
    expect(machine.json(0, 'list').points).toMatchObject([{ evidence: 'readable' }]);
  });

  test('leaves no lock behind when the reader of a file has enough', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.write('data/large', randomBytes(9 * 1024 ** 2));
    machine.passes('backup');
    expect(redirected(machine, '| true', 'cat', 'notes', 'data', machine.path('data/large'))).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
    expect(readdirSync(machine.path('disk/.holdfast-locks')).filter((name) => name.startsWith('point='))).toEqual([]);
  });

  test('is an error and no defect when its disk is full', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup');
    for (const args of [['list'], ['list', '--json'], ['cat', 'notes', 'db']]) {
      const ended = redirected(machine, '>/dev/full', ...args);
      expect(ended.exitCode).toBe(1);
      expect(ended.stderr).toMatch(/^holdfast: Standard output took not all .*\(ENOSPC\)\.\n {2}next: Free space/);
      expect(ended.stderr).not.toContain('    at ');
    }
  });
});
