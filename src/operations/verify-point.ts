import { counted } from '../domain/counted.ts';
import { HoldfastError } from '../domain/errors.ts';
import { proofAfter } from '../domain/evidence.ts';
import type { Item, Manifest } from '../domain/manifest.ts';
import type { Evidence, PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import { CLOCK_TOLERANCE_SECONDS } from '../domain/retention.ts';
import { type Check, type PointVerdict, type VerifyLevel, worst } from '../domain/verdict.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { FOREIGN_ITEM } from './point-items.ts';
import { slots } from './slots.ts';
import { inconclusiveOrFailed, verifyItem } from './verify-item.ts';
import { verifyReportJson, verifyReportText } from './verify-report.ts';
import { openWorkspace } from './workspace.ts';

/** Items that are read side by side, the largest first. */
const JOBS = 2;

export interface VerifyPointOptions {
  readonly level: VerifyLevel;
  /** Null: its age does not matter. */
  readonly maxAgeSeconds: number | null;
}

/** Checks one point and records what was found beside it and in the catalog. Its shared lock is held meanwhile. */
export async function verifyPoint(
  summary: PointSummary,
  { level, maxAgeSeconds }: VerifyPointOptions,
  context: Context,
  signal: AbortSignal,
): Promise<PointVerdict> {
  const { clock, catalog, progress } = context;
  progress({ type: 'step', subject: `${summary.service} ${summary.id}`, text: `verify (${level})` });
  const age = maxAgeSeconds === null ? [] : [ageCheck(summary, maxAgeSeconds, clock.now())];
  const now = (): Temporal.Instant => clock.now().round({ smallestUnit: 'millisecond', roundingMode: 'floor' });
  await using held = new AsyncDisposableStack();
  let repository: Repository;
  let point: RecoveryPoint;
  let data: readonly Check[];
  try {
    repository = await context.repository(summary.repository);
    held.use(await repository.lock({ kind: 'point', id: summary.id }, 'shared', 0, signal));
    point = await repository.find(summary, signal);
    data = await checksOf(point, repository, level, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    const check = inconclusiveOrFailed('point', error, 0);
    const proof = proofAfter(summary, check.outcome === 'failed' ? 'failed' : null, now());
    // There is no place beside it for a report: what is known is that it cannot be read.
    if (check.outcome === 'failed') await catalog.setEvidence(summary, proof.evidence, proof.evidenceAt);
    const checks = [check, ...age];
    return { point: summary, outcome: worst(outcomesOf(checks)), checks, ...proof };
  }
  const checks = [...data, ...age];
  const proof = proofAfter(point, point.foreign ? null : provenBy(data, level), now());
  const { evidence, evidenceAt } = proof;
  const verdict: PointVerdict = { point, outcome: worst(outcomesOf(checks)), checks, evidence, evidenceAt };
  if (point.foreign) return verdict;
  const unwritten = await record(verdict, level, repository, context, signal);
  await catalog.setEvidence(point, evidence, evidenceAt);
  return unwritten === null
    ? verdict
    : { ...verdict, outcome: worst(outcomesOf([...checks, unwritten])), checks: [...checks, unwritten] };
}

/** Writes the report beside the point, where the repository can hold it. Otherwise what was found is known here only,
 *  and that is a check that could not be told. */
async function record(
  verdict: PointVerdict,
  level: VerifyLevel,
  repository: Repository,
  { clock, version }: Context,
  signal: AbortSignal,
): Promise<Check | null> {
  const made = { level, at: clock.now().round('second'), version };
  const text = verifyReportText(verdict, made);
  try {
    await repository.writeReport(verdict.point, 'verification-report', text, verifyReportJson(verdict, made), signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && error.code === 'Unsupported') return null;
    return { ...inconclusiveOrFailed('report', error, 0), outcome: 'inconclusive' };
  }
}

async function checksOf(
  point: RecoveryPoint,
  repository: Repository,
  level: VerifyLevel,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const { manifest } = point;
  await using workspace = openWorkspace({ verb: 'verify', subject: point.service }, context, signal);
  const of = { point, repository, level, workspace };
  if (manifest === null) return await verifyItem(FOREIGN_ITEM, null, of, context, signal);
  // of a failed item the manifest's row says so; there is nothing to check and nothing proved
  const stored = manifest.items.filter(({ outcome }) => outcome !== 'failed');
  const room = slots(JOBS);
  const ended = await Promise.allSettled(
    stored.map((item) =>
      room.run(item.originalSize ?? item.size, async () => {
        signal.throwIfAborted();
        return [sizeCheck(item), ...(await verifyItem(item.name, item, of, context, signal))];
      }),
    ),
  );
  const checks = ended.flatMap((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
  return [manifestCheck(manifest), ...checks, ...(await restChecks(point, repository, context, signal))];
}

/** What stands around the items: without it stock tools, or a quick look at one file, would find damage. */
async function restChecks(
  point: RecoveryPoint,
  repository: Repository,
  { clock }: Context,
  signal: AbortSignal,
): Promise<readonly Check[]> {
  const from = clock.monotonicMs();
  const problems = await repository.checkRest(point, signal);
  const durationMs = Math.round(clock.monotonicMs() - from);
  return problems.map(({ subject, detail }) => ({
    name: 'stored',
    outcome: 'failed',
    detail: `${subject} ${detail}`,
    durationMs,
  }));
}

function manifestCheck({ items, counts, totalSize }: Manifest): Check {
  const failed = items.filter(({ outcome }) => outcome === 'failed');
  const stored = items.filter(({ outcome }) => outcome !== 'failed');
  const sum = stored.reduce((total, { size }) => total + size, 0);
  const whole = counts.failed === failed.length && counts.succeeded === stored.length && totalSize === sum;
  const names = failed.map(({ name }) => name).join(', ');
  const detail = `${counted(stored.length, 'item')}, ${sum} bytes${failed.length > 0 ? `; failed when it was made: ${names}` : ''}`;
  const outcome = whole && stored.length > 0 ? 'passed' : 'failed';
  const said = `${counts.succeeded} items and ${counts.failed} failed, ${totalSize} bytes`;
  return { name: 'manifest', outcome, detail: whole ? detail : `it says ${said}, and lists ${detail}`, durationMs: 0 };
}

const sizeCheck = ({ name, size, originalSize }: Item): Check => ({
  name: `${name}: size`,
  outcome: size > 0 && originalSize !== 0 ? 'passed' : 'failed',
  detail: `${size} bytes`,
  durationMs: 0,
});

function ageCheck({ timestamp }: PointSummary, maxAgeSeconds: number, now: Temporal.Instant): Check {
  const seconds = Math.round(now.since(timestamp).total('seconds'));
  const known = seconds >= -CLOCK_TOLERANCE_SECONDS;
  const hours = `${(seconds / 3600).toFixed(1)} h old, at most ${(maxAgeSeconds / 3600).toFixed(1)} h allowed`;
  const detail = known ? hours : `it is of ${timestamp}, in the future of this clock`;
  return { name: 'age', outcome: known && seconds <= maxAgeSeconds ? 'passed' : 'failed', detail, durationMs: 0 };
}

/** What the checks prove of all that is stored; an old point is proved no less than a new one. */
function provenBy(checks: readonly Check[], level: VerifyLevel): Evidence | null {
  const outcome = worst(outcomesOf(checks));
  if (outcome === 'failed') return 'failed';
  if (outcome === 'passed') return level;
  const read = checks.filter(({ name }) => name.endsWith(': hash'));
  return read.length > 0 && read.every((check) => check.outcome === 'passed') ? 'readable' : null;
}

const outcomesOf = (checks: readonly Check[]): readonly Check['outcome'][] => checks.map(({ outcome }) => outcome);
