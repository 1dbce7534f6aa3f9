import type { Clock } from '../../src/ports/clock.ts';

/** A clock that only moves when it is told to, or when somebody sleeps. */
export interface TestClock extends Clock {
  /** Time goes by, for both clocks. */
  advance(duration: Temporal.DurationLike): void;
  /** The wall clock is set, as a person or a time server does it; the other one goes on. */
  set(time: string): void;
}

export function testClock(start: string): TestClock {
  let now = Temporal.Instant.from(start);
  let monotonicMs = 0;
  const advance = (duration: Temporal.DurationLike): void => {
    const milliseconds = Temporal.Duration.from(duration).total('milliseconds');
    now = now.add({ milliseconds });
    monotonicMs += milliseconds;
  };
  return {
    now: () => now,
    monotonicMs: () => monotonicMs,
    async sleep(milliseconds, signal) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => setImmediate(resolve)); // others go on meanwhile
      signal.throwIfAborted();
      advance({ milliseconds });
    },
    advance,
    set: (time) => {
      now = Temporal.Instant.from(time);
    },
  };
}
