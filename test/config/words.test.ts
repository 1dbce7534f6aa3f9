import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDuration, isPositiveDuration, parseDuration } from '../../src/domain/duration.ts';
import { didYouMean } from '../../src/domain/nearest.ts';
import { scheduleProblem } from '../../src/domain/schedule.ts';
import { formatBytes, parsePercentage, parseSize } from '../../src/domain/size.ts';

describe('durations', () => {
  test.for<[string, number]>([
    ['90s', 90],
    ['5m', 300],
    ['36h', 129_600],
    ['7d', 604_800],
    ['2w', 1_209_600],
    ['1h30m', 5400],
  ])('%s is %d seconds', ([text, seconds]) => expect(parseDuration(text)).toBe(seconds));

  test.for(['', '5', 'm', '5 m', '1.5h', '-5m', '5min', '1y', '5m ', '٣m', '99999999999s'])('"%s" is none', (text) => {
    expect(() => parseDuration(text)).toThrow(`"${text}" is no duration`);
    expect(isPositiveDuration(text)).toBe(false);
  });

  test.for<[number, string]>([
    [0, '0s'],
    [0.42, '420ms'],
    [1.44, '1.4s'],
    [59.6, '1m'],
    [200, '3m 20s'],
    [3600, '1h'],
    [86_405, '1d'],
    [788_645, '1w 2d'],
    [-90, '-1m 30s'],
  ])('%d seconds are printed as %s', ([seconds, text]) => expect(formatDuration(seconds)).toBe(text));

  test('what is printed is never further off than its smaller unit', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (seconds) => {
        const printed = parseDuration(formatDuration(seconds).replaceAll(' ', ''));
        expect(printed).toBeLessThanOrEqual(seconds);
        expect(seconds - printed).toBeLessThan(Math.max(seconds / 7, 1));
      }),
    );
  });
});

describe('sizes', () => {
  test.for<[string, number]>([
    ['0', 0],
    ['4096', 4096],
    ['512B', 512],
    ['10GiB', 10 * 1024 ** 3],
    ['10G', 10 * 1024 ** 3],
    ['10GB', 10_000_000_000],
    ['1.5 TiB', 1.5 * 1024 ** 4],
    ['8k', 8192],
    ['1PB', 1e15],
  ])('%s is %d bytes', ([text, bytes]) => expect(parseSize(text)).toBe(bytes));

  test.for(['', '-1', '10 gib', 'GiB', '1e3', '10GiBB', '1,5G', '10EiB'])('"%s" is none', (text) =>
    expect(() => parseSize(text)).toThrow(`"${text}" is no size`),
  );

  test.for<[number, string]>([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '0.98 KiB'],
    [1536, '1.5 KiB'],
    [163_577_856, '156 MiB'],
    [1024 ** 3 - 1, '1 GiB'],
    [-2048, '-2 KiB'],
  ])('%d bytes are printed as %s', ([bytes, text]) => expect(formatBytes(bytes)).toBe(text));

  test('what is printed is within a hundredth of what was meant', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => {
        expect(Math.abs(parseSize(formatBytes(bytes)) - bytes)).toBeLessThanOrEqual(bytes / 100);
      }),
    );
  });

  test('a percentage is a share', () => {
    expect(parsePercentage('50%')).toBe(0.5);
    expect(parsePercentage('300%')).toBe(3);
    for (const text of ['50', '-5%', '5 %', '%']) expect(() => parsePercentage(text)).toThrow('is no percentage');
  });
});

describe('the word that was meant', () => {
  test.for<[string, string]>([
    ['resitc', ' Did you mean "restic"?'],
    ['RESTIC', ' Did you mean "restic"?'],
    ['archiv', ' Did you mean "archive"?'],
    ['arch', ' Did you mean "archive"?'],
    ['kopio', ' Did you mean "kopia"?'],
    ['borg', ''],
    ['', ''],
  ])('by "%s" is asked for as "%s"', ([word, asked]) =>
    expect(didYouMean(word, ['archive', 'restic', 'kopia'])).toBe(asked),
  );

  test('is not looked for when the word is endless', () => {
    expect(didYouMean('x'.repeat(1_000_000), ['x'.repeat(1_000_000)])).toBe('');
  });
});

describe('schedules', () => {
  test.for([
    '0 2 * * *',
    '*/15 * * * *',
    '0 0,12 1-7 * mon',
    '30 2 29 2 *',
    '5 4 * jan-mar sun,wed',
    '0-30/10 8-18/2 * * 1-5',
    'Sun 04:00',
    'first Sun 06:00',
    'last Friday 23:30',
    'Mon..Fri 03:00',
    'Mon,Thu 3:00:30',
    '04:00',
    '*-*-01 03:00',
    'daily',
    '@weekly',
  ])('"%s" is one', (text) => expect(scheduleProblem(text)).toBeNull());

  test.for<[string, string]>([
    ['60 2 * * *', '"60" is no minute: it goes from 0 to 59.'],
    ['0 2 0 * *', '"0" is no day of the month: it goes from 1 to 31.'],
    ['0 2 * 13 *', '"13" is no month: it goes from 1 to 12.'],
    ['0 2 * * 8', '"8" is no day of the week: it goes from 0 to 7.'],
    ['0 18-8 * * *', '"18-8" goes backwards: write 8-18.'],
    ['*/0 * * * *', '"*/0" is no minute of a cron expression.'],
    ['0 2 31 feb,apr *', '"0 2 31 feb,apr *" never comes: no such month has a day 31.'],
    ['0 2 * *', '"0 2 * *" is no schedule'],
    ['Sun 24:00', '"Sun 24:00" is no schedule'],
    ['fifth Sun 06:00', '"fifth Sun 06:00" is no schedule'],
    ['Someday 06:00', '"Someday 06:00" is no schedule'],
    ['', '"" is no schedule'],
  ])('"%s" is none: %s', ([text, words]) => expect(scheduleProblem(text)).toContain(words));
});
