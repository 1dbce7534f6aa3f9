import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Bytes } from '../../src/ports/bytes.ts';
import { FRAME_SIZE } from '../../src/streams/frames.ts';
import { available } from '../services/available.ts';
import { aFolder, chunksOf, collect, FORMATS, run, someBytes, stored } from './sample.ts';
import { aKeyRing, packings } from './seals.ts';

const FRAME = someBytes(FRAME_SIZE);

async function* thenThrows(frames: number, error: unknown): Bytes {
  for (let i = 0; i < frames; i++) yield* chunksOf(FRAME);
  throw error;
}

/** Gives some frames, then waits for ever and hears of no abort. */
async function* thenHangs(frames: number, hanging: () => void): Bytes {
  for (let i = 0; i < frames; i++) yield* chunksOf(FRAME);
  hanging();
  await new Promise(() => {});
}

const folder = aFolder();
const ring = aKeyRing();
const all = packings(folder.path);
afterAll(() => {
  ring[Symbol.dispose]();
  folder[Symbol.dispose]();
});

describe.each(all)('$name', ({ format, seal: { sealing } }) => {
  test.each([0, 1, 7])(
    'a producer that fails after %i frames leaves nothing, and its error is the one that is told',
    async (frames) => {
      using own = aFolder();
      const error = new Error('the producer failed');
      const writing = stored(join(own.path, 'item'), thenThrows(frames, error), { format, sealing, tar: false });
      await expect(writing).rejects.toBe(error);
      expect(readdirSync(own.path)).toEqual([]);
    },
  );

  test('an abort leaves nothing, also when the producer hangs', async () => {
    using own = aFolder();
    const aborting = new AbortController();
    const reason = new Error('interrupted');
    const source = thenHangs(3, () => aborting.abort(reason));
    const writing = stored(join(own.path, 'item'), source, { format, sealing, tar: false }, aborting.signal);
    await expect(writing).rejects.toBe(reason);
    expect(readdirSync(own.path)).toEqual([]);
  });

  test('a stream that is no tar is damage, and leaves neither the file nor an index', async () => {
    using own = aFolder();
    const writing = stored(join(own.path, 'item'), someBytes(100_000), { format, sealing, tar: true });
    await expect(writing).rejects.toMatchObject({ code: 'Damaged' });
    expect(readdirSync(own.path)).toEqual([]);
  });
});

test('an existing file is never overwritten nor removed, and neither is an index', async () => {
  using own = aFolder();
  mkdirSync(join(own.path, 'tree'));
  const tar = run('tar', ['-C', own.path, '-cf', '-', 'tree']);
  for (const name of ['item', 'item.index']) {
    using other = aFolder();
    writeFileSync(join(other.path, name), 'mine');
    const writing = stored(join(other.path, 'item'), tar, { format: 'gzip', sealing: null, tar: true });
    await expect(writing).rejects.toMatchObject({ code: 'RepositoryUnusable' });
    expect(readdirSync(other.path)).toEqual([name]);
    expect(readFileSync(join(other.path, name), 'utf8')).toBe('mine');
  }
});

test('leaving a read early releases the file and its producer', async () => {
  using own = aFolder();
  const path = join(own.path, 'item');
  const { open } = await stored(path, someBytes(5 * FRAME_SIZE), { format: 'zstd', sealing: null, tar: false });
  await using reader = await open();
  for await (const chunk of reader.read(AbortSignal.any([]))) {
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect((await collect(reader.range(100, 10, AbortSignal.any([])))).length).toBe(10);
});

describe.runIf(available('mount') && process.getuid?.() === 0)('on a small file system', () => {
  test.each(FORMATS)('a disk that is full is said, and nothing is left: %s', async (format) => {
    using own = aFolder();
    const disk = join(own.path, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]);
    try {
      const writing = stored(join(disk, 'item'), someBytes(40 * 1024 ** 2), { format, sealing: null, tar: false });
      await expect(writing).rejects.toMatchObject({ code: 'NoSpace' });
      expect(existsSync(join(disk, 'item'))).toBe(false);
    } finally {
      execFileSync('umount', [disk]);
    }
  });
});
