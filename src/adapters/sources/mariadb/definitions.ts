import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';
import { loadScript, renamed } from './load.ts';
import type { Objects } from './objects.ts';

/** What of a database no rename moves, as scripts of mariadb-dump that name no database but where `renamed` sees to it. */
export interface Definitions {
  readonly triggers: Buffer;
  readonly routines: Buffer;
  readonly events: Buffer;
  readonly views: Buffer;
  /** What reads what is not there, so that no server makes it again: its words, as comments. */
  readonly broken: Buffer;
}

export const PARTS = ['triggers', 'routines', 'events', 'views', 'broken'] as const;

/** @throws SourceFailed as mariadb-dump did */
export async function definitionsOf(
  database: string,
  objects: Objects,
  client: Client,
  signal: AbortSignal,
): Promise<Definitions> {
  const none = Buffer.alloc(0);
  const hidden = [...objects.views, ...objects.sequences];
  const dump = async (what: 'triggers' | 'routines' | 'events', of: readonly unknown[]): Promise<Buffer> =>
    of.length === 0 ? none : await run(args.definitions(database, what, hidden, client.dump.oracle), client, signal);
  const wanted = {
    triggers: await dump('triggers', objects.triggers),
    routines: await dump('routines', objects.routines),
    events: await dump('events', objects.events),
  };
  return { ...wanted, ...(await viewsOf(database, objects.views, client, signal)) };
}

/** Views that cannot be read any more keep no others from being told. */
async function viewsOf(
  database: string,
  views: readonly string[],
  client: Client,
  signal: AbortSignal,
): Promise<Pick<Definitions, 'views' | 'broken'>> {
  const none = Buffer.alloc(0);
  const dump = (names: readonly string[]): Promise<Buffer> =>
    run(args.views(database, names, client.dump.oracle), client, signal);
  if (views.length === 0) return { views: none, broken: none };
  try {
    return { views: await dump(views), broken: none };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HoldfastError) || error.code !== 'ProcessFailed') throw error;
  }
  const [good, broken]: [string[], string[]] = [[], []];
  for (const view of views) {
    const whole = await dump([view]).then(
      () => true,
      () => false,
    );
    signal.throwIfAborted();
    (whole ? good : broken).push(view);
  }
  const words = broken.map((view) => `SHOW CREATE VIEW ${args.quoted(database)}.${args.quoted(view)}`);
  const told = await client.lines(words.join(';\n'), signal);
  const comments = told.map((fields) => `-- ${fields.join(' ')}\n`);
  return { views: good.length === 0 ? none : await dump(good), broken: Buffer.from(comments.join('')) };
}

async function run(words: readonly string[], client: Client, signal: AbortSignal): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.host.read([client.command(client.dump, words)], { signal })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Makes what scripts define. What is there of the same name must be gone before. */
export async function define(
  database: string,
  scripts: readonly Buffer[],
  dumpedFrom: string,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  for (const script of scripts) {
    if (script.length === 0) continue;
    const bytes = (async function* (): Bytes {
      yield script;
    })();
    await loadScript(database, renamed(bytes, dumpedFrom, database), client, signal);
  }
}
