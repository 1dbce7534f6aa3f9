import { HoldfastError } from '../domain/errors.ts';
import { firstFree, stampOf } from '../domain/snapshot-name.ts';
import type { Databases } from '../ports/source.ts';
import type { Context } from './context.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { Choice } from './restore-choice.ts';
import { type DatabaseChoice, type DatabaseParts, fillDatabase } from './restore-database.ts';
import type { RestoredItem } from './restore-request.ts';

/** A database that gets another's place. */
export interface DatabaseExchange extends DatabaseChoice {
  /** Under this name it is filled and proved. */
  readonly staged: string;
  /** Whether there is one now. */
  readonly present: boolean;
  /** What the present one is called afterwards. */
  readonly kept: string;
  /** True where `staged` was set aside by an exchange before, and comes back as it is. False when left out. */
  readonly returns?: boolean;
}

/** What is no database and is applied before them: roles. */
export interface AppliedItem {
  readonly choice: Choice;
  readonly databases: Databases;
}

/** What of a restore in place goes into servers. */
export interface ServerPart {
  readonly databases: readonly DatabaseExchange[];
  readonly applied: readonly AppliedItem[];
}

/** The longest name of a database, in bytes: PostgreSQL's NAMEDATALEN less one. */
const LONGEST_NAME = 63;

/** `wiki_recovery_backup_20261120_020000`, its beginning cut where it would be too long. */
function keptDatabase(database: string, at: Temporal.Instant, count: number): string {
  const time = stampOf(at, Temporal.Now.timeZoneId()).replace('-', '_');
  const suffix = `_recovery_backup_${time}${count === 1 ? '' : `_${count}`}`;
  const characters = [...database];
  while (Buffer.byteLength(characters.join('') + suffix) > LONGEST_NAME) characters.pop();
  return characters.join('') + suffix;
}

/** What a database will be called that is set aside: a name that no other has.
 *  @param isTaken asked until one is not */
export async function freeKeptName(
  database: string,
  at: Temporal.Instant,
  isTaken: (name: string) => Promise<boolean>,
): Promise<string> {
  return await firstFree((count) => keptDatabase(database, at, count), isTaken);
}

/** Finds out, without touching anything, which choices go into servers, and which are paths or belong nowhere any more.
 *  @param names `id` of this run, a ULID
 *  @throws Unsupported for a kind whose databases cannot be exchanged; Refused where the account may not do it */
export async function planDatabases(
  choices: readonly Choice[],
  service: Parameters<Context['source']>[0],
  { id, at }: { readonly id: string; readonly at: Temporal.Instant },
  context: Pick<Context, 'source'>,
  signal: AbortSignal,
): Promise<ServerPart & { readonly paths: readonly Choice[] }> {
  const databases: DatabaseExchange[] = [];
  const applied: AppliedItem[] = [];
  const paths: Choice[] = [];
  const servers = new Map<string, Databases | null>();
  const taken = new Set<string>();
  for (const choice of choices) {
    const server = servers.get(choice.source) ?? (await serverOf(choice, service, context));
    servers.set(choice.source, server);
    if (server === null) {
      paths.push(choice);
      continue;
    }
    const database = server.databaseOf(choice.name);
    if (database === null) {
      applied.push({ choice, databases: server });
      continue;
    }
    const present = await server.exists(database, signal);
    const staged = `holdfast_restore_${id.toLowerCase()}_${databases.length}`;
    const kept = await freeKeptName(
      database,
      at,
      async (name) => taken.has(name) || (await server.exists(name, signal)),
    );
    taken.add(kept); // two long names may begin alike
    databases.push({ choice, service: service.name, databases: server, database, staged, present, kept });
  }
  for (const server of servers.values()) {
    const own = databases.filter((one) => one.databases === server);
    const present = own.flatMap((one) => (one.present ? [one.database] : []));
    if (own.length > 0) await server?.confirmExchange(present, signal);
  }
  return { databases, applied, paths };
}

/** Null for what is paths, and for what the configuration no longer has. */
async function serverOf(
  choice: Choice,
  service: Parameters<Context['source']>[0],
  context: Pick<Context, 'source'>,
): Promise<Databases | null> {
  const definition = service.sources.find(({ name }) => name === choice.source);
  if (definition === undefined || choice.item?.kind !== definition.kind) return null;
  const { kind, capabilities, databases } = await context.source(service, definition);
  if (databases === null || capabilities.inPlace) return databases;
  throw new HoldfastError('Unsupported', `A source of kind ${kind} cannot be restored in place.`, choice.name, {
    hint: 'Restore it beside the present one: --database NAME, or to a folder: --to DIR',
  });
}

/** Makes roles that are missing, then fills and proves each database under a name of its own. Roles that were made stay.
 *  @param parts `selected`: null when none is filled */
export async function stageDatabases(
  { databases, applied }: ServerPart,
  { selected, ...parts }: Omit<DatabaseParts, 'selected'> & { readonly selected: SelectedPoint | null },
  signal: AbortSignal,
): Promise<readonly RestoredItem[]> {
  const items: RestoredItem[] = [];
  for (const { choice, databases: server, database, staged } of databases.filter(({ returns }) => returns)) {
    await server.readyAgain(staged, signal);
    const proof = 'as it was set aside';
    items.push({ name: choice.name, paths: [database], files: 0, bytes: 0, proof, warnings: [] });
  }
  const filled = databases.filter(({ returns = false }) => !returns);
  if (filled.length + applied.length === 0) return items;
  if (selected === null) throw new TypeError('No point holds these databases.');
  for (const { choice, databases: server } of applied) {
    const bytes = () => selected.repository.open(selected.point, choice.name, signal);
    const warnings = await server.apply(bytes, signal);
    const proof = 'roles that were missing are made';
    items.push({ name: choice.name, paths: [], files: 0, bytes: choice.bytes, proof, warnings });
  }
  for (const exchange of filled) {
    const item = await fillDatabase(exchange, exchange.staged, { selected, ...parts }, signal);
    await exchange.databases.readyAgain(exchange.staged, signal); // it may be a copy of one that was set aside
    items.push({ ...item, paths: [exchange.database] });
  }
  return items;
}

/** Where the present database went: under which name. */
export interface Renamed {
  readonly source: string;
  readonly original: string;
  readonly path: string;
}

/** Gives each filled database its name, journalled one by one. Left before the journal's point of no return, all of them
 *  are taken back. */
export async function swapDatabases(
  exchanges: readonly DatabaseExchange[],
  { journal, context: { progress } }: Omit<DatabaseParts, 'selected'>,
  signal: AbortSignal,
): Promise<readonly Renamed[]> {
  for (const { choice, service, databases, database, staged, kept } of exchanges) {
    const names = { service, source: choice.source, database, staged, kept };
    const step = {
      kind: 'database-swapped',
      ...names,
      ...(databases.copies ? ({ copies: true } as const) : {}),
    } as const;
    if (databases.copies) progress({ type: 'step', subject: database, text: 'closed, copied and filled anew' });
    await journal.step(step, () => databases.swapIn(database, staged, kept, signal));
  }
  return keptOf(exchanges);
}

const keptOf = (exchanges: readonly DatabaseExchange[]): readonly Renamed[] =>
  exchanges.flatMap(({ choice: { source }, database, kept, present }) =>
    present ? [{ source, original: database, path: kept }] : [],
  );
