import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, isSame, type Machine, tool } from './holdfast.ts';

interface KeyRing {
  readonly environment: Readonly<Record<string, string>>;
  gpg(...args: readonly string[]): string;
}

/** A key ring of stock gpg in the machine's folder. Its agent ends with the test. */
function aKeyRing(machine: Machine, name: string): KeyRing {
  const home = machine.path(name);
  mkdirSync(home, { mode: 0o700 });
  const environment = { GNUPGHOME: home };
  onTestFinished(() => void execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']));
  return {
    environment,
    gpg: (...args) =>
      execFileSync('gpg', ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', '', ...args], {
        env: { ...machine.environment, ...environment },
        encoding: 'latin1',
        stdio: ['ignore', 'pipe', 'pipe'],
        maxBuffer: 2 ** 26,
      }),
  };
}

const GPG = ['gpg', 'gpgconf', 'tar', 'zstd'].every(available);

describe.runIf(GPG)('a repository sealed for a key of gpg', () => {
  test.each(['folder', 'single'])('(%s) is opened by stock gpg and by that key alone', (layout) => {
    const machine = aMachine();
    const own = aKeyRing(machine, 'own');
    const [user, other] = ['Backup <backup@example.org>', 'Other <other@example.org>'];
    own.gpg('--quick-generate-key', user, 'default', 'default', 'never');
    const keyOf = (ring: KeyRing): string | undefined =>
      /^fpr:+([0-9A-F]+):/m.exec(ring.gpg('--with-colons', '-K'))?.[1];
    machine.write('data/recipe', 'soup\n');
    machine.write('data/inner/other', 'bread\n');
    const configure = (recipient: string | undefined) =>
      machine.configure(`repositories:
  disk: { engine: archive, path: ./disk, layout: ${layout}, encryption: { gpg: { recipients: ['${recipient}'] } } }
services: { files: { sources: { data: { files: [./data] } } } }
`);
    configure(keyOf(own));
    const run = (ring: KeyRing, exitCode: number, ...args: string[]): string => {
      const ended = machine.run(args, { environment: ring.environment });
      expect(ended.exitCode, `${args.join(' ')}\n${ended.stderr}${ended.stdout}`).toBe(exitCode);
      expect(ended.stderr).not.toMatch(/^\s+at .*:\d+:\d+|defect of Holdfast/m);
      return ended.stdout + ended.stderr;
    };
    run(own, 0, 'repository', 'init', 'disk');
    run(own, 0, 'backup');

    const folder = layout === 'single' ? 'disk' : join('disk/files', readdirSync(machine.path('disk/files'))[0] ?? '');
    const sealed = readdirSync(machine.path(folder)).filter((name) => name.endsWith('.tar.zst.gpg'));
    expect(sealed).toHaveLength(1);
    const plain = own.gpg('--decrypt', machine.path(folder, sealed[0] ?? ''));
    machine.write('stock.tar.zst', Buffer.from(plain, 'latin1'));
    mkdirSync(machine.path('stock'));
    tool('tar', '--zstd', '-xf', machine.path('stock.tar.zst'), '-C', machine.path('stock'));
    const dataIn = (there: string): string =>
      tool('find', machine.path(there), '-name', 'recipe')
        .trim()
        .replace(/\/recipe$/, '');
    expect(isSame(dataIn('stock'), machine.path('data'))).toBe(true);

    expect(run(own, 0, 'verify', 'files')).toContain('passed');
    run(own, 0, 'restore', 'files', '--to', machine.path('to'));
    expect(isSame(dataIn('to'), machine.path('data'))).toBe(true);
    run(own, 0, 'cat', 'files', 'files_data', `${dataIn('to').slice(machine.path('to').length)}/recipe`);

    for (const [name, make] of [
      ['empty', false],
      ['another', true],
    ] as const) {
      const wrong = aKeyRing(machine, name);
      if (make) wrong.gpg('--quick-generate-key', other, 'default', 'default', 'never');
      expect(run(wrong, 12, 'restore', 'files', '--to', machine.path('not'))).toContain('gpg');
      expect(readdirSync(machine.folder)).not.toContain('not');
      expect(run(wrong, 12, 'cat', 'files', 'files_data', '/recipe')).toContain('gpg');
      run(wrong, 5, 'verify', 'files'); // it could not be told
    }
    configure('nobody@example.org');
    expect(run(own, layout === 'single' ? 78 : 1, 'backup')).toContain(
      'gpg has no key that can seal for nobody@example.org',
    );
    machine.configure(
      'repositories: { new: { engine: archive, path: ./new, encryption: { gpg: { recipients: [nobody] } } } }',
    );
    expect(run(own, 78, 'repository', 'init', 'new')).toContain('gpg has no key that can seal for nobody.');
    expect(readFileSync(machine.path('data/recipe'), 'utf8')).toBe('soup\n');
  });
});
