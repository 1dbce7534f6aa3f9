import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sealingOf } from '../../src/config/repositories.ts';
import { type SecretReader, secretReader } from '../../src/config/secret.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import type { SecretSetting } from '../../src/domain/settings.ts';

let folder: string;
let warnings: string[];
let runs: string[][];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-secret-'));
  [warnings, runs] = [[], []];
});
afterEach(() => rm(folder, { recursive: true }));

const reader = (environment: Record<string, string> = {}): SecretReader =>
  secretReader({
    environment,
    warn: (message) => warnings.push(message),
    run: async (argv) => {
      runs.push([...argv]);
      if (argv[0] === 'false') throw new HoldfastError('ProcessFailed', 'false: exit 1: hunter2', 'false');
      return argv[1] ?? '';
    },
  });
const value = async (setting: SecretSetting, environment?: Record<string, string>): Promise<string> =>
  (await reader(environment)(setting, 'password of repository disk')).reveal();
async function fileWith(content: string | Uint8Array, mode = 0o600): Promise<string> {
  const file = join(folder, 'key');
  await writeFile(file, content);
  await chmod(file, mode);
  return file;
}

test('the newline at the end of a file is no part of the secret, and everything else is', async () => {
  expect(await value({ file: await fileWith(' two words\n\n') })).toBe(' two words\n');
  expect(await value({ file: await fileWith('windows\r\n') })).toBe('windows');
  expect(await value({ file: await fileWith('line 1\nline 2') })).toBe('line 1\nline 2');
  expect(warnings).toEqual([]);
});

test('a secret comes from the environment, a program, a systemd credential or the configuration itself', async () => {
  expect(await value({ env: 'PASS' }, { PASS: 'from-env' })).toBe('from-env');
  expect(await value({ command: ['printf', 'from-program\n', '; rm'] })).toBe('from-program');
  expect(runs).toEqual([['printf', 'from-program\n', '; rm']]);
  await fileWith('from-systemd\n');
  expect(await value({ credential: 'key' }, { CREDENTIALS_DIRECTORY: folder })).toBe('from-systemd');
  expect(await value('from-the-file')).toBe('from-the-file');
});

test('a secret is looked for once, and not before it is asked for', async () => {
  const read = reader();
  expect(runs).toEqual([]);
  await Promise.all([read({ command: ['printf', 'a'] }, 'one'), read({ command: ['printf', 'a'] }, 'two')]);
  expect(runs).toHaveLength(1);
});

test('a file that everyone can read is warned about, and its secret is not in the warning', async () => {
  const file = await fileWith('hunter2hunter2\n', 0o644);
  expect(await value({ file })).toBe('hunter2hunter2');
  expect(warnings).toEqual([`Everyone on this machine can read the secret in ${file}: chmod 600 ${file}`]);
});

const FAULTS: Readonly<Record<string, readonly [SecretSetting | (() => Promise<SecretSetting>), string]>> = {
  'a file that is not there': [{ file: '/nowhere/key' }, 'the file /nowhere/key is not there.'],
  'an empty file': [async () => ({ file: await fileWith('\n') }), 'is empty.'],
  'a folder': [
    async () => {
      await mkdir(join(folder, 'key'));
      return { file: join(folder, 'key') };
    },
    'is a folder.',
  ],
  'bytes that are no text': [
    async () => ({ file: await fileWith(Buffer.from([0xff, 0xfe, 0x80])) }),
    'is not UTF-8 text.',
  ],
  'a disk in the place of a key': [{ file: '/dev/zero' }, 'is larger than 64 KiB, which no secret is.'],
  'a variable that is not set': [{ env: 'NOT_SET' }, 'the variable NOT_SET is not set.'],
  'an empty variable': [{ env: 'EMPTY' }, 'the variable EMPTY is empty.'],
  'a program that fails': [
    { command: ['false', '--token=hunter2'] },
    'what false prints cannot be had (ProcessFailed).',
  ],
  'a program that prints nothing': [{ command: ['true'] }, 'what true prints is empty.'],
  'a credential outside of systemd': [{ credential: 'restic' }, 'the systemd credential restic is not set.'],
};

test.for(Object.entries(FAULTS))(
  '%s is SecretMissing and names the source, not the value',
  async ([, [given, words]]) => {
    const setting = typeof given === 'function' ? await given() : given;
    const error = await value(setting, { EMPTY: '' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(HoldfastError);
    const { code, message } = error as HoldfastError;
    expect(code).toBe('SecretMissing');
    expect(message).toContain('The password of repository disk is missing: ');
    expect(message).toContain(words);
    expect(message).not.toContain('hunter2');
  },
);

test('an identity that is away stops what reads the repository, and not what writes to it', async () => {
  const age = { recipients: ['age1abc'], identities: [{ file: '/nowhere/age.key' }] };
  const sealing = await sealingOf('disk', { engine: 'archive', path: '/b', encryption: { age } }, reader());
  expect(sealing).toMatchObject({ kind: 'age', recipients: ['age1abc'] });
  if (sealing?.kind !== 'age') return expect.unreachable();
  expect(() => sealing.identities).toThrow(
    'The identity of repository disk is missing: the file /nowhere/age.key is not there.',
  );
});

test('a passphrase that is away stops both', async () => {
  const encryption = { gpg: { passphrase: { env: 'NOT_SET' } } };
  const sealing = sealingOf('disk', { engine: 'archive', path: '/b', encryption }, reader());
  await expect(sealing).rejects.toMatchObject({ code: 'SecretMissing' });
});
