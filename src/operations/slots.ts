/** Room for so much work at a time. */
export interface Slots {
  /** Waits for room, then works. Of what waits, the longest goes first, so that no long one is left alone at the end. */
  run<Result>(expectedMs: number, work: () => Promise<Result>): Promise<Result>;
}

export function slots(count: number): Slots {
  const waiting: { readonly expectedMs: number; readonly start: () => void }[] = [];
  let free = count;
  return {
    async run(expectedMs, work) {
      await new Promise<void>((start) => {
        const place = waiting.findIndex((other) => other.expectedMs < expectedMs);
        waiting.splice(place < 0 ? waiting.length : place, 0, { expectedMs, start });
        queueMicrotask(next); // all that comes at the same moment is compared before the first is chosen
      });
      try {
        return await work();
      } finally {
        free += 1;
        next();
      }
    },
  };
  function next(): void {
    if (free === 0) return;
    const chosen = waiting.shift();
    if (chosen === undefined) return;
    free -= 1;
    chosen.start();
  }
}
