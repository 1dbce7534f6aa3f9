const LIMIT = 100;

/** Collects lines for a manifest, the same one once: the first hundred, the last of which then says how many more there were. */
export function boundedLines(): { add(line: string): void; readonly count: number; list(): readonly string[] } {
  const kept: string[] = [];
  let count = 0;
  return {
    add(line) {
      if (kept.includes(line)) return; // find and tar may both complain of one folder
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
