import { closeSync, openSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { incremented, ulid } from '../domain/ulid.ts';
import type { Clock, Identifiers } from '../ports/clock.ts';

/** Longer timers fire at once: Node keeps the delay in 31 bits. */
const LONGEST_TIMER_MS = 86_400_000;

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Temporal.Now.instant(),
  monotonicMs: () => performance.now(),
  async sleep(milliseconds, signal) {
    const end = performance.now() + milliseconds;
    do {
      signal.throwIfAborted();
      const delay = Math.max(0, Math.min(end - performance.now(), LONGEST_TIMER_MS));
      // the timer rejects with an AbortError of its own; the port promises the signal's reason
      await setTimeout(delay, undefined, { signal }).catch(() => signal.throwIfAborted());
    } while (performance.now() < end);
  },
};

/** From the kernel itself: node:crypto takes 10 ms of a start. Up to 256 bytes come whole, random(4). */
function randomBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const file = openSync('/dev/urandom', 'r');
  try {
    if (readSync(file, bytes) === size) return bytes;
  } finally {
    closeSync(file);
  }
  throw new Error('/dev/urandom gave less than was asked for');
}

/** ULIDs that sort in the order they were asked for, also when many are made in one millisecond or the clock goes back
 *  a little: the last time is then used again with the next higher number (the specification's "monotonicity"). A clock
 *  that jumped back by more than a second is believed. */
export function ulids(random: (bytes: number) => Uint8Array = randomBytes): Identifiers {
  const toleranceMs = 1000;
  let last = { milliseconds: 0, random: new Uint8Array(10) as Uint8Array };
  return {
    next(at) {
      const milliseconds = at.epochMilliseconds;
      const repeated = milliseconds <= last.milliseconds && milliseconds > last.milliseconds - toleranceMs;
      const higher = repeated ? incremented(last.random) : random(10);
      // all 80 bits were set: the next millisecond is borrowed
      last =
        higher === null
          ? { milliseconds: last.milliseconds + 1, random: random(10) }
          : { milliseconds: repeated ? last.milliseconds : milliseconds, random: higher };
      return ulid(last.milliseconds, last.random);
    },
  };
}
