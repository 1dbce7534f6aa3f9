import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Client } from './client.ts';
import { elements } from './elements.ts';
import type { Document, Leaf } from './leaves.ts';
import { multipartOf } from './multipart.ts';
import { type DumpLine, type Header, NotWhole } from './read-dump.ts';
import { documentPath, pathOf } from './server.ts';
import { tallyOf } from './tally.ts';
import { withoutRevision } from './verbatim.ts';

/** Documents that go in one request: so many, and about so many bytes. */
const AT_ONCE = 500;
const BATCH = 1024 ** 2;

export interface Filled {
  /** The database that it was a dump of. */
  readonly original: string;
  /** As `Tally.fingerprint`. */
  readonly fingerprint: string;
  readonly warnings: readonly string[];
}

/** Makes the database that a dump is for, closed to whom it is not open. */
export type Make = (header: Header) => Promise<void>;

/** Makes a database and fills it with a dump: revisions keep their names and their histories, so that conflicts are there
 *  again and whoever replicated with the database goes on with it.
 *  @param lines as `readDump` gives them
 *  @throws Damaged for a dump that is not whole; SourceFailed */
export async function fillDatabase(
  database: string,
  lines: AsyncGenerator<DumpLine, void>,
  make: Make,
  client: Client,
): Promise<Filled> {
  try {
    return await fill(database, lines, make, client);
  } catch (error) {
    if (error instanceof NotWhole)
      throw new HoldfastError('Damaged', `The dump is not whole: ${error.message}.`, database, { cause: error });
    throw client.explain(error);
  } finally {
    await lines.return(undefined);
  }
}

async function fill(
  database: string,
  lines: AsyncGenerator<DumpLine, void>,
  make: Make,
  client: Client,
): Promise<Filled> {
  const tally = tallyOf();
  let original = '';
  let checkpoints = 0;
  let [waiting, size]: [Buffer[], number] = [[], 0];
  const flush = async (): Promise<void> => {
    if (waiting.length > 0) await putDocuments(database, waiting, client);
    [waiting, size] = [[], 0];
  };
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    const line = next.value;
    if (line.type === 'header') {
      original = line.header.database;
      await make(line.header);
    } else if (line.type === 'local') {
      if (isCheckpoint(line.document)) checkpoints += 1;
      else await putLocal(database, line, client);
    } else if (line.type === 'document') {
      tally.take(line.document);
      // What a design document lets in counts from its own request on.
      if (line.document._id.startsWith('_design/')) await flush();
      if (Object.keys(line.document._attachments ?? {}).length > 0) {
        await putWithAttachments(database, line, lines, client);
        continue;
      }
      waiting.push(line.text);
      size += line.text.length;
      if (waiting.length >= AT_ONCE || size >= BATCH) await flush();
    }
  }
  await flush();
  const words = `${counted(checkpoints, 'note', 'notes')} of replications left out, whose numbers are of the other database`;
  return { original, fingerprint: tally.fingerprint(), warnings: checkpoints === 0 ? [] : [words] };
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

/** Where a replication has come, by the numbers of this very database (the replicator's and PouchDB's notes). */
export const isCheckpoint = (document: Document): boolean => {
  const { history, session_id } = document as Document & { readonly history?: unknown; readonly session_id?: unknown };
  return Array.isArray(history) && typeof session_id === 'string';
};

async function putLocal(database: string, { document, text }: Leaf, client: Client): Promise<void> {
  const body = Buffer.from(withoutRevision(text));
  await client.ask({ method: 'PUT', path: documentPath(database, document._id), headers: JSON_TYPE, body });
}

async function putDocuments(database: string, texts: readonly Buffer[], client: Client): Promise<void> {
  const comma = Buffer.from(',');
  const joined = texts.flatMap((text, place) => (place === 0 ? [text] : [comma, text]));
  const body = Buffer.concat([Buffer.from('{"new_edits":false,"docs":['), ...joined, Buffer.from(']}')]);
  const answer = await client.open({
    method: 'POST',
    path: `${pathOf(database)}/_bulk_docs`,
    headers: JSON_TYPE,
    body,
  });
  // With new_edits false only what was refused is listed.
  for await (const row of elements(answer.bytes, 2)) {
    const { id, error, reason } = JSON.parse(row.toString('utf8')) as Readonly<Record<string, string | undefined>>;
    if (error !== undefined)
      throw new HoldfastError('SourceFailed', `The server refuses the document ${id}: ${reason ?? error}.`, database);
  }
}

/** Sends a document and what the dump has of its attachments, piece by piece as it comes. */
async function putWithAttachments(
  database: string,
  leaf: Leaf,
  lines: AsyncGenerator<DumpLine, void>,
  client: Client,
): Promise<void> {
  async function* data(): Bytes {
    for (;;) {
      const { value: line, done } = await lines.next();
      if (done === true || line.type !== 'data') throw new NotWhole('an attachment ends half-way');
      yield line.bytes;
      if (line.last) return;
    }
  }
  const { headers, body } = multipartOf(leaf, data);
  const path = `${documentPath(database, leaf.document._id)}?new_edits=false`;
  await client.ask({ method: 'PUT', path, headers, body });
}
