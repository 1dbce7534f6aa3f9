import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source } from '../../src/adapters/sources/files/index.ts';
import type { CaptureContext, Captured, CapturedTree } from '../../src/ports/source.ts';
import { available } from '../services/available.ts';
import { ABSOLUTE, contextIn, listing, output, running, temporaryFolder, told, writeBytes, writer } from './support.ts';

function makeDatabase(path: string | Buffer, journal: 'wal' | 'delete' = 'wal'): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA journal_mode = ${journal}; CREATE TABLE t (x); CREATE INDEX i ON t (x)`);
  database.close();
}

/** Captures `root` and unpacks it by tar. `meanwhile` runs after the first bytes were read. */
async function capture(
  folder: string,
  root: string,
  signal: AbortSignal,
  given: Partial<CaptureContext> = {},
  meanwhile: () => Promise<void> = async () => {},
): Promise<Captured & { readonly restored: string; readonly item: CapturedTree }> {
  const workspace = join(folder, `workspace-${Math.random()}`);
  await mkdir(workspace);
  await using opened = await source('data', { files: [root] }, localHost()).capture(
    contextIn(workspace, given),
    signal,
  );
  const [item] = opened.items;
  if (item?.type !== 'tree') throw new Error('not a tree');
  async function* read(tree: CapturedTree) {
    let waiting = true;
    for await (const chunk of tree.tar(ABSOLUTE, signal)) {
      if (waiting) await meanwhile();
      waiting = false;
      yield chunk;
    }
  }
  await writeBytes(read(item), join(folder, 'stored.tar'));
  const unpacked = join(folder, 'unpacked');
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked);
  await output('tar', '-xpf', join(folder, 'stored.tar'), '--xattrs', '--xattrs-include=*', '--acls', '-C', unpacked);
  return { ...item.completed(), restored: join(unpacked, root), item };
}

describe.runIf(available('sqlite3'))('a SQLite database inside a tree', () => {
  test('that is written to all the time is whole in the tar, under its own name and without companions', async ({
    signal,
  }) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(join(root, 'app'), { recursive: true });
    const path = join(root, 'app/busy.db');
    makeDatabase(path);
    await using writing = writer(path);
    await writing.line();
    for (let round = 0; round < 5; round += 1) {
      const done = await capture(folder.path, root, signal);
      const copy = join(done.restored, 'app/busy.db');
      expect(await told('sqlite3', copy, 'PRAGMA integrity_check')).toBe('ok');
      expect(Number(await told('sqlite3', copy, 'SELECT count(*) % 2 FROM t'))).toBe(0);
      expect(Number(await told('sqlite3', copy, 'SELECT count(*) FROM t'))).toBeGreaterThan(0);
      expect((await listing(done.restored)).filter((line) => /-(?:wal|shm|journal)\0/.test(line))).toEqual([]);
      expect(done).toMatchObject({ warnings: [], unreadable: [], facts: { files: 1, directories: 2 } });
    }
    expect(writing.child.exitCode).toBeNull();
  });

  test('keeps its mode, owner, times, lists of access and extended attributes, and its folder its time', async ({
    signal,
  }) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const path = join(root, 'kept.db');
    makeDatabase(path);
    await chmod(path, 0o640);
    if (process.getuid?.() === 0) await chown(path, 33, 34);
    execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', path]);
    execFileSync('setfacl', ['-m', 'u:1234:r', path]);
    execFileSync('touch', ['-d', '2001-02-03 04:05:06.789', path]);
    execFileSync('touch', ['-d', '2002-02-03 04:05:06.789', root]);
    const before = await listing(root);
    const done = await capture(folder.path, root, signal);
    expect(await listing(root)).toEqual(before);
    expect(await listing(done.restored)).toEqual(before);
    const restored = join(done.restored, 'kept.db');
    for (const [program, ...args] of [
      ['getfacl', '-np'],
      ['getfattr', '-d', '--absolute-names'],
    ] as const)
      expect((await told(program, ...args, restored)).replace(restored, path)).toBe(await told(program, ...args, path));
    await using workspace = await temporaryFolder();
    await using opened = await source('data', { files: [root] }, localHost()).capture(
      contextIn(workspace.path),
      signal,
    );
    expect(opened.items).toMatchObject([{ fingerprint: done.item.fingerprint }]); // the copy did not touch the tree
  });

  test('of any name is copied', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const names = [Buffer.from([0x61, 0xff]), Buffer.from('%41?mode=rw#'), Buffer.from('new\nline'), Buffer.from('-x')];
    for (const name of names) makeDatabase(Buffer.concat([Buffer.from(`${root}/`), name]), 'delete');
    makeDatabase(join(root, 'wal'));
    const before = await listing(root);
    const done = await capture(folder.path, root, signal);
    expect(done.warnings).toEqual([]);
    expect(await listing(done.restored)).toEqual(before);
  });

  test('that is the whole source is stored alone, and one beside others under the name of its root', async ({
    signal,
  }) => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'alone.db');
    makeDatabase(path);
    await using writing = writer(path);
    await writing.line();
    const done = await capture(folder.path, path, signal);
    expect(done).toMatchObject({ warnings: [], facts: { files: 1, directories: 0 } });
    expect(await told('sqlite3', done.restored, 'PRAGMA integrity_check')).toBe('ok');
    await using workspace = await temporaryFolder();
    const made = source('data', { files: [path, `${path}-wal`] }, localHost());
    await using opened = await made.capture(contextIn(workspace.path), signal);
    const [item] = opened.items;
    if (item?.type !== 'tree') throw new Error('not a tree');
    const stored = join(folder.path, 'stored.tar');
    await writeBytes(item.tar({ style: 'prefixed', prefix: 'backup/data/' }, signal), stored);
    expect(await told('tar', '-tf', stored)).toBe(`backup/data${path}`);
  });

  test('left by a crash is recovered in the copy', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const path = join(root, 'crashed.db');
    makeDatabase(path);
    {
      await using writing = writer(path);
      await writing.line();
    }
    expect((await stat(`${path}-wal`)).size).toBeGreaterThan(0);
    const done = await capture(folder.path, root, signal);
    const rows = await told(
      'sqlite3',
      join(done.restored, 'crashed.db'),
      'PRAGMA integrity_check; SELECT count(*) > 0 FROM t',
    );
    expect(rows).toBe('ok\n1');
    expect((await listing(done.restored)).length).toBe(3);
  });

  test('that SQLite cannot read is stored as it is with a warning, and fails the item when it changed meanwhile', async ({
    signal,
  }) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const path = join(root, 'odd.db');
    await writeFile(path, Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080, 9)]));
    await writeFile(`${path}-wal`, 'kept too');
    await writeFile(join(root, 'large'), Buffer.alloc(24 * 1024 ** 2));
    const done = await capture(folder.path, root, signal);
    expect(done.warnings).toEqual([expect.stringMatching(/odd\.db: stored as it is, not as a copy: .*not a database/)]);
    expect(await readFile(join(done.restored, 'odd.db'))).toEqual(await readFile(path));
    expect(await readFile(join(done.restored, 'odd.db-wal'), 'utf8')).toBe('kept too');
    const change = () => writeFile(`${path}-wal`, 'changed');
    await expect(capture(folder.path, root, signal, {}, change)).rejects.toMatchObject({ code: 'SourceChanged' });
    expect((await capture(folder.path, root, signal, { quiescent: true }, change)).warnings).toHaveLength(1);
  });

  test('keeps its companions out only where it is a database itself', async ({ signal }) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    for (const name of ['notes', 'notes-wal', 'notes-journal']) await writeFile(join(root, name), 'x'.repeat(512));
    expect((await capture(folder.path, root, signal)).facts.files).toBe(3);
  });

  test.runIf(process.getuid?.() === 0)(
    'whose copy does not fit stops the item before it is read (as root)',
    async ({ signal }) => {
      await using folder = await temporaryFolder();
      const [root, small] = [join(folder.path, 'data'), join(folder.path, 'small')];
      await mkdir(root);
      await mkdir(small);
      const database = new DatabaseSync(join(root, 'large.db'));
      database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(3000000))');
      database.close();
      await output('mount', '-t', 'tmpfs', '-o', 'size=1M', 'tmpfs', small);
      try {
        await using opened = await source('data', { files: [root] }, localHost()).capture(contextIn(small), signal);
        const [item] = opened.items;
        if (item?.type !== 'tree') throw new Error('not a tree');
        await expect(writeBytes(item.tar(ABSOLUTE, signal), join(folder.path, 'stored.tar'))).rejects.toMatchObject({
          code: 'NoSpace',
        });
      } finally {
        await output('umount', small);
      }
    },
  );
});

describe('a database of another kind inside a tree', () => {
  const kinds: readonly [string, string, string][] = [
    ['a PostgreSQL cluster', 'pg/PG_VERSION', 'pg/base/1/1259'],
    ['a MariaDB data folder', 'maria/ibdata1', 'maria/shop/orders.ibd'],
    ['a CouchDB file', 'shards/a.couch', 'shards/a.couch'],
    ['a Redis dump', 'dump.rdb', 'dump.rdb'],
    ['a Redis log', 'appendonlydir/a.incr.aof', 'appendonlydir/a.incr.aof'],
  ];
  test.each(kinds)(
    '%s fails the item when a file of it changed, unless it was held still',
    async (_kind, sign, changed) => {
      const signal = AbortSignal.timeout(60_000);
      await using folder = await temporaryFolder();
      const root = join(folder.path, 'data');
      for (const name of [sign, changed, 'other/large']) {
        await mkdir(join(root, name, '..'), { recursive: true });
        await writeFile(join(root, name), name === 'other/large' ? Buffer.alloc(24 * 1024 ** 2) : 'x');
      }
      const change = () => writeFile(join(root, changed), 'y', { flag: 'a' });
      expect((await capture(folder.path, root, signal)).warnings).toEqual([]);
      await expect(capture(folder.path, root, signal, {}, change)).rejects.toMatchObject({
        code: 'SourceChanged',
        subject: join(root, changed),
      });
      await capture(folder.path, root, signal, { quiescent: true }, change);
      await capture(folder.path, root, signal, {}, () => writeFile(join(root, 'other/new'), 'no database'));
      const remove = () => rm(join(root, changed));
      await expect(capture(folder.path, root, signal, {}, remove)).rejects.toMatchObject({ code: 'SourceChanged' });
    },
  );
});

test.runIf(available('sqlite3'))('a writer that never stops is not stopped by a capture', async ({ signal }) => {
  await using folder = await temporaryFolder();
  const root = join(folder.path, 'data');
  await mkdir(root);
  const path = join(root, 'rollback.db');
  makeDatabase(path, 'delete');
  await using writing = running(`
    import { DatabaseSync } from 'node:sqlite';
    const database = new DatabaseSync(${JSON.stringify(path)}, { timeout: 60000 });
    for (let round = 0; ; round += 1) {
      database.exec('INSERT INTO t VALUES (1)');
      console.log(round);
      await new Promise((resolve) => setImmediate(resolve));
    }`);
  await writing.line();
  const done = await capture(folder.path, root, signal);
  expect(await told('sqlite3', join(done.restored, 'rollback.db'), 'PRAGMA integrity_check')).toBe('ok');
  const rows = Number(await told('sqlite3', join(done.restored, 'rollback.db'), 'SELECT count(*) FROM t'));
  while (Number(await writing.line()) <= rows); // it goes on after what was copied
});
