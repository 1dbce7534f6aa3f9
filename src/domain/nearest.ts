/** Levenshtein's distance, an exchange of two neighbours counting as one (optimal string alignment). */
function distance(left: string, right: string): number {
  let before: number[] = [];
  let above = Array.from({ length: right.length + 1 }, (_, column) => column);
  for (let row = 1; row <= left.length; row += 1) {
    const line = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      const exchanged = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      line.push(
        Math.min(
          (above[column - 1] ?? 0) + (same ? 0 : 1),
          (above[column] ?? 0) + 1,
          (line[column - 1] ?? 0) + 1,
          exchanged ? (before[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    before = above;
    above = line;
  }
  return above[right.length] ?? 0;
}

const LONGEST = 64;

/** The known word that was probably meant: at most a third of its letters away, upper and lower case alike. Null when
 *  none is near. Of two that are equally near the first wins. */
function nearest(word: string, known: Iterable<string>): string | null {
  if (word.length > LONGEST) return null;
  let best: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const away = distance(word.toLowerCase(), candidate.toLowerCase());
    const begins = word.length >= 3 && candidate.toLowerCase().startsWith(word.toLowerCase());
    const allowed = begins ? candidate.length : Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3));
    if (away <= allowed && away < least) [best, least] = [candidate, away];
  }
  return best;
}

/** ` Did you mean "x"?` with a space before it, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const meant = nearest(word, known);
  return meant === null ? '' : ` Did you mean "${meant}"?`;
}
