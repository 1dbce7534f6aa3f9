// Measures what guard and rollback add to the snapshot that they stand on (see bench/README.md) and prints a table.
//   node bench/guard.ts     as root, with btrfs-progs and jq     BENCH_FOLDER=/where/there/is/room ROUNDS=5
import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openCatalog } from '../src/catalog/open.ts';
import { makeTree } from './data.ts';
import { alternate, type Contender, differenceRow, measure } from './measure.ts';

const root = join(import.meta.dirname, '..');
const folder = process.env.BENCH_FOLDER ?? join(tmpdir(), 'holdfast-bench');
const rounds = Number(process.env.ROUNDS ?? 5);
const program = process.env.HOLDFAST ?? `${root}/holdfast`;
const pool = join(folder, 'pool');
const RECORDS = 10_000;
const SUBVOLUMES = { small: { files: 10_000, bytes: 10_000_000 }, large: { files: 100_000, bytes: 400_000_000 } };

/** The wrapper that people write: a snapshot, the command, its line in a JSON history. It keeps no journal: what a crash
 *  leaves is unknown to it, and of two at once one loses its line. */
const WRAPPER = `#!/bin/bash
set -eu
history=$1; subvolume=$2; operation=$3; shift 3
name="$subvolume-pre-$operation-$(date +%Y%m%d-%H%M%S)-$$"
edit() { jq "$@" "$history" >"$history.new" && mv "$history.new" "$history"; }
btrfs subvolume snapshot -r "${pool}/$subvolume" "${pool}/snapshots/$name" >/dev/null
edit --arg name "$name" --arg at "$(date -u +%FT%TZ)" --arg operation "$operation" \\
  '.snapshots += [{timestamp: $at, operation: $operation, snapshot_name: $name, outcome: "pending"}]'
if "$@"; then outcome=success; else outcome=command_failed; fi
edit --arg name "$name" --arg outcome "$outcome" '(.snapshots[] | select(.snapshot_name == $name)).outcome = $outcome'
[ "$outcome" = success ]
`;

type Name = keyof typeof SUBVOLUMES;
const base = (name: Name): string => `${name}-manual-20260101-000000`;

async function preparePool(): Promise<void> {
  await mkdir(pool, { recursive: true });
  if (!existsSync(`${pool}.img`)) await measure("sh -c 'truncate -s 8G pool.img && mkfs.btrfs -q pool.img'", folder);
  await measure("sh -c 'mountpoint -q pool || mount -o loop pool.img pool'", folder);
  await mkdir(join(pool, 'snapshots'), { recursive: true });
  for (const [name, { files, bytes }] of Object.entries(SUBVOLUMES)) {
    if (existsSync(join(pool, 'snapshots', base(name as Name)))) continue;
    await measure(`btrfs subvolume create pool/${name} >/dev/null`, folder);
    await makeTree(join(pool, name), files, bytes);
    await measure(`btrfs subvolume snapshot -r pool/${name} pool/snapshots/${base(name as Name)} >/dev/null`, folder);
  }
  await writeFile(join(folder, 'wrapper'), WRAPPER, { mode: 0o755 });
  const subvolumes = Object.keys(SUBVOLUMES).map((name) => `${name}: {}`);
  await writeFile(
    join(folder, 'guard.yaml'),
    `version: 1\npools: { bench: { path: pool, subvolumes: { ${subvolumes} } } }\n`,
  );
}

/** Removes what earlier runs left: all but the two subvolumes and the snapshots that rollbacks go to. */
async function clear(): Promise<void> {
  const kept = new Set([
    'snapshots',
    ...Object.keys(SUBVOLUMES),
    ...Object.keys(SUBVOLUMES).map((name) => base(name as Name)),
  ]);
  const found = [
    ...(await readdir(pool)),
    ...(await readdir(join(pool, 'snapshots'))).map((name) => `snapshots/${name}`),
  ];
  for (const path of found.filter((one) => !kept.has(one.replace('snapshots/', ''))))
    await measure(`btrfs subvolume delete pool/${path} >/dev/null`, folder);
}

/** A state folder, and the wrapper's history, with so many changes on record whose snapshots are long gone. */
async function prepareHistory(name: string, records: number): Promise<void> {
  const state = join(folder, `state-${name}`);
  await mkdir(state, { recursive: true, mode: 0o700 });
  const at = (number: number): string =>
    Temporal.Instant.from('2024-01-01T00:00:00Z').add({ hours: number }).toString();
  const gone = Array.from({ length: records }, (_, number) => `small-pre-change-${number}`);
  const lines = gone.map((snapshot_name, number) => ({
    ...{ timestamp: at(number), operation: 'change', snapshot_name, outcome: 'success' },
  }));
  await writeFile(join(folder, `${name}.json`), JSON.stringify({ snapshots: lines }));
  if (existsSync(join(state, 'catalog.db'))) return;
  await (await openCatalog(join(state, 'catalog.db')))[Symbol.asyncDispose]();
  using database = new DatabaseSync(join(state, 'catalog.db'));
  database.exec('BEGIN');
  const [snapshots, runs, recoveries] = [
    database.prepare(
      "INSERT INTO snapshots VALUES ('bench', ?, 'small', 'pre-operation', 'change', ?, 'success', NULL)",
    ),
    database.prepare("INSERT INTO runs VALUES (?, 'guard', NULL, '[]', ?, 90, 'passed', '{}')"),
    database.prepare(
      "INSERT INTO recoveries VALUES (?, 'subvolume', 'small', ?, 'manual-recovery', ?, 1000, 'success')",
    ),
  ];
  for (const [number, snapshot] of gone.entries()) {
    snapshots.run(snapshot, at(number));
    runs.run(`RUN${number}`, at(number));
    recoveries.run(`RECOVERY${number}`, snapshot, at(number));
  }
  database.exec('COMMIT');
}

const holdfast = (history: string, words: string): string =>
  `env STATE_DIRECTORY=${folder}/state-${history} ${program} --config ${folder}/guard.yaml --quiet ${words}`;
const bare = (name: Name): Contender => ({
  name: 'btrfs subvolume snapshot',
  line: `btrfs subvolume snapshot -r pool/${name} pool/snapshots/bare-$$ >/dev/null`,
});
const guard = (name: Name, history: string): Contender => ({
  name: 'guard',
  line: holdfast(history, `guard --subvolume ${name} --operation bench -- true`),
});
const wrapper = (name: Name, history: string): Contender => ({
  name: 'bash and jq',
  line: `./wrapper ${folder}/${history}.json ${name} bench true`,
});
const rollback = (name: Name, history: string): Contender => ({
  name: 'rollback',
  line: holdfast(history, `rollback --snapshot ${base(name)} --auto-confirm`),
});
const moved = (name: Name): Contender => ({
  name: 'mv, btrfs subvolume snapshot',
  line: `mv pool/${name} pool/${name}.old-$$ && btrfs subvolume snapshot pool/snapshots/${base(name)} pool/${name} >/dev/null`,
});

const rows: string[] = [];
async function compare(what: string, ours: readonly Contender[], peer: Contender, target: string): Promise<void> {
  process.stderr.write(`${what}\n`);
  await clear();
  const found = await alternate([peer, ...ours], rounds, folder);
  const [below] = found;
  if (below === undefined) return;
  for (const series of found.slice(1)) rows.push(differenceRow(`${series.name}, ${what}`, series, below, target));
}

await mkdir(folder, { recursive: true });
await preparePool();
await prepareHistory('new', 0);
await prepareHistory('long', RECORDS);
const [less, even] = ['200 ms, aim 70', '200 ms'];
await measure(guard('small', 'new').line, folder); // a configuration that was checked, V8's cache
await measure(guard('small', 'long').line, folder);
await compare('10,000 files', [guard('small', 'new'), wrapper('small', 'new')], bare('small'), less);
await compare('10,000 records of history', [guard('small', 'long'), wrapper('small', 'long')], bare('small'), less);
await compare('100,000 files', [guard('large', 'new')], bare('large'), less);
await compare('10,000 files', [rollback('small', 'new')], moved('small'), even);
await compare('10,000 records of history', [rollback('small', 'long')], moved('small'), even);
await compare('100,000 files', [rollback('large', 'new')], moved('large'), even);
process.stdout.write(
  `| what | holdfast | peer | difference (spread) | promised |\n|---|---|---|---|---|\n${rows.join('\n')}\n`,
);
await clear();
await measure('umount pool', folder);
