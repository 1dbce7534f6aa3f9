import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { MEMORY } from '../services/memory.ts';
import { aHouse, type House } from './house.ts';
import { stateOf } from './judge.ts';

const PASSPHRASE = 'a long enough passphrase';
const KINDS = ['zstd', 'gzip', 'none', 'age', 'gpg', 'single'] as const;
type Kind = (typeof KINDS)[number];

/** How stock tools read and write a stored item of each kind. */
const OPEN: Record<Kind, string> = {
  zstd: 'zstd -dcq',
  single: 'zstd -dcq',
  gzip: 'gzip -dcq',
  none: 'cat',
  age: 'age -d -i age.key | zstd -dcq',
  gpg: 'gpg --batch --quiet --passphrase-file gpg.pass --pinentry-mode loopback -d | zstd -dcq',
};
const CLOSE: Record<Kind, string> = {
  zstd: 'zstd -cq',
  single: 'zstd -cq',
  gzip: 'gzip -cq',
  none: 'cat',
  age: 'zstd -cq | age -r "$(age-keygen -y age.key)"',
  gpg: 'zstd -cq | gpg --batch --quiet --passphrase-file gpg.pass --pinentry-mode loopback -c',
};

interface Stored {
  readonly kind: Kind;
  readonly folder: string;
  readonly file: string;
  readonly item: string;
}
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let house: House;

/** Puts other bytes in the place of the file, whose old ones may have names in other points too. */
function replace(path: string, bytes: Uint8Array): void {
  writeFileSync(`${path}.other`, bytes);
  renameSync(`${path}.other`, path);
}

const flip =
  (place: (length: number) => number) =>
  ({ folder, file }: Stored): void => {
    const bytes = readFileSync(join(folder, file));
    const at = place(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ 0x04;
    replace(join(folder, file), bytes);
  };

/** Somebody, or a disk before the hashes were made: all hashes are right, what they are of is not what was captured. */
function rehash({ kind, folder, file, item }: Stored): void {
  const shell = (command: string, input: Uint8Array): Buffer =>
    execFileSync('sh', ['-c', command], { cwd: house.folder, env: house.environment, input, maxBuffer: 2 ** 28 });
  const path = join(folder, file);
  const plain = shell(OPEN[kind], readFileSync(path));
  writeFileSync(house.path('plain'), plain);
  if (item === 'files_data') house.tool('tar', '--delete', '-f', 'plain', `${house.path('data', 'then').slice(1)}`);
  else house.tool('sqlite3', 'plain', 'delete from notes where rowid = 7');
  const other = readFileSync(house.path('plain'));
  const sealed = shell(CLOSE[kind], other);
  replace(path, sealed);
  const manifestPath = join(folder, 'backup-manifest.json');
  const manifest = JSON.parse(readFileSync(manifestPath, 'utf8'));
  const row = manifest.items.find(({ name }: { name: string }) => name === item);
  const before = row.sha256;
  row.size = sealed.length;
  row.sha256 = sha256(sealed);
  if (row.originalSize !== null) Object.assign(row, { originalSize: other.length, originalSha256: sha256(other) });
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').replace(before, row.sha256);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  replace(manifestPath, Buffer.from(text));
  const said = sums.replace(/^[0-9a-f]{64}(?= {2}backup-manifest\.json$)/m, sha256(Buffer.from(text)));
  replace(join(folder, 'SHA256SUMS'), Buffer.from(said));
  execFileSync('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
}

const DAMAGES: Readonly<Record<string, (stored: Stored) => void>> = {
  'its first byte flipped': flip(() => 0),
  'a byte in the middle flipped': flip((length) => Math.floor(length / 2)),
  'its last byte flipped': flip((length) => length - 1),
  'its end cut off': ({ folder, file }) => {
    const bytes = readFileSync(join(folder, file));
    replace(join(folder, file), bytes.subarray(0, bytes.length - 20));
  },
  'its second half cut off': ({ folder, file }) => {
    const bytes = readFileSync(join(folder, file));
    replace(join(folder, file), bytes.subarray(0, bytes.length / 2));
  },
  'no bytes': ({ folder, file }) => replace(join(folder, file), new Uint8Array()),
  'no file': ({ folder, file }) => rmSync(join(folder, file)),
  'other content and right hashes': rehash,
};

/** Without its archive it is no point any more; a new archive is one by another tool. */
/** In a `single` archive this is its index: verify tells, and the items, which have hashes of their own, come back. */
const AROUND_THE_ITEMS = 'its last byte flipped';
const NOT_IN_SINGLE = ['no file', 'other content and right hashes'];

interface Made {
  readonly id: string;
  readonly repository: Kind;
  readonly location: string;
}
interface Listed {
  readonly id: string;
  readonly repository: string;
  readonly evidence: string;
}
const listed = (): Listed[] => JSON.parse(house.passes('list', '--json')).points;

const TOOLS = ['sqlite3', 'zstd', 'tar', 'diff', 'sha256sum', 'age', 'age-keygen', 'gpg'];
describe.runIf(TOOLS.every(available))('an item that is damaged', { timeout: 900_000 }, () => {
  beforeAll(() => {
    house = aHouse(MEMORY);
    house.tool('age-keygen', '-o', 'age.key');
    writeFileSync(house.path('gpg.pass'), `${PASSPHRASE}\n`);
    const recipient = house.tool('age-keygen', '-y', 'age.key').trim();
    const rows: Record<Kind, string> = {
      zstd: '',
      gzip: ', compression: { format: gzip }',
      none: ', compression: { format: none }',
      age: `, encryption: { age: { recipients: [${recipient}], identities: [{ file: ./age.key }] } }`,
      gpg: ', encryption: { gpg: { passphrase: { file: ./gpg.pass } } }',
      single: ", layout: single, filename: 'mealie-%Y%m%d-%H%M%S.tar.zst'",
    };
    const repositories = KINDS.map((kind) => `  ${kind}: { engine: archive, path: ./${kind}${rows[kind]} }\n`).join('');
    const sources = '{ data: { files: [./data] }, db: { sqlite: ./notes.db } }';
    house.configure(
      `version: 1\nrepositories:\n${repositories}services: { mealie: { sources: ${sources} } }\n` +
        `plans: { all: { services: [mealie], repositories: [${KINDS}], schedule: '0 2 * * *' } }\n`,
    );
    for (const kind of KINDS) house.passes('repository', 'init', kind);
  });
  afterAll(() => house[Symbol.dispose]());

  test('is found by verify in every point, and restored from none', () => {
    const cells = new Map<string, { readonly cell: string; readonly stored: Stored }>();
    const made = Object.keys(DAMAGES).map(() => JSON.parse(house.passes('backup', '--plan', 'all', '--json')).points);
    for (const [index, [words, damage]] of Object.entries(DAMAGES).entries()) {
      for (const { id, repository, location } of made[index] as Made[]) {
        const item = index % 2 === KINDS.indexOf(repository) % 2 || words === 'no bytes' ? 'files_data' : 'sqlite_db';
        const single = repository === 'single';
        const folder = house.path(repository, ...(single ? [] : [location]));
        const manifest = JSON.parse(
          readFileSync(single ? join(folder, `${location}.json`) : join(folder, 'backup-manifest.json'), 'utf8'),
        );
        const file = single ? location : manifest.items.find(({ name }: { name: string }) => name === item).file;
        if (single && NOT_IN_SINGLE.includes(words)) continue;
        const stored = { kind: repository, folder, file, item };
        damage(stored);
        cells.set(`${repository} ${id}`, { cell: `${repository} with ${words} in ${item}`, stored });
      }
    }
    expect(cells.size).toBe(KINDS.length * Object.keys(DAMAGES).length - NOT_IN_SINGLE.length);

    const before = listed();
    const ended = house.holdfast('verify', '--json');
    expect(ended.status, ended.stderr).toBe(1);
    const outcomes = JSON.parse(ended.stdout).points as { point: string; repository: string; outcome: string }[];
    const after = listed();
    expect(after).toHaveLength(before.length);
    const wrong: string[] = [];
    for (const { id, repository, evidence } of after) {
      const damaged = cells.get(`${repository} ${id}`);
      if ((damaged ? 'failed' : 'sound') !== evidence) wrong.push(`${damaged?.cell ?? 'whole'}: ${evidence}`);
    }
    expect(wrong).toEqual([]);
    expect(outcomes.filter(({ outcome }) => outcome === 'failed')).toHaveLength(cells.size);

    for (const [key, { cell }] of cells) {
      const [repository = '', id = ''] = key.split(' ');
      const { status, stdout, stderr } = house.holdfast('restore', id, '--repository', repository, '--to', 'target');
      const said = `${cell}: ${stdout}${stderr}`;
      if (status === 0) {
        const restored = house.path('target', cell.startsWith('single') ? 'backup/data' : house.path('data'));
        const whole = stateOf(restored, [house.path('data')]) !== null;
        if (!whole || !cell.startsWith(`single with ${AROUND_THE_ITEMS}`)) wrong.push(said);
      } else if (status !== 1 || existsSync(house.path('target')) || /^\s+at .*:\d+|defect of Holdfast/m.test(said))
        wrong.push(said);
      rmSync(house.path('target'), { recursive: true, force: true });
    }
    expect(wrong).toEqual([]);
  });
});
