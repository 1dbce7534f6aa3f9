import type { Bytes } from '../../../ports/bytes.ts';

export interface Replacement {
  /** Looked for in so many bytes at the beginning. */
  readonly within: number;
  readonly wanted: string;
  readonly instead: string;
}

/** The same script, the first of certain words at its beginning replaced. What comes later may be somebody's data.
 *  @param absent called where the words are not there; what it throws ends the script */
export async function* replacedAtHead(
  bytes: Bytes,
  replacement: Replacement,
  absent: () => void = () => undefined,
): Bytes {
  let head: Buffer | null = Buffer.alloc(0);
  for await (const chunk of bytes) {
    if (head === null) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < replacement.within) continue;
    yield replaced(head, replacement, absent);
    head = null;
  }
  if (head !== null) yield replaced(head, replacement, absent);
}

function replaced(head: Buffer, { within, wanted, instead }: Replacement, absent: () => void): Buffer {
  const at = head.subarray(0, within).indexOf(wanted);
  if (at >= 0)
    return Buffer.concat([head.subarray(0, at), Buffer.from(instead), head.subarray(at + Buffer.byteLength(wanted))]);
  absent();
  return head;
}
