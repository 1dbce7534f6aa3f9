import fc from 'fast-check';
import { expect, test } from 'vitest';
import { databaseOfItem, itemNameOf } from '../../src/adapters/sources/server/names.ts';
import { refuseOlderTool } from '../../src/adapters/sources/server/versions.ts';

test('any database has an item name that is safe as a file, and is found by it again', () => {
  const databases = fc.string({ unit: 'binary', minLength: 1, maxLength: 63 }).filter((name) => name.isWellFormed());
  fc.assert(
    fc.property(databases, (database) => {
      const item = itemNameOf('postgres', database);
      expect(item).toMatch(/^postgres_[A-Za-z0-9._%-]+$/);
      expect(item.length).toBeLessThanOrEqual(200);
      if (item.length < 200) expect(databaseOfItem('postgres', item)).toBe(database);
    }),
  );
  expect(itemNameOf('postgres', 'größe -x "a"')).toBe('postgres_gr%C3%B6%C3%9Fe%20-x%20%22a%22');
  expect(databaseOfItem('postgres', 'mariadb_a')).toBeNull();
});

test('long names that begin alike have items of their own', () => {
  const [one, other] = ['ü'.repeat(60), `${'ü'.repeat(60)}x`].map((name) => itemNameOf('mariadb', name));
  expect(one).not.toBe(other);
  expect(databaseOfItem('mariadb', one ?? '')).toBeNull();
});

test('a tool that is older than its server is refused by the numbers that count', () => {
  const refusal = (toolVersion: string, serverVersion: string, parts: number) => () =>
    refuseOlderTool({ tool: 'dump', toolVersion, server: 'Server', serverVersion, where: 'local' }, parts);
  expect(refusal('14.9', '15.1', 1)).toThrow('dump 14.9 on host local is older than the server, Server 15.1.');
  expect(refusal('15.1', '15.9', 1)).not.toThrow();
  expect(refusal('17', '15.9', 1)).not.toThrow();
  expect(refusal('10.5.1', '10.11.2', 2)).toThrow('older');
  expect(refusal('11.1.0', '10.11.2', 2)).not.toThrow();
  expect(refusal('10', '10.11.2', 2)).toThrow('older');
});
