import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gzipMember } from '../../src/streams/gzip-member.ts';

const gunzip = (packed: Uint8Array): Buffer =>
  execFileSync('gzip', ['--decompress', '--stdout'], { input: packed, maxBuffer: 2 ** 26 });
const text = (bytes: number): Buffer =>
  Buffer.from(Array.from({ length: bytes / 16 }, (_, line) => `line ${line % 4711}\n`).join('')).subarray(0, bytes);
const random = (bytes: number): Buffer => randomFillSync(Buffer.alloc(bytes));

test('stock gzip gives back any order of text and random bytes', async () => {
  const part = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 150_000 }));
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 5 }), fc.integer({ min: 1, max: 9 }), async (parts, level) => {
      const bytes = Buffer.concat(parts.map(([packs, length]) => (packs ? text(length) : random(length))));
      expect(gunzip(await gzipMember(bytes, level)).equals(bytes)).toBe(true);
    }),
    { numRuns: 15 },
  );
});

test('what does not pack is stored, and all of it together is at most 2 % larger than zlib makes it', async () => {
  const mixed = Buffer.concat(Array.from({ length: 20 }, () => [text(70_001), random(60_001)]).flat());
  const packed = await gzipMember(mixed, 6);
  expect(packed.length).toBeLessThan(gzipSync(mixed, { level: 6 }).length * 1.02);
  const noise = random(300_000);
  const held = Buffer.from(await gzipMember(noise, 6));
  expect(held.includes(noise.subarray(0, 1000))).toBe(true);
  expect(held.length - noise.length).toBeLessThan(100);
});

test('text is packed as zlib packs it', async () => {
  const bytes = text(500_000);
  expect(await gzipMember(bytes, 6)).toEqual(gzipSync(bytes, { level: 6, chunkSize: 600_000 }));
});
