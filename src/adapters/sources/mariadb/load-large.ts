import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { quoted } from './args.ts';
import type { Client } from './client.ts';
import { loadScript } from './load.ts';

/** The most that a server can be let take in one statement: 1 GiB. */
const LARGEST = 1024 ** 3;
const BACK_LIMIT_MS = 60_000;

/** Fills a new database. A row that came in by parts, or whose bytes are written as twice as many digits, may be larger than
 *  the server takes (`max_allowed_packet`, 16 MiB by default), so that it hangs up: then it is let take more until all was
 *  loaded once more.
 *  @throws SourceFailed, naming the setting, where the account may not change it; what {@link loadScript} throws */
export async function loadLarge(
  database: string,
  script: () => Bytes,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const make = `CREATE DATABASE ${quoted(database)}`;
  await client.lines(make, signal);
  let first: unknown;
  try {
    return await loadScript(database, script(), client, signal);
  } catch (error) {
    signal.throwIfAborted();
    first = error;
  }
  if (!hungUp(first)) throw first;
  const size = await packetOf(client, signal).catch(() => LARGEST); // it ended, and not for a row
  signal.throwIfAborted();
  if (size >= LARGEST) throw first;
  await client.lines(SET(LARGEST), signal).catch((error: unknown) => {
    signal.throwIfAborted();
    throw mayNotTakeMore(database, size, error);
  });
  try {
    await client.lines(`DROP DATABASE ${quoted(database)};\n${make}`, signal);
    await loadScript(database, script(), client, signal);
  } finally {
    // A failure, or a kill, leaves a limit that is higher until the server starts again: it refuses nobody.
    await client.lines(SET(size), AbortSignal.timeout(BACK_LIMIT_MS)).catch(() => undefined);
  }
}

const SET = (bytes: number): string => `SET GLOBAL max_allowed_packet = ${bytes}`;

/** Of a statement that is too large the client hears that the server is gone (2006, 2013), or why (1153). */
const hungUp = (error: unknown): boolean =>
  error instanceof HoldfastError && /\b(?:ERROR|error:) (?:1153|2006|2013)\b/i.test(error.message);

const packetOf = async (client: Client, signal: AbortSignal): Promise<number> =>
  Number((await client.lines('SELECT @@GLOBAL.max_allowed_packet', signal))[0]?.[0]);

const mayNotTakeMore = (database: string, size: number, cause: unknown): HoldfastError =>
  new HoldfastError(
    'SourceFailed',
    `${database}: a row is larger than the server takes, ${size} bytes, and this account may not let it take more.`,
    database,
    { cause, hint: `Until it is restored, as one that may: ${SET(LARGEST)}` },
  );
