import type { Retention } from './definitions.ts';

/** The rules that keep one point for each bucket of time, finest first. */
export const BUCKET_RULES = ['latest', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type BucketRule = (typeof BUCKET_RULES)[number] & keyof Retention;

type Name = (at: Temporal.ZonedDateTime, location: string) => string;

const two = (value: number | undefined): string => `${value}`.padStart(2, '0');

const NAMES: Readonly<Record<BucketRule, Name>> = {
  latest: (_, location) => location,
  // With its offset, because one hour of the year comes twice.
  hourly: (at) => `${at.toPlainDate()} ${two(at.hour)}:00${at.offset}`,
  daily: (at) => `${at.toPlainDate()}`,
  // ISO 8601: weeks begin on Monday, and the first and last days of a year may belong to a week of another one.
  weekly: (at) => `${at.yearOfWeek}-W${two(at.weekOfYear)}`,
  monthly: (at) => `${at.toPlainDate().toPlainYearMonth()}`,
  yearly: (at) => `${at.year}`,
};

/** The bucket of a moment in `zone` (IANA): `2026-11-20` for `daily`, `2026-W47` for `weekly`. A point is a bucket of
 *  its own for `latest`, named by its location. */
export const bucketOf = (rule: BucketRule, at: Temporal.Instant, location: string, zone: string): string =>
  NAMES[rule](at.toZonedDateTimeISO(zone), location);
