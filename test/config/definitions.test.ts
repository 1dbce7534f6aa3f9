import { expect, test } from 'vitest';
import { definitionsOf } from '../../src/config/definitions.ts';
import { archiveDefinition } from '../../src/config/repositories.ts';
import { check, loaded, printed } from './texts.ts';

const text = `version: 1
repositories:
  disk: { engine: archive, path: /srv/b, capacity: 2TiB, media: usb }
  volumes: { engine: archive, path: /srv/v, layout: single, filename: 'v-%Y%m%d.tar.gz', offsite: true }
  cloud: { engine: restic, location: 's3:x', password: { env: P } }
services:
  wiki:
    tier: critical
    sources: { tree: { files: [/opt/wiki], exclude: ['*.log'] }, db: { sqlite: /opt/wiki.db } }
  blog: { sources: { db: { postgres: { database: blog } } }, stopDuring: { backup: sharing } }
plans:
  nightly:
    services: '*'
    repositories: [disk, cloud]
    timezone: Asia/Tokyo
    retention: { daily: 7, within: 1w }
    verify: { schedule: 'Sun 04:00' }
  volumes: { services: [blog], repositories: [volumes], anomaly: false, verify: false }
`;

test('services, plans and repositories come with their defaults, in the order in which they are written', () => {
  const { services, plans, repositories } = definitionsOf(loaded(text).configuration, 'Europe/Berlin');
  expect([...services.values()]).toMatchObject([
    {
      name: 'wiki',
      host: 'local',
      tier: 'critical',
      sources: [
        { name: 'tree', kind: 'files', settings: { files: ['/opt/wiki'], exclude: ['*.log'] } },
        { name: 'db', kind: 'sqlite', settings: { sqlite: '/opt/wiki.db' } },
      ],
      stopDuring: { backup: false, restore: true },
    },
    {
      name: 'blog',
      tier: 'important',
      sources: [{ kind: 'postgres' }],
      stopDuring: { backup: 'sharing', restore: true },
    },
  ]);
  expect([...plans.values()]).toEqual([
    {
      name: 'nightly',
      services: ['wiki', 'blog'],
      repositories: ['disk', 'cloud'],
      retention: { daily: 7, within: 604_800 },
      timezone: 'Asia/Tokyo',
      anomaly: { shrink: 0.5, grow: 3 },
      verify: { level: 'sound' },
    },
    {
      name: 'volumes',
      services: ['blog'],
      repositories: ['volumes'],
      retention: {},
      timezone: 'Europe/Berlin',
      anomaly: false,
      verify: null,
    },
  ]);
  expect([...repositories.values()]).toEqual([
    { name: 'disk', engine: 'archive', offsite: null, media: 'usb', capacityBytes: 2 * 1024 ** 4 },
    { name: 'volumes', engine: 'archive', offsite: true, media: null, capacityBytes: null },
    { name: 'cloud', engine: 'restic', offsite: null, media: null, capacityBytes: null },
  ]);
});

test('an archive repository knows which services plans store in it, and in which zone', () => {
  const { configuration } = loaded(text);
  expect(archiveDefinition('disk', configuration, 'Europe/Berlin')).toEqual({
    name: 'disk',
    path: '/srv/b',
    layout: 'folder',
    filename: undefined,
    compression: { format: 'zstd', level: 3 },
    share: false,
    adopt: false,
    services: ['wiki', 'blog'],
    timezone: 'Asia/Tokyo',
  });
  expect(archiveDefinition('volumes', configuration, 'Europe/Berlin')).toMatchObject({
    compression: { format: 'gzip', level: 6 }, // as its name says
    services: ['blog'],
    timezone: 'Europe/Berlin',
  });
});

test('a repository that is not there and an engine that is not built are told apart', () => {
  const { configuration } = loaded(text);
  const error = (name: string): unknown => {
    try {
      return archiveDefinition(name, configuration, 'UTC');
    } catch (thrown) {
      return thrown;
    }
  };
  expect(error('dsk')).toMatchObject({ code: 'RepositoryNotFound' });
  expect(error('cloud')).toMatchObject({ code: 'Unsupported' });
});

test('what works and is probably not meant is warned about', () => {
  const doubtful = `version: 1
repositories:
  disk:
    engine: archive
    path: /srv/wiki/backups
    encryption: { age: { recipients: [age1abc] } }
  other: { engine: archive, path: '/mnt/\${DISK}/b' }
services:
  wiki:
    sources:
      tree: { files: [/etc/wiki, /srv/wiki] }
      near: { files: [/srv/wiki/back] }
`;
  expect(check(doubtful).diagnostics.map(printed)).toEqual([
    '6:5: repositories.disk.encryption: Without identities this machine cannot restore or verify what it seals.',
    '7:35: repositories.other.path: Variables are not expanded: it is taken by the letter.',
    '11:34: services.wiki.sources.tree.files[1]: The repository "disk" (/srv/wiki/backups) lies in it, and is left out of the backup.',
  ]);
});

test('a pool comes with its subvolumes, whose names may be what distributions use, and with its defaults', () => {
  const { pools } = definitionsOf(
    loaded(`version: 1
pools:
  main:
    path: /mnt/pool
    share: 10%
    subvolumes:
      '@home':
      media: { units: [{ systemd: jellyfin.service }], dependsOn: ['@home'], nested: move }
  other: { path: /srv/x, kind: copy, snapshots: a/b }
`).configuration,
    'UTC',
  );
  const bare = { units: [], checks: [], dependsOn: [], nested: null };
  expect([...pools.values()]).toEqual([
    {
      ...{ name: 'main', path: '/mnt/pool', kind: null, snapshotsFolder: 'snapshots', share: 0.1 },
      subvolumes: new Map<string, object>([
        ['@home', bare],
        ['media', { units: [{ systemd: 'jellyfin.service' }], checks: [], dependsOn: ['@home'], nested: 'move' }],
      ]),
    },
    {
      ...{ name: 'other', path: '/srv/x', kind: 'copy', snapshotsFolder: 'a/b', share: null },
      subvolumes: new Map(),
    },
  ]);
});

test.for([
  ['snapshots: ../elsewhere', 'pools.main.snapshots: Write a folder inside the path of the pool: snapshots'],
  ['snapshots: /srv/x', 'pools.main.snapshots: Write a folder inside the path of the pool: snapshots'],
  ['subvolumes: { a/b: }', 'A subvolume is the name of a folder in the pool, without a path.'],
  ['subvolumes: { .holdfast-x: }', 'This cannot be the name of a subvolume.'],
])('a pool with %j leads out of itself and is refused', ([setting, message]) => {
  const checked = check(`version: 1\npools:\n  main:\n    path: /mnt/pool\n    ${setting}\n`);
  expect(checked.diagnostics.map(printed).join('\n')).toContain(message);
});

test.for([
  ['{ a: { path: /mnt/p }, b: { path: /mnt/p } }', 'pools.b.path: The pool "a" has this folder already.'],
  [
    '{ a: { path: /mnt/p, subvolumes: { snapshots: } } }',
    'pools.a.subvolumes.snapshots: Snapshots of this pool are kept in "snapshots", so this cannot be a subvolume.',
  ],
])("pools that stand in each other's way are refused: %s", ([pools, message = '']) => {
  expect(check(`version: 1\npools: ${pools}\n`).diagnostics.map(printed)).toEqual([expect.stringContaining(message)]);
});
