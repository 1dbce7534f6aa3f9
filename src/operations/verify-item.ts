import { type ErrorCode, firstOf, HoldfastError, messageOf } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { Check, VerifyLevel } from '../domain/verdict.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import type { Workspace } from './workspace.ts';

export interface ItemToVerify {
  readonly point: RecoveryPoint;
  readonly repository: Repository;
  readonly level: VerifyLevel;
  readonly workspace: Workspace;
}

/** Reasons for which it could not be told whether the bytes are well. What nobody foresaw, a defect of the program too,
 *  tells nothing either; any other error is a failure. */
const INCONCLUSIVE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'WrongPassword',
  'SecretMissing',
  'Unsupported',
  'ToolMissing',
  'RepositoryNotFound',
  'RepositoryLocked',
  'NoSpace',
  'ScratchUnusable',
  'OverBudget',
  'StateBusy',
  'StateUnusable',
  'Internal',
]);

/** A check whose work threw. */
export function inconclusiveOrFailed(name: string, error: unknown, durationMs: number): Check {
  const first = firstOf(error);
  const told = first instanceof HoldfastError && !INCONCLUSIVE.has(first.code);
  return { name, outcome: told ? 'failed' : 'inconclusive', detail: messageOf(first), durationMs };
}

/** Reads every byte of an item, which compares its hashes, and with `sound` looks at its structure in the same pass.
 *  `item` is null for what a foreign archive holds: no hash of it was recorded, and its structure is not known. */
export async function verifyItem(
  name: string,
  item: Item | null,
  { point, repository, level, workspace }: ItemToVerify,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const { clock, progress } = context;
  const from = clock.monotonicMs();
  const elapsed = (): number => Math.round(clock.monotonicMs() - from);
  progress({
    type: 'item-started',
    subject: name,
    totalBytes: item === null ? null : (item.originalSize ?? item.size),
  });
  const open = (): Reading =>
    reading(repository.open(point, name, signal), (bytes) => progress({ type: 'item-advanced', subject: name, bytes }));
  const checks: Check[] = [];
  let read = open();
  if (level === 'sound') {
    try {
      checks.push(...(await inspect(name, item, { read, workspace }, context, signal)));
    } catch (error) {
      signal.throwIfAborted();
      // What the bytes threw is told by the hash check, whoever passed it on.
      if (read.error === null) checks.push(inconclusiveOrFailed(`${name}: structure`, error, elapsed()));
    }
  }
  if (!read.ended && read.error === null) {
    read = open(); // whoever looked at the structure may have stopped early
    await drain(read, signal);
  }
  const hash = `${name}: hash`;
  const detail = `${read.bytes} bytes read${item === null ? ', which were never recorded' : ', as recorded'}`;
  checks.unshift(
    read.error === null
      ? { name: hash, outcome: 'passed', detail, durationMs: elapsed() }
      : inconclusiveOrFailed(hash, read.error, elapsed()),
  );
  const bad = checks.find(({ outcome }) => outcome !== 'passed');
  progress({ type: 'item-finished', subject: name, outcome: bad?.outcome ?? 'passed', detail: bad?.detail ?? '' });
  return checks;
}

async function inspect(
  name: string,
  item: Item | null,
  { read, workspace }: { readonly read: Reading } & Pick<ItemToVerify, 'workspace'>,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  if (item === null) throw new HoldfastError('Unsupported', 'Its structure is not known: another tool made it.', name);
  const format = await context.format(item.kind);
  const from = context.clock.monotonicMs();
  const findings = await format.inspect(read.stream, item.facts, await workspace.folder(name), signal);
  const durationMs = Math.round(context.clock.monotonicMs() - from);
  if (findings.length === 0)
    throw new HoldfastError('Internal', `The inspection of ${item.kind} found neither good nor bad.`, name);
  return findings.map((finding) => ({
    name: `${name}: ${finding.name}`,
    outcome: finding.outcome,
    detail: finding.detail,
    durationMs,
  }));
}

/** A stream, and what was seen of it. */
interface Reading {
  readonly stream: Bytes;
  bytes: number;
  ended: boolean;
  /** What the stream threw; null while it threw nothing. */
  error: unknown;
}

const ADVANCE_BYTES = 1024 * 1024;

function reading(bytes: Bytes, advance: (bytes: number) => void): Reading {
  async function* pass(): Bytes {
    let told = 0;
    try {
      for await (const chunk of bytes) {
        seen.bytes += chunk.length;
        if (seen.bytes - told >= ADVANCE_BYTES) {
          told = seen.bytes;
          advance(told);
        }
        yield chunk;
      }
      seen.ended = true;
    } catch (error) {
      seen.error = error;
      throw error;
    }
  }
  const seen: Reading = { stream: pass(), bytes: 0, ended: false, error: null };
  return seen;
}

async function drain({ stream }: Reading, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of stream) signal.throwIfAborted();
  } catch {
    signal.throwIfAborted(); // the reading keeps what it threw
  }
}
