import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Snapshotter } from '../src/ports/snapshotter.ts';
import { btrfsPool, hasBtrfs } from './services/btrfs.ts';
import { canMount, run, temporaryDisk } from './services/loop-disk.ts';
import { openAt } from './services/snapshotter-fixture.ts';

const signal = AbortSignal.timeout(600_000);

async function changes(snapshotter: Snapshotter, from: string, to: string | null): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { path, change } of snapshotter.diff(from, to, signal)) {
    expect(found[path]).toBeUndefined(); // each path once
    found[path] = change;
  }
  return found;
}

/** The changes of a deployment that spares nothing: renames of all kinds, exchanged folders, links, odd names. */
function deploy(root: string): void {
  const at = (...names: string[]): string => join(root, ...names);
  renameSync(at('renamed-file'), at('renamed-file-2'));
  renameSync(at('renamed-folder'), at('renamed-folder-2'));
  writeFileSync(at('renamed-folder-2', 'inner'), 'changed inside');
  renameSync(at('one'), at('tmp'));
  renameSync(at('two'), at('one'));
  renameSync(at('tmp'), at('two'));
  rmSync(at('deleted-folder'), { recursive: true });
  mkdirSync(at('new-folder', 'deep'), { recursive: true });
  writeFileSync(at('new-folder', 'deep', 'file'), 'new');
  writeFileSync(at('sp ace\nnewline'), 'changed now');
  unlinkSync(at('to-link'));
  symlinkSync('/etc', at('to-link'));
  rmSync(at('folder-to-link'), { recursive: true });
  symlinkSync('/etc', at('folder-to-link'));
  writeFileSync(at('replaced.new'), 'the other text');
  renameSync(at('replaced.new'), at('replaced'));
  chmodSync(at('mode'), 0o600);
  chmodSync(at('folder-mode'), 0o700);
  chownSync(at('owner'), 1234, 1234);
  truncateSync(at('truncated'), 3);
  linkSync(at('same'), at('second-name'));
  writeFileSync(at('moved-out', 'new here'), 'x');
  renameSync(at('moved-out', 'file'), at('moved-file'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.of(0xe9, 0x5c)]), 'not UTF-8');
}

function furnish(root: string): void {
  const at = (...names: string[]): string => join(root, ...names);
  const folders = [
    'renamed-folder/sub',
    'one',
    'two',
    'deleted-folder/sub',
    'folder-to-link',
    'folder-mode',
    'moved-out',
  ];
  for (const folder of folders) mkdirSync(at(folder), { recursive: true });
  const files = ['renamed-file', 'renamed-folder/inner', 'renamed-folder/sub/deep', 'one/a', 'one/both', 'two/b'];
  files.push('two/both', 'deleted-folder/sub/file', 'sp ace\nnewline', 'to-link', 'folder-to-link/passwd', 'replaced');
  files.push('mode', 'owner', 'truncated', 'same', 'moved-out/file', 'untouched');
  // each of another size: without generations, size and time tell whether a file was changed
  for (const [index, file] of files.entries()) writeFileSync(at(file), `${file}${'x'.repeat(index)}`);
  utimesSync(at('untouched'), 1e9, 1e9);
}

const EXPECTED = {
  'renamed-file': 'removed',
  'renamed-file-2': 'added',
  'renamed-folder': 'removed',
  'renamed-folder/inner': 'removed',
  'renamed-folder/sub': 'removed',
  'renamed-folder/sub/deep': 'removed',
  'renamed-folder-2': 'added',
  'renamed-folder-2/inner': 'added',
  'renamed-folder-2/sub': 'added',
  'renamed-folder-2/sub/deep': 'added',
  'one/a': 'removed',
  'one/b': 'added',
  'one/both': 'modified',
  'two/b': 'removed',
  'two/a': 'added',
  'two/both': 'modified',
  'deleted-folder': 'removed',
  'deleted-folder/sub': 'removed',
  'deleted-folder/sub/file': 'removed',
  'new-folder': 'added',
  'new-folder/deep': 'added',
  'new-folder/deep/file': 'added',
  'sp ace\\x0anewline': 'modified',
  'to-link': 'modified',
  'folder-to-link': 'modified',
  'folder-to-link/passwd': 'removed',
  replaced: 'modified',
  mode: 'modified',
  'folder-mode': 'modified',
  owner: 'modified',
  truncated: 'modified',
  'second-name': 'added',
  'moved-out/new here': 'added',
  'moved-out/file': 'removed',
  'moved-file': 'added',
  '\\xe9\\\\': 'added',
};
/** The same with before and after exchanged. */
const OPPOSITE: Readonly<Record<string, string>> = { added: 'removed', removed: 'added' };
const BACK = Object.fromEntries(Object.entries(EXPECTED).map(([path, change]) => [path, OPPOSITE[change] ?? change]));

describe.runIf(hasBtrfs())('needs btrfs', () => {
  test('on BTRFS all that a deployment changed is told, between snapshots, to now and back', async () => {
    using pool = btrfsPool();
    const root = pool.makeSubvolume('media');
    furnish(root);
    const snapshotter = await openAt(pool.path);
    await snapshotter.snapshot('media', 'media-a', signal);
    deploy(root);
    expect(await changes(snapshotter, 'media-a', null)).toEqual(EXPECTED);
    await snapshotter.snapshot('media', 'media-b', signal);
    expect(await changes(snapshotter, 'media-a', 'media-b')).toEqual(EXPECTED);
    expect(await changes(snapshotter, 'media-b', 'media-a')).toEqual(BACK);
    expect(run('ls', '-A', `${pool.path}/snapshots`)).toBe('media-a\nmedia-b');
  });

  test('on BTRFS content is told that was written with the size and the time left as they were', async () => {
    using pool = btrfsPool();
    const root = pool.makeSubvolume('media');
    writeFileSync(join(root, 'book'), 'aaaa');
    utimesSync(join(root, 'book'), 1e9, 1e9);
    const snapshotter = await openAt(pool.path);
    await snapshotter.snapshot('media', 'media-a', signal);
    writeFileSync(join(root, 'book'), 'bbbb');
    utimesSync(join(root, 'book'), 1e9, 1e9);
    expect(await changes(snapshotter, 'media-a', null)).toEqual({ book: 'modified' });
  });

  test('after a rollback a kept state, which can be written to, is compared with what was restored', async () => {
    using pool = btrfsPool();
    const root = pool.makeSubvolume('media');
    furnish(root);
    const snapshotter = await openAt(pool.path);
    await snapshotter.snapshot('media', 'media-a', signal);
    deploy(root);
    const kept = 'media.recovery-backup-20260501-020000';
    await snapshotter.materialize('media-a', '.holdfast-1', signal);
    await snapshotter.exchange('media', '.holdfast-1', signal);
    await snapshotter.rename('.holdfast-1', kept, signal);
    expect(await changes(snapshotter, 'media-a', null)).toEqual({});
    expect(await changes(snapshotter, kept, null)).toEqual(BACK);
    expect(run('ls', '-A', `${pool.path}/snapshots`)).toBe('media-a');
  });

  test('a comparison that is left early or fails leaves no snapshot behind, and one that was killed is cleared away', async () => {
    using pool = btrfsPool();
    const root = pool.makeSubvolume('media');
    furnish(root);
    const snapshotter = await openAt(pool.path);
    await snapshotter.snapshot('media', 'media-a', signal);
    deploy(root);
    for await (const _ of snapshotter.diff('media-a', null, signal)) break;
    expect(run('ls', '-A', `${pool.path}/snapshots`)).toBe('media-a');
    // no process has a number above the kernel's own limit
    run('btrfs', '-q', 'subvolume', 'snapshot', '-r', root, `${pool.path}/snapshots/.holdfast-diff-4194305-1`);
    expect(await changes(snapshotter, 'media-a', null)).toEqual(EXPECTED);
    expect(run('ls', '-A', `${pool.path}/snapshots`)).toBe('media-a');
  });
});

describe.runIf(canMount())('needs to mount', () => {
  test('where there are no generations the same is told by reading both trees', async () => {
    using disk = temporaryDisk();
    const root = join(disk.path, 'media');
    mkdirSync(root);
    furnish(root);
    const snapshotter = await openAt(disk.path);
    await snapshotter.snapshot('media', 'media-a', signal);
    deploy(root);
    expect(await changes(snapshotter, 'media-a', null)).toEqual(EXPECTED);
    await snapshotter.snapshot('media', 'media-b', signal);
    expect(await changes(snapshotter, 'media-b', 'media-a')).toEqual(BACK);
  });
});
