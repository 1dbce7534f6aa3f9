const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The fields of a line in crontab(5), in order. Sunday is 0 and 7. */
const FIELDS: readonly {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly words: string[];
}[] = [
  { name: 'minute', from: 0, to: 59, words: [] },
  { name: 'hour', from: 0, to: 23, words: [] },
  { name: 'day of the month', from: 1, to: 31, words: [] },
  { name: 'month', from: 1, to: 12, words: MONTHS },
  { name: 'day of the week', from: 0, to: 7, words: DAYS },
];
type Field = (typeof FIELDS)[number];

function valueIn(text: string, { name, from, to, words }: Field): number {
  const word = words.indexOf(text.toLowerCase());
  const number = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  const value = word >= 0 ? word + from : number;
  if (!(value >= from && value <= to)) throw new RangeError(`"${text}" is no ${name}: it goes from ${from} to ${to}.`);
  return value;
}

/** `*`, `5`, `1-5`, steps as in `0-59/15`, `0-30/10`, several with commas. */
function checkField(text: string, field: Field): void {
  for (const part of text.split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/(\d{1,2}))?$/.exec(part) ?? [];
    if (range === '' || step === '0') throw new RangeError(`"${part}" is no ${field.name} of a cron expression.`);
    if (range === '*') continue;
    const ends = range.split('-');
    if (ends.length > 2) throw new RangeError(`"${part}" is no ${field.name} of a cron expression.`);
    const [first = 0, last = first] = ends.map((end) => valueIn(end, field));
    if (last < first) throw new RangeError(`"${part}" goes backwards: write ${ends[1]}-${ends[0]}.`);
  }
}

// Longest month lengths: 30 February never comes, 29 February does.
const LONGEST = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
function neverComes(days: string, months: string, weekdays: string): boolean {
  if (!/^\d+$/.test(days) || !/^[\da-z,]+$/i.test(months) || weekdays !== '*') return false;
  const month = FIELDS[3] as Field;
  return months.split(',').every((text) => Number(days) > (LONGEST[valueIn(text, month) - 1] ?? 31));
}

const CLOCK = '(?:[01]?\\d|2[0-3]):[0-5]\\d(?::[0-5]\\d)?';
const DAY = '(?:sun|mon|tue|wed|thu|fri|sat)(?:day|sday|nesday|rsday|urday)?';
// `Sun 04:00`, `first Sun 06:00`, `Mon..Fri 03:00`, `Mon,Thu 03:00`, `03:00`, `*-*-01 03:00`.
const WORDS = new RegExp(
  `^(?:(?:(?:first|second|third|fourth|last) )?${DAY}(?:(?:,|\\.\\.)${DAY})* )?(?:\\*-\\*-(?:\\*|[0-2]?[1-9]|[12]0|3[01]) )?${CLOCK}$`,
  'i',
);
const SHORTHANDS = new Set(['hourly', 'daily', 'weekly', 'monthly', 'yearly', 'annually']);

/** What is wrong with a schedule, in words for the person who wrote it; null when it is right. Two notations: the five
 *  fields of crontab(5), and the calendar words of systemd.time(7) with an ordinal before the day. */
export function scheduleProblem(text: string): string | null {
  if (SHORTHANDS.has(text.replace(/^@/, '').toLowerCase()) || WORDS.test(text)) return null;
  const fields = text.trim().split(/\s+/);
  if (fields.length !== FIELDS.length)
    return `"${text}" is no schedule: write five cron fields as in '0 2 * * *', or words as in 'Sun 04:00', 'first Sun 06:00'.`;
  try {
    for (const [index, field] of FIELDS.entries()) checkField(fields[index] ?? '', field);
    const [, , days = '*', months = '*', weekdays = '*'] = fields;
    return neverComes(days, months, weekdays) ? `"${text}" never comes: no such month has a day ${days}.` : null;
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** `00:00-06:00`: a stretch of the day, which may pass midnight. */
export const STRETCH_PATTERN = /^(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d$/;
/** `03:00`. */
export const CLOCK_PATTERN = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
