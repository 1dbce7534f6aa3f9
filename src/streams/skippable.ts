/** Skippable frames of zstd (RFC 8878, section 3.1.2): a magic number, a length, and bytes that every decoder passes
 *  over. The seek table and the index of members are kept in them. Numbers are little-endian. */

/** The index of members; the lower four bits are free to choose. */
export const INDEX_MAGIC = 0x184d2a51;
/** The seek table (zstd, contrib/seekable_format/zstd_seekable_compression_format.md). */
export const SEEK_TABLE_MAGIC = 0x184d2a5e;
/** Bytes before the content. */
export const SKIPPABLE_HEADER = 8;

export function skippableFrame(magic: number, content: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(SKIPPABLE_HEADER + content.length);
  frame.writeUInt32LE(magic, 0);
  frame.writeUInt32LE(content.length, 4);
  frame.set(content, SKIPPABLE_HEADER);
  return frame;
}

/** The content of a frame that fills `bytes` exactly; null when it is not one of this magic. */
export function skippableContent(bytes: Uint8Array, magic: number): Uint8Array | null {
  if (bytes.length < SKIPPABLE_HEADER) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = view.getUint32(0, true) === magic && view.getUint32(4, true) === bytes.length - SKIPPABLE_HEADER;
  return whole ? bytes.subarray(SKIPPABLE_HEADER) : null;
}
