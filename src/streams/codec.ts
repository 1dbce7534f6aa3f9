import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { HoldfastError } from '../domain/errors.ts';
import type { Compression } from '../domain/storage.ts';

const { ZSTD_c_checksumFlag, ZSTD_c_compressionLevel } = zlib.constants;
const zstdCompress = promisify(zlib.zstdCompress);
const zstdDecompress = promisify(zlib.zstdDecompress);
const gzip = promisify(zlib.gzip);
const gunzip = promisify(zlib.gunzip);

/** Frames that are compressed or decompressed at the same time on libuv's pool: more only take memory. */
export const FRAMES_IN_FLIGHT = Math.min(availableParallelism() + 2, 10);

/** The most that zstd and deflate can make of `size` bytes that do not compress, generously (zstd.h,
 *  ZSTD_COMPRESSBOUND; zlib's deflateBound). An output buffer of this size is filled in one step. */
const bound = (size: number): number => size + (size >>> 8) + 4096;

/** Packs one frame by itself. The result of `none` is a copy, since the frame's buffer is used again. */
export async function compressFrame(bytes: Uint8Array, compression: Compression): Promise<Uint8Array> {
  const chunkSize = bound(bytes.length);
  if (compression.format === 'none') return Uint8Array.from(bytes);
  if (compression.format === 'gzip') return await gzip(bytes, { level: compression.level, chunkSize });
  return await zstdCompress(bytes, {
    chunkSize,
    pledgedSrcSize: bytes.length, // so that the frame says its own size
    params: { [ZSTD_c_compressionLevel]: compression.level, [ZSTD_c_checksumFlag]: 1 },
  });
}

/** Unpacks one frame, or several that stand one after the other, whose plain size is known.
 *  @throws Damaged when it does not give exactly `size` bytes; checksums of zstd and gzip are compared */
export async function decompressFrame(
  packed: Uint8Array,
  format: Compression['format'],
  size: number,
  subject: string,
): Promise<Uint8Array> {
  if (format === 'none') return packed;
  const options = { chunkSize: Math.max(size + 64, 1024), maxOutputLength: size + 1 };
  try {
    const plain = await (format === 'zstd' ? zstdDecompress : gunzip)(packed, options);
    if (plain.length === size) return plain;
    throw new RangeError(`${plain.length} bytes instead of ${size}`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError('Damaged', `A frame of ${subject} cannot be decompressed: ${why}.`, subject, { cause });
  }
}

/** Unpacks a block that is small enough to be done at once; null when it is damaged. */
export function decompressBlock(packed: Uint8Array, limit: number): Uint8Array | null {
  try {
    return zlib.zstdDecompressSync(packed, { chunkSize: 512 * 1024, maxOutputLength: limit });
  } catch {
    return null; // the index is then rebuilt from the tar, so that nothing is lost
  }
}

/** Packs a block of the index, as one zstd frame with a checksum. */
export const compressBlock = (bytes: Uint8Array): Uint8Array =>
  zlib.zstdCompressSync(bytes, {
    chunkSize: bound(bytes.length),
    pledgedSrcSize: bytes.length,
    params: { [ZSTD_c_compressionLevel]: 3, [ZSTD_c_checksumFlag]: 1 },
  });
