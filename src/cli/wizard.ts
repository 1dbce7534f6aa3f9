import { resolve } from 'node:path';
import { HoldfastError } from '../domain/errors.ts';
import { didYouMean } from '../domain/nearest.ts';
import type { PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import { formatBytes } from '../domain/size.ts';
import type { Context } from '../operations/context.ts';
import { namedItem, type ReadableItem, readableItems } from '../operations/point-items.ts';
import { isAhead, presentPoints, whyUnusable } from '../operations/point-selection.ts';
import { restore } from '../operations/restore.ts';
import type { Overwrite, RestoreRequest, RestoreTarget } from '../operations/restore-request.ts';
import { ageForPeople, timeForPeople } from './render/point.ts';
import { factsForPeople } from './render/show.ts';
import { printable } from './render/table.ts';
import { type Choice, Left, type Questions, questions, type Terminal } from './wizard-questions.ts';

/** What the command line said already, and is not asked again. */
export interface WizardStart {
  readonly what?: string | undefined;
  readonly repository?: string | undefined;
  readonly item?: readonly string[] | undefined;
  readonly path?: string | undefined;
}

/** Asks what to restore and where to: the service, the point, its items, the target. It shows what will be done and has
 *  it confirmed; in place by typing the service's name. Null when it was left: nothing was changed. What it answers with
 *  needs no further question.
 *  @throws PointNotFound when there is nothing to restore; the signal's reason */
export async function restoreWizard(
  start: WizardStart,
  context: Context,
  signal: AbortSignal,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<RestoreRequest | null> {
  const ask = await questions(terminal, signal);
  try {
    const point = await choosePoint(start, context, ask, signal);
    const chosen = await chooseItems(point, start, context, ask, signal);
    const { id: what, repository } = point;
    const base = { what, repository, items: chosen.names, path: start.path };
    const database = start.path === undefined ? await databaseAmong(point, chosen.items, context) : null;
    for (;;) {
      const target = await chooseTarget(point, database, context, ask);
      const request = await settle({ ...base, target }, context, ask, signal);
      if (request !== null) return request;
    }
  } catch (error) {
    if (error instanceof Left) return null;
    throw error;
  }
}

async function choosePoint(
  { what, repository }: WizardStart,
  context: Context,
  ask: Questions,
  signal: AbortSignal,
): Promise<PointSummary> {
  const { points, failures } = await presentPoints({ repository }, context, signal);
  const exact = points.filter((point) => point.id === what?.toUpperCase() || point.location === what);
  if (exact[0] !== undefined) return exact[0];
  const services = [...new Set(points.map(({ service }) => service))].toSorted();
  if (services.length === 0 || (what !== undefined && !services.includes(what))) {
    const words =
      what === undefined
        ? 'There is no recovery point to restore.'
        : `Nothing is called "${what}".${didYouMean(what, services)}`;
    throw failures[0] ?? new HoldfastError('PointNotFound', words, what ?? 'restore');
  }
  const now = context.clock.now();
  const newest = (service: string): string => {
    const [point] = points.filter((each) => each.service === service).toSorted(newestFirst);
    return point === undefined ? '' : `newest ${ageForPeople(point.timestamp, now)}`;
  };
  const service =
    what ??
    (await ask.one(
      'Which service?',
      services.map((name) => ({ value: name, label: printable(name), hint: newest(name) })),
    ));
  const runs = points.filter((point) => point.service === service).toSorted(newestFirst);
  const choices = runs.map((point, row) => ({ value: `${row}`, label: labelOf(point, now) }));
  // what `restore SERVICE` takes by itself
  const usable = runs.findIndex((point) => whyUnusable(point) === null && !isAhead(point, now));
  const index = await ask.one(`Which recovery point of ${printable(service)}?`, choices, `${Math.max(usable, 0)}`);
  return runs[Number(index)] as PointSummary;
}

const newestFirst = (left: PointSummary, right: PointSummary): number =>
  Temporal.Instant.compare(right.timestamp, left.timestamp);

function labelOf(point: PointSummary, now: Temporal.Instant): string {
  const { timestamp, totalSize, outcome, evidence, repository } = point;
  const when = `${timeForPeople(timestamp)} (${ageForPeople(timestamp, now)})`;
  const why = whyUnusable(point);
  const mark = why === null || why === outcome ? [] : [`(${printable(why)})`];
  return [when, formatBytes(totalSize), outcome, evidence, printable(repository), ...mark].join('  ');
}

interface ChosenItems {
  /** Undefined when it is all of them. */
  readonly names: readonly string[] | undefined;
  readonly items: readonly ReadableItem[];
}

/** Shows what the point has, with what was counted and proved, and asks where there is something to choose. */
async function chooseItems(
  reference: PointSummary,
  { item: wanted }: WizardStart,
  context: Context,
  ask: Questions,
  signal: AbortSignal,
): Promise<ChosenItems> {
  const point = await (await context.repository(reference.repository)).find(reference, signal);
  const items = await readableItems(point, context);
  if (wanted !== undefined) return { names: wanted, items: wanted.map((name) => namedItem(name, items, point)) };
  ask.say(aboutPoint(point, context.clock.now()), 'The recovery point');
  if (items.length < 2) return { names: undefined, items };
  const choices = items.map((each) => ({ value: each.name, label: printable(each.name), hint: aboutItem(each) }));
  const names = await ask.several('Which items?', choices);
  const chosen = items.filter(({ name }) => names.includes(name));
  return { names: chosen.length === items.length ? undefined : names, items: chosen };
}

const aboutItem = ({ item }: ReadableItem): string =>
  item === null
    ? ''
    : [formatBytes(item.originalSize ?? item.size), factsForPeople(item.facts)]
        .filter((word) => word !== '')
        .join(', ');

/** What is known for it and against it. */
function aboutPoint({ evidence, evidenceAt, manifest, held }: RecoveryPoint, now: Temporal.Instant): string {
  const proved = evidence === 'failed' ? 'Its last check failed' : `It is proved ${evidence}`;
  const items = manifest?.items ?? [];
  const lines = [
    `${proved}, ${ageForPeople(evidenceAt, now)}.`,
    ...(held === null ? [] : [`It is held: ${held.reason}`]),
    ...items.flatMap(({ name, outcome, error }) => (outcome === 'passed' ? [] : [`${name}: ${outcome}, ${error}`])),
    ...items.flatMap(({ name, warnings }) => warnings.slice(0, MAX_WARNINGS).map((text) => `${name}: ${text}`)),
  ];
  return lines.map(printable).join('\n');
}

const MAX_WARNINGS = 3;

/** The database that the chosen items are, when they are one: it may be restored beside the present one. */
async function databaseAmong(
  point: PointSummary,
  items: readonly ReadableItem[],
  context: Context,
): Promise<string | null> {
  const service = context.services.get(point.service);
  const found: string[] = [];
  for (const { name, source, item } of items) {
    const definition = service?.sources.find((each) => each.name === source);
    if (service === undefined || definition === undefined || item?.kind !== definition.kind) continue;
    const { databases } = await context.source(service, definition);
    found.push(...[databases?.databaseOf(name) ?? []].flat());
  }
  return found.length === 1 ? (found[0] ?? null) : null;
}

async function chooseTarget(
  point: PointSummary,
  database: string | null,
  context: Context,
  ask: Questions,
): Promise<RestoreTarget> {
  const places: Choice<RestoreTarget['kind']>[] = [
    { value: 'folder', label: 'Into a folder', hint: 'to look at it; nothing is replaced' },
  ];
  if (database !== null)
    places.push({
      value: 'database',
      label: `Beside ${printable(database)}, under another name`,
      hint: 'a new database; nothing is replaced',
    });
  if (context.services.has(point.service) && !point.foreign)
    places.push({ value: 'in-place', label: 'In place', hint: 'where it was; the present state is kept' });
  const kind = await ask.one('Where to?', places);
  if (kind === 'in-place') return { kind };
  if (kind === 'database') {
    const refuse = (text: string): string | undefined => (text === '' ? 'Say a name' : undefined);
    return { kind, name: await ask.text('Which name?', `${database}_restored`, refuse) };
  }
  const suggested = resolve(`restored-${point.service}`);
  const path = await ask.text('Which folder?', suggested, (text) => (text.trim() === '' ? 'Say a folder' : undefined));
  return { kind, path: resolve(path.trim()) };
}

/** Shows what would be done and has it confirmed; null to choose another target, when this one is refused. */
async function settle(
  request: RestoreRequest,
  context: Context,
  ask: Questions,
  signal: AbortSignal,
): Promise<RestoreRequest | null> {
  try {
    const { steps, warnings, service } = await restore({ ...request, dryRun: true }, context, signal);
    ask.say([...steps, ...warnings].map(printable).join('\n'), 'What will be done');
    await confirm(request, service, ask);
    return request;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError)) throw error;
    ask.refuse(error);
    const { target } = request;
    if (error.code !== 'TargetExists' || target.kind !== 'folder' || target.overwrite !== undefined) return null;
    const overwrite = await ask.one<Overwrite | 'another'>('What shall become of them?', OVERWRITES);
    if (overwrite === 'another') return null;
    return settle({ ...request, target: { ...target, overwrite } }, context, ask, signal);
  }
}

const OVERWRITES: readonly Choice<Overwrite | 'another'>[] = [
  { value: 'another', label: 'Choose another folder' },
  { value: 'never', label: 'Leave them as they are, and restore the rest' },
  { value: 'if-newer', label: 'Replace those that are older than what is restored' },
  { value: 'always', label: 'Replace them' },
];

async function confirm({ target }: RestoreRequest, service: string, ask: Questions): Promise<void> {
  if (target.kind !== 'in-place') {
    if (await ask.yes('Restore?')) return;
    throw new Left();
  }
  const wrong = `Type ${service}, or press Escape to leave`;
  await ask.text(`Type the name of the service to replace its present state:`, '', (text) =>
    text.trim() === service ? undefined : wrong,
  );
}
