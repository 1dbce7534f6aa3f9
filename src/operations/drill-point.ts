import { counted } from '../domain/counted.ts';
import type { DrilledItem, DrillPhase, DrillVerdict, NotChecked } from '../domain/drill.ts';
import { HoldfastError } from '../domain/errors.ts';
import { proofAfter } from '../domain/evidence.ts';
import type { Item } from '../domain/manifest.ts';
import type { Evidence, RecoveryPoint } from '../domain/recovery-point.ts';
import { formatBytes } from '../domain/size.ts';
import { type Check, worst } from '../domain/verdict.ts';
import type { JournalEntry } from '../journal/entry.ts';
import { type DrillBudget, refuseLargeDrill, refuseLongDrill } from './drill-budget.ts';
import { checkRestored } from './drill-checks.ts';
import type { DrillContext } from './drill-context.ts';
import { type Drilling, drilledItem, drillingOf, restoreOne, verifyOne } from './drill-items.ts';
import { type Phases, phasesOf } from './drill-phases.ts';
import { gatherRestored, makeScene, openInstances, type Scene } from './drill-scene.ts';
import type { SelectedPoint } from './point-selection.ts';
import { type Choice, choose } from './restore-choice.ts';

export interface DrillPointOptions extends DrillBudget {
  /** Names of items, or of sources that have one; all when left out. */
  readonly items: readonly string[] | undefined;
  /** Items that earlier drills proved, since the last check of the point that failed. */
  readonly proven: ReadonlySet<string>;
}

/** Restores a point into scratch instances, compares each item with the facts of its capture and runs the service's own
 *  checks on the copy. Whatever happens, nothing of it is left. `entry` is closed by it. What it proves is not written
 *  anywhere yet.
 *  @throws ItemNotFound and the like before anything is made; the reason of `signal`, once all is cleaned up */
export async function drillPoint(
  selected: SelectedPoint,
  options: DrillPointOptions,
  entry: JournalEntry,
  context: DrillContext,
  signal: AbortSignal,
): Promise<DrillVerdict> {
  const { point } = selected;
  const drilled = await chosen(selected, options, context, signal);
  const { maxDurationMs } = options;
  const limit =
    maxDurationMs === null ? null : { milliseconds: maxDurationMs, signal: AbortSignal.timeout(maxDurationMs) };
  const limited = limit === null ? signal : AbortSignal.any([signal, limit.signal]);
  const begin = (name: DrillPhase): void =>
    context.progress({ type: 'step', subject: `${point.service} ${point.id}`, text: `drill: ${name}` });
  const phases = phasesOf(context.clock, begin, limit);
  const found = await performAll({ selected, options, drilled, entry, phases }, context, limited);
  signal.throwIfAborted();
  const rows = phases.rows();
  const items = drilled.map(drilledItem);
  const judged = worst(rows.slice(0, -1).map(({ outcome }) => outcome));
  const now = context.clock.now().round({ smallestUnit: 'millisecond', roundingMode: 'floor' });
  // with nothing proved the answer is the point itself, and more than these two
  const { evidence, evidenceAt } = proofAfter(point, provenBy(judged, items, point, options.proven), now);
  const objectives = context.services.get(point.service)?.objectives;
  return {
    point,
    outcome: worst(rows.map(({ outcome }) => outcome)),
    phases: rows,
    items,
    checks: found.checks,
    notChecked: [...uncounted(items), ...found.notChecked],
    rtoMs: judged === 'passed' ? found.rtoMs : null,
    isolated: found.scene?.place.isolated ?? false,
    rtoTargetMs: objectives === undefined ? null : objectives.rto * 1000,
    evidence,
    evidenceAt,
  };
}

interface PointDrill {
  readonly selected: SelectedPoint;
  readonly options: DrillPointOptions;
  /** Each phase adds what it found of them. */
  readonly drilled: readonly Drilling[];
  readonly entry: JournalEntry;
  readonly phases: Phases;
}

interface Found {
  scene: Scene | null;
  checks: readonly Check[];
  notChecked: readonly NotChecked[];
  /** When a recovery would have begun, by the monotonic clock. */
  fromMs: number;
  /** Until all was verified; null when it was not. */
  rtoMs: number | null;
}

/** The phases, one after the other, up to the first that throws; and in any case the last one, which cleans up. */
async function performAll(drill: PointDrill, context: DrillContext, signal: AbortSignal): Promise<Found> {
  const { selected, options, drilled, entry, phases } = drill;
  const { service, timestamp } = selected.point;
  const found: Found = { scene: null, checks: [], notChecked: [], fromMs: Number.NaN, rtoMs: null };
  await using servers = new AsyncDisposableStack();
  const selects = await phases.perform('select', async () => {
    if (options.items === undefined) await refuseLongDrill(service, options, context);
    const bytes = await refuseLargeDrill(service, choicesOf(drilled), options, context, signal);
    const what = `${counted(drilled.length, 'item')} of ${timestamp}`;
    return { outcome: 'passed', detail: `${what}, about ${formatBytes(bytes)} when restored` };
  });
  found.fromMs = context.clock.monotonicMs();
  const create = async (): Promise<Pick<Check, 'outcome' | 'detail'>> => {
    found.scene = await makeScene(options.scratch, entry, context, signal);
    const instances = await openInstances(service, drilled, found.scene, servers, context, signal);
    return said(drilled, counted(instances, 'scratch instance'));
  };
  const creates = selects && (await phases.perform('create', create));
  if (creates && found.scene !== null) await restoreAndVerify(drill, found.scene, found, context, signal);
  await phases.perform('clean up', async () => {
    try {
      await servers.disposeAsync();
    } finally {
      await entry[Symbol.asyncDispose]();
    }
    return { outcome: 'passed', detail: 'nothing is left' };
  });
  return found;
}

async function restoreAndVerify(
  { selected, drilled, phases }: PointDrill,
  scene: Scene,
  found: Found,
  context: DrillContext,
  signal: AbortSignal,
): Promise<void> {
  const { point } = selected;
  const { place } = scene;
  await phases.perform('restore', async () => {
    for (const one of drilled) if (one.outcome === null) await restoreOne(one, { selected, place, context }, signal);
    return said(drilled, `${counted(drilled.length, 'item')} restored`);
  });
  await phases.perform('verify', async () => {
    for (const one of drilled) await verifyOne(one, place, context, signal);
    await gatherRestored(drilled, scene, signal);
    const whole = drilled.every(({ outcome }) => outcome === 'passed') && isWhole(point, drilled);
    Object.assign(found, await checkRestored(point.service, drilled, whole, scene, context, signal));
    found.rtoMs = Math.round(context.clock.monotonicMs() - found.fromMs);
    return withChecks(said(drilled, 'all facts are equal'), found.checks);
  });
}

const choicesOf = (drilled: readonly Drilling[]): readonly Choice[] => drilled.map(({ choice }) => choice);

async function chosen(
  selected: SelectedPoint,
  { items }: DrillPointOptions,
  context: DrillContext,
  signal: AbortSignal,
): Promise<readonly Drilling[]> {
  const { point } = selected;
  if (point.manifest === null)
    throw new HoldfastError(
      'ScratchUnusable',
      'Another tool made it: nothing is recorded that could be compared.',
      point.id,
      {
        hint: 'Restore it and look: holdfast restore POINT --to DIR',
      },
    );
  const { choices } = await choose(items === undefined ? {} : { items }, selected, context, signal);
  const order = point.manifest.items.map(({ name }) => name); // as captured: roles before the databases that they own
  const sorted = choices.toSorted((left, right) => order.indexOf(left.name) - order.indexOf(right.name));
  return sorted.flatMap((choice) => (choice.item === null ? [] : [drillingOf({ ...choice, item: choice.item })]));
}

/** Items whose backup failed hold nothing and are not missed: the point says so by itself. */
const storedItems = ({ manifest }: RecoveryPoint): readonly Item[] =>
  (manifest?.items ?? []).filter(({ outcome }) => outcome !== 'failed');

const isWhole = (point: RecoveryPoint, drilled: readonly Drilling[]): boolean =>
  storedItems(point).every(({ name }) => drilled.some(({ choice }) => choice.name === name));

/** What a phase found of its items, the first that is not well by name. */
function said(drilled: readonly Drilling[], good: string): Pick<Check, 'outcome' | 'detail'> {
  const bad = drilled.filter(({ outcome }) => outcome !== null && outcome !== 'passed');
  const outcome = worst(bad.map((one) => one.outcome ?? 'passed'));
  const [first] = bad.toSorted((left, right) => Number(right.outcome === 'failed') - Number(left.outcome === 'failed'));
  const more = bad.length > 1 ? ` (and ${bad.length - 1} more)` : '';
  return { outcome, detail: first === undefined ? good : `${first.choice.name}: ${first.detail}${more}` };
}

function withChecks(
  found: Pick<Check, 'outcome' | 'detail'>,
  checks: readonly Check[],
): Pick<Check, 'outcome' | 'detail'> {
  const outcome = worst([found.outcome, ...checks.map((check) => check.outcome)]);
  const bad = checks.find((check) => check.outcome === outcome && outcome !== 'passed');
  if (found.outcome !== 'passed' || bad === undefined) return { ...found, outcome };
  return { outcome, detail: `${bad.name}: ${bad.detail}` };
}

const uncounted = (items: readonly DrilledItem[]): readonly NotChecked[] =>
  items.flatMap(({ name, expected }) => {
    const tables = expected.uncounted ?? [];
    if (tables.length === 0) return [];
    const shown = tables.slice(0, 5).join(', ') + (tables.length > 5 ? ` and ${tables.length - 5} more` : '');
    return [{ name: `${name}: ${shown}`, reason: 'not counted when it was captured' }];
  });

/** A point's evidence is the least of its items': it is `restored` once every stored item was. */
function provenBy(
  outcome: Check['outcome'],
  items: readonly DrilledItem[],
  point: RecoveryPoint,
  proven: ReadonlySet<string>,
): Evidence | null {
  if (outcome === 'failed') return 'failed';
  if (outcome === 'inconclusive') return null;
  const restored = new Set([...proven, ...items.map(({ name }) => name)]);
  return storedItems(point).every(({ name }) => restored.has(name)) ? 'restored' : null;
}
