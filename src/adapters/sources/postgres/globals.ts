import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Captured } from '../../../ports/source.ts';
import * as args from './args.ts';
import { askServer, type Client } from './client.ts';

/** The last words of pg_dumpall 15: a script that is cut short has no such line. */
const TRAILER = '-- PostgreSQL database cluster dump complete';
const TAIL_BYTES = 512;

const COUNT = `select (select count(*) from pg_catalog.pg_roles where rolname !~ '^pg_') + (select count(*) from
  pg_catalog.pg_tablespace where spcname !~ '^pg_')`.replaceAll(/\s+/g, ' ');

/** What a script of globals is, as its bytes pass. */
interface GlobalsScan {
  take(chunk: Uint8Array): void;
  end(): { readonly entries: number; readonly complete: boolean };
}

/** Counts the roles and tablespaces that a script makes; each has a line of its own. */
function scanGlobals(): GlobalsScan {
  let pending = '';
  let tail = '';
  let entries = 0;
  const count = (line: string): void => {
    if (/^CREATE (?:ROLE|TABLESPACE) /.test(line)) entries += 1;
  };
  return {
    take(chunk) {
      const text = Buffer.from(chunk).toString('latin1');
      tail = (tail + text).slice(-TAIL_BYTES);
      const lines = (pending + text).split('\n');
      pending = lines.pop() ?? '';
      lines.forEach(count);
    },
    end() {
      count(pending);
      return { entries, complete: tail.includes(`${TRAILER}\n`) };
    },
  };
}

/** Roles, what they are members of, their settings, and tablespaces, as SQL.
 *  @throws SourceFailed when the script does not make all that the server has */
export async function* dumpGlobals(
  client: Client,
  others: readonly string[],
  superuser: boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, Captured> {
  const expected = async (): Promise<number> => Number((await askServer(client, others, COUNT, signal))[0]);
  const scan = scanGlobals();
  try {
    const before = await expected();
    const command = client.command('pg_dumpall', args.dumpGlobals(superuser), null);
    for await (const chunk of client.host.read([command], { signal })) {
      scan.take(chunk);
      yield chunk;
    }
    const { entries, complete } = scan.end();
    if (!complete) throw cut('its last line is missing');
    // pg_dumpall takes no snapshot: a role may have come or gone meanwhile, but then one of both counts is right.
    if (entries !== before && entries !== (await expected()))
      throw cut(`it makes ${entries} roles and tablespaces, and the server has ${before}`);
    const warnings = superuser ? [] : ['without the passwords of roles, which only a superuser may read'];
    return { facts: { entries }, warnings, unreadable: [] };
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error, null);
  }
}

const cut = (why: string): HoldfastError =>
  new HoldfastError('SourceFailed', `What pg_dumpall gave is not whole: ${why}.`, 'globals');

/** @returns the facts, or what is wrong */
export async function readGlobals(bytes: Bytes): Promise<Facts | string> {
  const scan = scanGlobals();
  for await (const chunk of bytes) scan.take(chunk);
  const { entries, complete } = scan.end();
  return complete ? { entries } : 'the last line of the script is missing';
}
