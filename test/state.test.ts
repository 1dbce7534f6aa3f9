import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeStateFolder, originOf, stateFolder } from '../src/catalog/state.ts';

const start = promisify(execFile);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-state-'));
});
afterEach(() => rm(folder, { recursive: true }));

test.each([
  ['what systemd gives', { STATE_DIRECTORY: '/var/lib/a', XDG_STATE_HOME: '/x' }, 0, '/var/lib/a'],
  ['the first of those that systemd gives', { STATE_DIRECTORY: '/var/lib/a:/var/lib/b' }, 1000, '/var/lib/a'],
  ['/var/lib/holdfast for root', { XDG_STATE_HOME: '/x', HOME: '/root' }, 0, '/var/lib/holdfast'],
  ['the state folder of a user', { XDG_STATE_HOME: '/x', HOME: '/home/u' }, 1000, '/x/holdfast'],
  [
    'the default state folder of a user',
    { HOME: '/home/u', XDG_STATE_HOME: '' },
    1000,
    '/home/u/.local/state/holdfast',
  ],
  ['the account’s home where no variable names it', {}, 1000, join(homedir(), '.local/state/holdfast')],
])('the state is kept in %s', (_, environment, uid, expected) => {
  expect(stateFolder(environment, uid)).toBe(expected);
});

test.each(['STATE_DIRECTORY', 'XDG_STATE_HOME'])(
  'a relative %s is refused, since it names a folder by chance',
  (name) => {
    expect(() => stateFolder({ [name]: 'state' }, 1000)).toThrow(
      expect.objectContaining({ code: 'ConfigurationInvalid', subject: name }),
    );
  },
);

test('the state folder and its parents are made for one account alone, and one that exists stays as it is', async () => {
  const made = join(folder, 'a', 'b');
  await makeStateFolder(made);
  expect((await stat(made)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o700);
  await writeFile(join(made, 'kept'), '');
  await makeStateFolder(made);
  expect(await readdir(made)).toEqual(['kept']);
});

test('a state folder that cannot be made is refused with words', async () => {
  await writeFile(join(folder, 'file'), '');
  await expect(makeStateFolder(join(folder, 'file', 'state'))).rejects.toMatchObject({ code: 'StateUnusable' });
});

test.each(['/proc/holdfast', '/proc/holdfast/state', '/sys/holdfast'])(
  'a state folder where the system makes none, as in %s, is refused and not tried for ever',
  async (path) => {
    await expect(makeStateFolder(path)).rejects.toMatchObject({ code: 'StateUnusable', subject: path });
  },
);

test('a state folder has one origin, another one has another', async () => {
  const origin = await originOf(folder);
  expect(origin).toMatch(/^[0-9a-f]{32}$/);
  expect(await originOf(folder)).toBe(origin);
  expect((await stat(join(folder, 'origin'))).mode & 0o777).toBe(0o600);
  expect(await readdir(folder)).toEqual(['origin']);
  const other = join(folder, 'other');
  await makeStateFolder(other);
  expect(await originOf(other)).not.toBe(origin);
});

test('processes that ask at once get the same origin', async () => {
  const script = `
    const { originOf } = await import(${JSON.stringify(new URL('../src/catalog/state.ts', import.meta.url).href)});
    process.stdout.write(await originOf(${JSON.stringify(folder)}));`;
  const asked = Array.from({ length: 5 }, () => start(process.execPath, ['--input-type=module', '-e', script]));
  const origins = (await Promise.all(asked)).map(({ stdout }) => stdout);
  expect(new Set(origins).size).toBe(1);
  expect(await readFile(join(folder, 'origin'), 'utf8')).toBe(`${origins[0]}\n`);
  expect(await readdir(folder)).toEqual(['origin']);
});

test('an origin that was cut is not replaced, since points are known by it', async () => {
  await writeFile(join(folder, 'origin'), '0123');
  await expect(originOf(folder)).rejects.toMatchObject({ code: 'StateDamaged', subject: join(folder, 'origin') });
  expect(await readFile(join(folder, 'origin'), 'utf8')).toBe('0123');
});
