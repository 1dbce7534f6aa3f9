import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError } from '../domain/errors.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import { recoveryRecorded } from '../journal/step.ts';
import type { Recovery } from '../ports/catalog.ts';
import type { Databases } from '../ports/source.ts';
import type { Unit } from '../ports/unit.ts';
import type { Context } from './context.ts';
import { lookAfter } from './in-place-checks.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { Choice } from './restore-choice.ts';
import { type DatabaseChoice, fillDatabase } from './restore-database.ts';
import type { RestoredItem } from './restore-request.ts';
import { keepSafetyPoint } from './safety-point.ts';
import { lockService } from './service-lock.ts';
import { startsOf, startUnits, stopUnits } from './units.ts';

/** A database that gets another's place. */
export interface DatabaseExchange extends DatabaseChoice {
  /** Under this name it is filled and proved. */
  readonly staged: string;
  /** What the present one is called afterwards; null when there is none. */
  readonly kept: string | null;
}

export interface DatabasesPlan {
  readonly service: ServiceDefinition;
  readonly exchanges: readonly DatabaseExchange[];
  /** What is no database and is applied before them: roles. */
  readonly applied: readonly { readonly choice: Choice; readonly databases: Databases }[];
  readonly units: readonly Unit[];
}

/** The longest name of a database, in bytes: PostgreSQL's NAMEDATALEN less one. */
const LONGEST_NAME = 63;

/** `wiki_recovery_backup_20261120_020000`, its beginning cut where it would be too long. */
function keptDatabase(database: string, at: Temporal.Instant): string {
  const local = at.toZonedDateTimeISO(Temporal.Now.timeZoneId()).toPlainDateTime();
  const time = local.toString({ smallestUnit: 'second' }).replaceAll(/[-:]/g, '').replace('T', '_');
  const suffix = `_recovery_backup_${time}`;
  const characters = [...database];
  while (Buffer.byteLength(characters.join('') + suffix) > LONGEST_NAME) characters.pop();
  return characters.join('') + suffix;
}

/** What goes into servers among choices; null when all of it is paths.
 *  @throws Refused for both at once, ServiceNotFound */
export async function planDatabasesInPlace(
  choices: readonly Choice[],
  { id, at }: { readonly id: string; readonly at: Temporal.Instant },
  { point }: SelectedPoint,
  context: Pick<Context, 'services' | 'source' | 'unit'>,
  signal: AbortSignal,
): Promise<DatabasesPlan | null> {
  const service = context.services.get(point.service);
  if (service === undefined) return null; // the plan of paths says so
  const exchanges: DatabaseExchange[] = [];
  const applied: DatabasesPlan['applied'][number][] = [];
  const paths: string[] = [];
  for (const choice of choices) {
    const definition = service.sources.find(({ name }) => name === choice.source);
    const alike = definition !== undefined && choice.item?.kind === definition.kind;
    const source = alike ? await context.source(service, definition) : null;
    const databases = source?.databases ?? null;
    if (source === null || databases === null) {
      paths.push(choice.name);
      continue;
    }
    if (!source.capabilities.inPlace)
      throw new HoldfastError(
        'Unsupported',
        `A source of kind ${source.kind} cannot be restored in place.`,
        choice.name,
        {
          hint: 'Restore it beside the present one: --database NAME, or to a folder: --to DIR',
        },
      );
    const database = databases.databaseOf(choice.name);
    if (database === null) {
      applied.push({ choice, databases });
      continue;
    }
    const kept = (await databases.exists(database, signal)) ? keptDatabase(database, at) : null;
    const staged = `holdfast_restore_${id.toLowerCase()}_${exchanges.length}`;
    exchanges.push({ choice, service: service.name, databases, database, staged, kept });
  }
  if (exchanges.length + applied.length === 0) return null;
  if (paths.length > 0) {
    const words = `${paths.join(', ')} and databases cannot be restored in place at once.`;
    throw new HoldfastError('Refused', words, service.name, {
      hint: 'Restore them one after the other: holdfast restore SERVICE --in-place --item NAME',
    });
  }
  const units: Unit[] = [];
  for (const reference of service.stopDuring.restore ? unitReferencesOf(service.units, service.host) : []) {
    const unit = await context.unit(reference);
    await unit.state(signal);
    units.push(unit);
  }
  return { service, exchanges, applied, units };
}

export interface DatabasesResult {
  readonly items: readonly RestoredItem[];
  readonly safetyPoint: string | null;
  readonly warnings: readonly string[];
  /** What does not work although all is restored; null when all is well. */
  readonly bad: HoldfastError | null;
}

/** Restores databases in place: each is filled and proved under a name of its own, then exchanged by renames. The present
 *  one keeps its rows under another name, and a dump of it is a safety point. Until the last exchange a failure or a crash
 *  takes everything back; roles that were made stay. */
export async function restoreDatabasesInPlace(
  plan: DatabasesPlan,
  withoutSafety: boolean,
  selected: SelectedPoint,
  context: Context,
  signal: AbortSignal,
): Promise<DatabasesResult> {
  const { service, exchanges, applied, units } = plan;
  const startedAt = context.clock.now();
  const from = context.clock.monotonicMs();
  const id = context.identifiers.next(startedAt);
  const recoveryOf = (outcome: Recovery['outcome']): Recovery => ({
    ...{ id, subject: { kind: 'service', name: service.name }, restored: selected.point.id },
    ...{ reason: 'manual-recovery', startedAt, outcome, kept: [] },
    durationMs: Math.round(context.clock.monotonicMs() - from),
  });
  const checks = await context.checks(service);
  const host = await context.host(service.host);
  const safetyPoint = withoutSafety ? null : await safetyPointOf(plan, selected, context, signal);
  await using _ = await lockService(service.name, context, signal);
  const detail = { service: service.name, point: selected.point.id, databases: exchanges.map((one) => one.database) };
  await using journal = await (await context.journal()).begin({ verb: 'restore', subject: service.name, detail });
  const items: RestoredItem[] = [];
  for (const { choice, databases } of applied) {
    const bytes = () => selected.repository.open(selected.point, choice.name, signal);
    const warnings = await databases.apply(bytes, signal);
    const proof = 'roles that were missing are made';
    items.push({ name: choice.name, paths: [], files: 0, bytes: choice.bytes, proof, warnings });
  }
  for (const exchange of exchanges) {
    const item = await fillDatabase(exchange, exchange.staged, { selected, context, journal }, signal);
    items.push({ ...item, paths: [exchange.database] });
  }
  const stopped = await stopUnits(units, journal, context, signal);
  for (const { choice, databases, database, staged, kept } of exchanges) {
    const names = { database, staged, kept: kept ?? keptDatabase(database, startedAt) };
    const step = { kind: 'database-swapped', service: service.name, source: choice.source, ...names } as const;
    await journal.step(step, () => databases.swapIn(database, staged, names.kept, signal));
  }
  await journal.forwardOnly([recoveryRecorded(recoveryOf('success')), ...startsOf(stopped)]);
  await context.catalog.recordRecovery(recoveryOf('success'));
  const problems = await startUnits(stopped, context, signal);
  await journal.done();
  const kept = exchanges.flatMap((one) => (one.kept === null ? [] : [{ path: one.kept }]));
  const looked = { service, host, exchanges: [], units, checks };
  const well = await lookAfter(looked, stopped, { problems, expected: undefined, kept }, context, signal);
  // once more, under the same id: it took until the service was seen to work
  await context.catalog.recordRecovery(recoveryOf(well.bad === null ? 'success' : 'failed'));
  const said = exchanges.flatMap((one) =>
    one.kept === null
      ? []
      : [`${one.database}: its state before is kept as the database ${one.kept}; drop it when it is of no use`],
  );
  return { items, safetyPoint, warnings: [...said, ...well.warnings], bad: well.bad };
}

/** A dump of what is replaced; null where nothing is. A database that is gone cannot be dumped, and need not be. */
async function safetyPointOf(
  { service, exchanges }: DatabasesPlan,
  selected: SelectedPoint,
  context: Context,
  signal: AbortSignal,
): Promise<string | null> {
  if (exchanges.every(({ kept }) => kept === null)) return null;
  const sources = new Set(exchanges.map(({ choice }) => choice.source));
  const gone = new Set(exchanges.flatMap(({ choice, kept }) => (kept === null ? [choice.name] : [])));
  return await keepSafetyPoint({ service, sources, dispensable: gone }, selected, context, signal);
}
