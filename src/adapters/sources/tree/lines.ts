const LIMIT = 100;
/** A path may have many thousand bytes, each of which may be printed in four characters. */
const LONGEST = 600;

/** Both ends of a line that nobody would read, and how long it is, so that two of them are not taken for one. */
const shortened = (line: string): string =>
  line.length <= LONGEST ? line : `${line.slice(0, 250)} … (${line.length} characters) … ${line.slice(-250)}`;

/** Lines for a manifest, the same one once: the first hundred, the last of which then says how many more there were. */
export interface Lines {
  add(line: string): void;
  list(): readonly string[];
  /** Another collection that begins with these. */
  copy(): Lines;
}

export function boundedLines(begun: readonly string[] = [], before = 0): Lines {
  const kept = [...begun];
  let count = before;
  return {
    add(whole) {
      const line = shortened(whole);
      if (kept.includes(line)) return; // find and tar may both complain of one folder
      count += 1;
      if (kept.length < LIMIT) kept.push(line);
    },
    list: () => (count <= LIMIT ? [...kept] : [...kept.slice(0, LIMIT - 1), `… and ${count - LIMIT + 1} more`]),
    copy: () => boundedLines(kept, count),
  };
}
