import { HoldfastError } from './errors.ts';

// IEC 80000-13 for KiB and its like, SI for kB and its like; a letter alone is binary, as tar, restic and zstd take it.
const PREFIXES = ['', 'K', 'M', 'G', 'T', 'P'] as const;

/** `10GiB`, `500 MB`, `1.5T`, `4096`: bytes where no unit stands. */
export const SIZE_PATTERN = /^\d+(?:\.\d+)? ?(?:[kKMGTP](?:i?B)?|B)?$/;

/** A size in whole bytes. @throws HoldfastError `Usage` when it is none */
export function parseSize(text: string): number {
  const [, count, prefix = '', unit] = /^(\d+(?:\.\d+)?) ?(?:([kKMGTP])?(i?B)?)?$/.exec(text) ?? [];
  if (count === undefined || !SIZE_PATTERN.test(text))
    throw new HoldfastError('Usage', `"${text}" is no size: write 500MiB, 10GiB or 2TB.`, text);
  const power = PREFIXES.indexOf(prefix.toUpperCase() as (typeof PREFIXES)[number]);
  return Math.round(Number(count) * (unit === 'B' ? 1000 : 1024) ** power);
}

/** Bytes for people, in binary units with at most three digits: `0 B`, `1.5 KiB`, `932 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 0) return `-${formatBytes(-bytes)}`;
  let power = 0;
  let count = bytes;
  while (count >= 999.5 && power < PREFIXES.length - 1) {
    count /= 1024;
    power += 1;
  }
  if (power === 0) return `${bytes} B`;
  const fewer = count < 99.95 ? 1 : 0;
  const digits = count < 9.995 ? 2 : fewer;
  return `${Number(count.toFixed(digits))} ${PREFIXES[power]}iB`;
}

/** `10%`, `0.5%`, `300%`. */
export const PERCENTAGE_PATTERN = /^\d+(?:\.\d+)?%$/;

/** A percentage as a share: `50%` is 0.5. @throws HoldfastError `Usage` when it is none */
export function parsePercentage(text: string): number {
  if (!PERCENTAGE_PATTERN.test(text))
    throw new HoldfastError('Usage', `"${text}" is no percentage: write 10% or 300%.`, text);
  return Number(text.slice(0, -1)) / 100;
}
