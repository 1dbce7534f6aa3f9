import { excludedBelow, parsePattern } from '../domain/exclude.ts';
import { isBelow } from '../domain/tree-path.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Host, HostFiles } from '../ports/host.ts';
import { exchanged } from './in-place-kept.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { Staged } from './in-place-stage.ts';

export interface Excluded {
  /** The present state. */
  readonly present: string;
  /** What will stand in its place. */
  readonly restored: string;
  /** The source's root, from which patterns with a slash count: `present` or above it. */
  readonly root: string;
  readonly patterns: readonly string[];
  /** Paths that belong to something which is restored by itself. */
  readonly owned: ReadonlySet<string>;
}

/** Moves what the source leaves out (logs, caches) from the present state into what was restored, so that a restore does
 *  not take it away. It stays in the kept state where the restored tree has something of its name, has no folder for it,
 *  where its name is not UTF-8, and where it is the log of a database that was restored: beside an older database that
 *  would show today's tables (interface, section 10, line 3). Answers with the names that stayed, as text. */
async function moveExcluded(
  { present, restored, root, patterns, owned }: Excluded,
  host: Host,
  journal: Pick<JournalEntry, 'step'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (patterns.length === 0) return [];
  const excluded = excludedBelow(patterns.map(parsePattern), root);
  const above = present === root ? '' : `${present.slice(root.length + 1)}/`;
  const isFolder = folderLooker(restored, host.files, signal);
  const stayed: string[] = [];
  let moved: string | null = null;
  const names: { readonly below: string; readonly utf8: boolean }[] = [];
  for await (const { below, folder, utf8 } of namesBelow(present, host, signal)) {
    if (moved !== null && below.startsWith(`${moved}/`)) continue; // with a folder goes all that is in it
    if (!exchanged(below.split('/', 1)[0] ?? '') || !excluded(above + below, folder)) continue;
    moved = below;
    names.push({ below, utf8 });
  }
  for (const { below, utf8 } of names) {
    const to = `${restored}/${below}`;
    if (owned.has(`${present}/${below}`)) continue;
    const hasPlace = utf8 && (await isFolder(parentOf(below))) && (await host.files.status(to, signal)) === null;
    if (!hasPlace || (await isDatabaseLog(to, host.files, signal))) {
      stayed.push(below);
      continue;
    }
    const from = `${present}/${below}`;
    const step = { kind: 'path-renamed', host: host.name, from, to } as const;
    await journal.step(step, () => host.files.rename(from, to, signal));
  }
  return stayed;
}

const parentOf = (below: string): string => below.slice(0, Math.max(0, below.lastIndexOf('/')));

async function isDatabaseLog(path: string, files: HostFiles, signal: AbortSignal): Promise<boolean> {
  const database = /^(.*)-(?:wal|shm|journal)$/s.exec(path)?.[1];
  return database !== undefined && (await files.status(database, signal)) !== null;
}

/** True for a real folder that is reached without a link. */
function folderLooker(root: string, files: HostFiles, signal: AbortSignal): (below: string) => Promise<boolean> {
  const seen = new Map<string, boolean>();
  return async function isFolder(below): Promise<boolean> {
    const known = seen.get(below);
    if (known !== undefined) return known;
    const reached = below === '' || (await isFolder(parentOf(below)));
    const path = below === '' ? root : `${root}/${below}`;
    const answer = reached && (await files.status(path, signal))?.type === 'directory';
    seen.set(below, answer);
    return answer;
  };
}

/** GNU find's order: a folder before what is in it. */
async function* namesBelow(
  path: string,
  host: Host,
  signal: AbortSignal,
): AsyncGenerator<{ readonly below: string; readonly folder: boolean; readonly utf8: boolean }> {
  const find = { program: 'find', args: [path, '-xdev', '-mindepth', '1', '-printf', '%y%P\\0'] };
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of host.read([find], { signal })) {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0); end >= 0; end = rest.indexOf(0)) {
      const name = rest.subarray(1, end);
      const below = name.toString('utf8');
      yield { below, folder: rest[0] === 0x64, utf8: Buffer.from(below, 'utf8').equals(name) };
      rest = rest.subarray(end + 1);
    }
  }
}

/** Takes over what the source of an exchanged folder leaves out ({@link moveExcluded}). @returns what stayed, for people */
export async function keepExcluded(
  exchange: Staged,
  { host, exchanges }: InPlacePlan,
  journal: Pick<JournalEntry, 'step'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { path, root, staged, present, choice } = exchange;
  if (present?.type !== 'directory' || !choice.tree) return [];
  const inside = exchanges.filter((other) => other.way === 'nested' && isBelow(other.path, path));
  const owned = new Set(inside.flatMap((other) => [other.path, ...other.companions]));
  const wanted = { present: path, restored: staged, root, patterns: choice.item?.exclude ?? [], owned };
  const stayed = await moveExcluded(wanted, host, journal, signal);
  if (stayed.length === 0) return [];
  const more = stayed.length > 5 ? ` and ${stayed.length - 5} more` : '';
  return [
    `Left out by the source and not taken over, but kept in ${exchange.kept}: ${stayed.slice(0, 5).join(', ')}${more}`,
  ];
}
