import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../src/domain/errors.ts';
import { btrfsPool, hasBtrfs } from './services/btrfs.ts';
import { loopDisk, run } from './services/loop-disk.ts';
import { filesIn, openAt } from './services/snapshotter-fixture.ts';

const signal = AbortSignal.timeout(600_000);
const KEPT = 'media.recovery-backup-20260501-020000';

const failure = async (promise: Promise<unknown>): Promise<HoldfastError> => {
  const error = await promise.then(
    () => 'it succeeded',
    (cause: unknown) => cause,
  );
  if (error instanceof HoldfastError) return error;
  throw new Error(`This is no error for a person: ${error}`);
};

describe.runIf(hasBtrfs())('needs btrfs', () => {
  test('a snapshot is read-only to btrfs itself and refuses a write by root', async () => {
    using pool = btrfsPool();
    writeFileSync(join(pool.makeSubvolume('media'), 'song'), 'la');
    const { path } = await (await openAt(pool.path)).snapshot('media', 'media-1', signal);
    expect(run('btrfs', 'property', 'get', '-t', 'subvol', path, 'ro')).toBe('ro=true');
    expect(run('btrfs', 'subvolume', 'show', path)).toContain('Flags: \t\t\treadonly');
    expect(() => writeFileSync(join(path, 'song'), 'lala')).toThrow(/EROFS/);
  });

  test('the snapshots folder is made when it is missing, closed to others, also below another one', async () => {
    using pool = btrfsPool();
    pool.makeSubvolume('media');
    const snapshotter = await openAt(pool.path, { snapshotsFolder: 'kept/here' });
    await snapshotter.snapshot('media', 'media-1', signal);
    expect(run('stat', '-c', '%a %F', `${pool.path}/kept/here`)).toBe('700 directory');
    expect((await snapshotter.list(signal)).map(({ path }) => path)).toEqual([`${pool.path}/kept/here/media-1`]);
  });

  test('with quotas a snapshot tells what only it holds, without them it tells nothing', async () => {
    using pool = btrfsPool();
    const media = pool.makeSubvolume('media');
    run('dd', 'if=/dev/urandom', `of=${media}/film`, 'bs=1M', 'count=8', 'status=none');
    const snapshotter = await openAt(pool.path);
    const { path } = await snapshotter.snapshot('media', 'media-1', signal);
    expect((await snapshotter.list(signal)).map((one) => one.exclusiveBytes)).toEqual([null]);
    run('btrfs', 'quota', 'enable', pool.path);
    run('btrfs', 'quota', 'rescan', '-w', pool.path);
    run('rm', `${media}/film`);
    run('sync', '-f', pool.path);
    const [listed] = await snapshotter.list(signal);
    const judged = /^0\/\d+\s+\d+\s+(\d+)/m.exec(run('btrfs', 'qgroup', 'show', '--raw', '-f', path))?.[1];
    expect(listed?.exclusiveBytes).toBe(Number(judged));
    expect(listed?.exclusiveBytes).toBeGreaterThanOrEqual(8 * 1024 ** 2);
  });

  test('a pool that is a subvolume mounted by itself, or a folder in one, is listed like any other', async () => {
    using pool = btrfsPool();
    pool.makeSubvolume('@pool');
    mkdirSync(`${pool.path}/@pool/inner`);
    for (const name of ['media', 'media/nested']) pool.makeSubvolume(`@pool/inner/${name}`);
    run('mount', '--bind', `${pool.path}/@pool/inner`, pool.beside);
    const bare = `${pool.path}/mounted by subvolume`;
    mkdirSync(bare);
    run('mount', '-o', 'subvol=@pool', run('findmnt', '-no', 'SOURCE', pool.path), bare);
    try {
      for (const [index, path] of [`${bare}/inner`, pool.beside, `${pool.path}/@pool/inner`].entries()) {
        const snapshotter = await openAt(path);
        await snapshotter.snapshot('media', `media-${index}`, signal);
        const all = await snapshotter.list(signal);
        expect(all.map(({ subvolume, readOnly }) => [subvolume, readOnly])).toEqual(
          Array.from({ length: index + 1 }, () => ['media', true]),
        );
        expect((await snapshotter.examine('media', signal)).nested).toEqual(['nested']);
      }
    } finally {
      run('umount', pool.beside);
    }
  });

  test('a snapshots folder that is a subvolume of its own is listed beside the kept states of the pool', async () => {
    using pool = btrfsPool();
    pool.makeSubvolume('media');
    pool.makeSubvolume('own');
    run('btrfs', 'quota', 'enable', pool.path);
    const snapshotter = await openAt(pool.path, { snapshotsFolder: 'own' });
    await snapshotter.snapshot('media', 'media-20260502-020000', signal);
    await snapshotter.materialize('media-20260502-020000', '.holdfast-1', signal);
    await snapshotter.rename('.holdfast-1', KEPT, signal);
    const all = (await snapshotter.list(signal)).map(({ name, kind, readOnly }) => [name, kind, readOnly]);
    expect(all).toEqual([
      ['media-20260502-020000', 'snapshot', true],
      [KEPT, 'kept-state', false],
    ]);
    expect((await snapshotter.list(signal)).every((one) => one.exclusiveBytes !== null)).toBe(true);
    expect(await snapshotter.subvolumes(signal)).toEqual(['media']);
  });

  test('nested subvolumes are found, a snapshot lacks them, and they move to the same places and back', async () => {
    using pool = btrfsPool();
    const media = pool.makeSubvolume('media');
    mkdirSync(join(media, 'deep'));
    for (const inner of ['cache', 'deep/er', 'deep/er/est']) pool.makeSubvolume(`media/${inner}`);
    writeFileSync(join(media, 'deep/er/file'), 'held');
    const snapshotter = await openAt(pool.path);
    await snapshotter.snapshot('media', 'media-1', signal);
    // younger than the snapshot, in a folder that it does not have
    mkdirSync(join(media, 'later'));
    pool.makeSubvolume('media/later/one');
    const { nested } = await snapshotter.examine('media', signal);
    expect(nested).toEqual(['cache', 'deep/er', 'later/one']); // the one in `deep/er` goes where that one goes
    await snapshotter.materialize('media-1', '.holdfast-1', signal);
    await snapshotter.moveNested(nested, 'media', '.holdfast-1', signal);
    await snapshotter.moveNested(nested, 'media', '.holdfast-1', signal);
    expect(readFileSync(join(pool.path, '.holdfast-1/deep/er/file'), 'utf8')).toBe('held');
    expect(run('btrfs', 'subvolume', 'show', join(pool.path, '.holdfast-1/deep/er/est'))).toContain('UUID');
    expect((await snapshotter.examine('media', signal)).nested).toEqual([]);
    await snapshotter.moveNested(nested, '.holdfast-1', 'media', signal);
    expect((await snapshotter.examine('media', signal)).nested).toEqual(nested);
    expect(filesIn(media)).toEqual({ 'deep/er/file': 'held' });
  });

  test('a kept state with subvolumes in it is not removed, and they are named', async () => {
    using pool = btrfsPool();
    pool.makeSubvolume('media');
    pool.makeSubvolume('media/cache');
    const snapshotter = await openAt(pool.path);
    await snapshotter.rename('media', KEPT, signal);
    const error = await failure(snapshotter.remove(KEPT, signal));
    expect(error).toMatchObject({ code: 'NestedSubvolumes' });
    expect(error.message).toContain('cache');
    expect(existsSync(join(pool.path, KEPT, 'cache'))).toBe(true);
  });

  test('a nested subvolume is not moved through a symbolic link out of the pool', async () => {
    using pool = btrfsPool();
    const media = pool.makeSubvolume('media');
    mkdirSync(join(media, 'deep'));
    pool.makeSubvolume('media/deep/er');
    const other = pool.makeSubvolume('other');
    symlinkSync(pool.beside, join(other, 'deep'));
    const snapshotter = await openAt(pool.path);
    expect((await failure(snapshotter.moveNested(['deep/er'], 'media', 'other', signal))).code).toBe(
      'SubvolumeMissing',
    );
    expect((await failure(snapshotter.moveNested(['../media'], 'media', 'other', signal))).code).toBe(
      'SubvolumeMissing',
    );
    expect(existsSync(join(media, 'deep/er'))).toBe(true);
  });

  test('symbolic links are neither subvolumes nor snapshots, and a snapshots folder that is one is refused', async () => {
    using pool = btrfsPool();
    pool.makeSubvolume('media');
    mkdirSync(join(pool.path, 'plain'));
    symlinkSync('media', join(pool.path, 'link'));
    symlinkSync('../media', join(pool.path, 'snapshots', 'media-link'));
    symlinkSync('media', join(pool.path, KEPT));
    const snapshotter = await openAt(pool.path);
    expect(await snapshotter.subvolumes(signal)).toEqual(['media']);
    expect(await snapshotter.list(signal)).toEqual([]);
    expect((await failure(snapshotter.snapshot('link', 'x', signal))).message).toContain('is no BTRFS subvolume');
    expect((await failure(snapshotter.snapshot('plain', 'x', signal))).message).toContain('is no BTRFS subvolume');
    expect((await failure(snapshotter.materialize('media-link', '.holdfast-1', signal))).code).toBe('SnapshotMissing');
    expect((await failure(snapshotter.remove(KEPT, signal))).code).toBe('SubvolumeMissing');
    expect(existsSync(join(pool.path, 'media'))).toBe(true);
    renameSync(join(pool.path, 'snapshots'), join(pool.path, 'elsewhere'));
    symlinkSync(pool.beside, join(pool.path, 'snapshots'));
    expect((await failure(snapshotter.snapshot('media', 'media-1', signal))).code).toBe('PoolUnusable');
    expect((await failure(openAt(pool.path))).code).toBe('PoolUnusable');
    expect(run('ls', pool.beside)).toBe('');
  });

  test('in an exchange the path never misses, however often it is looked at', async () => {
    using pool = btrfsPool();
    writeFileSync(join(pool.makeSubvolume('media'), 'which'), 'old');
    const snapshotter = await openAt(pool.path);
    await snapshotter.snapshot('media', 'media-1', signal);
    await snapshotter.materialize('media-1', '.holdfast-1', signal);
    writeFileSync(join(pool.path, '.holdfast-1', 'which'), 'new');
    const script = `const { readFileSync } = require('node:fs');
      let looks = 0;
      process.on('SIGTERM', () => { console.log(looks); process.exit(0); });
      const look = () => { for (let i = 0; i < 200; i++, looks++) readFileSync(process.argv[1]); setImmediate(look); };
      look(); console.log('looking');`;
    const watcher = spawn(process.execPath, ['-e', script, join(pool.path, 'media', 'which')]);
    const printed: string[] = [];
    watcher.stdout.setEncoding('utf8').on('data', (text: string) => void printed.push(text));
    await once(watcher.stdout, 'data');
    for (let i = 0; i < 25; i++) await snapshotter.exchange('media', '.holdfast-1', signal);
    watcher.kill('SIGTERM');
    const [code] = await once(watcher, 'close');
    expect(code).toBe(0); // a look at which the file missed would have ended it with 1
    expect(Number(printed.join('').split('\n').at(-2))).toBeGreaterThan(200);
    expect(readFileSync(join(pool.path, 'media', 'which'), 'utf8')).toBe('new');
  });

  test('a pool that is mounted read-only is found out beforehand, and a snapshot in it is refused in words', async () => {
    using pool = btrfsPool();
    pool.makeSubvolume('media');
    const snapshotter = await openAt(pool.path);
    expect((await snapshotter.examine('media', signal)).readOnlyPool).toBe(false);
    pool.remount('ro');
    expect((await snapshotter.examine('media', signal)).readOnlyPool).toBe(true);
    const error = await failure(snapshotter.snapshot('media', 'media-1', signal));
    expect(error).toMatchObject({ code: 'PoolUnusable', hint: 'Mount it writable: mount -o remount,rw PATH' });
    pool.remount('rw');
    await snapshotter.snapshot('media', 'media-1', signal);
  });

  test('free room is what the file system says, and falls to nearly nothing on a pool that is full', async () => {
    using pool = btrfsPool({ mebibytes: 256 });
    const media = pool.makeSubvolume('media');
    const snapshotter = await openAt(pool.path);
    const empty = await snapshotter.room(signal);
    const estimated = /Free \(estimated\):\s+(\d+)/.exec(run('btrfs', 'filesystem', 'usage', '-b', pool.path))?.[1];
    expect(empty.freeShare).toBeGreaterThan(0.8);
    expect(Math.abs(empty.freeBytes - Number(estimated))).toBeLessThan(1024 ** 2);
    expect(() => run('dd', 'if=/dev/urandom', `of=${media}/film`, 'bs=1M', 'status=none')).toThrow(/No space left/);
    run('sync', '-f', pool.path);
    expect((await snapshotter.room(signal)).freeShare).toBeLessThan(0.1);
  });

  test('a pool whose disk is not mounted is no pool', async () => {
    using pool = btrfsPool();
    expect(await failure(openAt(`${pool.path}/missing`))).toMatchObject({
      code: 'PoolUnusable',
      hint: 'Look whether its disk is mounted',
    });
  });

  test('what its folders are says which kind of snapshots a pool on BTRFS has', async () => {
    using pool = btrfsPool();
    expect((await openAt(pool.path)).kind).toBe('btrfs');
    mkdirSync(join(pool.path, 'plain'));
    expect((await openAt(pool.path)).kind).toBe('reflink');
    pool.makeSubvolume('media');
    expect((await openAt(pool.path)).kind).toBe('btrfs');
    const declared = { units: [], checks: [], dependsOn: [], nested: null };
    expect((await openAt(pool.path, { subvolumes: new Map([['plain', declared]]) })).kind).toBe('reflink');
    expect((await openAt(pool.path, { kind: 'copy' })).kind).toBe('copy');
  });
});

describe.runIf(hasBtrfs())('needs btrfs for folders', () => {
  test('a copy of a folder leaves out a subvolume in it, and says so beforehand', async () => {
    using disk = loopDisk('btrfs');
    mkdirSync(`${disk.path}/media/deep`, { recursive: true });
    run('btrfs', '-q', 'subvolume', 'create', `${disk.path}/media/deep/er`);
    writeFileSync(`${disk.path}/media/deep/er/file`, 'held');
    const snapshotter = await openAt(disk.path, { kind: 'reflink' });
    expect((await snapshotter.examine('media', signal)).nested).toEqual(['deep/er']);
    const { path } = await snapshotter.snapshot('media', 'media-1', signal);
    expect(filesIn(path)).toEqual({});
  });
});
