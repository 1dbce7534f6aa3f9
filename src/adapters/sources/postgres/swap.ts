import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import { inUse } from '../server/kept.ts';
import { type Ask, literal, quoted, type Talks } from './words.ts';

interface Names {
  readonly database: string;
  readonly staged: string;
  readonly kept: string;
}

interface Account {
  readonly standby: boolean;
  readonly user: string;
  readonly superuser: boolean;
  readonly creates: boolean;
  /** Databases whose owner it is not, nor a member of their owner. */
  readonly foreign: readonly string[] | null;
}

const ACCOUNT =
  `select json_build_object('standby', pg_catalog.pg_is_in_recovery(), 'user', rolname, 'superuser', rolsuper,
  'creates', rolcreatedb, 'foreign', (select json_agg(datname) from pg_catalog.pg_database join names on name = datname
  where not pg_catalog.pg_has_role(datdba, 'USAGE')))::text from pg_catalog.pg_roles
  where rolname = current_user`.replaceAll(/\s+/g, ' ');

/** @throws Refused for a standby, which only reads, and where the account may not make or rename databases */
export async function confirmExchange(databases: readonly string[], ask: Ask, signal: AbortSignal): Promise<void> {
  const names = `array[${databases.map(literal).join(', ')}]::text[]`;
  const [row = ''] = await ask(`with names(name) as (select unnest(${names})) ${ACCOUNT}`, signal);
  const { standby, user, superuser, creates, foreign } = JSON.parse(row) as Account;
  if (standby)
    throw new HoldfastError(
      'Refused',
      'The server is a standby: nothing can be restored into it.',
      databases.join(', '),
      {
        hint: 'Name its primary in the source, or restore to a folder: --to DIR',
      },
    );
  const hint = { hint: 'Let `user` be a superuser, or the owner of the databases, with CREATEDB' };
  if (!superuser && !creates) throw new HoldfastError('Refused', `${user} may not make databases.`, user, hint);
  if (!superuser && foreign !== null)
    throw new HoldfastError('Refused', `${user} may not give ${foreign.join(', ')} another name.`, user, hint);
}

async function present(names: readonly string[], ask: Ask, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const list = names.map(literal).join(', ');
  const rows = await ask(
    `select json_build_object(0, datname)::text from pg_catalog.pg_database where datname in (${list})`,
    signal,
  );
  return new Set(rows.map((row) => (JSON.parse(row) as Record<string, string>)['0'] ?? ''));
}

/** Lets nobody new in, and ends the talks that there are; a rename, or a drop, waits for them. */
async function empty(databases: readonly string[], ask: Ask, signal: AbortSignal): Promise<void> {
  const close = databases.map((name) => `alter database ${quoted(name)} with allow_connections false;`);
  const list = databases.map(literal).join(', ');
  // Chosen first and ended then: as one condition, the planner may end every talk of the server. What is nobody's is the
  // server's own vacuum, which a rename or drop ends by itself, and only a superuser may.
  const end = `with talks as materialized (select pid from pg_catalog.pg_stat_activity where datname in (${list})
    and usesysid is not null) select pg_catalog.pg_terminate_backend(pid) from talks;`;
  await ask(close.join('\n'), signal, databases); // committed before talks are ended, or new ones would begin
  await ask(end, signal, databases);
}

/** Renames are transactional, so both happen or none. Nobody new comes in while talks are ended. */
async function renameAll(
  renames: readonly (readonly [from: string, to: string])[],
  ask: Ask,
  signal: AbortSignal,
): Promise<void> {
  const own = renames.map(([from]) => from); // no database is closed or renamed by who is in it: `postgres` may be one
  const move = renames.map(([from, to]) => `alter database ${quoted(from)} rename to ${quoted(to)};`);
  const open = (which: 0 | 1): string =>
    renames.map((pair) => `alter database ${quoted(pair[which])} with allow_connections true;`).join('\n');
  try {
    await empty(own, ask, signal);
    await ask(`begin;\n${move.join('\n')}\n${open(1)}\ncommit;`, signal, own);
  } catch (error) {
    await ask(open(0), AbortSignal.timeout(60_000), own).catch(() => undefined); // the first failure is what is told
    throw error;
  }
}

/** @throws Refused when neither name is as it was before nor as it is afterwards */
export async function takePlace({ database, staged, kept }: Names, ask: Ask, signal: AbortSignal): Promise<void> {
  const there = await present([database, staged, kept], ask, signal);
  if (!there.has(staged)) {
    if (there.has(database)) return; // done before
    throw new HoldfastError('Refused', `The restored database ${staged} is gone.`, staged);
  }
  if (there.has(kept) && there.has(database))
    throw new HoldfastError('Refused', `A database ${kept} is there already.`, kept);
  const aside = there.has(database) ? [[database, kept] as const] : [];
  await renameAll([...aside, [staged, database]], ask, signal);
}

export async function takeBack({ database, staged, kept }: Names, ask: Ask, signal: AbortSignal): Promise<void> {
  const there = await present([database, staged, kept], ask, signal);
  if (there.has(staged)) {
    // It was never swapped, or was taken back before; a crash may have left it closed.
    if (there.has(database)) await ask(`alter database ${quoted(database)} with allow_connections true`, signal);
    return;
  }
  const restored = there.has(database) ? [[database, staged] as const] : [];
  const back = there.has(kept) ? [[kept, database] as const] : [];
  if (restored.length + back.length > 0) await renameAll([...restored, ...back], ask, signal);
}

/** Without force: whoever talks with a database that was set aside needs it. */
export async function discard(kept: string, { ask, within }: Talks, signal: AbortSignal): Promise<void> {
  const talks = `select pid from pg_catalog.pg_stat_activity where datname = ${literal(kept)} and usesysid is not null`;
  const [talk] = await ask(talks, signal, [kept]);
  if (talk !== undefined) throw inUse(kept);
  await dropUnused(kept, { ask, within }, signal);
}

/** Drops a database whoever talks with it; none of that name is no error. Not by `WITH (FORCE)`, which PostgreSQL 12 lacks. */
export async function drop(database: string, { ask, within }: Talks, signal: AbortSignal): Promise<void> {
  if (!(await present([database], ask, signal)).has(database)) return;
  // A drop that ended half-way left what may only be dropped, and not altered: it tells what is wrong.
  await empty([database], ask, signal).catch(() => undefined);
  await dropUnused(database, { ask, within }, signal);
}

/** A template has to be none before it may go. */
async function dropUnused(database: string, { ask, within }: Talks, signal: AbortSignal): Promise<void> {
  const template = `select 1 from pg_catalog.pg_database where datistemplate and datname = ${literal(database)}`;
  const [found] = await ask(template, signal, [database]);
  if (found !== undefined) await ask(`alter database ${quoted(database)} is_template false`, signal, [database]);
  const dropNow = (): Promise<unknown> => ask(`drop database if exists ${quoted(database)}`, signal, [database]);
  try {
    await dropNow();
  } catch (error) {
    signal.throwIfAborted();
    if (!/used by logical replication subscription/.test(messageOf(error))) throw error;
    await ask(`alter database ${quoted(database)} with allow_connections true`, signal, [database]);
    await within(database, FORGET_SUBSCRIPTIONS, signal);
    await dropNow();
  }
}

/** The slot at the publisher may be another database's by now, so it stays. */
const FORGET_SUBSCRIPTIONS = `do $$ declare s name; begin for s in select subname from pg_catalog.pg_subscription where
  subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()) loop
  execute pg_catalog.format('alter subscription %I disable', s);
  execute pg_catalog.format('alter subscription %I set (slot_name = none)', s);
  execute pg_catalog.format('drop subscription %I', s); end loop; end $$`;
