import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { incremented, isUlid, timeOfUlid, ulid, ulidFrom } from '../../src/domain/ulid.ts';

const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
const randoms = fc.uint8Array({ minLength: 10, maxLength: 10 });
const bytes = (value: number) => new Uint8Array(10).fill(value);

test('an identifier is the one of the ULID specification', () => {
  // time part of the specification's own example, https://github.com/ulid/spec
  expect(ulid(1469918176385, bytes(0))).toBe('01ARYZ6S410000000000000000');
  expect(ulid(2 ** 48 - 1, bytes(255))).toBe('7ZZZZZZZZZZZZZZZZZZZZZZZZZ');
  expect(ulid(0, Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 33]))).toBe('00000000000000000000000011');
});

test('identifiers sort by time, then by their random number, and tell the time', () => {
  fc.assert(
    fc.property(times, randoms, times, randoms, (time, random, otherTime, otherRandom) => {
      const [one, other] = [ulid(time, random), ulid(otherTime, otherRandom)];
      expect(isUlid(one)).toBe(true);
      expect(timeOfUlid(one).epochMilliseconds).toBe(time);
      const order = time - otherTime || Buffer.compare(random, otherRandom);
      expect(Math.sign(Number(one > other) - Number(one < other))).toBe(Math.sign(order));
    }),
  );
});

test('the number after a random number is the next higher one', () => {
  fc.assert(
    fc.property(randoms, (random) => {
      const next = incremented(random);
      const number = (value: Uint8Array) => BigInt(`0x${Buffer.from(value).toString('hex')}`);
      if (next === null) expect(number(random)).toBe(2n ** 80n - 1n);
      else expect(number(next)).toBe(number(random) + 1n);
    }),
  );
  expect(incremented(bytes(255))).toBeNull();
});

test('a foreign archive has the same identifier at each look, and another one under another name', () => {
  const at = Temporal.Instant.from('2025-12-02T02:00:00Z');
  const of = (path: string) => ulidFrom(at, createHash('sha256').update(path).digest());
  expect(of('/srv/a.tar.gz')).toBe(of('/srv/a.tar.gz'));
  expect(of('/srv/a.tar.gz')).not.toBe(of('/srv/b.tar.gz'));
  expect(timeOfUlid(of('/srv/a.tar.gz')).equals(at)).toBe(true);
});

test('a time before 1970 becomes the first one that an identifier can have', () => {
  expect(timeOfUlid(ulidFrom(Temporal.Instant.from('1901-01-01T00:00:00Z'), bytes(1))).epochMilliseconds).toBe(0);
  expect(() => ulid(-1, bytes(1))).toThrow(RangeError);
});

test.each(['', '01ARYZ6S41', '01ARYZ6S41000000000000000I', '81ARYZ6S410000000000000000', '01aryz6s410000000000000000'])(
  '%j is no identifier',
  (text) => expect(isUlid(text)).toBe(false),
);
