import { HoldfastError } from '../../../domain/errors.ts';
import { literal, quoted } from './args.ts';
import type { Client } from './client.ts';
import { define } from './definitions.ts';
import { BEGUN, DONE, databaseExists, dropCode, dropEmpty, type Objects, objectsOf } from './objects.ts';
import { type Before, hasTable, makeLast, save, savedIn } from './saved.ts';
import { takeSequences } from './sequences.ts';

/** What `database` holds goes to `aside`, and what `from` holds to `database`. */
export interface Exchange {
  readonly database: string;
  /** It is gone afterwards. Null: nothing takes the place, and `database` is gone. */
  readonly from: string | null;
  /** Gone afterwards where there was nothing to set aside. */
  readonly aside: string;
}

/** How long a rename waits for transactions that hold a table. */
const WAIT_S = 60;
const NO_CODE = { views: [], triggers: [], events: [], routines: [] };

/** Exchanges two databases of a server that gives none another name. Tables move in one statement, which is atomic, with a
 *  table of our own among them by whose name is told what was done; what no rename moves is kept in it before it is
 *  dropped, and made again afterwards. Repeated, it goes on where it was left. Events are not made in `aside`, where they
 *  would run: they stay in the table. */
export async function exchange(names: Exchange, client: Client, signal: AbortSignal): Promise<void> {
  if (!(await hasTable(names.aside, DONE, client, signal))) await moveTables(names, client, signal);
  await finishExchange(names, client, signal);
}

async function moveTables(names: Exchange, client: Client, signal: AbortSignal): Promise<void> {
  const { database, from, aside } = names;
  if ((await savedIn(aside, BEGUN, client, signal)) === null) await save(names, client, signal);
  const before = await savedIn(aside, BEGUN, client, signal);
  if (before === null)
    throw new HoldfastError('Refused', `The server did not keep what ${database} is made again from.`, database, {
      hint: 'Nothing was dropped. See whether its settings let a transaction last, and its log',
    });
  await makeLast(aside, client, signal); // also what a run saved that ended just then
  const present = await objectsOf(database, client, signal);
  const coming = from === null ? null : await objectsOf(from, client, signal);
  // A table with a trigger moves to no other database; a view keeps a table from coming in under its name.
  const inTheWay = present.views.filter((view) => coming?.tables.includes(view));
  if (!(await databaseExists(database, client, signal)))
    await client.lines(`CREATE DATABASE ${quoted(database)} ${before.coming?.defaults ?? ''}`, signal);
  await endTalks([database, ...(from === null ? [] : [from])], client, signal);
  await dropCode(database, { ...NO_CODE, triggers: present.triggers, views: inTheWay }, client, signal);
  if (from !== null && coming !== null) await dropCode(from, { ...NO_CODE, triggers: coming.triggers }, client, signal);
  const moved = (tables: readonly string[], source: string, target: string): readonly string[] =>
    tables.map((table) => `${quoted(source)}.${quoted(table)} TO ${quoted(target)}.${quoted(table)}`);
  const renames = [
    ...moved(present.tables, database, aside),
    ...(from === null ? [] : moved(coming?.tables ?? [], from, database)),
    `${quoted(aside)}.${BEGUN} TO ${quoted(aside)}.${DONE}`,
  ];
  await client.lines(`SET SESSION lock_wait_timeout = ${WAIT_S};\nRENAME TABLE ${renames.join(', ')}`, signal);
}

/** Makes again what no rename moved, on both sides, and drops what is empty. May be repeated. */
export async function finishExchange(
  { database, from, aside }: Exchange,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const before = await savedIn(aside, DONE, client, signal);
  if (before === null) return;
  const { present, coming } = before;
  if (coming !== null) {
    await client.lines(`ALTER DATABASE ${quoted(database)} ${coming.defaults}`, signal);
    await undress(database, from ?? database, client, signal);
    const { routines, views, triggers, events } = coming;
    await define(database, [routines, views, triggers, events], coming.name, client, signal);
  }
  if (present !== null) {
    await undress(aside, database, client, signal);
    await define(aside, [present.routines, present.views, present.triggers], present.name, client, signal);
  }
  if (coming === null) await dropEmpty(database, client, signal);
  if (from !== null) await dropEmpty(from, client, signal);
  if (present === null) await dropEmpty(aside, client, signal);
}

/** Leaves the tables alone, which came from `former`. */
async function undress(database: string, former: string, client: Client, signal: AbortSignal): Promise<void> {
  const objects = await objectsOf(database, client, signal);
  await dropCode(database, objects, client, signal);
  if (objects.sequences.length > 0) await takeSequences(database, former, client, signal);
}

/** Takes an exchange back whose tables did not move yet. */
export async function forgetExchange(names: Exchange, client: Client, signal: AbortSignal): Promise<void> {
  const { database, from, aside } = names;
  const before = await savedIn(aside, BEGUN, client, signal);
  if (before !== null) {
    if (before.present === null) await dropEmpty(database, client, signal);
    else await triggersBack(database, before.present, client, signal);
    if (from !== null && before.coming !== null) await triggersBack(from, before.coming, client, signal);
  }
  await dropEmpty(aside, client, signal);
}

async function triggersBack(
  database: string,
  { name, triggers, views }: NonNullable<Before['present']>,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const there: Objects = await objectsOf(database, client, signal);
  await dropCode(database, { ...NO_CODE, triggers: there.triggers }, client, signal);
  await define(database, [triggers, views], name, client, signal);
}

/** Ends the talks with these databases, so that none holds a table; an application comes back, and finds what there is
 *  then. Without the right to do so a rename waits for them. */
async function endTalks(databases: readonly string[], client: Client, signal: AbortSignal): Promise<void> {
  const names = databases.map((name) => `BINARY ${literal(name)}`).join(', ');
  const sql = `SELECT ID FROM information_schema.PROCESSLIST WHERE BINARY DB IN (${names}) AND ID <> CONNECTION_ID()`;
  for (const [id = ''] of await client.lines(sql, signal)) {
    await client.lines(`KILL ${id}`, signal).catch(() => undefined); // it may have ended by itself
    signal.throwIfAborted();
  }
}
