import { promisify } from 'node:util';
import zlib from 'node:zlib';

const deflateRaw = promisify(zlib.deflateRaw);
const gzip = promisify(zlib.gzip);

/** RFC 1952, section 2.3: deflate, no name, no time, made under Unix. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);
/** RFC 1951, section 3.2.4: the last block, stored, without a byte. */
const LAST_BLOCK = Uint8Array.of(1, 0, 0, 0xff, 0xff);
const STORED_LIMIT = 0xffff;

/** What is judged at once. */
const BLOCK = 4096;
/** Shorter runs are not worth an end of what is packed. */
const SHORTEST_RUN = 4 * BLOCK;
/** Bytes at either end of a block that are looked at. */
const SAMPLE = 512;
/** Chi-square of random bytes over 256 values is 255 ± 23; of text it is some ten thousands. */
const RANDOM_BELOW = 400;

/** Packs bytes as one gzip member. Runs of bytes that look random (packed or sealed files) are stored as they are: zlib
 *  takes longer for these than for text, and makes nothing of them. */
export async function gzipMember(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  const runs = runsOf(bytes);
  const room = 64 * 1024;
  if (runs.every(({ random }) => !random)) return await gzip(bytes, { level, chunkSize: bytes.length + room });
  const parts = await Promise.all(
    runs.map(async ({ from, to, random }) => {
      const run = bytes.subarray(from, to);
      if (random) return stored(run);
      const finishFlush = zlib.constants.Z_SYNC_FLUSH; // it ends at a whole byte, so that another part can follow
      return [await deflateRaw(run, { level, chunkSize: run.length + room, finishFlush })];
    }),
  );
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(zlib.crc32(bytes), 0);
  trailer.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([HEADER, ...parts.flat(), LAST_BLOCK, trailer]);
}

function stored(run: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < run.length; at += STORED_LIMIT) {
    const piece = run.subarray(at, at + STORED_LIMIT);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(piece.length, 1);
    header.writeUInt16LE(~piece.length & 0xffff, 3);
    parts.push(header, piece);
  }
  return parts;
}

interface Run {
  readonly from: number;
  readonly to: number;
  readonly random: boolean;
}

/** Neighbours of one kind together; short runs of random bytes go with what is around them. */
function runsOf(bytes: Uint8Array): readonly Run[] {
  const runs: { from: number; to: number; random: boolean }[] = [];
  const add = (run: Run): void => {
    const last = runs.at(-1);
    if (last?.random === run.random) last.to = run.to;
    else runs.push({ ...run });
  };
  let from = 0;
  let random = false;
  const close = (to: number): void => {
    if (to > from) add({ from, to, random: random && to - from >= SHORTEST_RUN });
  };
  for (let at = 0; at < bytes.length; at += BLOCK) {
    const block = bytes.subarray(at, at + BLOCK);
    const looks = block.length === BLOCK && looksRandom(block, 0) && looksRandom(block, BLOCK - SAMPLE);
    if (looks === random) continue;
    close(at);
    [from, random] = [at, looks];
  }
  close(bytes.length);
  return runs;
}

const counts = new Uint16Array(256);

function looksRandom(block: Uint8Array, from: number): boolean {
  counts.fill(0);
  let squares = 0;
  for (let at = from; at < from + SAMPLE; at++) {
    const value = block[at] as number;
    const before = counts[value] as number;
    squares += 2 * before + 1; // (n + 1)² - n²
    counts[value] = before + 1;
  }
  return (squares * 256) / SAMPLE - SAMPLE < RANDOM_BELOW;
}
