/** A stream of bytes. Iterating it to the end is the only way to know that it is whole: whoever produces it throws
 *  at the end when it is not (a producer that failed, a hash that differs). Leaving the loop early releases it.
 *  A chunk belongs to the reader and is never changed afterwards, unless the reader gives it back. */
export type Bytes = AsyncIterable<Uint8Array>;

const lenders = new WeakMap<Uint8Array, () => void>();

/** Marks a chunk whose producer would like to fill its memory again: fresh memory costs more than what passes in it.
 *  @returns the chunk */
export function lend<Chunk extends Uint8Array>(chunk: Chunk, takeBack: () => void): Chunk {
  lenders.set(chunk, takeBack);
  return chunk;
}

/** Says that nobody looks at a chunk any more, nor at a part of it: only for a reader that knows. Most do not call it. */
export function giveBack(chunk: Uint8Array): void {
  lenders.get(chunk)?.();
  lenders.delete(chunk);
}

/** Parts of a chunk, for a reader that gives on only some of it. */
export interface Cut {
  part(from: number, to: number): Uint8Array;
  /** No more parts will be taken: the chunk goes back to its producer once each of them was given back. */
  end(): void;
}

export function cut(chunk: Uint8Array): Cut {
  let held = 1; // by the cut itself
  const release = (): void => {
    held -= 1;
    if (held === 0) giveBack(chunk);
  };
  return {
    part(from, to) {
      held += 1;
      return lend(chunk.subarray(from, to), release);
    },
    end: release,
  };
}
