import { HoldfastError } from './errors.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const;
const UNIT = '(?:s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?)';
const RELATIVE = new RegExp(`^(-?)((?:\\d+\\s*${UNIT}\\s*)+)(ago)?$`, 'i');
const DAY = /^(today|yesterday|\d{4}-\d{2}-\d{2})$/i;
const TIME = /^\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/;
/** A day before its time, as `2026-11-20T02:00` and `yesterday 12:00` have it. */
const DAY_AND_TIME = /^(today|yesterday|\d{4}-\d{2}-\d{2})(?:[T ]\s*|,\s*)(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)$/i;

/** The moment that a person means with `--at`:
 *  - an ISO 8601 instant (`2026-11-20T02:00:00Z`, `…+01:00`);
 *  - a day and a time in `zone` (`2026-11-20 02:00`, `yesterday 12:00`); of one that comes twice, the first;
 *  - a time (`12:00`): the last time that it was so, today or yesterday;
 *  - a day (`2026-11-20`, `yesterday`): its last second in `zone`, so that all points of that day are at or before it;
 *  - `now`, or a time before it: `36h`, `-36h`, `2h ago`, `1d 12h`, `3 days ago`, in s, m, h, d (24 h), w.
 *  @throws HoldfastError `Usage` for anything else */
export function parsePointInTime(text: string, now: Temporal.Instant, zone: string): Temporal.Instant {
  const trimmed = text.trim();
  const today = now.toZonedDateTimeISO(zone).toPlainDate();
  try {
    if (/^now$/i.test(trimmed)) return now;
    const [, minus = '', relative, ago] = RELATIVE.exec(trimmed) ?? [];
    if (relative !== undefined && !(minus !== '' && ago !== undefined))
      return now.subtract({ seconds: secondsOf(relative) });
    if (DAY.test(trimmed)) {
      return dayOf(trimmed, today).add({ days: 1 }).toZonedDateTime(zone).subtract({ seconds: 1 }).toInstant();
    }
    if (TIME.test(trimmed)) {
      const here = instantOf(today, trimmed, zone);
      const isToCome = Temporal.Instant.compare(here, now) > 0;
      return isToCome ? instantOf(today.subtract({ days: 1 }), trimmed, zone) : here;
    }
    const [, day, time] = DAY_AND_TIME.exec(trimmed) ?? [];
    if (day !== undefined && time !== undefined) return instantOf(dayOf(day, today), time, zone);
    return Temporal.Instant.from(trimmed.replace(' ', 'T'));
  } catch (cause) {
    throw new HoldfastError('Usage', `"${text}" is no time.`, text, {
      cause,
      hint: 'Write 2026-11-20T02:00:00Z, "2026-11-20 02:00", 2026-11-20, 12:00, yesterday, "yesterday 12:00", now, 36h or "2h ago"',
    });
  }
}

function dayOf(words: string, today: Temporal.PlainDate): Temporal.PlainDate {
  if (/^today$/i.test(words)) return today;
  return /^yesterday$/i.test(words) ? today.subtract({ days: 1 }) : Temporal.PlainDate.from(words);
}

function instantOf(day: Temporal.PlainDate, time: string, zone: string): Temporal.Instant {
  const plainTime = Temporal.PlainTime.from(time.padStart(time.indexOf(':') === 1 ? time.length + 1 : 0, '0'));
  return day.toZonedDateTime({ timeZone: zone, plainTime }).toInstant();
}

function secondsOf(words: string): number {
  let seconds = 0;
  for (const [, count, unit] of words.matchAll(/(\d+)\s*([smhdw])/gi)) {
    seconds += Number(count) * SECONDS[unit?.toLowerCase() as keyof typeof SECONDS];
  }
  return seconds;
}
