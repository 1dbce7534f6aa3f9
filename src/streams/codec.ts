import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Compression } from '../domain/storage.ts';
import { engines } from './engines.ts';
import { FRAME_SIZE } from './frames.ts';
import { gzipMember } from './gzip-member.ts';

const { ZSTD_c_checksumFlag, ZSTD_c_compressionLevel, ZSTD_c_windowLog, ZSTD_e_end } = zlib.constants;
const gunzip = promisify(zlib.gunzip);

/** Frames that are packed or unpacked at the same time on libuv's pool: more only take memory. */
export const FRAMES_IN_FLIGHT = Math.min(availableParallelism() + 1, 10);

/** Pieces in which zstd gives its output: of 64 KiB it took a third more time, of a whole frame too. */
const ZSTD_CHUNK = 1024 ** 2;

/** Packs frames, each by itself, so that it can be unpacked alone. */
export interface Packer extends Disposable {
  pack(frame: Uint8Array): Promise<readonly Uint8Array[]>;
}

export function packer(compression: Compression): Packer {
  if (compression.format === 'zstd') {
    const params = {
      [ZSTD_c_compressionLevel]: compression.level,
      [ZSTD_c_checksumFlag]: 1,
      [ZSTD_c_windowLog]: Math.log2(FRAME_SIZE), // a window as long as the frame never wraps: a sixth less time
    };
    // With `flush` at the end of a frame each write is one frame, which therefore says its plain size.
    const zstd = engines(() => zlib.createZstdCompress({ params, flush: ZSTD_e_end, chunkSize: ZSTD_CHUNK }));
    return { pack: zstd.run, [Symbol.dispose]: () => zstd[Symbol.dispose]() };
  }
  const pack =
    compression.format === 'gzip'
      ? async (frame: Uint8Array) => [await gzipMember(frame, compression.level)]
      : async (frame: Uint8Array) => [Uint8Array.from(frame)]; // a copy: the frame's buffer is used again
  return { pack, [Symbol.dispose]: () => {} };
}

/** Unpacks frames whose plain sizes are known. */
export interface Unpacker extends Disposable {
  /** @throws Damaged when the frame does not give exactly `size` bytes, or not those its checksum is of */
  unpack(packed: Uint8Array, size: number): Promise<Uint8Array>;
}

export function unpacker(format: Compression['format'], subject: string): Unpacker {
  const zstd = engines(() => zlib.createZstdDecompress({ chunkSize: FRAME_SIZE }));
  async function unpack(packed: Uint8Array, size: number): Promise<Uint8Array> {
    if (format === 'none') return packed;
    if (format === 'gzip') return await gunzip(packed, { chunkSize: Math.max(size, 1024), maxOutputLength: size + 1 });
    const pieces = await zstd.run(packed);
    const [only] = pieces;
    return pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces);
  }
  return {
    async unpack(packed, size) {
      try {
        const plain = await unpack(packed, size);
        if (plain.length === size) return plain;
        throw new RangeError(`${plain.length} bytes instead of ${size}`);
      } catch (cause) {
        const words = `A frame of ${subject} cannot be unpacked: ${messageOf(cause)}.`;
        throw new HoldfastError('Damaged', words, subject, { cause });
      }
    },
    [Symbol.dispose]: () => zstd[Symbol.dispose](),
  };
}

/** Packs a block of the index, as one zstd frame with a checksum. */
export const compressBlock = (bytes: Uint8Array): Uint8Array =>
  zlib.zstdCompressSync(bytes, {
    chunkSize: 64 * 1024,
    pledgedSrcSize: bytes.length,
    params: { [ZSTD_c_compressionLevel]: 3, [ZSTD_c_checksumFlag]: 1 },
  });

/** Unpacks a block of the index; null when it is damaged or has more than `limit` bytes. */
export function decompressBlock(packed: Uint8Array, limit: number): Uint8Array | null {
  try {
    return zlib.zstdDecompressSync(packed, { chunkSize: 512 * 1024, maxOutputLength: limit });
  } catch {
    return null; // the index is then rebuilt from the tar, so that nothing is lost
  }
}
