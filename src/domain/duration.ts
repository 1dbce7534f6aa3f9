import { HoldfastError } from './errors.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
type Letter = keyof typeof SECONDS;

/** One or more counts with a letter, largest unit first by custom: `36h`, `1h30m`, `7d`. Seconds, minutes, hours, days of
 *  24 hours, weeks. Months are left out: they have no length. */
export const DURATION_PATTERN = /^(?:\d{1,9}[smhdw])+$/;

/** True when {@link parseDuration} would return a number above zero. */
export const isPositiveDuration = (text: string): boolean => DURATION_PATTERN.test(text) && /[1-9]/.test(text);

/** A duration in seconds. @throws HoldfastError `Usage` when it is none */
export function parseDuration(text: string): number {
  if (!DURATION_PATTERN.test(text))
    throw new HoldfastError('Usage', `"${text}" is no duration: write 90s, 5m, 36h, 7d or 2w.`, text);
  let seconds = 0;
  for (const [, count, letter] of text.matchAll(/(\d+)([smhdw])/g))
    seconds += Number(count) * SECONDS[letter as Letter];
  return seconds;
}

const PRINTED: readonly Letter[] = ['w', 'd', 'h', 'm', 's'];

/** A duration for people, its two largest units: `1w 2d`, `3m 20s`, `1.4s`, `40ms`. Seconds in; below ten with one
 *  decimal, below one as milliseconds. */
export function formatDuration(seconds: number): string {
  if (seconds < 0) return `-${formatDuration(-seconds)}`;
  if (seconds > 0 && seconds < 0.9995) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))}s`;
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const letter of PRINTED) {
    const count = Math.floor(rest / SECONDS[letter]);
    rest -= count * SECONDS[letter];
    if (count > 0) parts.push(`${count}${letter}`);
    else if (parts.length > 0) break; // 1d 5s would look more exact than it reads
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}
