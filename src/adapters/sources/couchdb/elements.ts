import type { Bytes } from '../../../ports/bytes.ts';

/** The largest object that is kept together: 256 MiB. CouchDB's own limit of a document is 8 MB by default. */
const LONGEST = 256 * 1024 ** 2;

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const opens = (byte: number): boolean => byte === 0x7b || byte === 0x5b;
const closes = (byte: number): boolean => byte === 0x7d || byte === 0x5d;

/** The text of each object or list that stands `level` deep in a JSON document (1 is the document itself), as the server
 *  wrote it: parsing would change numbers that JavaScript has not. One at a time is kept, however many there are.
 *  @throws Error when the document does not end, after what came before */
export async function* elements(bytes: Bytes, level: number): AsyncGenerator<Buffer, void> {
  let depth = 0;
  let begun = false;
  let [inString, escaped] = [false, false];
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const part of bytes) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.length);
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at] ?? 0;
      if (inString) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inString = false;
      } else if (byte === QUOTE) inString = true;
      else if (opens(byte)) {
        depth += 1;
        begun = true;
        if (depth === level) from = at;
      } else if (closes(byte)) {
        if (depth === level) {
          yield Buffer.concat([...pieces, chunk.subarray(from, at + 1)]);
          [pieces, length] = [[], 0];
        }
        depth -= 1;
      }
    }
    if (depth < level) continue;
    pieces.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > LONGEST) throw new Error(`It has an object of more than ${LONGEST} bytes.`);
  }
  if (depth !== 0 || !begun) throw new Error('Its answer ends half-way.');
}

/** Lines without their newlines. @throws Error for one that is too long */
export async function* linesOf(bytes: Bytes): AsyncGenerator<{ readonly line: Buffer; readonly whole: boolean }, void> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const part of bytes) {
    const chunk = Buffer.from(part.buffer, part.byteOffset, part.length);
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      const last = chunk.subarray(from, end);
      yield { line: pieces.length === 0 ? last : Buffer.concat([...pieces, last]), whole: true };
      [pieces, length, from] = [[], 0, end + 1];
    }
    if (from === chunk.length) continue;
    pieces.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > LONGEST) throw new RangeError(`a line has more than ${LONGEST} bytes`);
  }
  if (pieces.length > 0) yield { line: Buffer.concat(pieces), whole: false };
}
