import { printName } from '../domain/tree-name.ts';
import { parentOf, trimSlashes } from '../domain/tree-path.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Host } from '../ports/host.ts';
import type { Context } from './context.ts';
import { type Exchange, thereOf } from './in-place-exchange.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { Choice } from './restore-choice.ts';
import { extract, userIdOf } from './restore-extract.ts';
import type { RestoredItem } from './restore-request.ts';

/** An exchange whose new state lies ready under `staged`, on the file system of its path. */
export interface Staged extends Exchange {
  readonly staged: string;
}

export interface Stages {
  /** Those that are exchanged by themselves; what is nested was put into them. */
  readonly exchanges: readonly Staged[];
  readonly items: readonly RestoredItem[];
}

export interface StageParts {
  /** Null when snapshots hold all of it. */
  readonly selected: SelectedPoint | null;
  readonly context: Pick<Context, 'format' | 'progress'>;
  readonly journal: Pick<JournalEntry, 'step'>;
}

/** Restores all that will be exchanged into folders of our own beside it, proves it, and syncs it: a rename must not
 *  outlive the bytes that it names. Nothing of the present state is touched. */
export async function stage({ host, exchanges }: InPlacePlan, parts: StageParts, signal: AbortSignal): Promise<Stages> {
  const read = exchanges.filter(({ copy }) => copy === null);
  const folders = [...new Set(read.map((exchange) => exchange.stage))];
  for (const path of folders) {
    const made = { kind: 'path-made', host: host.name, path } as const;
    await parts.journal.step(made, () => host.files.makeFolder(path, 0o700, signal));
  }
  const items: RestoredItem[] = [];
  const ready: Staged[] = [];
  for (const exchange of exchanges) {
    const { copy, choice, path } = exchange;
    if (copy === null) continue;
    await parts.journal.step(copy.step, () => copy.make(signal));
    ready.push({ ...exchange, staged: copy.staged });
    items.push({ name: choice.name, paths: [path], files: 0, bytes: 0, proof: 'a snapshot', warnings: [] });
  }
  const choices = [...new Set(read.map(({ choice }) => choice))];
  for (const [index, choice] of choices.entries()) {
    const own = read.filter((exchange) => exchange.choice === choice);
    const { selected } = parts;
    if (selected === null) throw new TypeError(`${choice.name} is in no point.`);
    const extracted = { files: 0, bytes: 0, proof: '', warnings: [] as readonly string[] };
    for (const [part, { folder, chosen, filled }] of readings(choice, own, index).entries()) {
      await host.files.makeFolder(folder, 0o700, signal);
      const { files, bytes, proof, warnings } = await extract(
        { choice: chosen, host, stage: folder, ...parts, selected },
        signal,
      );
      extracted.files += files;
      extracted.bytes += bytes;
      extracted.warnings = [...extracted.warnings, ...warnings];
      extracted.proof = part === 0 || proof === extracted.proof ? proof : `${extracted.proof}; ${proof}`;
      for (const exchange of filled) ready.push({ ...exchange, staged: stagedPath(folder, exchange) });
    }
    items.push({ name: choice.name, paths: own.map(({ path }) => path), ...extracted });
  }
  const dumps = ready.filter(({ choice }) => !choice.tree);
  for (const exchange of dumps) await takeAttributes(exchange, ready, host, signal);
  const built: Staged[] = [];
  for (const exchange of ready) built.push(await build(exchange, dumps, signal));
  for (const exchange of built)
    if (exchange.way === 'nested') await putInto(outerOf(exchange, built), exchange, host, signal);
  for (const path of folders) await host.run({ program: 'sync', args: ['--file-system', '--', path] }, { signal });
  return { exchanges: built.filter(({ way }) => way !== 'nested'), items };
}

/** Makes the volumes that are gone; what was made is what is there now. */
export async function prepared(plan: InPlacePlan, signal: AbortSignal): Promise<InPlacePlan> {
  const exchanges: Exchange[] = [];
  for (const exchange of plan.exchanges) {
    const { prepare = null, path } = exchange;
    await prepare?.(signal);
    const present = prepare === null ? exchange.present : await plan.host.files.status(path, signal);
    exchanges.push({ ...exchange, present });
  }
  return { ...plan, exchanges };
}

/** What is there of the paths of servers, looked at once more: a server writes its files when it ends, also one that had
 *  none before. */
export async function lookedAgain(
  exchanges: readonly Staged[],
  { files }: Host,
  signal: AbortSignal,
): Promise<Staged[]> {
  const looked: Staged[] = [];
  for (const exchange of exchanges) {
    if (exchange.server === undefined) {
      looked.push(exchange);
      continue;
    }
    const present = await files.status(exchange.path, signal);
    const presentCompanions = await thereOf(exchange.companions, files, signal);
    looked.push({ ...exchange, present, presentCompanions });
  }
  return looked;
}

/** Makes of a dump what its server reads, where that is not the dump itself. */
async function build(exchange: Staged, dumps: readonly Staged[], signal: AbortSignal): Promise<Staged> {
  const { server, staged, choice } = exchange;
  if (server === undefined || server.build === null) return exchange;
  const own = dumps.filter((other) => other.choice.source === choice.source);
  const target = `${staged}.built`;
  await server.build(new Map(own.map((other) => [other.stored, other.staged])), target, signal);
  return { ...exchange, staged: target };
}

interface Reading {
  readonly folder: string;
  readonly chosen: Choice;
  readonly filled: readonly Exchange[];
}

/** One reading for all paths of an item, or one for each when they lie on several file systems. */
function readings(choice: Choice, exchanges: readonly Exchange[], index: number): readonly Reading[] {
  const [first] = exchanges;
  if (first === undefined) return [];
  if (exchanges.every((exchange) => exchange.stage === first.stage)) {
    return [{ folder: `${first.stage}/item-${index}`, chosen: choice, filled: exchanges }];
  }
  return exchanges.map((exchange, part) => ({
    folder: `${exchange.stage}/item-${index}-${part}`,
    chosen: { ...choice, path: trimSlashes(printName(Buffer.from(exchange.stored))) },
    filled: [exchange],
  }));
}

const stagedPath = (folder: string, { choice, stored }: Exchange): string =>
  `${folder}/${choice.tree ? trimSlashes(stored) : choice.file}`;

const outerOf = ({ path }: Staged, all: readonly Staged[]): Staged => {
  const found = all.find((other) => other.way !== 'nested' && path.startsWith(`${other.path}/`));
  if (found === undefined) throw new TypeError(`${path} is nested in nothing`);
  return found;
};

const placeIn = (outer: Staged, path: string): string => `${outer.staged}${path.slice(outer.path.length)}`;

/** A dump has no owner and no mode of its own: it takes those of the file that it replaces. Without one, its owner is
 *  that of the folder it comes into, and it stays closed to others. */
async function takeAttributes(
  exchange: Staged,
  all: readonly Staged[],
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  const { path, staged, present, way } = exchange;
  const candidates = way === 'nested' ? [path, placeIn(outerOf(exchange, all), path)] : [path];
  for (const model of candidates) {
    if ((await host.files.status(model, signal))?.type !== 'file') continue;
    const args = ['--attributes-only', '--preserve=mode,ownership', '--', model, staged];
    await host.run({ program: 'cp', args }, { signal });
    return;
  }
  const folder = way === 'nested' ? parentOf(placeIn(outerOf(exchange, all), path)) : parentOf(path);
  if (present !== null || (await host.files.status(folder, signal)) === null) return;
  if ((await userIdOf(host, signal)) !== 0) return; // only root can give a file away
  await host.run({ program: 'chown', args: [`--reference=${folder}`, '--', staged] }, { signal });
}

/** Puts what is restored by itself into the tree that is restored around it, in the place of the tree's own copy. */
async function putInto(
  outer: Staged,
  { path, staged, companions }: Staged,
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  for (const replaced of [path, ...companions]) await host.files.remove(placeIn(outer, replaced), signal);
  await host.files.makeFolder(parentOf(placeIn(outer, path)), 0o755, signal);
  await host.files.rename(staged, placeIn(outer, path), signal);
}
