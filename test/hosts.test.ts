import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { parseMounts, placeOf } from '../src/adapters/hosts/local/mounts.ts';
import { type HostFixture, hostContract } from './contracts/host.ts';
import { hostFilesContract } from './contracts/host-files.ts';
import { available } from './services/available.ts';
import { LET_GO } from './services/loop-disk.ts';

async function localFixture(): Promise<HostFixture> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-host-')));
  return {
    host: localHost({ graceMs: 500 }),
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

hostContract('local', localFixture);
hostFilesContract('local', localFixture);

const never = (): AbortSignal => new AbortController().signal;
const isRoot = process.geteuid?.() === 0;

test('free space is what df prints', async () => {
  await using made = await localFixture();
  const df = { program: 'df', args: ['-B1', '--output=avail', '--', made.folder] };
  const printed = Number((await made.host.run(df, { signal: never() })).stdout.split('\n')[1]);
  const free = await made.host.files.freeBytes(made.folder, never());
  expect(Math.abs(free - printed)).toBeLessThan(printed / 10 + 1024 ** 2); // others write meanwhile
});

test('files that this process has open are not held by anybody else', async () => {
  await using made = await localFixture();
  await using _file = await open(join(made.folder, 'own'), 'w');
  const child = spawn('sleep', ['600'], { cwd: made.folder });
  await once(child, 'spawn');
  expect(await made.host.files.holders(made.folder, never())).toEqual([]);
  child.kill('SIGKILL');
});

test('mount points are read with their spaces, tabs and backslashes', () => {
  const line = '29 1 8:2 /srv/a\\040b /mnt/a\\040b\\011c\\134d rw,relatime shared:1 - ext4 /dev/sda2 rw\n';
  expect(parseMounts(line)).toEqual([{ device: '8:2', root: '/srv/a b', point: '/mnt/a b\tc\\d' }]);
});

test('a path has the same place however its file system is mounted', () => {
  const host = parseMounts('1 0 8:1 / / rw - ext4 x rw\n2 1 8:2 / /srv rw - ext4 y rw\n');
  const container = parseMounts('1 0 0:50 / / rw - overlay x rw\n2 1 8:2 /app/data /data rw - ext4 y rw\n');
  expect(placeOf('/data/notes.db', container)).toBe(placeOf('/srv/app/data/notes.db', host));
  expect(placeOf('/database', container)).toBe('0:50 /database');
  expect(placeOf('/srv', host)).toBe('8:2 ');
  expect(placeOf('/srv', [])).toBeNull();
});

describe.runIf(available('strace'))('needs strace', () => {
  test('a rename is synced in both folders', async () => {
    await using made = await localFixture();
    const trace = join(made.folder, 'trace');
    const script = `
      const { localHost } = await import(${JSON.stringify(join(import.meta.dirname, '../src/adapters/hosts/local/index.ts'))});
      const { files } = localHost();
      const signal = new AbortController().signal;
      await files.makeFolder('one', 0o700, signal);
      await files.makeFolder('two', 0o700, signal);
      await files.makeFolder('one/tree', 0o700, signal);
      await files.rename(process.cwd() + '/one/tree', process.cwd() + '/two/tree', signal);`;
    const child = spawn(
      'strace',
      [
        '-f',
        '-y',
        '-e',
        'trace=rename,renameat,renameat2,fsync',
        '-o',
        trace,
        process.execPath,
        '--input-type=module',
        '-e',
        script,
      ],
      { cwd: made.folder, stdio: 'inherit' },
    );
    expect(await once(child, 'close')).toEqual([0, null]);
    const calls = (await readFile(trace, 'utf8')).split('\n').filter((line) => /\b(rename|fsync)/.test(line));
    expect(calls[0]).toMatch(/rename.*one\/tree.*two\/tree/);
    expect(calls.slice(1).join('\n')).toContain(`${made.folder}/one>`);
    expect(calls.slice(1).join('\n')).toContain(`${made.folder}/two>`);
  });
});

describe.runIf(isRoot)('needs root', () => {
  test('a program runs under the account it is given, with its groups and its home', async () => {
    await using made = await localFixture();
    const script = 'id -u; id -G; echo "$HOME $USER"; pwd';
    const command = { program: 'sh', args: ['-c', script], runAs: 'nobody' };
    const { stdout } = await made.host.run(command, { signal: never() });
    const judge = { program: 'sh', args: ['-c', 'id -u nobody; id -G nobody; getent passwd nobody | cut -d: -f6'] };
    const [uid, groups, home] = (await made.host.run(judge, { signal: never() })).stdout.split('\n');
    expect(stdout).toBe(`${uid}\n${groups}\n${home} nobody\n/\n`);
  });

  test('an account that is not there, and a program that is not there for it, are named', async () => {
    await using made = await localFixture();
    const unknown = made.host.run({ program: 'id', args: [], runAs: 'no-such-account' }, { signal: never() });
    await expect(unknown).rejects.toMatchObject({ code: 'ConfigurationInvalid', subject: 'no-such-account' });
    const missing = made.host.run({ program: 'no-such-program', args: [], runAs: 'nobody' }, { signal: never() });
    await expect(missing).rejects.toMatchObject({ code: 'ToolMissing', subject: 'no-such-program' });
  });

  test('what is mounted below a tree is listed, and the tree is not removed', async () => {
    await using made = await localFixture();
    const sh = (script: string) =>
      made.host.run({ program: 'sh', args: ['-c', script], workingFolder: made.folder }, { signal: never() });
    await sh("mkdir -p 'tree/a b' treeless; mount -t tmpfs none 'tree/a b'; touch 'tree/a b/precious'");
    try {
      const mount = `${made.folder}/tree/a b`;
      expect(await made.host.files.mountsBelow(`${made.folder}/tree`, never())).toEqual([mount]);
      expect(await made.host.files.mountsBelow(mount, never())).toEqual([mount]);
      expect(await made.host.files.mountsBelow(`${made.folder}/treeless`, never())).toEqual([]);
      const removing = made.host.files.remove(`${made.folder}/tree`, never());
      await expect(removing).rejects.toMatchObject({ code: 'TargetBusy', message: expect.stringContaining(mount) });
      expect((await sh("ls 'tree/a b'")).stdout).toBe('precious\n');
      const across = made.host.files.rename(`${mount}/precious`, `${made.folder}/treeless/precious`, never());
      await expect(across).rejects.toMatchObject({ code: 'Refused' });
    } finally {
      await sh("umount 'tree/a b'");
    }
  });

  test('a process that sees the path under another name, as in a container, holds it', async () => {
    await using made = await localFixture();
    const script = `mkdir -p data inside; touch data/notes.db
      unshare --mount sh -c '${LET_GO}; mount --bind data inside; cd /; exec sleep 600 3<"$OLDPWD/inside/notes.db"' </dev/null >/dev/null 2>&1 &
      echo $!`;
    const started = { program: 'sh', args: ['-c', script], workingFolder: made.folder };
    const pid = (await made.host.run(started, { signal: never() })).stdout.trim();
    try {
      const deadline = performance.now() + 10_000;
      let found: readonly string[] = [];
      while (found.length === 0 && performance.now() < deadline)
        found = await made.host.files.holders(`${made.folder}/data/notes.db`, never());
      expect(found).toEqual([`${pid} sleep`]);
    } finally {
      process.kill(Number(pid));
    }
  });
});
