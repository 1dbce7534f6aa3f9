import { clockProblem } from '../domain/clock-guard.ts';
import { counted } from '../domain/counted.ts';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import { newestFirst } from '../domain/proof.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import { formatBytes } from '../domain/size.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import type { OpenEntry } from '../journal/journal.ts';
import type { Source } from '../ports/source.ts';
import { unitsToStop } from './backup.ts';
import type { Context } from './context.ts';
import { type AdvisedRepair, withAdvice } from './left-guards.ts';
import { refresh } from './refresh.ts';
import { freeBytesOf } from './repository-check.ts';

/** A program that the configuration needs on this machine. */
export interface RequiredTool {
  readonly program: string;
  /** What needs it, for people: `files of mealie`. */
  readonly neededBy: string;
  /** The oldest version that will do; null when any will. */
  readonly minimum: string | null;
}

export interface DoctorRequest {
  readonly tools: readonly RequiredTool[];
  /** Put open journals right. */
  readonly repair: boolean;
}

/** One thing that was looked at. `advice` is what to do; empty for `ok`. */
interface DoctorRow {
  readonly subject: string;
  readonly outcome: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly advice: string;
}

export interface DoctorReport {
  /** `failed` when any row is. */
  readonly outcome: 'passed' | 'failed';
  readonly rows: readonly DoctorRow[];
  readonly repairs: readonly AdvisedRepair[];
}

/** Below this the state folder, or a repository, has no room to work with. */
const LITTLE_BYTES = 256 * 1024 * 1024;

const ok = (subject: string, detail: string): DoctorRow => ({ subject, outcome: 'ok', detail, advice: '' });
const failed = (subject: string, error: unknown): DoctorRow => ({
  subject,
  outcome: 'failed',
  detail: messageOf(error),
  advice: error instanceof HoldfastError ? error.hint : '',
});

/** What this machine has and lacks for this configuration. Nothing is changed, except open journals with `repair`. */
export async function doctor(
  { tools, repair }: DoctorRequest,
  context: Context,
  signal: AbortSignal,
): Promise<DoctorReport> {
  const { rows: journals, repairs } = await lookAtJournals(repair, context, signal);
  const rows = [
    ...(await Promise.all(tools.map((tool) => lookAtTool(tool, context, signal)))),
    await lookAtState(context, signal),
    ...journals,
    ...(await lookAtServices(context, signal)),
    ...(await lookAtRepositories(context, signal)),
    ...(await lookAtMissing(context)),
  ];
  signal.throwIfAborted();
  return { outcome: rows.some(({ outcome }) => outcome === 'failed') ? 'failed' : 'passed', rows, repairs };
}

async function lookAtTool(
  { program, neededBy, minimum }: RequiredTool,
  { host }: Context,
  signal: AbortSignal,
): Promise<DoctorRow> {
  const subject = `program ${program}`;
  try {
    const version = await (await host('local')).version(program, signal);
    if (minimum === null || !isOlder(version, minimum)) return ok(subject, `${version}, for ${neededBy}`);
    const detail = `${version} is older than ${minimum}, which ${neededBy} needs`;
    return { subject, outcome: 'failed', detail, advice: `Install ${program} ${minimum} or later` };
  } catch (error) {
    const row = failed(subject, error);
    return { ...row, detail: `${row.detail} It is needed by ${neededBy}.` };
  }
}

/** Compares versions number by number: 1.9 is older than 1.34. */
export function isOlder(version: string, minimum: string): boolean {
  const [left, right] = [version, minimum].map((text) => text.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (const [index, wanted] of (right ?? []).entries()) {
    const actual = left?.[index] ?? 0;
    if (actual !== wanted) return actual < wanted;
  }
  return false;
}

async function lookAtState({ host, stateFolder }: Context, signal: AbortSignal): Promise<DoctorRow> {
  const subject = 'state folder';
  try {
    const { files } = await host('local');
    const status = await files.status(stateFolder, signal);
    if (status === null)
      return { subject, outcome: 'failed', detail: `${stateFolder} is not there`, advice: 'Make it' };
    const free = await files.freeBytes(stateFolder, signal);
    const detail = `${stateFolder}, ${formatBytes(free)} free`;
    if (free < LITTLE_BYTES)
      return { subject, outcome: 'failed', detail, advice: 'Free space there: the journal must always be writable' };
    if ((status.mode & 0o077) !== 0)
      return { subject, outcome: 'warning', detail: `${detail}, open to others`, advice: `chmod 700 ${stateFolder}` };
    return ok(subject, detail);
  } catch (error) {
    return failed(subject, error);
  }
}

async function lookAtJournals(
  repair: boolean,
  context: Context,
  signal: AbortSignal,
): Promise<{ readonly rows: readonly DoctorRow[]; readonly repairs: readonly AdvisedRepair[] }> {
  try {
    const journal = await context.journal();
    const repairs = repair ? await withAdvice(await journal.repair({ force: false }, signal), context.catalog) : [];
    const open = journal.open();
    const rows = open.map(rowOfEntry);
    return { rows: rows.length === 0 ? [ok('journal', 'nothing is open')] : rows, repairs };
  } catch (error) {
    signal.throwIfAborted();
    return { rows: [failed('journal', error)], repairs: [] };
  }
}

function rowOfEntry({ verb, subject, begunAt, state, steps }: OpenEntry): DoctorRow {
  const name = `journal: ${verb} ${subject}`;
  const detail = `begun ${begunAt}, ${counted(steps.length, 'step')} open`;
  if (state === 'running') return ok(name, `${detail}; it runs`);
  if (state === 'unknown')
    return { subject: name, outcome: 'warning', detail, advice: 'When its process has ended: holdfast unlock --force' };
  return {
    subject: name,
    outcome: 'failed',
    detail: `${detail}, left by a process that ended`,
    advice: 'holdfast unlock',
  };
}

async function lookAtServices(context: Context, signal: AbortSignal): Promise<readonly DoctorRow[]> {
  const rows: DoctorRow[] = [];
  for (const service of context.services.values()) {
    const subject = `service ${service.name}`;
    try {
      for (const source of service.sources) await confirmThere(await context.source(service, source), signal);
      await unitsToStop(service, context, signal);
      for (const reference of unitReferencesOf(service.units, service.host))
        await (await context.unit(reference)).state(signal);
      rows.push(ok(subject, service.sources.map(({ name, kind }) => `${name} (${kind})`).join(', ')));
    } catch (error) {
      rows.push(failed(subject, error));
    }
  }
  return rows;
}

/** @throws SourceMissing for a path or a volume that is not there; a backup tells whatever else is wrong with it */
async function confirmThere(source: Source, signal: AbortSignal): Promise<void> {
  try {
    await source.snapshotRoots(signal);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && error.code === 'SourceMissing') throw error;
  }
}

async function lookAtRepositories(context: Context, signal: AbortSignal): Promise<readonly DoctorRow[]> {
  const rows: DoctorRow[] = [];
  for (const name of context.repositoryNames) {
    const subject = `repository ${name}`;
    try {
      const repository = await context.repository(name);
      const problems = await repository.check(signal);
      for (const problem of problems)
        rows.push({
          subject: `${subject}: ${problem.subject}`,
          outcome: 'failed',
          detail: problem.detail,
          advice: `holdfast repository check ${name}`,
        });
      const { points } = await refresh(repository, undefined, context, signal);
      const space = await freeBytesOf(repository, context, signal);
      rows.push(spaceRow(subject, points, space), ...clockRows(subject, points, context));
    } catch (error) {
      signal.throwIfAborted();
      rows.push(failed(subject, error));
    }
  }
  return rows;
}

/** The next points may be as large as the newest ones, when nothing of them can be reused. */
function spaceRow(subject: string, points: readonly PointSummary[], free: number | null): DoctorRow {
  const newest = new Map<string, PointSummary>();
  for (const point of points.toSorted(newestFirst)) if (!newest.has(point.service)) newest.set(point.service, point);
  const next = [...newest.values()].reduce((sum, { totalSize }) => sum + totalSize, 0);
  const detail = `${counted(points.length, 'recovery point')}${free === null ? '' : `, ${formatBytes(free)} free`}`;
  if (free === null) return ok(subject, detail);
  if (free < LITTLE_BYTES)
    return { subject, outcome: 'failed', detail, advice: 'Free space there, or choose another disk' };
  if (free >= next) return ok(subject, detail);
  const advice = `The newest points hold ${formatBytes(next)}: the next may not fit. Free space, or prune`;
  return { subject, outcome: 'warning', detail, advice };
}

function clockRows(
  subject: string,
  points: readonly PointSummary[],
  { clock, origin }: Pick<Context, 'clock' | 'origin'>,
): readonly DoctorRow[] {
  const problem = clockProblem(points, origin, clock.now());
  if (problem === null) return [];
  const advice = 'Set the clock right. New points are held and nothing is pruned until then';
  return [{ subject: `${subject}: clock`, outcome: 'failed', detail: problem, advice }];
}

async function lookAtMissing({ catalog }: Context): Promise<readonly DoctorRow[]> {
  const missing = await catalog.missing();
  return missing.map(({ repository, location, since }) => ({
    subject: `repository ${repository}: ${location}`,
    outcome: 'failed',
    detail: `known, and gone since ${since}, though nobody removed it with Holdfast`,
    advice: `Bring it back, or forget it with: holdfast catalog rebuild --repository ${repository}`,
  }));
}
