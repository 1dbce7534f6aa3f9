import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Captured } from '../../../ports/source.ts';
import { attachmentLines } from './attachment.ts';
import type { Client } from './client.ts';
import { elements, linesOf } from './elements.ts';
import { type Change, changesOf, type Leaf, leafOf, leavesOf, pagesOfChanges } from './leaves.ts';
import { missingDatabase, pathOf, type SeenDatabase, type State, stateOf } from './server.ts';
import { type Tally, tallyOf } from './tally.ts';

/** Lines are given in chunks of about this size. */
const CHUNK = 256 * 1024;
/** A shard's own notes for its copies and those of an exchange, of no use to another database. */
const INTERNAL = /^_local\/(?:shard-sync-|purge-|holdfast_exchange$)/;

export interface ToDump {
  readonly database: SeenDatabase;
  /** Of the server. */
  readonly version: string;
  /** A folder of mode 0700; null where nobody writes to the database, so that its list can be read more than once. */
  readonly workspace: string | null;
}

/** What is known of a dump while it is made. */
interface Made extends ToDump {
  readonly tally: Tally;
  readonly warnings: string[];
  /** SHA-256 of the lines that were given. */
  digest(): string;
}

/** One database as lines of JSON (README.md), and what is counted in them.
 *  @throws SourceMissing, SourceFailed, however much was given */
export async function* dumpDatabase(wanted: ToDump, client: Client): AsyncGenerator<Uint8Array, Captured> {
  const { name, missing } = wanted.database;
  if (missing) throw missingDatabase(name);
  const hash = createHash('sha256');
  const made: Made = { ...wanted, tally: tallyOf(), warnings: [], digest: () => hash.copy().digest('hex') };
  let [waiting, size]: [Buffer[], number] = [[], 0];
  try {
    for await (const line of dumpLines(made, client)) {
      const bytes = Buffer.isBuffer(line) ? line : Buffer.from(line);
      hash.update(bytes);
      waiting.push(bytes);
      size += bytes.length;
      if (size < CHUNK) continue;
      yield Buffer.concat(waiting);
      [waiting, size] = [[], 0];
    }
  } catch (error) {
    throw client.explain(error);
  }
  yield Buffer.concat(waiting);
  return { facts: made.tally.facts(name), warnings: made.warnings, unreadable: [] };
}

const NEWLINE = Buffer.from('\n');
const lineOf = (record: object): string => `${JSON.stringify(record)}\n`;

async function* dumpLines(made: Made, client: Client): AsyncGenerator<string | Buffer, void> {
  const { database, version, tally, warnings } = made;
  const { name } = database;
  const before = await presentState(name, client);
  const security = await client.ask({ method: 'GET', path: `${pathOf(name)}/_security` });
  const { sequence, partitioned } = before;
  yield lineOf({ holdfast: 'couchdb', format: 1, database: name, server: version, sequence, partitioned, security });
  for await (const { text } of localDocuments(name, client, warnings)) yield Buffer.concat([text, NEWLINE]);
  let gone = 0;
  for await (const { document, text } of leavesOfDump(made, client, () => (gone += 1))) {
    tally.take(document);
    yield Buffer.concat([text, NEWLINE]);
    for (const attachment of Object.entries(document._attachments ?? {}))
      yield* attachmentLines(name, document, attachment, client);
  }
  if (gone > 0)
    warnings.push(
      `${name}: ${counted(gone, 'document')} changed while it was read, and stand in it as they were afterwards`,
    );
  const after = await presentState(name, client);
  refuseLost(name, before, after, tally);
  const { documents, ...counts } = tally.facts(name);
  yield lineOf({ end: { documents: documents[name], ...counts, sequence: after.sequence, sha256: made.digest() } });
}

async function presentState(database: string, client: Client): Promise<State> {
  const state = await stateOf(database, client);
  if (state === null) throw missingDatabase(database);
  return state;
}

/** Where nothing was written meanwhile, what came has to be what the server counts by itself. */
function refuseLost(database: string, before: State, after: State, tally: Tally): void {
  if (before.sequence !== after.sequence || before.documents !== after.documents) return;
  const found = tally.facts(database).documents[database] ?? 0;
  if (found === after.documents) return;
  const words = `${database}: the server has ${after.documents} documents, and gave ${found}.`;
  throw new HoldfastError('SourceFailed', words, database, {
    hint: 'Let the account read all documents: a member of the database, or an admin',
  });
}

/** Documents that are not replicated: notes of replications, and what programs keep for themselves. */
async function* localDocuments(database: string, client: Client, warnings: string[]): AsyncGenerator<Leaf, void> {
  const path = `${pathOf(database)}/_local_docs?include_docs=true`;
  const answer = await client.open({ method: 'GET', path }, [400, 404, 405, 501]);
  if (answer.status >= 300)
    warnings.push(`${database}: this server does not list its local documents, so none of them is in it`);
  // {"rows":[{"value":{…},"doc":{…}}]}
  for await (const text of elements(answer.bytes, 4)) {
    const leaf = answer.status < 300 ? leafOf(text) : null;
    if (leaf !== null && !INTERNAL.test(leaf.document._id)) yield leaf;
  }
}

/** All leaf revisions of one moment. Design documents come last, since they may say what may be written. The list of what
 *  there is can be long, and reading documents takes its time, so it goes through a file. */
async function* leavesOfDump(
  { database: { name }, workspace }: ToDump,
  client: Client,
  onGone: () => void,
): AsyncGenerator<Leaf, void> {
  if (workspace === null) {
    for (const design of [false, true])
      yield* leavesOf(name, only(design, pagesOfChanges(name, client)), client, onGone);
    return;
  }
  const path = join(workspace, `${encodeURIComponent(name).slice(0, 200)}.changes`);
  try {
    await writeChanges(path, changesOf(name, client));
    for (const design of [false, true]) yield* leavesOf(name, only(design, readChanges(path)), client, onGone);
  } finally {
    await rm(path, { force: true });
  }
}

async function writeChanges(path: string, changes: AsyncIterable<Change>): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  let lines = '';
  for await (const change of changes) {
    lines += lineOf(change);
    if (lines.length < CHUNK) continue;
    await file.writeFile(lines);
    lines = '';
  }
  await file.writeFile(lines);
}

async function* readChanges(path: string): AsyncGenerator<Change, void> {
  for await (const { line } of linesOf(createReadStream(path))) yield JSON.parse(line.toString('utf8')) as Change;
}

async function* only(design: boolean, changes: AsyncIterable<Change>): AsyncGenerator<Change, void> {
  for await (const change of changes) if (change.id.startsWith('_design/') === design) yield change;
}
