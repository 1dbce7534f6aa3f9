import { giveBack } from '../ports/bytes.ts';

/** Smaller chunks are put together in blocks: each costs as much as some hundred bytes. */
const SMALL_BYTES = 64 * 1024;
const BLOCK_BYTES = 1024 ** 2;

/** Bytes that wait to be taken, in order. */
export interface WaitingBytes {
  /** What is copied is given back. */
  put(chunk: Uint8Array): void;
  take(): Uint8Array | undefined;
}

/** Keeps at most about twice the memory of the bytes that wait: a small part of a buffer, which would keep all of it, is
 *  copied. */
export function waitingBytes(): WaitingBytes {
  const chunks: Uint8Array[] = [];
  let block = new Uint8Array(0);
  let filled = 0;
  return {
    put(chunk) {
      if (chunk.length >= SMALL_BYTES && chunk.length * 2 >= chunk.buffer.byteLength) return void chunks.push(chunk);
      if (filled + chunk.length > block.length) {
        block = new Uint8Array(Math.max(BLOCK_BYTES, chunk.length));
        filled = 0;
      }
      block.set(chunk, filled);
      const last = chunks.at(-1);
      const from = last?.buffer === block.buffer ? last.byteOffset : filled; // it ends where this begins
      if (from < filled) chunks.pop();
      filled += chunk.length;
      chunks.push(block.subarray(from, filled));
      giveBack(chunk);
    },
    take: () => chunks.shift(),
  };
}
