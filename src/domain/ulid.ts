/** Crockford's base 32, as https://github.com/ulid/spec has it: no I, L, O, U. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;
const RANDOM_BYTES = 10;
/** 48 bits of milliseconds since 1970: until the year 10889. */
const LATEST_MS = 2 ** 48 - 1;

/** A ULID: 10 characters of milliseconds since 1970, then 16 of 10 random bytes; sorts by both.
 *  @throws RangeError for a time before 1970 or after 10889, and for bytes that are not 10. */
export function ulid(milliseconds: number, random: Uint8Array): string {
  if (!Number.isInteger(milliseconds) || milliseconds < 0 || milliseconds > LATEST_MS)
    throw new RangeError(`A ULID cannot have the time ${milliseconds} ms.`);
  if (random.length !== RANDOM_BYTES) throw new RangeError(`A ULID needs ${RANDOM_BYTES} random bytes.`);
  const number = random.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return base32(BigInt(milliseconds), TIME_LENGTH) + base32(number, RANDOM_LENGTH);
}

function base32(number: bigint, length: number): string {
  let text = '';
  for (let rest = number; text.length < length; rest >>= 5n) text = ALPHABET.charAt(Number(rest & 31n)) + text;
  return text;
}

/** The id of something that has none of its own, such as a foreign archive: its time, and a hash of what it is. The
 *  first 10 bytes of `hash` are used. A time outside of what a ULID can hold becomes the nearest one. */
export function ulidFrom(time: Temporal.Instant, hash: Uint8Array): string {
  const milliseconds = Math.min(Math.max(time.epochMilliseconds, 0), LATEST_MS);
  return ulid(milliseconds, hash.subarray(0, RANDOM_BYTES));
}

/** True for 26 characters of the alphabet, in upper case, that are within 128 bits. */
export const isUlid = (text: string): boolean => /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(text);

/** The instant in a ULID, to the millisecond. */
export function timeOfUlid(id: string): Temporal.Instant {
  const milliseconds = [...id.slice(0, TIME_LENGTH)].reduce((sum, letter) => sum * 32 + ALPHABET.indexOf(letter), 0);
  return Temporal.Instant.fromEpochMilliseconds(milliseconds);
}

/** The next higher number, within the same millisecond: ids that are made there sort in the order they were made.
 *  Null when all bits were set. */
export function incremented(random: Uint8Array): Uint8Array | null {
  const next = Uint8Array.from(random);
  for (let index = next.length - 1; index >= 0; index--) {
    const byte = (next[index] ?? 0) + 1;
    next[index] = byte & 0xff;
    if (byte <= 0xff) return next;
  }
  return null;
}
