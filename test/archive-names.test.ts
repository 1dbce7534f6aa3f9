import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { archiveNames, folderName, newestFolderFirst } from '../src/adapters/repositories/archive/names.ts';
import { strftime, strptime } from '../src/adapters/repositories/archive/strftime.ts';

const ALL = '%Y %y %C %G %m %b %h %B %d %e %j %a %A %u %w %V %U %W %H %k %I %l %p %M %S %s %z %% %F %T %R';
const seconds = fc.integer({ min: 0, max: 4_000_000_000 });

test('names are what date(1) prints', () => {
  const times = fc.sample(seconds, { numRuns: 25, seed: 7 });
  for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kolkata']) {
    for (const time of times) {
      const environment = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: zone };
      const printed = execFileSync('date', ['-d', `@${time}`, `+${ALL}`], { env: environment, encoding: 'utf8' });
      const ours = strftime(ALL, Temporal.Instant.fromEpochMilliseconds(time * 1000).toZonedDateTimeISO(zone));
      expect(ours, `${zone} ${time}`).toBe(printed.slice(0, -1));
    }
  }
});

test('the time in a name is read back', () => {
  const patterns = ['b-%Y%m%d-%H%M%S', '%F_%T', '%s', '%d %b %Y %I:%M:%S%p', '%Y-%j-%H.%M.%S', '%y%m%d%k%M%S'];
  const roundTrip = fc.property(seconds, fc.constantFrom(...patterns), (time, pattern) => {
    const instant = Temporal.Instant.fromEpochMilliseconds(time * 1000);
    if (pattern.includes('%y') && time > 3_124_000_000) return; // beyond 2068 two digits mean the last century
    const name = strftime(pattern, instant.toZonedDateTimeISO('UTC'));
    expect(strptime(pattern, '')(name, 'UTC')?.time).toEqual(instant);
  });
  fc.assert(roundTrip);
});

test('a name that is not of the pattern, or is no time, is not taken for one', () => {
  const read = strptime('b-%Y%m%d', '(?:-\\d+)?\\.tar');
  expect(read('b-20251202.tar', 'UTC')?.time).toEqual(Temporal.Instant.from('2025-12-02T00:00:00Z'));
  expect(read('b-20251202-2.tar', 'UTC')?.time).toEqual(Temporal.Instant.from('2025-12-02T00:00:00Z'));
  expect(read('b-20251331.tar', 'UTC')).toBeNull();
  expect(strptime('b-%s', '')('b-99999999999999999999', 'UTC')).toBeNull();
  expect(strptime('b-%A', '')('b-Friday', 'UTC')).toEqual({ time: null });
  expect(read('b-20251202.tar.json', 'UTC')).toBeNull();
  expect(read('xb-20251202.tar', 'UTC')).toBeNull();
});

test('the second archive of a second has -2 before its extension, and a seal at its end', () => {
  const time = Temporal.ZonedDateTime.from('2025-12-02T02:00:00[UTC]');
  const gzip = { format: 'gzip', level: 6 } as const;
  const names = archiveNames('claude-%Y%m%d.tar.gz', gzip, { kind: 'gpg', recipients: ['x'] });
  expect(names.name(time, 1)).toBe('claude-20251202.tar.gz.gpg');
  expect(names.name(time, 2)).toBe('claude-20251202-2.tar.gz.gpg');
  expect(archiveNames('b-%s.tgz', gzip, null).name(time, 2)).toBe('b-1764640800-2.tgz');
  expect(archiveNames(undefined, { format: 'zstd', level: 3 }, null).name(time, 1)).toBe(
    'backup-2025-12-02T02-00-00.tar.zst',
  );
});

test('a name that says another compression than the settings do is refused', () => {
  const wrong = () => archiveNames('b-%Y.tar.gz', { format: 'zstd', level: 3 }, null);
  expect(wrong).toThrow(expect.objectContaining({ code: 'ConfigurationInvalid' }));
  expect(() => archiveNames('b-%Q.tar', { format: 'none' }, null)).toThrow(/%Q/);
});

test('folders of points sort by time, then by their number', () => {
  expect(folderName(Temporal.Instant.from('2025-12-02T02:00:00.999Z'), 1)).toBe('20251202_020000');
  const names = ['20251202_020000-2', '20251202_020000-10', '20251203_000000', '20251202_020000'];
  expect(names.toSorted(newestFolderFirst)).toEqual([
    '20251203_000000',
    '20251202_020000-10',
    '20251202_020000-2',
    '20251202_020000',
  ]);
});
