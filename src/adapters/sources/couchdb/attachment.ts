import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Client } from './client.ts';
import type { Document, Stub } from './leaves.ts';
import { documentPath } from './server.ts';

/** Bytes of an attachment in one line: base64 makes 1 MiB of them. A multiple of three, so that the base64 of all lines
 *  one after the other is that of the attachment. */
const PIECE = 768 * 1024;

/** What CouchDB calls a digest. */
export const md5 = (): { take(bytes: Uint8Array): void; digest(): string } => {
  const hash = createHash('md5');
  return { take: (bytes) => void hash.update(bytes), digest: () => `md5-${hash.digest('base64')}` };
};

/** The lines of one attachment, read from the server and compared with what the document says of it. The last one has
 *  the length and the digest of its bytes. @throws SourceFailed when they differ */
export async function* attachmentLines(
  database: string,
  { _id, _rev }: Document,
  [name, stub]: readonly [string, Stub],
  client: Client,
): AsyncGenerator<string, void> {
  const packed = stub.encoding === 'gzip';
  const path = `${documentPath(database, _id)}/${encodeURIComponent(name)}?rev=${encodeURIComponent(_rev)}`;
  const headers = { Accept: '*/*', 'Accept-Encoding': packed ? 'gzip' : 'identity' };
  const answer = await client.open({ method: 'GET', path, headers });
  const sent = md5();
  const plain = md5();
  let length = 0;
  let rest: Buffer = Buffer.alloc(0);
  const line = (data: Uint8Array, end: object = {}): string =>
    `${JSON.stringify({ attachment: name, data: Buffer.from(data).toString('base64'), ...end })}\n`;
  async function* watched(): Bytes {
    for await (const chunk of answer.bytes) {
      sent.take(chunk);
      yield chunk;
    }
  }
  function unpackedBytes(): Bytes {
    const gunzip = createGunzip();
    pipeline(Readable.from(watched(), { objectMode: false }), gunzip).catch(() => undefined); // whoever reads it is told
    return gunzip;
  }
  const asKept = !packed || answer.headers['content-encoding'] === 'gzip';
  try {
    const bytes = packed && asKept ? unpackedBytes() : watched();
    for await (const chunk of bytes) {
      plain.take(chunk);
      length += chunk.length;
      rest = Buffer.concat([rest, chunk]);
      for (; rest.length > PIECE; rest = rest.subarray(PIECE)) yield line(rest.subarray(0, PIECE));
    }
  } catch (error) {
    throw client.explain(error);
  }
  const whole = { length, digest: plain.digest() };
  if (length !== stub.length || (asKept && sent.digest() !== stub.digest))
    throw new HoldfastError(
      'SourceFailed',
      `${database}: the attachment ${name} of ${_id} is not what the server says it is: ${length} bytes of ${stub.length}.`,
      database,
    );
  yield line(rest, whole);
}
