import { BUFFER_SIZE, keepBuffer, takeBuffer } from '../ports/buffers.ts';
import { type Bytes, giveBack } from '../ports/bytes.ts';

/** Plain bytes in one frame: each is compressed, and can be read, by itself. */
export const FRAME_SIZE = BUFFER_SIZE;

/** A frame's plain bytes in a buffer that is used again after `release`. */
export interface Frame {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** To be called once. */
  release(): void;
}

const isShared = (chunk: Uint8Array): chunk is Uint8Array<SharedArrayBuffer> =>
  chunk.buffer instanceof SharedArrayBuffer;

/** Cuts a stream into frames of {@link FRAME_SIZE}; only the last one is shorter, and an empty stream is one empty
 *  frame. Buffers are shared memory, so that a hashing thread reads them without a copy; there are as many as frames
 *  are held at the same time. A chunk that is a frame in shared memory already is passed on as it is. */
export async function* framesOf(bytes: Bytes): AsyncGenerator<Frame> {
  let current: Uint8Array<SharedArrayBuffer> | null = null; // in which a frame begins
  let filled = 0;
  let none = true;
  function frame(whole: Uint8Array<SharedArrayBuffer>): Frame {
    const made = { bytes: whole.subarray(0, filled), release: () => keepBuffer(whole) };
    none = false;
    current = null;
    filled = 0;
    return made;
  }
  try {
    for await (const chunk of bytes) {
      if (filled === 0 && chunk.length === FRAME_SIZE && isShared(chunk)) {
        none = false;
        yield { bytes: chunk, release: () => giveBack(chunk) };
        continue;
      }
      for (let at = 0; at < chunk.length; ) {
        current ??= takeBuffer();
        const piece = chunk.subarray(at, at + FRAME_SIZE - filled);
        current.set(piece, filled);
        at += piece.length;
        filled += piece.length;
        if (filled === FRAME_SIZE) yield frame(current);
      }
      giveBack(chunk);
    }
    if (filled > 0 || none) yield frame(current ?? takeBuffer());
  } finally {
    if (current !== null) keepBuffer(current);
  }
}
