/** What is wrong with an RDB, in words. */
export class RdbMalformed extends Error {}
/** A kind of value of a later Redis: where it ends is not known. */
export class RdbUnknown extends Error {}

/** Bytes that come in chunks. A reader yields where it needs the next one. */
export interface RdbInput {
  chunk: Uint8Array;
  at: number;
}

/** A part of a reader: it yields whenever `input.chunk` is used up, and goes on when there is another. */
export type Reading<Value = void> = Generator<undefined, Value>;

export function* byte(input: RdbInput): Reading<number> {
  while (input.at >= input.chunk.length) yield;
  const value = input.chunk[input.at] as number;
  input.at += 1;
  return value;
}

export function* skip(input: RdbInput, count: number): Reading {
  let left = count;
  for (;;) {
    const step = Math.min(left, input.chunk.length - input.at);
    input.at += step;
    left -= step;
    if (left === 0) return;
    yield;
  }
}

function* bigEndian(input: RdbInput, bytes: number): Reading<number> {
  let value = 0;
  for (let count = 0; count < bytes; count += 1) value = value * 256 + (yield* byte(input));
  return value;
}

/** A string that is no text of so many bytes but an integer, or packed: -1 - its encoding. */
function* encodedLength(input: RdbInput): Reading<number> {
  const first = yield* byte(input);
  if (first >>> 6 === 0) return first;
  if (first >>> 6 === 1) return (first & 0x3f) * 256 + (yield* byte(input));
  if (first === 0x80) return yield* bigEndian(input, 4);
  if (first === 0x81) return yield* bigEndian(input, 8);
  if (first >>> 6 === 2) throw new RdbMalformed(`a length begins with ${first}`);
  return -1 - (first & 0x3f);
}

/** A count. Those beyond 2^53 (identifiers, -1) are rounded. */
export function* length(input: RdbInput): Reading<number> {
  const value = yield* encodedLength(input);
  if (value < 0) throw new RdbMalformed('a string is where a length should be');
  return value;
}

export function* lengths(input: RdbInput, count: number): Reading {
  for (let done = 0; done < count; done += 1) yield* length(input);
}

export function* string(input: RdbInput): Reading {
  const value = yield* encodedLength(input);
  if (value >= 0) return yield* skip(input, value);
  const encoding = -1 - value;
  if (encoding <= 2) return yield* skip(input, 2 ** encoding); // an integer of 8, 16 or 32 bits
  if (encoding !== 3) throw new RdbMalformed(`a string has the encoding ${encoding}`);
  const packed = yield* length(input); // LZF
  yield* length(input);
  yield* skip(input, packed);
}

/** Skips a short string that lies in the chunk as a whole, as nearly all do: with a generator for each, a million keys take
 *  half as long again. @returns false when nothing was skipped, and {@link string} has to */
export function skipShort(input: RdbInput): boolean {
  const { chunk, at } = input;
  const [first, second] = [chunk[at], chunk[at + 1]];
  if (first === undefined || second === undefined) return false;
  if (first >= 0x80) return false;
  const end = first < 0x40 ? at + 1 + first : at + 2 + (first & 0x3f) * 256 + second;
  if (end > chunk.length) return false;
  input.at = end;
  return true;
}

export function* strings(input: RdbInput, count: number): Reading {
  for (let done = 0; done < count; done += 1) if (!skipShort(input)) yield* string(input);
}
