import { createHash, type Hash } from 'node:crypto';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Client } from './client.ts';
import { dumpDatabase } from './dump.ts';
import { fillDatabase, isCheckpoint } from './fill.ts';
import { pagesOfChanges } from './leaves.ts';
import { type DumpLine, NotWhole, readDump } from './read-dump.ts';
import { missingDatabase, stateOf } from './server.ts';
import { contentOf, withoutRevision } from './verbatim.ts';

/** Fills `to` with all that is in `from`, through us and with nothing on disk, and then reads every byte of `to` back.
 *  Nobody may write to either. Notes of replications are left out, whose numbers are of the other database.
 *  @param make makes `to`
 *  @throws Damaged when `to` did not become the same; Refused when `from` was written to; SourceFailed */
export async function duplicate(from: string, to: string, make: () => Promise<void>, client: Client): Promise<void> {
  const before = await standOf(from, client);
  const sent = contents();
  await fillDatabase(to, watched(linesOf(from, client), sent), make, client);
  const came = contents();
  try {
    for await (const _ of watched(linesOf(to, client), came));
  } catch (error) {
    if (error instanceof NotWhole) throw different(from, to);
    throw client.explain(error);
  }
  if (came.digest() !== sent.digest()) throw different(from, to);
  await confirmUnchanged(from, before, client);
}

const different = (from: string, to: string): HoldfastError =>
  new HoldfastError('Damaged', `${to} did not become what ${from} is.`, to, {
    hint: 'Look whether an admin of the server, or a replication of its own, writes to it, and repeat',
  });

const linesOf = (database: string, client: Client): AsyncGenerator<DumpLine, void> => {
  const wanted = { database: { name: database, missing: false, bytes: null }, version: '', workspace: null };
  return readDump(dumpDatabase(wanted, client));
};

async function* watched(lines: AsyncGenerator<DumpLine, void>, seen: Contents): AsyncGenerator<DumpLine, void> {
  for await (const line of lines) {
    seen.take(line);
    yield line;
  }
}

interface Contents {
  take(line: DumpLine): void;
  /** Equal for the same documents and attachments, in whatever order they came. */
  digest(): string;
}

function contents(): Contents {
  let sum = 0n;
  const add = (hash: Hash): void => {
    sum = BigInt.asUintN(256, sum + BigInt(`0x${hash.digest('hex')}`));
  };
  const of = (text: string): Hash => createHash('sha256').update(text);
  let revision = '';
  let data: Hash | null = null;
  return {
    take(line) {
      if (line.type === 'local' && !isCheckpoint(line.document))
        add(of(contentOf(Buffer.from(withoutRevision(line.text)))));
      else if (line.type === 'document') {
        revision = JSON.stringify([line.document._id, line.document._rev]);
        add(of(contentOf(line.text)));
      } else if (line.type === 'data') {
        data ??= of(JSON.stringify([revision, line.attachment]));
        data.update(line.bytes);
        if (!line.last) return;
        add(data);
        data = null;
      }
    },
    digest: () => sum.toString(16),
  };
}

/** By which it is seen whether a database was written to. */
interface Stand {
  readonly sequence: string;
  /** Of all leaf revisions. A cluster tells one sequence in several ways. */
  readonly revisions: string;
}

async function standOf(database: string, client: Client): Promise<Stand> {
  return { sequence: await sequenceOf(database, client), revisions: await revisionsOf(database, client) };
}

async function sequenceOf(database: string, client: Client): Promise<string> {
  const state = await stateOf(database, client);
  if (state === null) throw missingDatabase(database);
  return state.sequence;
}

async function revisionsOf(database: string, client: Client): Promise<string> {
  let sum = 0n;
  for await (const { id, revisions } of pagesOfChanges(database, client)) {
    const hash = createHash('sha256').update(JSON.stringify([id, revisions.toSorted()]));
    sum = BigInt.asUintN(256, sum + BigInt(`0x${hash.digest('hex')}`));
  }
  return sum.toString(16);
}

/** @throws Refused when somebody wrote to it since */
async function confirmUnchanged(database: string, { sequence, revisions }: Stand, client: Client): Promise<void> {
  if ((await sequenceOf(database, client)) === sequence) return;
  if ((await revisionsOf(database, client)) === revisions) return;
  throw new HoldfastError('Refused', `${database} was written to while it was copied.`, database, {
    hint: 'Its members are kept out: stop what writes to it as an admin of the server, and repeat',
  });
}
