import { formatBytes } from '../domain/size.ts';
import type { Context } from './context.ts';
import { restoreInPlace } from './in-place.ts';
import { refuseInPlace } from './in-place-holders.ts';
import { planInPlace } from './in-place-plan.ts';
import { servingPlan } from './in-place-servers.ts';
import { inPlaceSteps } from './in-place-steps.ts';
import { type SelectedPoint, selectPoint } from './point-selection.ts';
import { recorded } from './recorded.ts';
import { type Chosen, choose } from './restore-choice.ts';
import { fillDatabase, planDatabase } from './restore-database.ts';
import { type FolderPlan, planFolder, restoreToFolder } from './restore-folder.ts';
import type { RestoredItem, RestoreReport, RestoreRequest, RestoreTarget } from './restore-request.ts';
import { safetyOf } from './safety-point.ts';
import { refuseRemoved } from './service-containers.ts';
import { waitForService } from './service-wait.ts';

type Answer = Omit<RestoreReport, 'run' | 'durationMs'>;

/** Restores a service, items or a path of a point to a folder or in place, and proves what it wrote before it moves it
 *  into place. With `dryRun` it finds out all that can be known beforehand, refuses what the restore would refuse, and
 *  writes nothing. The point's shared lock is held until the end.
 *  @throws as `selectPoint`, `choose`, `planFolder` and `planInPlace`; Damaged; as `planDatabase` */
export async function restore(request: RestoreRequest, context: Context, signal: AbortSignal): Promise<RestoreReport> {
  const from = context.clock.monotonicMs();
  const selected = await selectPoint({ ...request, evenFailed: request.target.kind !== 'in-place' }, context, signal);
  const { repository, point } = selected;
  await using _ = await repository.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
  const chosen = await choose(request, selected, context, signal);
  const perform = (): Promise<Answer> => {
    const { target } = request;
    if (target.kind === 'folder') return toFolder({ ...request, target }, selected, chosen, context, signal);
    if (target.kind === 'in-place') return inPlace({ ...request, target }, selected, chosen, context, signal);
    return toDatabase({ ...request, target }, selected, chosen, context, signal);
  };
  if (request.dryRun) {
    return { ...(await perform()), run: null, durationMs: Math.round(context.clock.monotonicMs() - from) };
  }
  const what = { verb: 'restore', plan: null, services: [point.service] };
  return await recorded(what, context, perform, ({ point: { id }, target, items, kept }) => ({
    point: id,
    target,
    items,
    kept,
  }));
}

type FolderRequest = RestoreRequest & { readonly target: Extract<RestoreTarget, { readonly kind: 'folder' }> };

async function toFolder(
  { target, dryRun = false }: FolderRequest,
  selected: SelectedPoint,
  chosen: Chosen,
  context: Context,
  signal: AbortSignal,
): Promise<Answer> {
  const { point } = selected;
  const id = context.identifiers.next(context.clock.now());
  const plan = await planFolder(target, chosen.choices, selected, { id, context }, signal);
  const answer = { ...answerFor(selected, chosen), target, dryRun, steps: folderSteps(plan) };
  if (dryRun) return answer;
  const journal = await context.journal();
  await using entry = await journal.begin({
    verb: 'restore',
    subject: point.service,
    detail: { point: point.id, target },
  });
  const result = await restoreToFolder(
    plan,
    target.keepPartial ?? false,
    { selected, context, journal: entry },
    signal,
  );
  return { ...answer, ...result, warnings: [...answer.warnings, ...warningsOf(result.items)] };
}

type DatabaseRequest = RestoreRequest & { readonly target: Extract<RestoreTarget, { readonly kind: 'database' }> };

async function toDatabase(
  { target, dryRun = false }: DatabaseRequest,
  selected: SelectedPoint,
  chosen: Chosen,
  context: Context,
  signal: AbortSignal,
): Promise<Answer> {
  const { service } = selected.point;
  const only = await planDatabase(target.name, chosen.choices, selected, context, signal);
  const steps = [
    `Make the database ${target.name}, and fill it from ${only.choice.name} (${formatBytes(only.choice.bytes)})`,
  ];
  const answer = { ...answerFor(selected, { ...chosen, missing: [] }), target, dryRun, steps };
  if (dryRun) return answer;
  const detail = { point: selected.point.id, target };
  await using journal = await (await context.journal()).begin({ verb: 'restore', subject: service, detail });
  const item = await fillDatabase(only, target.name, { selected, context, journal }, signal);
  await journal.done();
  return { ...answer, items: [item], warnings: [...answer.warnings, ...warningsOf([item])] };
}

type InPlaceRequest = RestoreRequest & { readonly target: Extract<RestoreTarget, { readonly kind: 'in-place' }> };

async function inPlace(
  { target, dryRun = false }: InPlaceRequest,
  selected: SelectedPoint,
  chosen: Chosen,
  context: Context,
  signal: AbortSignal,
): Promise<Answer> {
  const at = context.clock.now();
  const names = { id: context.identifiers.next(at), at, service: selected.point.service, point: selected.point.id };
  const plan = await planInPlace(chosen.choices, names, context, signal);
  const options = { live: target.live ?? false, withoutSafety: target.withoutSafety ?? false };
  await refuseInPlace(plan, options, context, signal);
  if (plan.service.stopDuring.restore) refuseRemoved(plan.removedAtEnd ?? []);
  const safety = options.withoutSafety ? null : await safetyOf(plan, true, signal);
  const steps = inPlaceSteps(plan, safety, await servingPlan(plan, context, signal));
  const answer = { ...answerFor(selected, chosen), target, dryRun, steps };
  if (dryRun) return answer;
  await waitForService(selected.point.service, 'restore', context, signal);
  const {
    warnings,
    recovery: _recovery,
    bad,
    validation: _,
    ...result
  } = await restoreInPlace(plan, options, { point: selected.point.id, selected }, context, signal);
  if (bad !== null) throw bad; // only a person can tell whether the data or the unit are to blame
  return { ...answer, ...result, warnings: [...answer.warnings, ...warningsOf(result.items), ...warnings] };
}

function folderSteps({ choices, folder, conflicts, overwrite }: FolderPlan): readonly string[] {
  const written = choices.map(({ name, path, bytes }) => {
    const what = path === null ? name : `${path} of ${name}`;
    return `Restore ${what} (${formatBytes(bytes)}) to ${folder}`;
  });
  if (conflicts.count === 0) return written;
  const fate = { always: 'replaced', 'if-newer': 'replaced where the stored one is newer', never: 'left as they are' };
  return [...written, `${conflicts.count} names are there already: ${fate[overwrite ?? 'never']}`];
}

const warningsOf = (items: readonly RestoredItem[]): readonly string[] =>
  items.flatMap(({ name, warnings }) => warnings.map((warning) => `${name}: ${warning}`));

function answerFor(
  { point }: SelectedPoint,
  { choices, missing }: Chosen,
): Omit<Answer, 'target' | 'dryRun' | 'steps'> {
  const lacking = choices.flatMap(({ path, item }) => (path === null && item?.outcome === 'partial' ? [item] : []));
  return {
    outcome: missing.length + lacking.length === 0 ? 'passed' : 'partial',
    service: point.service,
    point: { id: point.id, repository: point.repository, timestamp: point.timestamp },
    items: [],
    missing,
    replaced: 0,
    skipped: 0,
    kept: [],
    safetyPoint: null,
    warnings: [
      ...missing.map((name) => `The point holds nothing of ${name}: its backup had failed.`),
      ...lacking.map(({ name, error }) => `${name} was not stored whole: ${error}`),
    ],
  };
}
