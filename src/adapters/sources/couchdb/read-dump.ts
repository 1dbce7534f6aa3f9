import { createHash } from 'node:crypto';
import type { Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { md5 } from './attachment.ts';
import { linesOf } from './elements.ts';
import type { Document, Leaf, Stub } from './leaves.ts';
import { tallyOf } from './tally.ts';

/** A line of a dump (README.md). */
export type DumpLine =
  | { readonly type: 'header'; readonly header: Header }
  | ({ readonly type: 'local' } & Leaf)
  /** Followed by the data of its attachments, in their order. */
  | ({ readonly type: 'document' } & Leaf)
  | { readonly type: 'data'; readonly attachment: string; readonly bytes: Buffer; readonly last: boolean }
  | { readonly type: 'end'; readonly facts: Facts };

export interface Header {
  readonly database: string;
  readonly partitioned: boolean;
  readonly security: object;
}

/** Words for what is wrong with a dump. */
export class NotWhole extends Error {}

type Json = Readonly<Record<string, unknown>>;

/** Reads a dump, and compares while it passes: each line, the revisions of documents, lengths and digests of attachments,
 *  and at its end the counts and the hash of all lines. @throws NotWhole; what `bytes` throws */
export async function* readDump(bytes: Bytes): AsyncGenerator<DumpLine, void> {
  const [hash, tally] = [createHash('sha256'), tallyOf()];
  let header: Header | null = null;
  let ended = false;
  /** Attachments whose data are still to come. */
  let expected: (readonly [string, Stub])[] = [];
  let place = 0;
  let data = emptyData();
  const wrong = (words: string): NotWhole => new NotWhole(`line ${place}: ${words}`);

  function attachment({ attachment: name, data: text, length, digest }: Json): DumpLine {
    const [first] = expected;
    if (first === undefined || first[0] !== name || typeof text !== 'string')
      throw wrong('it has an attachment that no document before it names');
    const piece = Buffer.from(text, 'base64');
    data.take(piece);
    const last = length !== undefined;
    if (last) {
      const found = data.end();
      const same = found.length === length && found.digest === digest && length === first[1].length;
      if (!same || (first[1].encoding === undefined && digest !== first[1].digest))
        throw wrong(`the attachment "${printable(name)}" is not what its document says`);
      expected = expected.slice(1);
      data = emptyData();
    }
    return { type: 'data', attachment: name, bytes: piece, last };
  }

  function document(found: Document, text: Buffer): DumpLine {
    if (found._id.startsWith('_local/')) return { type: 'local', document: found, text };
    const problem = wrongIn(found);
    if (problem !== null) throw wrong(`the document "${printable(found._id)}" ${problem}`);
    tally.take(found);
    expected = Object.entries(found._attachments ?? {});
    return { type: 'document', document: found, text };
  }

  function look(text: Buffer): DumpLine {
    const found = parsed(text, wrong);
    if (ended) throw wrong('it stands behind the end');
    if (header === null) {
      header = headerOf(found);
      if (header === null) throw wrong('it does not say of which database it is');
      return { type: 'header', header };
    }
    if (typeof found.attachment === 'string' && !('_id' in found)) return attachment(found);
    if (expected.length > 0) throw wrong(`the attachment "${printable(expected[0]?.[0] ?? '')}" is missing`);
    if (typeof found._id === 'string') return document(found as unknown as Document, text);
    if (found.end === undefined) throw wrong('it is no document');
    const facts = tally.facts(header.database);
    const { sha256, ...counts } = Object(found.end) as Json;
    const { documents, ...rest } = facts;
    for (const [name, count] of Object.entries({ documents: documents[header.database], ...rest }))
      if (counts[name] !== count) throw wrong(`${String(counts[name])} ${name} are announced, and ${count} came`);
    if (sha256 !== hash.digest('hex')) throw wrong('the hash of all lines before it is another one');
    ended = true;
    return { type: 'end', facts };
  }

  try {
    for await (const { line, whole } of linesOf(bytes)) {
      place += 1;
      if (!whole) throw wrong('it is cut off');
      const read = look(line);
      if (read.type !== 'end') hash.update(line).update('\n');
      yield read;
    }
  } catch (error) {
    throw error instanceof RangeError ? wrong(error.message) : error;
  }
  if (!ended) throw new NotWhole('its last line, which tells what it holds, is missing');
}

const emptyData = (): { take(bytes: Buffer): void; end(): { readonly length: number; readonly digest: string } } => {
  const hash = md5();
  let length = 0;
  return {
    take(bytes) {
      hash.take(bytes);
      length += bytes.length;
    },
    end: () => ({ length, digest: hash.digest() }),
  };
};

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsed(text: Buffer, wrong: (words: string) => NotWhole): Json {
  let value: unknown;
  try {
    value = JSON.parse(text.toString('utf8'));
  } catch {
    throw wrong('it is no JSON');
  }
  if (!isObject(value)) throw wrong('it is no object');
  return value;
}

function headerOf({ holdfast, format, database, partitioned, security }: Json): Header | null {
  if (holdfast !== 'couchdb' || format !== 1 || typeof database !== 'string' || !isObject(security)) return null;
  return { database, partitioned: partitioned === true, security };
}

/** What a revision of a document owes; null when nothing is wrong. */
function wrongIn({ _rev, _revisions, _attachments }: Partial<Document>): string | null {
  const [, generation = '', name] = /^([1-9]\d*)-(.+)$/s.exec(typeof _rev === 'string' ? _rev : '') ?? [];
  if (name === undefined) return 'has no revision';
  const { start, ids } = Object(_revisions) as Partial<NonNullable<Document['_revisions']>>;
  if (start !== Number(generation) || !Array.isArray(ids) || ids[0] !== name) return 'has no history of its revision';
  const stubs = Object.values(Object(_attachments) as Readonly<Record<string, Partial<Stub>>>);
  const strange = stubs.some((stub) => typeof stub?.length !== 'number' || typeof stub.digest !== 'string');
  return strange ? 'has an attachment without a length or digest' : null;
}

/** What a damaged name may be. */
const printable = (name: string): string => name.slice(0, 60).replaceAll(/[^\x20-\x7e]/g, '?');
