import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, type Machine, tool } from './holdfast.ts';

const PASSPHRASE = 'Correct-Horse_7';

/** A service in a repository that a passphrase seals, and a `gpg` that does `before` and then what gpg does.
 *  `secret` is how the configuration names the passphrase. */
function aSealedService(secret: string, before: string): { readonly machine: Machine; readonly run: Machine['run'] } {
  const machine = aMachine();
  machine.write('home/passphrase', `${PASSPHRASE}\n`);
  chmodSync(machine.path('home/passphrase'), 0o600);
  machine.configure(`repositories:
  sealed: { engine: archive, path: ./sealed, encryption: { gpg: { passphrase: ${secret} } } }
services: { files: { sources: { data: { files: [./data] } } } }
`);
  machine.write('data/recipe', 'soup');
  mkdirSync(machine.path('bin'));
  const real = tool('sh', '-c', 'command -v gpg').trim();
  writeFileSync(machine.path('bin/gpg'), `#!/bin/sh\n${before}\nexec ${real} "$@"\n`, { mode: 0o755 });
  const environment = { PATH: `${machine.path('bin')}:${machine.environment.PATH}`, SEALED_BY: PASSPHRASE };
  return { machine, run: (args) => machine.run(args, { environment }) };
}

const WAYS = {
  file: '{ file: ./home/passphrase }',
  environment: '{ env: SEALED_BY }',
  command: '{ command: [cat, ./home/passphrase] }',
  'plain text': PASSPHRASE,
} as const;

describe.runIf(available('gpg'))('a passphrase', () => {
  test.each(Object.entries(WAYS))('that a %s gives stands in no argument list, file or output', (_, secret) => {
    // All argument lists of the machine, at each moment at which gpg is asked.
    const seen = 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " " >>"$0.seen"';
    const { machine, run } = aSealedService(secret, seen);
    const shown = [
      ['repository', 'init', 'sealed'],
      ['config', 'check'],
      ['config', 'show'],
      ['backup', '--verbose'],
      ['show', 'files', '--json'],
      ['verify', '--verbose'],
      ['restore', 'files', '--to', 'restored', '--verbose'],
      ['doctor', '--verbose'],
    ].map((args) => run(args));
    expect(shown.map(({ exitCode, stderr }) => (exitCode === 0 ? '' : stderr))).toEqual(shown.map(() => ''));
    const lists = readFileSync(machine.path('bin/gpg.seen'), 'utf8');
    expect(lists).toContain('--passphrase-fd');
    expect(lists).not.toContain(PASSPHRASE);
    for (const { stdout, stderr } of shown) expect(stdout + stderr).not.toContain(PASSPHRASE);
    rmSync(machine.path('home/passphrase'));
    rmSync(machine.configuration);
    expect(existsSync(join(machine.folder, 'state', 'catalog.db'))).toBe(true);
    expect(tool('sh', '-c', 'grep -rlaF -- "$1" "$2" || true', 'sh', PASSPHRASE, machine.folder)).toBe('');
  });

  test('is masked in what a program prints that fails', () => {
    const tells = 'read -r line; echo "gpg: cannot use $line" >&2; exit 2';
    const { machine, run } = aSealedService(WAYS.file, tells);
    for (const more of [[], ['--verbose'], ['--json']]) {
      const { exitCode, stdout, stderr } = run(['repository', 'init', 'sealed', ...more]);
      expect(exitCode).not.toBe(0);
      expect(stdout + stderr).toContain('cannot use ***');
      expect(stdout + stderr).not.toContain(PASSPHRASE);
    }
    expect(tool('grep', '-rlaF', '--', PASSPHRASE, machine.folder).trim()).toBe(machine.path('home/passphrase'));
  });
});
