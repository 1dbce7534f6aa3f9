import { HoldfastError } from './errors.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
const RELATIVE = /^((?:\d+\s*[smhdw]\s*)+)(?:ago)?$/i;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?$/i;

/** The moment that a person means with `--at`:
 *  - an ISO 8601 instant (`2026-11-20T02:00:00Z`, `…+01:00`);
 *  - a date and time in `zone` (`2026-11-20 02:00`); of one that comes twice, the first;
 *  - a date: its last second in `zone`, so that all points of that day are at or before it;
 *  - a time before `now`: `36h`, `2h ago`, `1d 12h`, in s, m, h, d (24 h), w.
 *  @throws HoldfastError `Usage` for anything else */
export function parsePointInTime(text: string, now: Temporal.Instant, zone: string): Temporal.Instant {
  const trimmed = text.trim();
  const relative = RELATIVE.exec(trimmed)?.[1];
  try {
    if (relative !== undefined) return now.subtract({ seconds: secondsOf(relative) });
    if (DATE.test(trimmed)) {
      const next = Temporal.PlainDate.from(trimmed).add({ days: 1 }).toZonedDateTime(zone);
      return next.subtract({ seconds: 1 }).toInstant();
    }
    if (DATE_TIME.test(trimmed)) {
      return Temporal.PlainDateTime.from(trimmed.replace(' ', 'T')).toZonedDateTime(zone).toInstant();
    }
    return Temporal.Instant.from(trimmed.replace(' ', 'T'));
  } catch (cause) {
    throw new HoldfastError('Usage', `"${text}" is no time.`, text, {
      cause,
      hint: 'Examples: 2026-11-20T02:00:00Z, "2026-11-20 02:00", 2026-11-20, 36h, "2h ago"',
    });
  }
}

function secondsOf(words: string): number {
  let seconds = 0;
  for (const [, count, unit] of words.matchAll(/(\d+)\s*([smhdw])/gi)) {
    seconds += Number(count) * SECONDS[unit?.toLowerCase() as keyof typeof SECONDS];
  }
  return seconds;
}
