import type { DrillVerdict } from '../domain/drill.ts';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import { type Check, worst } from '../domain/verdict.ts';
import type { DrillBudget } from './drill-budget.ts';
import type { DrillContext } from './drill-context.ts';
import { beginDrill } from './drill-lock.ts';
import { drillPoint } from './drill-point.ts';
import { drillReportJson, drillReportText } from './drill-report.ts';
import { oldestProof } from './drill-sample.ts';
import { confirmScratchFolder } from './drill-scene.ts';
import { drillDetail, provenItems } from './drill-series.ts';
import { type SelectedPoint, selectPoint } from './point-selection.ts';
import { recorded } from './recorded.ts';
import { waitForService } from './service-wait.ts';
import { inconclusiveOrFailed } from './verify-item.ts';

export interface DrillRequest extends DrillBudget {
  /** A service, whose newest point that passed is taken, or a point; every configured service when null. */
  readonly what: string | null;
  readonly repository: string | undefined;
  /** Names of items, or of sources that have one; all when left out. */
  readonly items: readonly string[] | undefined;
  /** Of every service only the one whose proof is oldest. */
  readonly sample: boolean;
  readonly lockWaitMs: number;
}

/** Outcome: `failed` when any point failed, else `inconclusive` when any was, or a service could not be drilled. */
export interface DrillReport {
  readonly run: string;
  readonly outcome: Check['outcome'];
  readonly durationMs: number;
  readonly points: readonly DrillVerdict[];
  /** Services that could not be drilled, and why. */
  readonly warnings: readonly { readonly subject: string; readonly text: string }[];
}

/** Restores points into scratch instances and compares them with the facts of their captures; the live service is never
 *  asked. Writes a report beside each point and raises, or lowers, its evidence.
 *  @throws PointNotFound and the like for what was named; StateBusy while another drill of the service runs */
export async function drill(request: DrillRequest, context: DrillContext, signal: AbortSignal): Promise<DrillReport> {
  const { points, warnings } = await planDrill(request, context, signal);
  return drillEach(points, warnings, request, context, signal);
}

export interface PlannedDrill {
  readonly points: readonly SelectedPoint[];
  readonly warnings: DrillReport['warnings'];
}

/** The points that {@link drill} would restore, and services that have none. @throws as `drill` for what was named */
export async function planDrill(
  request: DrillRequest,
  context: DrillContext,
  signal: AbortSignal,
): Promise<PlannedDrill> {
  await confirmScratchFolder(request.scratch, context, signal);
  const { what, repository } = request;
  if (what !== null)
    return { points: [await selectPoint({ what, repository, evenFailed: true }, context, signal)], warnings: [] };
  const points: SelectedPoint[] = [];
  const warnings: { subject: string; text: string }[] = [];
  for (const service of context.services.keys()) {
    try {
      points.push(await selectPoint({ what: service, repository, evenFailed: true }, context, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError && error.code === 'PointNotFound')) throw error;
      warnings.push({ subject: service, text: messageOf(error).split('\n')[0] ?? '' });
    }
  }
  if (!request.sample) return { points, warnings };
  const { selected, passedOver } = await oldestProof(points, request, context, signal);
  for (const { subject, text } of passedOver) context.progress({ type: 'warning', subject, text });
  return selected === null ? { points: [], warnings: passedOver } : { points: [selected], warnings: [] };
}

async function drillEach(
  points: readonly SelectedPoint[],
  warnings: DrillReport['warnings'],
  request: DrillRequest,
  context: DrillContext,
  signal: AbortSignal,
): Promise<DrillReport> {
  const services = points.map(({ point }) => point.service);
  const perform = async (): Promise<Omit<DrillReport, 'run' | 'durationMs'>> => {
    const verdicts: DrillVerdict[] = [];
    const untold = [...warnings];
    for (const selected of points) {
      try {
        verdicts.push(await drillOne(selected, request, context, signal));
      } catch (error) {
        signal.throwIfAborted();
        if (points.length === 1 || !(error instanceof HoldfastError)) throw error;
        untold.push({ subject: selected.point.service, text: messageOf(error) }); // it keeps no other from being drilled
      }
    }
    const outcomes = verdicts.map(({ outcome }) => outcome);
    const whole = verdicts.length > 0 && untold.length === 0;
    return {
      outcome: worst([...outcomes, ...(whole ? [] : ['inconclusive' as const])]),
      points: verdicts,
      warnings: untold,
    };
  };
  return recorded({ verb: 'drill', plan: null, services }, context, perform, drillDetail);
}

async function drillOne(
  { repository, point }: SelectedPoint,
  { items, scratch, maxBytes, maxDurationMs, lockWaitMs }: DrillRequest,
  context: DrillContext,
  signal: AbortSignal,
): Promise<DrillVerdict> {
  await using entry = await beginDrill(point, lockWaitMs, context, signal);
  await waitForService(point.service, 'drill', context, signal);
  await using _point = await repository.lock({ kind: 'point', id: point.id }, 'shared', lockWaitMs, signal);
  const selected = { repository, point: await repository.find(point, signal) };
  const proven = await provenItems(selected.point, context);
  const verdict = await drillPoint(
    selected,
    { items, scratch, maxBytes, maxDurationMs, proven },
    entry,
    context,
    signal,
  );
  const unwritten = await record(verdict, selected, context, signal);
  await context.catalog.setEvidence(point, verdict.evidence, verdict.evidenceAt);
  if (unwritten === null) return verdict;
  const phases = [...verdict.phases, unwritten];
  return { ...verdict, phases, outcome: worst([verdict.outcome, unwritten.outcome]) };
}

/** Writes the report beside the point, where the repository can hold it. Otherwise what was proved is known here only. */
async function record(
  verdict: DrillVerdict,
  { repository }: SelectedPoint,
  { clock, version }: DrillContext,
  signal: AbortSignal,
): Promise<Check | null> {
  const made = { at: clock.now().round('second'), version };
  const [text, json] = [drillReportText(verdict, made), drillReportJson(verdict, made)];
  try {
    await repository.writeReport(verdict.point, 'dr-drill-report', text, json, signal);
    return null;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && error.code === 'Unsupported') return null;
    return { ...inconclusiveOrFailed('report', error, 0), outcome: 'inconclusive' };
  }
}
