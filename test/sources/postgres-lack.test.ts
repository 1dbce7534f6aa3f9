import { expect, test } from 'vitest';
import { lackIn } from '../../src/adapters/sources/postgres/scratch-lack.ts';
import { HoldfastError } from '../../src/domain/errors.ts';

const lackOf = (said: string): string | null =>
  lackIn(new HoldfastError('SourceFailed', `wiki: pg_restore: error: could not execute query: ERROR:  ${said}`, 'wiki'))
    ?.message ?? null;

test.each([
  ['extension "postgis" is not available', 'The scratch server lacks the extension postgis.'],
  [
    'could not open extension control file "/usr/share/postgresql/15/extension/vector.control": No such file or directory',
    'The scratch server lacks the extension vector.',
  ],
  ['invalid locale name: "de_DE.utf8"', 'The scratch server lacks the locale de_DE.utf8.'],
  ['invalid LC_COLLATE locale name: "tr_TR"', 'The scratch server lacks the locale tr_TR.'],
  ['invalid locale name "PG_C" for builtin provider', 'The scratch server lacks the locale PG_C.'],
  ['could not create locale "X.UTF-8": No such file or directory', 'The scratch server lacks the locale X.UTF-8.'],
  ['could not open collator for locale "xx": U_FILE_ACCESS_ERROR', 'The scratch server lacks the locale xx.'],
  ['role "reader" does not exist', 'The scratch server lacks the role "reader".'],
  ['tablespace "fast" does not exist', 'The scratch server lacks the tablespace "fast".'],
  ['invalid value for parameter "default_tablespace": "fast"', 'The scratch server lacks the tablespace "fast".'],
  ['could not connect to server "live"', 'It is restored from the foreign server "live" as well.'],
  [
    'could not access file "$libdir/postgis-3": No such file',
    'The scratch server lacks the library $libdir/postgis-3.',
  ],
  [
    'vchord must be loaded via shared_preload_libraries',
    'The scratch server lacks vchord among its shared_preload_libraries.',
  ],
])('%s', (said, words) => {
  expect(lackOf(said)).toBe(words);
});

test.each([
  'duplicate key value violates unique constraint "pages_pkey"',
  'relation "pages" does not exist',
  'invalid input syntax for type integer: "12x4567"',
])('what is of the dump itself is no lack: %s', (said) => {
  expect(lackOf(said)).toBeNull();
});
