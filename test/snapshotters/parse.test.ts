import { expect, test } from 'vitest';
import { parseList, parseQuotas, parseShow, parseUsage } from '../../src/adapters/snapshotters/btrfs/parse.ts';
import { readTouched } from '../../src/adapters/snapshotters/btrfs/send-stream.ts';
import { parseListing, split } from '../../src/adapters/snapshotters/pool/listing.ts';
import { placeIn } from '../../src/adapters/snapshotters/pool/place.ts';
import { refusal } from '../../src/adapters/snapshotters/pool/program.ts';

const usage = (unallocated: number, data: readonly [number, number], metadata: readonly [number, number]): string =>
  `Overall:
    Device size:\t\t        1000
    Device unallocated:\t\t        ${unallocated}
    Used:\t\t\t            1
    Data ratio:\t\t\t              1.00
    Metadata ratio:\t\t              2.00
    Global reserve:\t\t           10\t(used: 0)

Data,single: Size:${data[0]}, Used:${data[1]} (0.00%)
   /dev/loop0\t   8388608

Metadata,DUP: Size:${metadata[0]}, Used:${metadata[1]} (0.18%)
`;

test('what is not allocated counts as room, halved for metadata that is kept twice', () => {
  expect(parseUsage(usage(600, [200, 100], [100, 90]))).toEqual({ freeShare: 300 / 400, freeBytes: 700 });
});

test('a pool whose metadata are full is full, however much room there is for data', () => {
  expect(parseUsage(usage(0, [800, 100], [100, 95]))).toEqual({ freeShare: 0, freeBytes: 700 });
});

test('two kinds of data groups, as while a balance runs, are counted together', () => {
  const text = `${usage(0, [400, 200], [100, 10])}\nData,RAID1: Size:400, Used:400 (100%)\n`;
  expect(parseUsage(text)).toEqual({ freeShare: 0.25, freeBytes: 200 });
});

test('data and metadata in the same groups share their room', () => {
  const mixed = usage(0, [1, 1], [1, 1])
    .replace(/^Metadata,DUP.*$/m, '')
    .replace('Data,single: Size:1, Used:1', 'Data+Metadata,single: Size:1000, Used:250');
  expect(parseUsage(mixed.replace('2.00', '1.00'))).toEqual({ freeShare: 0.74, freeBytes: 750 });
});

test('no figures are no answer', () => {
  expect(
    parseUsage('WARNING: cannot read detailed chunk info, per-device usage will not be shown, run as root\n'),
  ).toBeNull();
});

test('subvolumes are listed with spaces in their names and with the time where it is told', () => {
  const printed = `ID 258 gen 7 cgen 7 top level 5 otime 2026-11-21 09:13:15 path snapshots/a path b
ID 259 gen 8 top level 5 path <FS_TREE>/plain
ID 260 gen 8 top level 5 uuid ee4f6d29-c7a6-1249-91ae-e1856b789f53 path uuid x path y
`;
  expect(parseList(printed)).toEqual([
    {
      id: '258',
      top: '5',
      path: 'snapshots/a path b',
      madeAt: Temporal.Instant.from('2026-11-21T09:13:15Z'),
      uuid: null,
    },
    { id: '259', top: '5', path: 'plain', madeAt: null, uuid: null },
    { id: '260', top: '5', path: 'uuid x path y', madeAt: null, uuid: 'ee4f6d29-c7a6-1249-91ae-e1856b789f53' },
  ]);
  expect(
    parseShow(
      'a\n\tUUID: \t\t\tee4f6d29-c7a6-1249-91ae-e1856b789f53\n\tParent UUID: \t\t0cb0f268-621e-644c-a09d-4f587a1da2a5\n\tCreation time: \t\t2026-11-21 09:13:15 +0000\n',
    ),
  ).toEqual({
    uuid: 'ee4f6d29-c7a6-1249-91ae-e1856b789f53',
    parent: '0cb0f268-621e-644c-a09d-4f587a1da2a5',
    madeAt: Temporal.Instant.from('2026-11-21T09:13:15Z'),
    readOnly: false,
  });
  expect([
    ...parseQuotas('Qgroupid    Referenced    Exclusive   Path \n0/258              16384        4096   a\n1/1 5 5\n'),
  ]).toEqual([['258', 4096]]);
});

/** A command of a send stream, with its attributes by their numbers. */
function command(number: number, ...attributes: readonly (readonly [number, string])[]): Buffer {
  const body = Buffer.concat(
    attributes.map(([attribute, value]) => {
      const header = Buffer.alloc(4);
      header.writeUInt16LE(attribute, 0);
      header.writeUInt16LE(Buffer.byteLength(value), 2);
      return Buffer.concat([header, Buffer.from(value)]);
    }),
  );
  const header = Buffer.alloc(10);
  header.writeUInt32LE(body.length, 0);
  header.writeUInt16LE(number, 4);
  return Buffer.concat([header, body]);
}

const STREAM_BEGINNING = Buffer.from('btrfs-stream\0\x01\0\0\0');
const END_OF_STREAM = command(21);

async function touchedIn(stream: Uint8Array, pieceLength: number) {
  async function* pieces() {
    for (let at = 0; at < stream.length; at += pieceLength) yield stream.subarray(at, at + pieceLength);
  }
  return await Array.fromAsync(readTouched(pieces()));
}

test.for([
  ['a rename', command(9, [15, 'd e'], [16, 'o261-8-0']), [{ paths: ['d e', 'o261-8-0'], written: false }]],
  ['an extent', command(22, [15, 'ä/x\ny'], [18, '00000000']), [{ paths: ['\xc3\xa4/x\ny'], written: true }]],
  [
    'a symbolic link',
    command(8, [15, 'o262-8-0'], [2, '12345678'], [17, 'etc']),
    [{ paths: ['o262-8-0'], written: false }],
  ],
  ['a hard link', command(10, [15, 'second'], [17, 'first']), [{ paths: ['second'], written: false }]],
  ['an attribute', command(13, [15, 'f'], [13, 'user.x'], [14, 'data']), [{ paths: ['f'], written: true }]],
  ['times of the subvolume', command(20, [15, ''], [11, '123456789012']), [{ paths: [], written: false }]],
  ['written data', command(15, [15, 'g'], [18, '00000000'], [19, 'data']), [{ paths: ['g'], written: true }]],
  ['its own beginning', command(2, [15, 'a-2'], [1, '0123456789abcdef']), []],
] as const)('%s in a send stream names its paths, however the stream is cut', async ([, bytes, expected]) => {
  const stream = Buffer.concat([STREAM_BEGINNING, bytes, END_OF_STREAM]);
  for (const length of [stream.length, 1, 7, 20]) expect(await touchedIn(stream, length)).toEqual(expected);
});

test.for([
  ['is cut off in a command', Buffer.concat([STREAM_BEGINNING, command(12, [15, 'f']).subarray(0, -1)])],
  ['is cut off between two', Buffer.concat([STREAM_BEGINNING, command(12, [15, 'f'])])],
  ['is empty', Buffer.alloc(0)],
  ['is something else', Buffer.from('At subvol /mnt/pool/snapshots/a and more than that\n')],
] as const)('a send stream that %s is damaged', async ([, stream]) => {
  await expect(touchedIn(stream, 16)).rejects.toMatchObject({ code: 'Damaged' });
});

test('names with newlines, spaces and a link to anywhere are read as find printed them', async () => {
  const record = 'a\nb c//l 260 3 1795252395.5 777,0,0 /x //y\n';
  expect(parseListing(record)).toMatchObject({ path: 'a\nb c', type: 'l', inode: '260', size: 3, target: '/x //y\n' });
  async function* pieces() {
    for (const piece of ['on', 'e\0tw', '', 'o\0\0', 'three']) yield Buffer.from(piece);
  }
  expect(await Array.fromAsync(split(pieces(), 0))).toEqual(['one', 'two', '', 'three']);
});

const MOUNTS = `22 1 0:20 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /mnt/pool rw,noatime - btrfs /dev/loop0 rw,subvolid=5,subvol=/
31 22 0:40 /@home /home rw - btrfs /dev/loop0 ro,subvol=/@home
32 30 0:41 / /mnt/pool/with\\040space ro - tmpfs tmpfs rw
33 22 0:42 / /mnt/poolside rw - xfs /dev/loop1 rw
`;
test.for([
  ['/mnt/pool/media', { fileSystem: 'btrfs', readOnly: false, inside: 'media' }],
  ['/mnt/pool', { fileSystem: 'btrfs', readOnly: false, inside: '' }],
  ['/home/me', { fileSystem: 'btrfs', readOnly: true, inside: '@home/me' }],
  ['/mnt/pool/with space/x', { fileSystem: 'tmpfs', readOnly: true, inside: 'x' }],
  ['/mnt/poolside', { fileSystem: 'xfs', readOnly: false, inside: '' }],
  ['/mnt', { fileSystem: 'ext4', readOnly: false, inside: 'mnt' }],
] as const)('%s lies in the mount that is nearest to it', ([path, expected]) => {
  expect(placeIn(MOUNTS, path)).toMatchObject(expected);
});

test.each([
  ["ERROR: cannot snapshot '/pool/media': Text file busy", 'PoolUnusable', /swap file/, /swapoff/],
  ["ERROR: cannot snapshot '/pool/media': No space left on device", 'NoSpace', /is full/, /snapshot list/],
  ["ERROR: cannot snapshot '/pool/media': Read-only file system", 'PoolUnusable', /read-only/, /remount,rw/],
] as const)('what a file system refuses is told with what to do next: %s', (stderrTail, code, words, hint) => {
  const told = refusal({ program: 'btrfs', exitCode: 1, stderrTail }, '/pool/snapshots/media-1');
  expect(told).toMatchObject({ code, subject: '/pool/snapshots/media-1' });
  expect([told.message, told.hint]).toEqual([expect.stringMatching(words), expect.stringMatching(hint)]);
});
