import type { Captured, CapturedStream } from '../../../ports/source.ts';

type Fixed = Omit<CapturedStream, 'type' | 'bytes' | 'completed'>;

/** An item whose bytes are made when they are read. `produce` gives the bytes and returns what was captured, or throws
 *  when its program failed, however much it gave. */
export function streamItem(
  fixed: Fixed,
  produce: (signal: AbortSignal) => AsyncGenerator<Uint8Array, Captured>,
): CapturedStream {
  let captured: Captured | null = null;
  return {
    ...fixed,
    type: 'stream',
    async *bytes(signal) {
      captured = null;
      signal.throwIfAborted();
      const found = yield* produce(signal);
      signal.throwIfAborted();
      captured = found;
    },
    completed() {
      if (captured === null) throw new Error(`${fixed.name} was not read to its end`);
      return captured;
    },
  };
}
