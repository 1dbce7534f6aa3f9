import { type Bytes, giveBack } from '../ports/bytes.ts';
import { waitingBytes } from './waiting-bytes.ts';

/** What may wait unless the machine has little memory left: an eighth of that then. */
const MOST_BYTES = 512 * 1024 ** 2;

/** Memory for bytes that wait, shared by all who read ahead at a time. */
export interface ReadAheadRoom {
  /** Whether no more may be read before some of what waits is taken. */
  isFull(): boolean;
  /** Bytes. */
  waiting(): number;
  /** Counts bytes that wait from now on; negative ones were taken. */
  add(bytes: number): void;
  /** Wakes who waits for `changed`. */
  tell(): void;
  /** Resolves at the next `add` or `tell`. */
  changed(): Promise<void>;
}

/** @param limit bytes; a group that may have no more memory has 0 of it, and then each chunk is given as it comes */
export function readAheadRoom(limit = Math.min(MOST_BYTES, process.availableMemory() / 8)): ReadAheadRoom {
  let used = 0;
  let change = Promise.withResolvers<void>();
  const tell = (): void => {
    change.resolve();
    change = Promise.withResolvers();
  };
  return {
    tell,
    isFull: () => used > 0 && used >= limit,
    waiting: () => used,
    add(bytes) {
      used += bytes;
      tell();
    },
    changed: () => change.promise,
  };
}

/** Reads as far ahead of whoever takes the bytes as there is room: what is down while they are read need not wait until
 *  they are packed, nor share the processors with that. So bytes are given only while the room is full, and what is left
 *  then when all was read and `onEnd` has resolved.
 *  @param read given a signal that is aborted as well when nobody takes the bytes any more
 *  @param onEnd called when the last byte was read
 *  @throws what `read` throws, at once: the item is none, and what is down need not wait until the rest is packed; what
 *  `onEnd` throws */
export async function* readAhead(
  read: (signal: AbortSignal) => Bytes,
  signal: AbortSignal,
  room: ReadAheadRoom,
  onEnd: () => Promise<void>,
): Bytes {
  const left = new AbortController();
  const until = AbortSignal.any([signal, left.signal]);
  const waiting = waitingBytes();
  let ended: PromiseSettledResult<void> | null = null;
  async function readAll(): Promise<void> {
    for await (const chunk of read(until)) {
      const { length } = chunk;
      waiting.put(chunk);
      room.add(length);
      while (room.isFull() && !until.aborted) await room.changed();
      until.throwIfAborted();
    }
    await onEnd();
  }
  until.addEventListener('abort', room.tell);
  const reading = Promise.allSettled([readAll()]).then(([one]) => {
    ended = one;
    room.tell();
  });
  // what is written from a callback is not seen by the compiler
  const outcome = (): typeof ended => ended;
  try {
    for (;;) {
      const end = outcome();
      if (end?.status === 'rejected') throw end.reason;
      const chunk = room.isFull() || end !== null ? waiting.take() : undefined;
      if (chunk !== undefined) {
        room.add(-chunk.length);
        yield chunk;
        continue;
      }
      if (end !== null) return;
      await room.changed();
    }
  } finally {
    left.abort(new Error('nobody takes the bytes any more'));
    await reading;
    for (let chunk = waiting.take(); chunk !== undefined; chunk = waiting.take()) {
      room.add(-chunk.length);
      giveBack(chunk);
    }
  }
}
