import { statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { FRAME_SIZE } from '../../src/streams/frames.ts';
import { available } from '../services/available.ts';
import { aFolder, collect, type Format, run, sha256, someBytes, stored } from './sample.ts';
import { aKeyRing, packings } from './seals.ts';

const signal = AbortSignal.any([]);
const folder = aFolder();
const ring = aKeyRing();
afterAll(() => {
  ring[Symbol.dispose]();
  folder[Symbol.dispose]();
});

/** The plain bytes by the stock program of a format. */
const unpack = (format: Format, packed: Buffer): Buffer => (format === 'none' ? packed : run(format, ['-dc'], packed));

/** A length around the frame's and age's chunk's, where a boundary may go wrong. */
const LENGTHS = [0, 1, 65_535, 65_536, 65_537, FRAME_SIZE - 1, FRAME_SIZE, FRAME_SIZE + 1, 3 * FRAME_SIZE + 77];

for (const { name, seal, format } of packings(folder.path))
  describe.runIf(format !== 'zstd' || available('zstd'))(name, () => {
    test.each(seal.seekable ? LENGTHS : LENGTHS.slice(-3))('stock tools read %i bytes back', async (length) => {
      const plain = someBytes(length);
      const path = join(folder.path, `${seal.name}-${format}-${length}`);
      const { file, open } = await stored(path, plain, { format, sealing: seal.sealing, tar: false });
      expect(sha256(unpack(format, seal.unseal(path)))).toBe(sha256(plain));
      expect(run('sha256sum', [path]).toString().slice(0, 64)).toBe(file.sha256);
      expect(file).toMatchObject({ size: statSync(path).size, originalSize: length, originalSha256: sha256(plain) });
      expect(statSync(path).mode & 0o777).toBe(0o600);
      await using reader = await open();
      expect(sha256(await collect(reader.read(signal)))).toBe(sha256(plain));
    });

    test('any range is read back', async () => {
      const plain = someBytes(2 * FRAME_SIZE + 12_345);
      const path = join(folder.path, `${seal.name}-${format}-ranges`);
      const { open } = await stored(path, plain, { format, sealing: seal.sealing, tar: false });
      await using reader = await open();
      const places = fc.tuple(fc.nat(plain.length), fc.nat(plain.length));
      const equal = fc.asyncProperty(places, async ([one, other]) => {
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const range = await collect(reader.range(from, to - from, signal));
        expect(range.equals(plain.subarray(from, to))).toBe(true);
      });
      await fc.assert(equal, { numRuns: reader.seekable ? 50 : 3 });
      await expect(collect(reader.range(plain.length - 1, 2, signal))).rejects.toMatchObject({ code: 'Damaged' });
    });

    test.runIf(seal.wrong !== null)('a key that does not fit is told from damage', async () => {
      const path = join(folder.path, `${seal.name}-${format}-wrong`);
      const { open } = await stored(path, someBytes(100), { format, sealing: seal.sealing, tar: false });
      const reading = async () => {
        await using reader = await open({ sealing: seal.wrong });
        await collect(reader.read(signal));
      };
      await expect(reading()).rejects.toMatchObject({ code: 'WrongPassword' });
    });
  });

test.runIf(available('zstd'))('zstd says of a stored file that it is whole, and how long its content is', async () => {
  const path = join(folder.path, 'listed.zst');
  await stored(path, someBytes(3 * FRAME_SIZE), { format: 'zstd', sealing: null, tar: false });
  run('zstd', ['--test', path]);
  expect(run('zstd', ['--list', '-v', path]).toString()).toMatch(/Decompressed Size: 12\.0 MiB[\s\S]*Check: XXH64/);
});

test.runIf(available('zstd'))('files of stock zstd and gzip are read, of several frames too', async () => {
  const plain = someBytes(300_000);
  for (const [format, program] of [
    ['zstd', 'zstd'],
    ['gzip', 'gzip'],
  ] as const) {
    const path = join(folder.path, `foreign.${program}`);
    const one = run(program, ['-c'], plain);
    run('tee', [path], Buffer.concat([one, one]));
    const { openStoredFile } = await import('../../src/streams/open-stored-file.ts');
    const options = { compression: format, sealing: null, tar: false, expected: null } as const;
    await using reader = await openStoredFile(path, options, signal);
    expect((await collect(reader.read(signal))).equals(Buffer.concat([plain, plain]))).toBe(true);
    expect((await collect(reader.range(299_990, 20, signal))).length).toBe(20);
  }
});

test.runIf(available('gpg'))('a file for a gpg key that is not in the ring is told from damage', async () => {
  const path = join(folder.path, 'no-key');
  const sealing = { kind: 'gpg', recipients: ['holdfast-test'] } as const;
  const { open } = await stored(path, someBytes(100), { format: 'none', sealing, tar: false });
  using _ = aKeyRing();
  await using reader = await open();
  await expect(collect(reader.read(signal))).rejects.toMatchObject({ code: 'WrongPassword' });
});

test('gpg without a program to run it is said', async () => {
  const sealing = { kind: 'gpg', recipients: ['x'] } as const;
  const { writeStoredFile } = await import('../../src/streams/write-stored-file.ts');
  const options = { compression: { format: 'none' }, sealing, tar: false } as const;
  const writing = writeStoredFile(join(folder.path, 'no-gpg'), (async function* () {})(), options, signal);
  await expect(writing).rejects.toMatchObject({ code: 'Unsupported' });
});

test('a recipient of age that is none is a fault of the configuration', async () => {
  const sealing = { kind: 'age', recipients: ['ssh-ed25519 AAAA'], identities: [] } as const;
  const writing = stored(join(folder.path, 'no-age'), someBytes(1), { format: 'none', sealing, tar: false });
  await expect(writing).rejects.toMatchObject({ code: 'ConfigurationInvalid' });
});
