import { type Bytes, cut } from '../ports/bytes.ts';
import { changePaxRecords, formatPaxHeader, type PaxRecords } from './pax-records.ts';
import { BLOCK, relinkedBlock, renamedBlock } from './tar-header.ts';
import { type TarMember, tarScanner } from './tar-scanner.ts';

/** The end of a tar. Without it the members of several can be written one after the other. */
export const END_BLOCKS: Uint8Array = new Uint8Array(2 * BLOCK);

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

function rebuilt(member: TarMember, records: PaxRecords, change: (block: Uint8Array) => Uint8Array): Uint8Array {
  const [headers, blockAt] = [member.headers(), member.blockAt()];
  const block = change(headers.subarray(blockAt, blockAt + BLOCK));
  return Buffer.concat([formatPaxHeader(records), block, headers.subarray(blockAt + BLOCK)]);
}

/** The headers of a member under another name; its data follow unchanged, sparse or not. */
export function renamedHeaders(member: TarMember, name: Uint8Array): Uint8Array {
  const sparse = member.records.some(([keyword]) => keyword === 'GNU.sparse.name');
  const changes = { path: latin1(name), ...(sparse ? { 'GNU.sparse.name': latin1(name) } : {}) };
  return rebuilt(member, changePaxRecords(member.records, changes), (block) => renamedBlock(block, name));
}

/** The headers of a hard link that points to another name. */
export function relinkedHeaders(member: TarMember, name: Uint8Array, target: Uint8Array): Uint8Array {
  const changes = { path: latin1(name), linkpath: latin1(target) };
  return rebuilt(member, changePaxRecords(member.records, changes), (block) =>
    relinkedBlock(renamedBlock(block, name), target),
  );
}

/** Lets some members of a tar pass. `headersOf` answers with the headers under which one goes on ({@link TarMember}'s own,
 *  or changed ones), or null to leave it out. What comes out has no end blocks; the tar is read to its end.
 *  @throws Damaged when the tar is not whole */
export async function* filterMembers(
  bytes: Bytes,
  subject: string,
  headersOf: (member: TarMember) => Uint8Array | null,
): Bytes {
  const scanner = tarScanner(subject);
  let position = 0; // of the chunk
  let kept = { from: 0, to: 0 }; // the data of the last member that passes
  for await (const chunk of bytes) {
    const parts = cut(chunk);
    function* data(): Generator<Uint8Array> {
      const [from, to] = [Math.max(0, kept.from - position), Math.min(chunk.length, kept.to - position)];
      if (from < to) yield parts.part(from, to);
    }
    for (const member of scanner.write(chunk)) {
      yield* data();
      const headers = headersOf(member);
      const { dataOffset, end } = member.entry;
      kept = headers === null ? { from: 0, to: 0 } : { from: dataOffset, to: end };
      if (headers !== null) yield headers;
    }
    yield* data();
    parts.end();
    position += chunk.length;
  }
  scanner.end();
}

/** A tar without its end blocks and the padding behind them. @throws Damaged when it is not whole */
export const withoutEndBlocks = (bytes: Bytes, subject: string): Bytes =>
  filterMembers(bytes, subject, ({ headers }) => headers());
