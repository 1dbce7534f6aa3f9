import { counted } from '../domain/counted.ts';
import { HoldfastError } from '../domain/errors.ts';
import { compareFacts, type Facts } from '../domain/facts.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Databases } from '../ports/source.ts';
import type { Context } from './context.ts';
import { passingBytes } from './passing-bytes.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { Choice } from './restore-choice.ts';
import type { RestoredItem } from './restore-request.ts';

/** An item, and the server that it goes back into. */
export interface DatabaseChoice {
  readonly choice: Choice;
  readonly service: string;
  readonly databases: Databases;
  /** Its own name there. */
  readonly database: string;
}

/** The databases among choices. @throws ServiceNotFound, Refused when the configuration no longer has their source */
async function databaseChoices(
  choices: readonly Choice[],
  { point }: SelectedPoint,
  context: Pick<Context, 'services' | 'source'>,
): Promise<readonly DatabaseChoice[]> {
  const service = context.services.get(point.service);
  if (service === undefined) {
    const words = `The configuration has no service ${point.service}, so it is not known which server it was of.`;
    throw new HoldfastError('ServiceNotFound', words, point.service, { hint: 'Restore to a folder with: --to DIR' });
  }
  const found: DatabaseChoice[] = [];
  for (const choice of choices) {
    const definition = service.sources.find(({ name }) => name === choice.source);
    if (definition === undefined || choice.item === null || choice.item.kind !== definition.kind) continue;
    const { databases } = await context.source(service, definition);
    const database = databases?.databaseOf(choice.name) ?? null;
    if (databases !== null && database !== null) found.push({ choice, service: service.name, databases, database });
  }
  return found;
}

/** The one database that becomes another one's name. @throws Usage, naming those that could be meant; TargetExists */
export async function planDatabase(
  name: string,
  choices: readonly Choice[],
  selected: SelectedPoint,
  context: Pick<Context, 'services' | 'source'>,
  signal: AbortSignal,
): Promise<DatabaseChoice> {
  const [only, ...more] = await databaseChoices(choices, selected, context);
  if (only === undefined)
    throw new HoldfastError(
      'Usage',
      `None of ${choices.map((choice) => choice.name).join(', ')} is a database.`,
      name,
      {
        hint: 'See the items of the point with: holdfast show. Restore what is no database with: --to DIR',
      },
    );
  if (more.length > 0) {
    const names = [only, ...more].map(({ choice }) => choice.name).join(', ');
    throw new HoldfastError('Usage', `Several items are databases: ${names}.`, name, {
      hint: 'Choose one with: --item',
    });
  }
  if (await only.databases.exists(name, signal))
    throw new HoldfastError('TargetExists', `The server has a database ${name} already.`, name, {
      hint: 'Choose a name that is free: nothing that is there is replaced',
    });
  return only;
}

export interface DatabaseParts {
  readonly selected: SelectedPoint;
  readonly context: Pick<Context, 'progress'>;
  readonly journal: Pick<JournalEntry, 'step'>;
}

/** Fills a new database with an item and compares what came of it with the facts. Until the journal is closed, taking its
 *  entry back drops the database. @throws TargetExists; Damaged when a count differs */
export async function fillDatabase(
  { choice, service, databases }: DatabaseChoice,
  name: string,
  { selected, context, journal }: DatabaseParts,
  signal: AbortSignal,
): Promise<RestoredItem> {
  const { repository, point } = selected;
  const { progress } = context;
  const subject = choice.name;
  progress({ type: 'item-started', subject, totalBytes: choice.bytes });
  const onPassed = (bytes: number): void => progress({ type: 'item-advanced', subject, bytes });
  const bytes = (): Bytes => passingBytes(repository.open(point, subject, signal), onPassed);
  let warnings: readonly string[] = [];
  const step = { kind: 'database-made', service, source: choice.source, database: name } as const;
  await journal.step(step, async () => {
    warnings = await databases.fill(name, bytes, signal);
  });
  const recorded = choice.item?.facts ?? {};
  const found = await databases.facts(name, signal);
  refuseDifferent(recorded, found, choice.name);
  const proof = `hashes and ${wordsOf(found)} are equal`;
  progress({ type: 'item-finished', subject, outcome: 'passed', detail: proof });
  return { name: choice.name, paths: [name], files: 0, bytes: choice.bytes, proof, warnings };
}

function refuseDifferent(recorded: Facts, found: Facts, item: string): void {
  const differences = compareFacts(recorded, found);
  if (differences.length === 0) return;
  const words = differences
    .slice(0, 5)
    .map(({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} recorded, ${actual ?? 'none'} restored`);
  throw new HoldfastError('Damaged', `${item} is not what was backed up: ${words.join('; ')}.`, item);
}

/** What was compared, for people. */
function wordsOf({ tables = {}, documents, attachments = 0 }: Facts): string {
  const total = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  if (documents === undefined)
    return `${counted(total(tables), 'row')} in ${counted(Object.keys(tables).length, 'table')}`;
  return `${counted(total(documents), 'document')} with ${counted(attachments, 'attachment')}`;
}
