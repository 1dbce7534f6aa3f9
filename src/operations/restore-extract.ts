import { counted } from '../domain/counted.ts';
import { HoldfastError } from '../domain/errors.ts';
import { compareFacts, type Difference, type Facts } from '../domain/facts.ts';
import type { Root } from '../domain/manifest.ts';
import { isBelow, trimSlashes } from '../domain/tree-path.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Command, Host } from '../ports/host.ts';
import type { Context } from './context.ts';
import { passingBytes } from './passing-bytes.ts';
import type { SelectedPoint } from './point-selection.ts';
import { type Choice, chosenEntries } from './restore-choice.ts';

/** What was written into a stage, and what was proved about it. */
export interface Extracted {
  readonly files: number;
  readonly bytes: number;
  readonly proof: string;
  /** What tar could not set on this file system and goes on without (an attribute, an ACL), at most 20 lines. */
  readonly warnings: readonly string[];
}

export interface Extraction {
  readonly choice: Choice;
  readonly selected: SelectedPoint;
  readonly host: Host;
  /** An empty folder that nobody else can reach. */
  readonly stage: string;
  readonly context: Pick<Context, 'format' | 'progress'>;
}

/** Writes a choice into its stage: a tree under the names of its tar, a dump as `<stage>/<file>` (0600). The repository
 *  compares the hashes as the bytes pass; what lies on the disk afterwards is counted and compared with the facts.
 *  @throws Damaged when either differs; ProcessFailed when the stage could not be written */
export async function extract(extraction: Extraction, signal: AbortSignal): Promise<Extracted> {
  const { choice, context } = extraction;
  context.progress({ type: 'item-started', subject: choice.name, totalBytes: choice.bytes });
  const extracted = await (choice.tree ? extractTree(extraction, signal) : extractDump(extraction, signal));
  context.progress({ type: 'item-finished', subject: choice.name, outcome: 'passed', detail: extracted.proof });
  return extracted;
}

/** Writes a choice into its stage as {@link extract} does, and counts nothing. @returns what tar goes on without */
export const writeItem = (extraction: Extraction, signal: AbortSignal): Promise<readonly string[]> =>
  extraction.choice.tree ? writeTree(extraction, signal) : writeDump(extraction, signal);

async function writeTree(extraction: Extraction, signal: AbortSignal): Promise<readonly string[]> {
  const { choice, selected, host, stage } = extraction;
  const { repository, point } = selected;
  const bytes =
    choice.path === null
      ? repository.open(point, choice.name, signal)
      : repository.openTree(point, choice.name, choice.path, signal);
  const root = (await userIdOf(host, signal)) === 0;
  return await feedWhole(host, untar(stage, root), bytes, extraction, signal);
}

async function extractTree(extraction: Extraction, signal: AbortSignal): Promise<Extracted> {
  const { choice, stage, context } = extraction;
  const warnings = await writeTree(extraction, signal);
  if (choice.item === null) {
    const { files = 0 } = await countMembers(extraction, signal);
    return { files, bytes: choice.bytes, proof: 'read to its end; nothing was recorded to compare it with', warnings };
  }
  const format = await context.format(choice.item.kind);
  const recorded = choice.path === null ? choice.item.facts : await countMembers(extraction, signal);
  const roots = choice.path === null ? (choice.item.roots ?? []) : WHOLE_STAGE;
  const facts = await format.facts(stage, roots, signal);
  refuseDifferent(recorded, facts, extraction);
  const hashes = choice.path === null ? 'hashes' : 'checksums of what was read';
  return {
    files: facts.files ?? 0,
    bytes: facts.bytes ?? 0,
    proof: `${hashes} and ${wordsOf(recorded)} are equal`,
    warnings,
  };
}

const WHOLE_STAGE: readonly Root[] = [{ path: '.', stored: '.' }];

/** What a partial restore must leave in its stage: the members, the folders above them, and the stage itself. Bytes are
 *  left out where a hard link is among them: its first name may lie outside, and then it is written as a file. */
async function countMembers({ choice, selected }: Extraction, signal: AbortSignal): Promise<Facts> {
  const counts = { files: 0, directories: 1 + foldersAbove(choice).size, links: 0, others: 0, bytes: 0 };
  let linked = false;
  for await (const { type, size } of chosenEntries(choice, selected, signal)) {
    counts[PLACE[type]]++;
    counts.bytes += size;
    linked ||= type === 'hardlink';
  }
  const { bytes, ...names } = counts;
  return linked ? names : { ...names, bytes };
}

const PLACE = { file: 'files', hardlink: 'files', directory: 'directories', link: 'links', other: 'others' } as const;

/** Folders that tar makes by itself, because they lie above what was chosen. */
function foldersAbove({ path, item }: Choice): ReadonlySet<string> {
  const below = (item?.roots ?? [])
    .map(({ stored }) => trimSlashes(stored))
    .filter((root) => isBelow(root, path ?? ''));
  const tops = below.length > 0 ? below : [path ?? ''];
  const above = tops.flatMap((top) =>
    top
      .split('/')
      .slice(0, -1)
      .map((_, index, all) => all.slice(0, index + 1).join('/')),
  );
  return new Set(above.filter((folder) => !tops.some((top) => isBelow(folder, top))));
}

async function writeDump(extraction: Extraction, signal: AbortSignal): Promise<readonly string[]> {
  const { choice, selected, host } = extraction;
  const path = dumpPath(extraction);
  const bytes = selected.repository.open(selected.point, choice.name, signal);
  const write = { program: 'dd', args: [`of=${path}`, 'bs=1M', 'status=none'] };
  await feedWhole(host, write, bytes, extraction, signal);
  await host.run({ program: 'chmod', args: ['0600', '--', path] }, { signal });
  return [];
}

function dumpPath({ choice, stage }: Extraction): string {
  if (choice.file === null) throw new TypeError(`${choice.name} is no dump`);
  return `${stage}/${choice.file}`;
}

async function extractDump(extraction: Extraction, signal: AbortSignal): Promise<Extracted> {
  const { choice, context } = extraction;
  if (choice.item === null) throw new TypeError(`${choice.name} is no dump`);
  const path = dumpPath(extraction);
  await writeDump(extraction, signal);
  const format = await context.format(choice.item.kind);
  refuseDifferent(choice.item.facts, await format.facts(path, [], signal), extraction);
  const proof = `hashes and ${wordsOf(choice.item.facts)} are equal`;
  return { files: 1, bytes: choice.bytes, proof, warnings: [] };
}

/** GNU tar 1.34. What belongs to another account is given back to it by root alone; security and trusted attributes can
 *  be written by root alone. Symbolic links that lead out are made last of all, so that nothing is written through them. */
const untar = (folder: string, root: boolean): Command => ({
  program: 'tar',
  args: [
    '--extract',
    '--file=-',
    `--directory=${folder}`,
    '--acls',
    '--xattrs',
    root ? '--xattrs-include=*' : '--xattrs-include=user.*',
    '--numeric-owner',
    '--preserve-permissions',
    root ? '--same-owner' : '--no-same-owner',
    '--delay-directory-restore',
    '--warning=no-timestamp', // a file from the future is restored as it was
  ],
});

export async function userIdOf(host: Host, signal: AbortSignal): Promise<number> {
  const { stdout } = await host.run({ program: 'id', args: ['-u'] }, { signal });
  return Number(stdout.trim());
}

const WARNINGS_SHOWN = 20;

/** The hashes are compared when the last byte was taken: a program that stops reading earlier proves nothing. */
async function feedWhole(
  host: Host,
  command: Command,
  bytes: Bytes,
  { choice, context }: Extraction,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const warnings: string[] = [];
  const onStderr = (line: string): void => {
    if (warnings.length < WARNINGS_SHOWN) warnings.push(line);
  };
  let passed = 0;
  let ended = false;
  const onPassed = (count: number): void => {
    passed = count;
    context.progress({ type: 'item-advanced', subject: choice.name, bytes: count });
  };
  async function* untilEnd(): Bytes {
    yield* passingBytes(bytes, onPassed);
    ended = true;
  }
  await host.feed([command], { signal, input: untilEnd(), onStderr });
  if (ended) return warnings;
  const words = `${command.program} stopped reading ${choice.name} after ${passed} bytes, before its hashes were compared.`;
  throw new HoldfastError('Damaged', words, choice.name);
}

function refuseDifferent(recorded: Facts, actual: Facts, { choice, selected }: Extraction): void {
  const counted = ({ fact }: Difference): boolean => Object.hasOwn(recorded, fact.split(' ')[0] ?? '');
  const differences = compareFacts(recorded, actual).filter(counted);
  if (differences.length === 0) return;
  const words = differences
    .slice(0, 5)
    .map(({ fact, expected, actual: found }) => `${fact}: ${expected} recorded, ${found} restored`);
  throw new HoldfastError(
    'Damaged',
    `Item ${choice.name} of ${selected.point.id} is not what was backed up: ${words.join('; ')}.`,
    choice.name,
  );
}

/** `3 files`, `120 rows of 4 tables`: what was compared, for people. */
function wordsOf({ files, tables, entries, keys, documents }: Facts): string {
  if (files !== undefined) return counted(files, 'file');
  if (tables !== undefined) {
    const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
    return `${counted(rows, 'row')} in ${counted(Object.keys(tables).length, 'table')}`;
  }
  if (entries !== undefined) return counted(entries, 'entry', 'entries');
  if (keys !== undefined) return counted(keys, 'key');
  return documents === undefined ? 'sizes' : `${Object.keys(documents).length} databases`;
}
