import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStoredFile } from '../../src/streams/open-stored-file.ts';
import type { StoredFileReader } from '../../src/streams/stored-file.ts';
import { memberBytes, tarSubset } from '../../src/streams/tar-subset.ts';
import { aFolder, aTar, aTree, collect, stored } from './sample.ts';
import { aKeyRing, packings } from './seals.ts';

const signal = AbortSignal.any([]);
const folder = aFolder();
const ring = aKeyRing();
let tar: Buffer;
beforeAll(() => {
  aTree(folder.path);
  tar = aTar(folder.path);
});
afterAll(() => {
  ring[Symbol.dispose]();
  folder[Symbol.dispose]();
});

type Open = (recorded: boolean) => Promise<StoredFileReader>;
interface Subject {
  readonly path: string;
  readonly whole: Buffer;
  readonly open: Open;
}

const all = packings(folder.path);

async function subjectOf({ name, seal, format }: (typeof all)[number], kind: string): Promise<Subject> {
  const path = join(folder.path, `${name}-${kind}`);
  const { open } = await stored(path, tar, { format, sealing: seal.sealing, tar: true });
  return { path, whole: readFileSync(path), open: (recorded) => open(recorded ? {} : { expected: null }) };
}

const readWhole = async (open: Open): Promise<Buffer> => {
  await using reader = await open(true);
  return await collect(reader.read(signal));
};

const damaged = { code: 'Damaged', message: expect.stringMatching(/^.{15,}\.$/) };

describe.each(all)('$name', (packing) => {
  const runs = packing.seal.seekable ? 30 : 8; // gpg takes a tenth of a second to start

  test('a flipped bit anywhere is found by reading the whole', async () => {
    const { path, whole, open } = await subjectOf(packing, 'flip');
    const found = fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      writeFileSync(path, changed);
      await expect(readWhole(open)).rejects.toMatchObject(damaged);
    });
    const edges = [0, 5, 30, whole.length - 1, whole.length - 5, whole.length - 20, whole.length - 100];
    await fc.assert(found, { numRuns: runs, examples: edges.map((at) => [at, 0]) });
  });

  test('a file that is cut off or goes on is found before it is read, and while it is read when nothing was recorded', async () => {
    const { path, whole, open } = await subjectOf(packing, 'cut');
    const cuts = [0, 1, 7, 100, 65_536, whole.length >> 1, whole.length - 8, whole.length - 1];
    for (const length of cuts) {
      truncateSync(path, length);
      await expect(open(true)).rejects.toMatchObject(damaged);
      writeFileSync(path, whole);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.from('more')]));
    await expect(open(true)).rejects.toMatchObject(damaged);
  });

  test('one file is never read wrongly or short, wherever a bit is flipped', async () => {
    const { path, whole, open } = await subjectOf(packing, 'cat');
    const right = readFileSync(join(folder.path, 'tree/docs/deep/big'));
    const safe = fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << bit);
      writeFileSync(path, changed);
      const reading = async (): Promise<Buffer> => {
        await using reader = await open(true);
        return await collect(memberBytes(reader, 'tree/docs/deep/big', signal));
      };
      const bytes = await reading().catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'Damaged' });
        return null;
      });
      if (bytes !== null) expect(bytes.equals(right)).toBe(true);
    });
    await fc.assert(safe, { numRuns: runs });
  });

  test('without its index, or with a damaged one, a tree has the same names and bytes', async () => {
    if (packing.format === 'zstd') return await withoutIndexInside(packing);
    const { path, open } = await subjectOf(packing, 'index');
    const index = readFileSync(`${path}.index`);
    const broken = Buffer.from(index);
    broken[index.length >> 1] = (broken[index.length >> 1] ?? 0) ^ 1;
    const short = [index.subarray(0, index.length >> 1), index.subarray(0, -1)];
    // without an index that is whole, all of it is read: from gpg again for each question
    const others = packing.seal.seekable ? [Buffer.alloc(0), ...short] : [];
    for (const bytes of [null, broken, ...others]) {
      if (bytes === null) rmSync(`${path}.index`);
      else writeFileSync(`${path}.index`, bytes);
      await expectWhole(open);
    }
  });
});

async function expectWhole(open: Open): Promise<void> {
  await using reader = await open(true);
  const entries = await Array.fromAsync(reader.members(signal));
  expect(entries.at(-1)?.end).toBe(tar.length - endOf(tar));
  expect(`${await collect(memberBytes(reader, 'tree/docs/readme', signal))}`).toBe('hello\n');
  expect((await collect(tarSubset(reader, '', signal))).subarray(0, 1_000_000).equals(tar.subarray(0, 1_000_000))).toBe(
    true,
  );
}

/** Bytes of a tar's end: two zero blocks, and zeros up to the record. */
const endOf = (bytes: Buffer): number => {
  const data = bytes.findLastIndex((byte) => byte !== 0) + 1;
  return bytes.length - Math.ceil(data / 512) * 512;
};

/** Each block of the index, and the seek table, damaged in turn: nothing recorded tells, and the names are the same. */
async function withoutIndexInside(packing: (typeof all)[number]): Promise<void> {
  const { path, whole, open } = await subjectOf(packing, 'index');
  if (packing.seal.sealing !== null) return await expectWhole(open); // under a seal a flipped bit is damage of the file
  const places = [whole.length - 1, whole.length - 30, whole.length - 200];
  for (let at = whole.indexOf(Buffer.from([0x51, 0x2a, 0x4d, 0x18])); at > 0; ) {
    places.push(at + 40);
    at = whole.indexOf(Buffer.from([0x51, 0x2a, 0x4d, 0x18]), at + 1);
  }
  for (const at of places) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    writeFileSync(path, changed);
    await using reader = await open(false);
    const names = (await Array.fromAsync(reader.members(signal))).map((entry) => entry.path);
    expect(names).toContain('tree/ümlaut');
    expect(`${await collect(memberBytes(reader, 'tree/docs/readme', signal))}`).toBe('hello\n');
  }
}

test('bytes behind the last frame of a foreign file are damage', async () => {
  for (const format of ['zstd', 'gzip'] as const) {
    const path = join(folder.path, `behind.${format}`);
    await stored(path, Buffer.from('plain'), { format, sealing: null, tar: false });
    for (const more of [Buffer.alloc(100), Buffer.from('garbage'), Buffer.from([0])]) {
      const whole = readFileSync(path);
      writeFileSync(`${path}.more`, Buffer.concat([whole, more]));
      const options = { compression: format, sealing: null, tar: false, expected: null } as const;
      await using reader = await openStoredFile(`${path}.more`, options, signal);
      await expect(collect(reader.read(signal))).rejects.toMatchObject({ code: 'Damaged' });
    }
  }
});

test('a file that is not there is damage of the point, and says so', async () => {
  const options = { compression: 'none', sealing: null, tar: false, expected: null } as const;
  const opening = openStoredFile(join(folder.path, 'nothing'), options, signal);
  await expect(opening).rejects.toMatchObject({ code: 'Damaged', message: expect.stringContaining('is not there') });
  expect(() => statSync(join(folder.path, 'nothing'))).toThrow();
});
