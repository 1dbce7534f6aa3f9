import { HoldfastError } from '../../../domain/errors.ts';

type Time = Temporal.ZonedDateTime;
/** What a name says of its time; `epoch` alone is enough. */
interface Parts {
  year?: number;
  month?: number;
  day?: number;
  dayOfYear?: number;
  hour?: number;
  halfDayHour?: number;
  afternoon?: boolean;
  minute?: number;
  second?: number;
  epoch?: number;
}
interface Conversion {
  readonly print: (time: Time) => string;
  /** A regular expression of what `print` gives, without groups. */
  readonly matches: string;
  readonly read?: (text: string, parts: Parts) => void;
}

const digits = (number: number, width: number): string => String(number).padStart(width, '0');
const english = (options: Intl.DateTimeFormatOptions) => (time: Time) =>
  time.toPlainDate().toLocaleString('en-US', { ...options, calendar: 'iso8601' });
const weekdayName = (style: 'short' | 'long') => english({ weekday: style });
const monthName = (style: 'short' | 'long') => english({ month: style });
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const readMonth = (text: string, parts: Parts): void => {
  parts.month = MONTHS.indexOf(text.slice(0, 3).toLowerCase()) + 1;
};
const halfDay = (time: Time): number => time.hour % 12 || 12;
const number = (
  name: 'year' | 'month' | 'day' | 'dayOfYear' | 'hour' | 'halfDayHour' | 'minute' | 'second' | 'epoch',
) => {
  return (text: string, parts: Parts): void => {
    parts[name] = Number(text);
  };
};
/** Weeks of a year that begins with the days before its first `firstDay` (1 is Monday), as %U and %W count them. */
const weekFrom = (firstDay: number) => (time: Time) =>
  digits(Math.floor((time.dayOfYear + 6 - ((time.dayOfWeek - firstDay + 7) % 7)) / 7), 2);

/** Conversions of strftime(3) in the C locale that can stand in a file's name. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  Y: { print: (time) => digits(time.year, 4), matches: '\\d{4}', read: number('year') },
  y: {
    print: (time) => digits(time.year % 100, 2),
    matches: '\\d{2}',
    // POSIX: 69 to 99 are of the last century
    read: (text, parts) => {
      parts.year ??= Number(text) + (Number(text) < 69 ? 2000 : 1900);
    },
  },
  C: { print: (time) => digits(Math.floor(time.year / 100), 2), matches: '\\d{2}' },
  G: { print: (time) => digits(time.yearOfWeek ?? time.year, 4), matches: '\\d{4}' },
  m: { print: (time) => digits(time.month, 2), matches: '\\d{2}', read: number('month') },
  b: { print: monthName('short'), matches: '[A-Za-z]{3}', read: readMonth },
  h: { print: monthName('short'), matches: '[A-Za-z]{3}', read: readMonth },
  B: { print: monthName('long'), matches: '[A-Za-z]+', read: readMonth },
  d: { print: (time) => digits(time.day, 2), matches: '\\d{2}', read: number('day') },
  e: { print: (time) => String(time.day).padStart(2), matches: '[ \\d]\\d', read: number('day') },
  j: { print: (time) => digits(time.dayOfYear, 3), matches: '\\d{3}', read: number('dayOfYear') },
  a: { print: weekdayName('short'), matches: '[A-Za-z]{3}' },
  A: { print: weekdayName('long'), matches: '[A-Za-z]+' },
  u: { print: (time) => String(time.dayOfWeek), matches: '\\d' },
  w: { print: (time) => String(time.dayOfWeek % 7), matches: '\\d' },
  V: { print: (time) => digits(time.weekOfYear ?? 0, 2), matches: '\\d{2}' },
  U: { print: weekFrom(7), matches: '\\d{2}' },
  W: { print: weekFrom(1), matches: '\\d{2}' },
  H: { print: (time) => digits(time.hour, 2), matches: '\\d{2}', read: number('hour') },
  k: { print: (time) => String(time.hour).padStart(2), matches: '[ \\d]\\d', read: number('hour') },
  I: { print: (time) => digits(halfDay(time), 2), matches: '\\d{2}', read: number('halfDayHour') },
  l: { print: (time) => String(halfDay(time)).padStart(2), matches: '[ \\d]\\d', read: number('halfDayHour') },
  p: {
    print: (time) => (time.hour < 12 ? 'AM' : 'PM'),
    matches: '[AP]M',
    read: (text, parts) => {
      parts.afternoon = text === 'PM';
    },
  },
  M: { print: (time) => digits(time.minute, 2), matches: '\\d{2}', read: number('minute') },
  S: { print: (time) => digits(time.second, 2), matches: '\\d{2}', read: number('second') },
  s: { print: (time) => String(Math.floor(time.epochMilliseconds / 1000)), matches: '\\d+', read: number('epoch') },
  z: { print: (time) => time.offset.replace(':', ''), matches: '[+-]\\d{4}' },
  Z: { print: zoneName, matches: '[A-Za-z0-9+:-]+' },
  '%': { print: () => '%', matches: '%' },
};
const COMPOSED: Readonly<Record<string, string>> = { F: '%Y-%m-%d', T: '%H:%M:%S', R: '%H:%M' };

function zoneName(time: Time): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone: time.timeZoneId, timeZoneName: 'short' }).formatToParts(
    time.epochMilliseconds,
  );
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? time.offset;
}

/** A pattern cut into literal text and conversions.
 *  @throws ConfigurationInvalid for a conversion that cannot stand in a file's name */
function partsOf(pattern: string): readonly (string | Conversion)[] {
  const whole = pattern.replaceAll(/%([FTR%])/g, (all, letter: string) => COMPOSED[letter] ?? all);
  return [...whole.matchAll(/%(.?)|[^%]+/g)].map(([text, letter]) => {
    if (letter === undefined) return text;
    const conversion = CONVERSIONS[letter];
    if (conversion) return conversion;
    const why = `%${letter} in the filename ${pattern} cannot stand in a file's name.`;
    throw new HoldfastError('ConfigurationInvalid', why, pattern);
  });
}

/** The name that a pattern gives at a time. @throws ConfigurationInvalid */
export const strftime = (pattern: string, time: Temporal.ZonedDateTime): string =>
  partsOf(pattern)
    .map((part) => (typeof part === 'string' ? part : part.print(time)))
    .join('');

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Reads names that a pattern can have given: null for any other name, also for one whose digits are no time; the `time`
 *  in the zone, or null where the name does not say one. `suffix` is a regular expression of what may follow, without groups that capture. */
export function strptime(
  pattern: string,
  suffix: string,
): (name: string, zone: string) => { readonly time: Temporal.Instant | null } | null {
  const parts = partsOf(pattern);
  const source = parts.map((part) => (typeof part === 'string' ? escaped(part) : `(${part.matches})`)).join('');
  const expression = new RegExp(`^${source}${suffix}$`);
  const conversions = parts.filter((part) => typeof part !== 'string');
  return (name, zone) => {
    const found = expression.exec(name);
    if (!found) return null;
    const said: Parts = {};
    for (const [index, conversion] of conversions.entries()) conversion.read?.((found[index + 1] ?? '').trim(), said);
    try {
      return { time: instantOf(said, zone) };
    } catch (error) {
      if (error instanceof RangeError) return null; // the 31st of February: digits, and no time
      throw error;
    }
  };
}

/** @throws RangeError for digits that are no time */
function instantOf(parts: Parts, zone: string): Temporal.Instant | null {
  if (parts.epoch !== undefined) return Temporal.Instant.fromEpochMilliseconds(parts.epoch * 1000);
  const { year, month, day, dayOfYear, minute = 0, second = 0 } = parts;
  const hour =
    parts.hour ?? (parts.halfDayHour === undefined ? 0 : (parts.halfDayHour % 12) + (parts.afternoon ? 12 : 0));
  if (year !== undefined && month !== undefined && day !== undefined) {
    const time = { year, month, day, hour, minute, second };
    return Temporal.PlainDateTime.from(time, { overflow: 'reject' }).toZonedDateTime(zone).toInstant();
  }
  if (year === undefined || dayOfYear === undefined) return null;
  const first = Temporal.PlainDateTime.from({ year, month: 1, day: 1, hour, minute, second }, { overflow: 'reject' });
  return first
    .add({ days: dayOfYear - 1 })
    .toZonedDateTime(zone)
    .toInstant();
}
