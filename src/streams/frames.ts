import { type Bytes, giveBack } from '../ports/bytes.ts';

/** Plain bytes in one frame: each is compressed, and can be read, by itself. */
export const FRAME_SIZE = 4 * 1024 ** 2;

/** A frame's plain bytes in a buffer that is used again after `release`. */
export interface Frame {
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  release(): void;
}

const isShared = (chunk: Uint8Array): chunk is Uint8Array<SharedArrayBuffer> =>
  chunk.buffer instanceof SharedArrayBuffer;

/** Cuts a stream into frames of {@link FRAME_SIZE}; only the last one is shorter, and an empty stream is one empty
 *  frame. Buffers are shared memory, so that a hashing thread reads them without a copy; there are as many as frames
 *  are held at the same time. A chunk that is a frame in shared memory already is passed on as it is. */
export async function* framesOf(bytes: Bytes): AsyncGenerator<Frame> {
  const free: Uint8Array<SharedArrayBuffer>[] = [];
  const buffer = () => free.pop() ?? new Uint8Array(new SharedArrayBuffer(FRAME_SIZE));
  const frame = (whole: Uint8Array<SharedArrayBuffer>, length: number): Frame => ({
    bytes: whole.subarray(0, length),
    release: () => void free.push(whole),
  });
  let current = buffer();
  let filled = 0;
  let none = true;
  for await (const chunk of bytes) {
    if (filled === 0 && chunk.length === FRAME_SIZE && isShared(chunk)) {
      yield { bytes: chunk, release: () => giveBack(chunk) };
      none = false;
      continue;
    }
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + FRAME_SIZE - filled);
      current.set(piece, filled);
      at += piece.length;
      filled += piece.length;
      if (filled < FRAME_SIZE) continue;
      yield frame(current, filled);
      none = false;
      current = buffer();
      filled = 0;
    }
    giveBack(chunk);
  }
  if (filled > 0 || none) yield frame(current, filled);
}
