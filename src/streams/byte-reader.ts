import { HoldfastError } from '../domain/errors.ts';
import type { Bytes } from '../ports/bytes.ts';

/** Takes exact lengths out of a stream. */
export interface ByteReader extends AsyncDisposable {
  /** The next `length` bytes. @throws Damaged when the stream ends before */
  take(length: number): Promise<Uint8Array>;
  /** As {@link ByteReader.take}, but null when nothing at all is left. */
  takeOrEnd(length: number): Promise<Uint8Array | null>;
  /** The next `length` bytes in pieces as they come. @throws Damaged when the stream ends before */
  pieces(length: number): Bytes;
  /** Reads the rest and drops it: only then is the stream proved to its end. */
  drain(): Promise<void>;
}

export function byteReader(bytes: Bytes, subject: string): ByteReader {
  const iterator = bytes[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  let position = 0;

  const cutOff = (): HoldfastError =>
    new HoldfastError('Damaged', `${subject} is cut off after ${position} bytes.`, subject);

  async function* pieces(length: number): Bytes {
    for (let missing = length; missing > 0; ) {
      if (rest.length === 0) {
        const next = await iterator.next();
        if (next.done) throw cutOff();
        rest = next.value;
        continue;
      }
      const piece = rest.subarray(0, missing);
      rest = rest.subarray(piece.length);
      missing -= piece.length;
      position += piece.length;
      yield piece;
    }
  }

  async function take(length: number): Promise<Uint8Array> {
    const taken: Uint8Array[] = [];
    for await (const piece of pieces(length)) taken.push(piece);
    const [only] = taken;
    return taken.length === 1 && only !== undefined ? only : Buffer.concat(taken, length);
  }

  async function atEnd(): Promise<boolean> {
    while (rest.length === 0) {
      const next = await iterator.next();
      if (next.done) return true;
      rest = next.value;
    }
    return false;
  }

  return {
    pieces,
    take,
    takeOrEnd: async (length) => ((await atEnd()) ? null : await take(length)),
    async drain() {
      rest = new Uint8Array(0);
      while (!(await iterator.next()).done);
    },
    [Symbol.asyncDispose]: async () => void (await iterator.return?.()),
  };
}
