import { counted } from '../../../domain/counted.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { isBulk, type Session } from '../../../ports/host.ts';
import type { Captured } from '../../../ports/source.ts';
import { unlessSilent } from '../server/silence.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';
import { countRows, exportSnapshot, factsOf, type Listed, listTables } from './facts.ts';
import { closedDatabase, missingDatabase, type SeenDatabase } from './look.ts';

/** Rows are counted while the dump runs, and so much longer: what is not counted by then stays uncounted. */
export const COUNTING_LIMIT_MS = 10_000;

/** One database in the custom format, and the facts of the same snapshot.
 *  @throws SourceMissing, SourceFailed when pg_dump or the server failed, however much was given */
export async function* dumpDatabase(
  { name, bytes, missing, closed }: SeenDatabase,
  client: Client,
  countingLimitMs: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, Captured> {
  if (missing) throw missingDatabase(name);
  if (closed) throw closedDatabase(name);
  try {
    await using session = await client.session(name, signal);
    const snapshot = await exportSnapshot(session);
    const listed = await listTables(session);
    const dump = client.command('pg_dump', args.dump(snapshot, listed.anyBytes), name);
    let counting: Counting | null = null;
    const bulk = isBulk(bytes);
    const read = (until: AbortSignal): Bytes => client.host.read([dump], { signal: until, bulk });
    for await (const chunk of unlessSilent(read, name, signal)) {
      // The first bytes come when the dump has taken over the snapshot: from then on the session may fail alone.
      counting ??= startCounting(session, listed);
      yield chunk;
    }
    counting ??= startCounting(session, listed);
    const facts = await counting.within(countingLimitMs);
    // In peace it ends at once; what still counts is ended with its block.
    if (counting.isOver() && counting.problem() === null) await session.end();
    signal.throwIfAborted();
    return { facts, warnings: warningsOf(name, listed, facts, counting.problem()), unreadable: [] };
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error, name);
  }
}

interface Counting {
  /** The facts, when all is counted or the time is over. */
  within(limitMs: number): Promise<Facts>;
  problem(): string | null;
  isOver(): boolean;
}

function startCounting(session: Session, listed: Listed): Counting {
  const counts = new Map<string, number>();
  let problem: string | null = null;
  let over = false;
  const fail = (error: unknown): void => {
    problem = error instanceof Error ? error.message : String(error);
  };
  const counted = countRows(session, listed, counts)
    .catch(fail)
    .then(() => {
      over = true;
    });
  return {
    problem: () => problem,
    isOver: () => over,
    async within(limitMs) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, limitMs);
      await Promise.race([counted, late]);
      clearTimeout(timer);
      return factsOf(listed, new Map(counts));
    },
  };
}

/** An extension's tables are never counted, which is no news. */
function warningsOf(database: string, listed: Listed, facts: Facts, problem: string | null): readonly string[] {
  const { tables, subscriptionsLeft } = listed;
  const left = counted(subscriptionsLeft, 'subscription');
  const without =
    subscriptionsLeft > 0 ? [`${database}: without its ${left}, which only a superuser may have dumped`] : [];
  return [...without, ...uncountedWarnings(database, tables, facts, problem)];
}

function uncountedWarnings(
  database: string,
  tables: Listed['tables'],
  facts: Facts,
  problem: string | null,
): readonly string[] {
  const countable = new Set(tables.flatMap(({ key, pages }) => (pages === null ? [] : [key])));
  const uncounted = (facts.uncounted ?? []).filter((key) => countable.has(key));
  if (problem !== null) return [`${database}: not all tables were counted: ${problem}`];
  const shown = uncounted.slice(0, 5).join(', ');
  const more = uncounted.length > 5 ? ` and ${uncounted.length - 5} more` : '';
  return uncounted.length > 0 ? [`${database}: the rows of these tables are not counted: ${shown}${more}`] : [];
}
