const LIMIT = 100;

/** Collects lines for a manifest: the first hundred, the last of which then says how many more there were. */
export function boundedLines(): { add(line: string): void; readonly count: number; list(): readonly string[] } {
  const kept: string[] = [];
  let count = 0;
  return {
    add(line) {
      count += 1;
      if (kept.length < LIMIT) kept.push(line);
    },
    get count() {
      return count;
    },
    list: () => (count <= LIMIT ? [...kept] : [...kept.slice(0, LIMIT - 1), `… and ${count - LIMIT + 1} more`]),
  };
}
export type Lines = ReturnType<typeof boundedLines>;
