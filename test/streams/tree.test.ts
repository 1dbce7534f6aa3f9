import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Facts } from '../../src/domain/facts.ts';
import { printName } from '../../src/domain/tree-name.ts';
import { countTree } from '../../src/streams/tar-facts.ts';
import { memberBytes, tarSubset } from '../../src/streams/tar-subset.ts';
import { aFolder, aTar, aTree, chunksOf, collect, run, someBytes, stored } from './sample.ts';
import { aKeyRing, packings } from './seals.ts';

const signal = AbortSignal.any([]);
const folder = aFolder();
const ring = aKeyRing();
const tree = join(folder.path, 'tree');
let tar: Buffer;
beforeAll(() => {
  aTree(folder.path);
  tar = aTar(folder.path);
});
afterAll(() => {
  ring[Symbol.dispose]();
  folder[Symbol.dispose]();
});

/** Names in a tar as GNU tar has them, NUL-separated, as text of one line each. */
const namesIn = (bytes: Buffer): string[] => {
  const names = run(
    'tar',
    ['--list', '--quoting-style=literal', '--show-transformed-names', '--null', '-f', '-'],
    bytes,
  );
  return names.toString('latin1').split('\n');
};

/** Extracts a tar with the stock program into a new folder. */
function extract(bytes: Buffer, name: string): string {
  const target = join(folder.path, name);
  mkdirSync(target);
  run('tar', ['-C', target, '-xpf', '-'], bytes);
  return target;
}

/** Every name below the tree by `find`, as `ls` of Holdfast prints it. */
function namesBelow(path: string): string[] {
  const found = run('find', [path, '-print0'])
    .toString('latin1')
    .split('\0')
    .filter((name) => name !== '');
  return found.map((name) => printName(Buffer.from(name.slice(folder.path.length + 1), 'latin1'))).toSorted();
}

const all = packings(folder.path);
const packed = async ({ name, seal, format }: (typeof all)[number], bytes: Buffer, suffix: string) =>
  await stored(join(folder.path, `${name}-${suffix}`), bytes, { format, sealing: seal.sealing, tar: true });

describe.each(all)('$name', (packing) => {
  test('the index has every name, also odd ones, and says where each is', async () => {
    const { open } = await packed(packing, tar, 'names');
    await using reader = await open();
    const entries = await Array.fromAsync(reader.members(signal));
    expect(entries.map(({ path }) => path).toSorted()).toEqual(namesBelow(tree));
    expect(entries.map(({ path }) => path)).toContain('tree/docs/new\\x0aline');
    expect(entries.map(({ path }) => path)).toContain('tree/n\\xff\\xfeo');
    let end = 0;
    for (const entry of entries) {
      expect(entry.offset).toBe(end);
      expect(tar.toString('latin1', entry.dataOffset - 255, entry.dataOffset - 250)).toBe('ustar');
      ({ end } = entry);
    }
  });

  test('one file is read, also through a hard link, by an odd name, and with holes', async () => {
    const { open } = await packed(packing, tar, 'cat');
    await using reader = await open();
    const cat = async (path: string) => await collect(memberBytes(reader, path, signal));
    expect(`${await cat('/tree/docs/readme')}`).toBe('hello\n');
    expect(`${await cat('tree/links/two')}`).toBe('hello\n');
    expect(`${await cat('tree/docs/new\\x0aline')}`).toBe('newline\n');
    expect(`${await cat('tree/n\\xff\\xfeo')}`).toBe('not UTF-8\n');
    expect(`${await cat('tree/back\\\\slash')}`).toBe('backslash\n');
    expect(`${await cat('tree/ümlaut')}`).toBe('UTF-8\n');
    expect(await cat('tree/docs/empty')).toHaveLength(0);
    expect((await cat('tree/sparse')).equals(readFileSync(join(tree, 'sparse')))).toBe(true);
    expect((await cat('tree/docs/deep/big')).equals(readFileSync(join(tree, 'docs/deep/big')))).toBe(true);
    for (const path of ['tree/docs', 'tree/links/soft', 'tree/links/fifo', 'tree/doc', 'other'])
      await expect(cat(path)).rejects.toMatchObject({ code: 'PathNotFound' });
  });

  test('a part of the tree is a whole tar of it, and of no sibling whose name begins alike', async () => {
    const { open } = await packed(packing, tar, 'part');
    await using reader = await open();
    const part = await collect(tarSubset(reader, '/tree/docs/', signal));
    expect(namesIn(part).some((name) => name.includes('docs-not'))).toBe(false);
    const target = extract(part, `${packing.name}-restored-docs`);
    run('diff', ['-r', join(tree, 'docs'), join(target, 'tree/docs')]);
    await expect(collect(tarSubset(reader, 'tree/doc', signal))).rejects.toMatchObject({ code: 'PathNotFound' });
    const all = await collect(tarSubset(reader, '', signal));
    expect(namesIn(all)).toEqual(namesIn(tar));
  });

  test('hard links whose first name lies outside of the part are one file with its links', async () => {
    const { open } = await packed(packing, tar, 'links');
    await using reader = await open();
    const target = extract(await collect(tarSubset(reader, 'tree/links', signal)), `${packing.name}-restored-links`);
    expect(readFileSync(join(target, 'tree/links/one'), 'utf8')).toBe('hello\n');
    const inodes = run('stat', ['-c', '%i %h', join(target, 'tree/links/one'), join(target, 'tree/links/two')]);
    const [one, two] = inodes.toString().trim().split('\n');
    expect(one).toBe(two);
    expect(one).toMatch(/ 2$/);
  });
});

describe('hard links to what only a pax header can say', () => {
  /** A folder `outside` with the first names, and `inside` with one link to each. */
  function linked(root: string): void {
    mkdirSync(join(root, 'tree/outside'), { recursive: true });
    mkdirSync(join(root, 'tree/to'));
    const long = 'l'.repeat(200);
    writeFileSync(join(root, 'tree/outside', long), 'a long name\n');
    run('truncate', ['-s', '1M', join(root, 'tree/outside/sparse')]);
    execFileSync('bash', [
      '-c',
      'printf middle | dd of="$0" bs=1 seek=500000 conv=notrunc status=none',
      join(root, 'tree/outside/sparse'),
    ]);
    run('ln', [join(root, 'tree/outside', long), join(root, 'tree/to', `${'m'.repeat(200)}`)]);
    run('ln', [join(root, 'tree/outside/sparse'), join(root, 'tree/to/sparse')]);
    run('ln', ['-s', 'nowhere', join(root, 'tree/outside/soft')]);
    run('ln', ['-P', join(root, 'tree/outside/soft'), join(root, 'tree/to/soft')]);
  }

  test.each(['posix', 'gnu', 'oldgnu'])('in format %s', async (format) => {
    using own = aFolder();
    linked(own.path);
    const bytes = run('tar', [`--format=${format}`, '--sort=name', '--sparse', '-C', own.path, '-cf', '-', 'tree']);
    const path = join(own.path, 'stored');
    const { open } = await stored(path, bytes, { format: 'zstd', sealing: null, tar: true });
    await using reader = await open();
    const part = await collect(tarSubset(reader, 'tree/to', signal));
    mkdirSync(join(own.path, 'restored'));
    run('tar', ['-C', join(own.path, 'restored'), '-xpf', '-'], part);
    run('diff', ['-r', '--no-dereference', join(own.path, 'tree/to'), join(own.path, 'restored/tree/to')]);
    const sparse = await collect(memberBytes(reader, 'tree/to/sparse', signal));
    expect(sparse.equals(readFileSync(join(own.path, 'tree/outside/sparse')))).toBe(true);
  });
});

describe('facts', () => {
  const factsOf = async (bytes: Buffer, chunk: number): Promise<Facts> => {
    const seen: Facts[] = [];
    expect((await collect(countTree(chunksOf(bytes, chunk), (facts) => seen.push(facts)))).equals(bytes)).toBe(true);
    expect(seen).toHaveLength(1);
    return seen[0] ?? {};
  };

  test.each([1, 511, 512, 513, 65_536])('are those of find, in chunks of %i bytes', async (chunk) => {
    using own = aFolder();
    mkdirSync(join(own.path, 'tree/a'), { recursive: true });
    writeFileSync(join(own.path, 'tree/a/file'), someBytes(1234));
    writeFileSync(join(own.path, 'tree', 'y'.repeat(180)), someBytes(600));
    run('ln', [join(own.path, 'tree/a/file'), join(own.path, 'tree/hard')]);
    run('ln', ['-s', 'a', join(own.path, 'tree/soft')]);
    run('mkfifo', [join(own.path, 'tree/fifo')]);
    run('ln', ['-P', join(own.path, 'tree/soft'), join(own.path, 'tree/soft-too')]);
    run('ln', [join(own.path, 'tree/fifo'), join(own.path, 'tree/fifo-too')]);
    run('truncate', ['-s', '300K', join(own.path, 'tree/holes')]);
    const facts = await factsOf(aTar(own.path), chunk);
    const count = (...args: string[]) =>
      run('find', [join(own.path, 'tree'), ...args])
        .toString()
        .split('\n').length - 1;
    expect(facts).toEqual({
      files: count('-type', 'f'),
      directories: count('-type', 'd'),
      links: count('-type', 'l'),
      others: count('-type', 'p'),
      bytes: 1234 + 600 + 300 * 1024,
    });
  });

  test.each(['v7', 'ustar', 'gnu', 'oldgnu', 'posix'])('are the same in format %s', async (format) => {
    using own = aFolder();
    mkdirSync(join(own.path, 'tree/sub'), { recursive: true });
    writeFileSync(join(own.path, 'tree/sub/file'), someBytes(70_000));
    const bytes = run('tar', [`--format=${format}`, '-C', own.path, '-cf', '-', 'tree']);
    expect(await factsOf(bytes, 65_536)).toMatchObject({ files: 1, directories: 2, bytes: 70_000 });
  });

  test.each(['0.0', '0.1', '1.0'])('of a sparse file in version %s are its apparent size', async (version) => {
    using own = aFolder();
    mkdirSync(join(own.path, 'tree'));
    run('truncate', ['-s', '2M', join(own.path, 'tree/holes')]);
    execFileSync('bash', [
      '-c',
      'for i in $(seq 1 200); do printf $i | dd of="$0" bs=1 seek=$((i * 10000)) conv=notrunc status=none; done',
      join(own.path, 'tree/holes'),
    ]);
    const bytes = run('tar', [
      '--format=posix',
      '--sparse',
      `--sparse-version=${version}`,
      '-C',
      own.path,
      '-cf',
      '-',
      'tree',
    ]);
    expect(await factsOf(bytes, 4096)).toMatchObject({ files: 1, bytes: 2 * 1024 ** 2 });
    const { open } = await stored(join(own.path, 'stored'), bytes, { format: 'none', sealing: null, tar: true });
    await using reader = await open();
    const holes = await collect(memberBytes(reader, 'tree/holes', signal));
    expect(holes.equals(readFileSync(join(own.path, 'tree/holes')))).toBe(true);
  });

  test('a tar that is cut off anywhere, continued, or changed in a header is damaged', async () => {
    using own = aFolder();
    mkdirSync(join(own.path, 'tree'));
    writeFileSync(join(own.path, 'tree/file'), someBytes(1000));
    const bytes = aTar(own.path);
    const end = bytes.length - 10_240 + bytes.subarray(bytes.length - 10_240).findLastIndex((byte) => byte !== 0);
    const damaged = { code: 'Damaged' };
    for (let length = 0; length < end; length += 211)
      await expect(factsOf(bytes.subarray(0, length), 4096)).rejects.toMatchObject(damaged);
    await expect(factsOf(Buffer.concat([bytes, Buffer.from('more')]), 4096)).rejects.toMatchObject(damaged);
    for (const at of [0, 120, 150, 300]) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ 4;
      await expect(factsOf(flipped, 4096)).rejects.toMatchObject(damaged);
    }
  });
});
