import { expect, test } from 'vitest';
import { entryForPeople } from '../../src/cli/render/ls.ts';

const words = (mode: number): string =>
  entryForPeople({ item: 'files_data', path: 'a', type: 'file', size: 1, mode, mtime: 0, uid: 0, gid: 0 }).slice(0, 10);

test('the mode of an entry is printed as ls prints it', () => {
  expect(words(0o644)).toBe('-rw-r--r--');
  expect(words(0o6755)).toBe('-rwsr-sr-x');
  expect(words(0o4644)).toBe('-rwSr--r--');
  expect(words(0o1777)).toBe('-rwxrwxrwt');
  expect(words(0o1776)).toBe('-rwxrwxrwT');
  expect(words(0o2070)).toBe('----rws---');
});
