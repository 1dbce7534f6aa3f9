/** Names in a tree are bytes. They are shown and typed as text: UTF-8 as it is, a backslash as `\\`, and every byte that
 *  is not UTF-8, or is a control character, as `\xHH`; so a name is always one line, and each text is one name. */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();
const BACKSLASH = 0x5c;

/** ASCII that is printed as it is. */
const plain = (byte: number): boolean => byte >= 0x20 && byte < 0x7f && byte !== BACKSLASH;

/** Length of a UTF-8 sequence with this first byte, 0 when none begins so: RFC 3629, section 4. */
function lengthAfter(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

/** Length of the UTF-8 sequence that begins at `at`, 0 when there is none: RFC 3629, section 4. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length = lengthAfter(first);
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  if (first === 0xe0 && second < 0xa0) return 0; // overlong
  if (first === 0xed && second > 0x9f) return 0; // surrogates
  if (first === 0xf0 && second < 0x90) return 0; // overlong
  if (first === 0xf4 && second > 0x8f) return 0; // beyond U+10FFFF
  return length;
}

/** U+0000–001F, U+007F–009F: a terminal may obey them. */
const isControl = (bytes: Uint8Array, at: number, length: number): boolean =>
  length === 1
    ? (bytes[at] ?? 0) < 0x20 || bytes[at] === 0x7f
    : length === 2 && bytes[at] === 0xc2 && (bytes[at + 1] ?? 0) < 0xa0;

const escaped = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

/** The text of a name. {@link parseName} gives the same bytes again. */
export function printName(bytes: Uint8Array): string {
  if (bytes.every(plain)) return decoder.decode(bytes);
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0 || isControl(bytes, at, length)) {
      for (const byte of bytes.subarray(at, at + Math.max(length, 1))) text += escaped(byte);
      at += Math.max(length, 1);
    } else {
      text += bytes[at] === BACKSLASH ? '\\\\' : decoder.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return text;
}

/** The bytes of a printed or typed name. A backslash that begins neither `\\` nor `\xHH` stands for itself. */
export function parseName(text: string): Uint8Array {
  const parts = text.split(/(\\\\|\\x[0-9a-fA-F]{2})/);
  const pieces = parts.map((part, i) => {
    if (i % 2 === 0) return encoder.encode(part);
    return Uint8Array.of(part === '\\\\' ? BACKSLASH : Number.parseInt(part.slice(2), 16));
  });
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** A typed name as it is printed: to be compared with printed ones. */
export const normalName = (typed: string): string => printName(parseName(typed));
