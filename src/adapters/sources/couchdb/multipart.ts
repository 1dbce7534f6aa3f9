import { randomUUID } from 'node:crypto';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Leaf } from './leaves.ts';
import { withAttachmentsToFollow } from './verbatim.ts';

/** A document and its attachments as one request (RFC 2387, multipart/related), as CouchDB's replicator sends them: the
 *  length is known, and nothing is kept. `data` gives the bytes of the next attachment, in the document's order. */
export function multipartOf(
  { document, text }: Leaf,
  data: () => Bytes,
): { readonly headers: Readonly<Record<string, string | number>>; readonly body: Bytes } {
  const boundary = `holdfast-${randomUUID()}`;
  const stubs = document._attachments ?? {};
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: application/json\r\n\r\n${withAttachmentsToFollow(text, stubs)}`,
  );
  const parts = Object.entries(stubs).map(([name, stub]) => {
    const type = (stub as { readonly content_type?: string }).content_type ?? 'application/octet-stream';
    const lines = [
      `\r\n--${boundary}`,
      `Content-Disposition: attachment; filename="${name.replaceAll(/[\r\n]/g, ' ').replaceAll(/["\\]/g, '\\$&')}"`,
      `Content-Type: ${type.replaceAll(/[\r\n]/g, ' ')}`,
      `Content-Length: ${stub.length}`,
    ];
    return { head: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), length: stub.length };
  });
  const end = Buffer.from(`\r\n--${boundary}--`);
  async function* body(): Bytes {
    yield head;
    for (const part of parts) {
      yield part.head;
      yield* data();
    }
    yield end;
  }
  const length = parts.reduce((sum, part) => sum + part.head.length + part.length, head.length + end.length);
  return {
    headers: { 'Content-Type': `multipart/related; boundary="${boundary}"`, 'Content-Length': length },
    body: body(),
  };
}
