import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { parsePattern } from '../../src/domain/exclude.ts';
import { folderService } from '../../src/domain/found-folder.ts';
import { type FoundService, proposal } from '../../src/domain/proposal.ts';

const segment = fc.oneof(
  fc.constantFrom(
    'true',
    'Null',
    'false',
    '1.5',
    '0x10',
    '1e3',
    '.inf',
    '-',
    '~',
    'no',
    'a b',
    'x: y',
    '#',
    "it's",
    '"',
  ),
  fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !text.includes('/')),
);

test('what init proposes is YAML that names the folders and databases as they are called, whatever they are called', () => {
  const property = fc.property(fc.array(segment, { maxLength: 5 }), segment, (names, database) => {
    const folders = names.map((name) => ({
      path: `/opt/${name}`,
      databases: [`/opt/${name}/${database}.db`],
      left: [],
    }));
    const found = { services: folders.map((folder) => folderService(folder, [])), pools: [], others: [] };
    const { services } = parse(proposal(found, '/var/backups')) as {
      services: Record<string, { sources: { files: { files: string[]; exclude: string[] }; db: { sqlite: string } } }>;
    };
    const sources = Object.values(services).map((service) => service.sources);
    expect(sources.map(({ files }) => files.files).toSorted()).toEqual(folders.map(({ path }) => [path]).toSorted());
    expect(sources.map(({ db }) => db.sqlite).toSorted()).toEqual(folders.flatMap((each) => each.databases).toSorted());
    for (const { files, db } of sources)
      expect(parsePattern(files.exclude[0] ?? '').parts).toEqual([
        { kind: 'text', text: db.sqlite.replace(/^\//, '').replaceAll(/\/{2,}/g, '/') },
        { kind: 'star' },
      ]);
  });
  fc.assert(property);
});

const aService = (sources: FoundService['sources'], more: Partial<FoundService> = {}): FoundService => ({
  ...{ name: 'wiki', notes: [], units: [], stopDuringBackup: false, sources },
  ...more,
});

test('what would fail as it stands is proposed as a comment, and a service of nothing else is one as a whole', () => {
  const fails = { name: 'db', settings: { postgres: { container: 'db' } }, problem: 'password\n  wanted: { a' };
  const works = { name: 'data', settings: { volume: 'wiki_data' }, problem: null };
  const units = [{ container: 'wiki' }];
  const text = proposal(
    { services: [aService([fails, works], { units }), aService([fails])], pools: [], others: [] },
    '/b',
  );
  expect(parse(text).services).toEqual({ wiki: { units, sources: { data: { volume: 'wiki_data' } } } });
  expect(text).toContain('# db: { postgres: { container: db } }');
  expect(text).toContain('# wiki-2:');
  expect(text).toContain('as it stands: password');
  expect(parse(proposal({ services: [aService([fails])], pools: [], others: [] }, '/b')).services).toEqual({});
});

test('two sources of one name, and two services, get numbers', () => {
  const source = (sqlite: string) => ({ name: 'db', settings: { sqlite }, problem: null });
  const found = [aService([source('/a'), source('/b')]), aService([source('/c')])];
  expect(parse(proposal({ services: found, pools: [], others: [] }, '/b')).services).toEqual({
    wiki: { sources: { db: { sqlite: '/a' }, 'db-2': { sqlite: '/b' } } },
    'wiki-2': { sources: { db: { sqlite: '/c' } } },
  });
});
