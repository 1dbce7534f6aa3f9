import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { proposal } from '../../src/domain/proposal.ts';

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
    const folders = names.map((name) => ({ path: `/opt/${name}`, databases: [`/opt/${name}/${database}.db`] }));
    const found = { folders, containers: [], servers: [], pools: [], units: [] };
    const { services } = parse(proposal(found, '/var/backups')) as {
      services: Record<string, { sources: { files: { files: string[] }; db: { sqlite: string } } }>;
    };
    const sources = Object.values(services).map((service) => service.sources);
    expect(sources.map(({ files }) => files.files).toSorted()).toEqual(folders.map(({ path }) => [path]).toSorted());
    expect(sources.map(({ db }) => db.sqlite).toSorted()).toEqual(folders.flatMap((each) => each.databases).toSorted());
  });
  fc.assert(property);
});
