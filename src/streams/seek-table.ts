import { crc32 } from 'node:zlib';
import type { Compression } from '../domain/storage.ts';
import { SEEK_TABLE_MAGIC, SKIPPABLE_HEADER, skippableContent, skippableFrame } from './skippable.ts';

/** Where the frames of a file are, as zstd's seekable format says it (zstd,
 *  contrib/seekable_format/zstd_seekable_compression_format.md, version 0.1.0): per frame its stored size, its plain
 *  size and a checksum of the plain bytes, 32 bits each; a skippable frame has the plain size 0. The checksum is the one
 *  that the frame itself ends with: the lower half of XXH64 for zstd, CRC-32 for gzip, and CRC-32 for plain bytes. */
export interface SeekTable {
  readonly frames: number;
  /** Where frame `i` begins in the file and in the plain stream; `frames` gives where the last one ends. */
  packedStart(i: number): number;
  /** All of these, `frames` too. */
  readonly packedStarts: ArrayLike<number>;
  plainStart(i: number): number;
  checksum(i: number): number;
  /** The frame that has this plain byte. */
  frameAt(plainOffset: number): number;
}

/** The checksum of a frame's plain bytes: read from the end of the packed frame, made for plain bytes. */
export function frameChecksum(format: Compression['format'], pieces: readonly Uint8Array[]): number {
  if (format === 'none') return pieces.reduce((sum, piece) => crc32(piece, sum), 0);
  const end = Buffer.concat(pieces.slice(-2).map((piece) => piece.subarray(-8)));
  const at = end.length - (format === 'zstd' ? 4 : 8); // gzip has the plain size behind it
  return at < 0 ? 0 : end.readUInt32LE(at);
}

const FOOTER_MAGIC = 0x8f92eab1;
const ENTRY = 12;
const FOOTER = 9;
const HAS_CHECKSUMS = 0x80;

/** Collects the entries while the frames are written; 12 bytes a frame are kept. */
export interface SeekTableWriter {
  add(packedSize: number, plainSize: number, checksum: number): void;
  /** The table as the last frame of the file. */
  frame(): Uint8Array;
}

export function seekTableWriter(): SeekTableWriter {
  let entries = new Uint32Array(3 * 256);
  let used = 0;
  return {
    add(packedSize, plainSize, checksum) {
      if (used === entries.length) {
        const longer = new Uint32Array(entries.length * 2);
        longer.set(entries);
        entries = longer;
      }
      entries.set([packedSize, plainSize, checksum], used);
      used += 3;
    },
    frame() {
      const content = Buffer.alloc(used * 4 + FOOTER);
      for (let i = 0; i < used; i++) content.writeUInt32LE(entries[i] ?? 0, i * 4);
      content.writeUInt32LE(used / 3, used * 4);
      content.writeUInt8(HAS_CHECKSUMS, used * 4 + 4);
      content.writeUInt32LE(FOOTER_MAGIC, used * 4 + 5);
      return skippableFrame(SEEK_TABLE_MAGIC, content);
    },
  };
}

/** How long the table's whole frame is, told by the last {@link SEEK_TABLE_TAIL} bytes of a file; null when they are no
 *  footer of a table with checksums. */
export function seekTableLength(tail: Uint8Array): number | null {
  if (tail.length < FOOTER) return null;
  const view = new DataView(tail.buffer, tail.byteOffset + tail.length - FOOTER, FOOTER);
  if (view.getUint32(5, true) !== FOOTER_MAGIC || view.getUint8(4) !== HAS_CHECKSUMS) return null;
  return SKIPPABLE_HEADER + view.getUint32(0, true) * ENTRY + FOOTER;
}

export const SEEK_TABLE_TAIL = FOOTER;

/** Reads the table's whole frame; null when it is none. */
export function parseSeekTable(frame: Uint8Array): SeekTable | null {
  const content = skippableContent(frame, SEEK_TABLE_MAGIC);
  if (content === null || seekTableLength(content) !== frame.length) return null;
  const frames = (content.length - FOOTER) / ENTRY;
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const packed = new Float64Array(frames + 1);
  const plain = new Float64Array(frames + 1);
  for (let i = 0; i < frames; i++) {
    packed[i + 1] = (packed[i] ?? 0) + view.getUint32(i * ENTRY, true);
    plain[i + 1] = (plain[i] ?? 0) + view.getUint32(i * ENTRY + 4, true);
  }
  return {
    frames,
    packedStart: (i) => packed[i] ?? 0,
    packedStarts: packed,
    plainStart: (i) => plain[i] ?? 0,
    checksum: (i) => view.getUint32(i * ENTRY + 8, true),
    frameAt(plainOffset) {
      let [low, high] = [0, frames]; // the last frame that begins at or before the offset
      while (high - low > 1) {
        const middle = (low + high) >>> 1;
        if ((plain[middle] ?? 0) <= plainOffset) low = middle;
        else high = middle;
      }
      return low;
    },
  };
}
