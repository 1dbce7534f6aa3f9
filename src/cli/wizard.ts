import { resolve } from 'node:path';
import { HoldfastError } from '../domain/errors.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import { formatBytes } from '../domain/size.ts';
import type { Context } from '../operations/context.ts';
import { readableItems } from '../operations/point-items.ts';
import { presentPoints, whyUnusable } from '../operations/point-selection.ts';
import { restore } from '../operations/restore.ts';
import type { Overwrite, RestoreRequest, RestoreTarget } from '../operations/restore-request.ts';
import { ageForPeople, timeForPeople } from './render/point.ts';
import { printable } from './render/table.ts';

/** What the command line said already, and is not asked again. */
export interface WizardStart {
  readonly what?: string | undefined;
  readonly repository?: string | undefined;
  readonly item?: readonly string[] | undefined;
  readonly path?: string | undefined;
}

/** Where it asks: clack draws on `output` and reads keys from `input`. */
export interface Terminal {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
}

/** Leaves the wizard from wherever it is. */
class Left extends Error {}

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
    const items = start.item ?? (await chooseItems(point, context, ask, signal));
    const { id: what, repository } = point;
    const base = { what, repository, items, path: start.path };
    for (;;) {
      const target = await chooseTarget(point, context, ask);
      const request = await settle({ ...base, target }, context, ask, signal);
      if (request !== null) return request;
    }
  } catch (error) {
    if (error instanceof Left) return null;
    throw error;
  }
}

interface Choice<Value> {
  readonly value: Value;
  readonly label: string;
  readonly hint?: string;
}

interface Questions {
  one<Value extends string>(message: string, choices: readonly Choice<Value>[]): Promise<Value>;
  several(message: string, choices: readonly Choice<string>[]): Promise<readonly string[]>;
  text(message: string, initial: string, refuse: (text: string) => string | undefined): Promise<string>;
  yes(message: string): Promise<boolean>;
  say(text: string, title: string): void;
  refuse(error: HoldfastError): void;
}

const ROWS = 12;

async function questions({ input, output }: Terminal, signal: AbortSignal): Promise<Questions> {
  const clack = await import('@clack/prompts');
  const common = { input, output, signal };
  function answered<Value>(answer: Value): Exclude<Value, symbol> {
    signal.throwIfAborted(); // an abort looks like Escape to the prompt
    if (clack.isCancel(answer)) throw new Left();
    return answer as Exclude<Value, symbol>;
  }
  return {
    async one<Value extends string>(message: string, choices: readonly Choice<Value>[]) {
      const options = [...choices] as Choice<string>[];
      return answered(await clack.select<string>({ ...common, message, options, maxItems: ROWS })) as Value;
    },
    async several(message, choices) {
      const initialValues = choices.map(({ value }) => value);
      const wanted = { ...common, message, options: [...choices], initialValues, required: true, maxItems: ROWS };
      return answered(await clack.multiselect<string>(wanted));
    },
    text: async (message, initialValue, refuse) =>
      answered(await clack.text({ ...common, message, initialValue, validate: (text) => refuse(text ?? '') })),
    yes: async (message) => answered(await clack.confirm({ ...common, message, initialValue: false })),
    say: (text, title) => clack.note(text, title, { output }),
    refuse: (error) => clack.log.error(`${printable(error.message)}\n${printable(error.hint)}`, { output }),
  };
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
    const words = what === undefined ? 'There is no recovery point to restore.' : `Nothing is called "${what}".`;
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
  const index = await ask.one(
    `Which recovery point of ${printable(service)}?`,
    runs.map((point, row) => ({ value: `${row}`, label: labelOf(point, now), hint: whyUnusable(point) ?? '' })),
  );
  return runs[Number(index)] as PointSummary;
}

const newestFirst = (left: PointSummary, right: PointSummary): number =>
  Temporal.Instant.compare(right.timestamp, left.timestamp);

function labelOf(point: PointSummary, now: Temporal.Instant): string {
  const { timestamp, totalSize, outcome, evidence, repository } = point;
  const when = `${timeForPeople(timestamp)} (${ageForPeople(timestamp, now)})`;
  return [when, formatBytes(totalSize), outcome, evidence, printable(repository)].join('  ');
}

/** Undefined when there is nothing to choose. */
async function chooseItems(
  reference: PointSummary,
  context: Context,
  ask: Questions,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const repository = await context.repository(reference.repository);
  const items = await readableItems(await repository.find(reference, signal), context);
  if (items.length < 2) return undefined;
  const choices = items.map(({ name, item }) => ({
    value: name,
    label: printable(name),
    hint: item === null ? '' : formatBytes(item.originalSize ?? item.size),
  }));
  const chosen = await ask.several('Which items?', choices);
  return chosen.length === items.length ? undefined : chosen;
}

async function chooseTarget(point: PointSummary, context: Context, ask: Questions): Promise<RestoreTarget> {
  const places: Choice<'folder' | 'in-place'>[] = [
    { value: 'folder', label: 'Into a folder', hint: 'to look at it; nothing is replaced' },
  ];
  if (context.services.has(point.service) && !point.foreign) {
    places.push({ value: 'in-place', label: 'In place', hint: 'where it was; the present state is kept' });
  }
  const kind = await ask.one('Where to?', places);
  if (kind === 'in-place') return { kind };
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
